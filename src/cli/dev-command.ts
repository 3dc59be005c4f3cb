/**
 * `vertebra dev` and `npm start`: a whole cluster on this machine, until it is told to stop.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  devConfigText,
  parseClusterDocument,
  readBucketTypesFile,
  readConfigFile,
} from '../config/config-file.ts';
import { makeFolders } from '../storage/make-folders.ts';
import { DevCluster, type DevNode } from './dev-cluster.ts';
import type { DevArguments } from './program.ts';
import { textTable } from './text-table.ts';

export async function runDev(options: DevArguments, entryPoint: string): Promise<void> {
  const types =
    options.bucketTypes === undefined ? undefined : readBucketTypesFile(options.bucketTypes);
  const configPath = options.config ?? writeDevConfig(options);
  const cluster = new DevCluster({ configPath, entryPoint, nodes: devNodes(configPath) });
  const stopAsked = new Promise<'asked'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve('asked');
      });
    }
  });

  const started = cluster.start().then(async () => {
    if (types !== undefined) await cluster.ensureBucketTypes(Object.fromEntries(types));
    return 'started' as const;
  });
  if ((await Promise.race([started, stopAsked])) === 'started') {
    printCluster(cluster.nodes, configPath);
    console.log('ready');
    const exited = await Promise.race([stopAsked, cluster.anyExited()]);
    if (exited !== 'asked') {
      const { howItEnded, logPath, name } = exited;
      console.error(
        `vertebra: ${name} has stopped by itself (${howItEnded}); its log is ${logPath}; the rest goes on`,
      );
      await stopAsked;
    }
  }
  const isClean = await cluster.stop();
  process.exitCode = isClean ? 0 : 1;
  if (process.stdout.isTTY) console.log('all nodes have stopped');
}

/** The nodes of a file, as a local cluster runs them. */
export function devNodes(configPath: string): DevNode[] {
  return readConfigFile(configPath).nodes.map((node) => ({
    name: node.name,
    host: node.listenHost,
    httpPort: node.httpPort,
    pbcPort: node.pbcPort,
    peerPort: node.peerPort,
    dataFolder: node.dataDir,
  }));
}

/**
 * Writes the file of a made-up cluster into its data folder; returns its path. One that was written by
 * somebody else, or changed, is not written over.
 */
export function writeDevConfig(options: {
  readonly nodes: number;
  readonly basePort: number;
  readonly data: string;
}): string {
  const dataDir = resolve(options.data);
  const text = devConfigText({ nodes: options.nodes, basePort: options.basePort, dataDir });
  const path = join(dataDir, 'cluster.yml');
  if (existsSync(path) && !isDevConfig(path)) {
    const instead = `run it with --config ${path}, or give another folder with --data`;
    throw new Error(`${path} is not as \`dev\` wrote it, and would be written over: ${instead}`);
  }
  try {
    makeFolders(dataDir);
    writeFileSync(path, text);
    return path;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the data folder ${dataDir} cannot be used: ${why}`, { cause: error });
  }
}

/** Whether a file is, to the letter, what is written for so many nodes at those ports. */
function isDevConfig(path: string): boolean {
  const text = readFileSync(path, 'utf8');
  try {
    const { nodes } = parseClusterDocument(path, text);
    const [first] = nodes;
    if (first === undefined) return false;
    const basePort = first.peer_port - 19;
    const dataDir = dirname(first.data_dir);
    return devConfigText({ nodes: nodes.length, basePort, dataDir }) === text;
  } catch {
    return false;
  }
}

function printCluster(nodes: readonly DevNode[], configPath: string): void {
  const rows = nodes.map((node) => [
    node.name,
    `http://${node.host}:${node.httpPort}`,
    `${node.host}:${node.pbcPort}`,
    `${node.host}:${node.peerPort}`,
    node.dataFolder,
  ]);
  console.log(textTable(['node', 'HTTP', 'Protocol Buffers', 'peer', 'data'], rows));
  const first = nodes[0];
  if (first === undefined) return;
  const url = `http://${first.host}:${first.httpPort}/buckets/patients/keys/9990000018`;
  console.log(`\nTry it:\n  curl -X PUT ${url} -H 'Content-Type: application/json' \\`);
  console.log(`    -d '{"familyName":"Okafor"}' && curl ${url}\n`);
  console.log(`See it live:\n  npx vertebra dashboard --config ${configPath}\n`);
}
