/**
 * A cluster of real processes for tests: real gRPC, LevelDB and both APIs, on free ports of loopback.
 */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DevCluster, type DevNode } from '../../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../../src/cli/dev-command.ts';
import { spawnUntraced } from '../untraced.ts';

spawnUntraced();

/** The compiled `main.js` beside the compiled tests. */
export const ENTRY_POINT = resolve(import.meta.dirname, '../../src/main.js');

/** Several nodes start at once on a slow machine that runs another test too. */
const READY_TIMEOUT_MS = 240_000;

export interface LocalCluster {
  readonly cluster: DevCluster;
  readonly nodes: readonly DevNode[];
  readonly dataFolder: string;
  readonly configPath: string;
  /** Stops the nodes and removes their data. */
  readonly close: () => Promise<void>;
}

/** `settings`: more lines for the configuration. */
export async function startCluster(
  nodeCount: number,
  bucketTypes: Readonly<Record<string, unknown>> = {},
  settings = '',
): Promise<LocalCluster> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'vertebra-test-'));
  const basePort = await freeBasePort(nodeCount);
  const configPath = writeDevConfig({ nodes: nodeCount, basePort, data: dataFolder });
  appendFileSync(configPath, settings);
  const nodes = devNodes(configPath);
  const cluster = new DevCluster({
    configPath,
    nodes,
    entryPoint: ENTRY_POINT,
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  await cluster.start();
  await cluster.ensureBucketTypes(bucketTypes);
  const close = async (): Promise<void> => {
    await cluster.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  };
  return { cluster, nodes, dataFolder, configPath, close };
}

/** Test files that run side by side have different job numbers, and draw from blocks of their own. */
const FIRST_BASE_PORT = 20_000;
const BLOCK_SIZE = 100;
const BLOCKS_OF_JOB = 30;
const JOBS = 4;

/** A base whose block of ports is free now; something else may have some of them, so it is drawn. */
export async function freeBasePort(nodeCount: number): Promise<number> {
  const job = Number(process.env.TAP_JOB_ID ?? 0) % JOBS;
  const firstOfJob = FIRST_BASE_PORT + job * BLOCKS_OF_JOB * BLOCK_SIZE;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = firstOfJob + BLOCK_SIZE * Math.floor(Math.random() * BLOCKS_OF_JOB);
    const ports = Array.from({ length: nodeCount * 10 }, (_, index) => base + 10 + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no block of ports is free');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => {
      done(false);
    });
    probe.listen(port, '127.0.0.1', () => {
      probe.close(() => {
        done(true);
      });
    });
  });
}
