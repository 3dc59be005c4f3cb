/**
 * A support bundle: what somebody who cannot log in needs to see of a node and its cluster, in one file.
 *
 * Gzip of JSON lines, one for each part: `{"part": …, "node": …, "content": …}`, or `error` where a part could
 * not be had; what a node that is down cannot say is left out, and the rest is there. Each part is bounded. No part
 * holds keys, values or hashes of passwords: slow and hot requests come with fingerprints of keys, as the node shows
 * them unasked, and users are not in it.
 */

import { open, readFile } from 'node:fs/promises';
import { arch, cpus, release as systemRelease, totalmem, uptime } from 'node:os';
import { gzipSync } from 'node:zlib';
import { newestEntries } from '../../audit/newest-entries.ts';
import { effectiveConfig } from '../../config/config-file.ts';
import type { ClusterConfig, NodeConfig } from '../../config/cluster-config.ts';
import { diagnose } from '../diag/diagnose.ts';
import { fetchText } from '../fetch-text.ts';
import { RELEASE } from '../release.ts';
import { redacted } from './redact.ts';

export interface BundleSources {
  readonly configPath: string;
  readonly config: ClusterConfig;
  readonly self: NodeConfig;
  readonly query: (command: string, options?: Record<string, unknown>) => Promise<unknown>;
}

export interface BundleSummary {
  readonly file: string;
  readonly sizeBytes: number;
  readonly parts: readonly string[];
  /** Those that could not be had, and why. */
  readonly missing: readonly { readonly part: string; readonly why: string }[];
}

interface Part {
  readonly part: string;
  readonly node: string;
  readonly collect: () => Promise<unknown>;
}

const PART_MAX_LENGTH = 4 * 1024 * 1024;
const BUNDLE_MAX_LENGTH = 64 * 1024 * 1024;
const LOG_TAIL_BYTES = 512 * 1024;
const AUDIT_ENTRIES = 500;

/** What the node is asked, with what. */
const QUESTIONS: readonly (readonly [command: string, options?: Record<string, unknown>])[] = [
  ['status'],
  ['cluster status'],
  ['ringready'],
  ['ring-status'],
  ['bucket-type list'],
  ['capacity'],
  ['transfers'],
  ['repair status'],
  ['tombstones status'],
  ['hints'],
  ['backup status'],
  ['security status'],
  ['metrics'],
  ['slowlog', { limit: 1_000 }],
  ['hotkeys'],
  ['log show'],
  ['log tail', { limit: 1_000 }],
];

/** Rejects where the file is there already or cannot be written. */
export async function writeBundle(file: string, sources: BundleSources): Promise<BundleSummary> {
  // Before anything is asked: a name that cannot be used is said at once.
  const handle = await open(file, 'wx', 0o600);
  try {
    const lines: string[] = [];
    const parts: string[] = [];
    const missing: { part: string; why: string }[] = [];
    let length = 0;
    for (const { part, node, collect } of partsOf(sources)) {
      const { line, why } = await lineOf({ part, node, collect });
      if (length + line.length > BUNDLE_MAX_LENGTH) {
        missing.push({ part: `${part} of ${node}`, why: 'the bundle is full' });
        continue;
      }
      length += line.length;
      lines.push(line);
      if (why === undefined) parts.push(part);
      else missing.push({ part: `${part} of ${node}`, why });
    }
    const bytes = gzipSync(lines.map((line) => `${line}\n`).join(''));
    await handle.writeFile(bytes);
    return { file, sizeBytes: bytes.length, parts, missing };
  } finally {
    await handle.close();
  }
}

async function lineOf({ part, node, collect }: Part): Promise<{ line: string; why?: string }> {
  const fail = (why: string) => ({ line: JSON.stringify({ part, node, error: why }), why });
  try {
    const content = redacted(await collect());
    const line = JSON.stringify({ part, node, content });
    return line.length <= PART_MAX_LENGTH ? { line } : fail(`too large: ${line.length} characters`);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function partsOf({ configPath, config, self, query }: BundleSources): Part[] {
  const node = self.name;
  const own = (part: string, collect: () => Promise<unknown>): Part => ({ part, node, collect });
  return [
    own('about', async () => about()),
    own('config', async () => effectiveConfig(configPath)),
    own('diag', () => diagnose({ config, self, query })),
    ...QUESTIONS.map(([command, options]) => own(command, () => query(command, options))),
    // From the file: it is there when the node is not.
    own('audit', () => newestEntries(self.dataDir, AUDIT_ENTRIES)),
    ...(config.log.destination === 'stdout'
      ? []
      : [own('log file', () => endOfFile(config.log.destination))]),
    ...config.nodes.flatMap((member) =>
      ['/metrics', '/stats', '/readyz'].map((path) => ({
        part: path,
        node: member.name,
        collect: () => fetchText(member, path),
      })),
    ),
  ];
}

async function about(): Promise<unknown> {
  return {
    release: RELEASE,
    runtime: process.version,
    system: `${process.platform} ${systemRelease()} ${arch()}`,
    cores: cpus().length,
    memoryBytes: totalmem(),
    systemUptimeSeconds: Math.round(uptime()),
    load: await readFile('/proc/loadavg', 'utf8').catch(() => undefined),
    time: new Date().toISOString(),
  };
}

/** Its last whole lines. */
async function endOfFile(path: string): Promise<readonly string[]> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read({
      buffer: Buffer.alloc(Math.min(size, LOG_TAIL_BYTES)),
      position: from,
    });
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return from === 0 ? lines : lines.slice(1);
  } finally {
    await handle.close();
  }
}
