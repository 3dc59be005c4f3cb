/**
 * `node build/bench/backup.js [--values N] [--size BYTES] [--changed SHARE]`: a full backup and one on it.
 *
 * A store of N values of one size, whole as a node's; then a share of them, next to each other, is
 * written anew, as a day does, and the store is backed up on the first backup, with what is shared read
 * and without. No pace holds them up, and nothing else goes on.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Backups } from '../src/backup/backups.ts';
import type { BackupRequest } from '../src/backup/backup-writer.ts';
import type { Host } from '../src/base/host.ts';
import { textTable } from '../src/cli/text-table.ts';
import type { LevelDbStore } from '../src/storage/leveldb-store.ts';
import { openLevelDbStore } from '../src/storage/open-leveldb.ts';
import { SystemClock, SystemRandom } from '../src/telemetry/system-host.ts';

const { values: options } = parseArgs({
  options: {
    values: { type: 'string', default: '32000' },
    size: { type: 'string', default: '22800' },
    changed: { type: 'string', default: '0.02' },
  },
});
const VALUE_COUNT = Number(options.values);
const SIZE_BYTES = Number(options.size);
const CHANGED_COUNT = Math.ceil(VALUE_COUNT * Number(options.changed));
const VALUES_PER_WRITE = 200;
const MIB = 1024 * 1024;
const UNPACED_BYTES_PER_SECOND = 64 * 1024 * MIB;

const silent = (): void => undefined;
const host: Host = {
  clock: new SystemClock({ isHoldingProcess: true }),
  random: new SystemRandom(),
  log: { debug: silent, info: silent, warn: silent, error: silent },
  metrics: { count: silent, gauge: silent, observe: silent },
};

async function write(store: LevelDbStore, count: number): Promise<void> {
  const head = Buffer.alloc(100);
  for (let first = 0; first < count; first += VALUES_PER_WRITE) {
    const length = Math.min(VALUES_PER_WRITE, count - first);
    const puts = Array.from({ length }, (_, index) => ({
      kind: 'put' as const,
      key: Buffer.from(`key ${first + index}`),
      head,
      body: host.random.bytes(SIZE_BYTES),
    }));
    await store.write(puts);
  }
}

async function measure(
  backups: Backups,
  name: string,
  request: Omit<BackupRequest, 'bytesPerSecond'>,
): Promise<readonly string[]> {
  const before = process.cpuUsage();
  backups.create({ bytesPerSecond: UNPACED_BYTES_PER_SECOND, ...request });
  while (backups.status().state === 'running') await new Promise((next) => setTimeout(next, 5));
  const { state, reason, tookMs, progress } = backups.status();
  if (state !== 'done' || progress === undefined) throw new Error(`${name}: ${reason ?? state}`);
  const { user, system } = process.cpuUsage(before);
  const [copied, shared] = [progress.bytes, progress.sharedBytes].map((bytes) => bytes / MIB);
  const figures = [copied, shared, tookMs / 1_000, (user + system) / 1e6];
  return [name, ...figures.map((figure) => (figure ?? 0).toFixed(1))];
}

const root = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
try {
  const store = await openLevelDbStore(host, { folder: join(root, 'store'), durability: 'os' });
  const origin = () => ({ node: 'bench@here', cluster: 'bench', epoch: 1 });
  const ports = { snapshot: () => store.snapshot(), origin, notePath: join(root, 'note') };
  const backups = new Backups(host, ports);
  await write(store, VALUE_COUNT);
  const first = join(root, 'first');
  const rows = [await measure(backups, 'full', { folder: first })];
  await write(store, CHANGED_COUNT);
  for (const [name, isTrusted] of [
    ['on it, shared read', false],
    ['on it, base trusted', true],
  ] as const) {
    const folder = join(root, name);
    rows.push(await measure(backups, name, { folder, base: { folder: first, isTrusted } }));
  }
  await store.close();
  console.log(textTable(['backup', 'MiB copied', 'MiB shared', 's', 'CPU s'], rows));
} finally {
  rmSync(root, { recursive: true });
}
