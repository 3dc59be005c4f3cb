/**
 * Large values in LevelDB alone, under settings of its own: what it writes for each byte that it is given, and how
 * long it lets a write wait. `node build/bench/leveldb-settings.js [--seconds 14] [--keys 16000] [--only 1,3]`
 *
 * For each setting a new database is loaded and then overwritten at random, in groups of 32 with one fsync each:
 * first as fast as it goes, then at 60 % of that rate, on a schedule, the latency of a group counted from when it was
 * due. Values do not compress. Bytes are those that this process sent to the disk (`/proc/self/io`). What the store
 * does instead shows `steady-overwrite.js`.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build, type Histogram } from 'hdr-histogram-js';
import { Level, type DatabaseOptions } from 'level';
import { textTable } from '../src/cli/text-table.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '14' },
    keys: { type: 'string', default: '16000' },
    'value-bytes': { type: 'string', default: '22800' },
    folder: { type: 'string', default: tmpdir() },
    /** Numbers of the settings to be tried, with commas. */
    only: { type: 'string', default: '1,2,3,4' },
  },
});
const PHASE_MS = Number(options.seconds) * 1_000;
const KEY_COUNT = Number(options.keys);
const VALUE_SIZE = Number(options['value-bytes']);
const GROUP = 32;
const SHARE_OF_MAX = 0.6;
const MIB = 1_024 * 1_024;
const SOURCE = randomBytes(8 * MIB);

type Settings = DatabaseOptions<Buffer, Buffer> & {
  readonly writeBufferSize?: number;
  readonly maxFileSize?: number;
  readonly blockSize?: number;
  readonly compression?: boolean;
};

const SETTINGS: readonly (readonly [label: string, settings: Settings])[] = [
  ['its defaults (buffer 4 MiB, tables 2 MiB, Snappy)', {}],
  [
    "the store's (buffer 32 MiB, tables 8 MiB, Snappy)",
    { writeBufferSize: 32 * MIB, maxFileSize: 8 * MIB },
  ],
  [
    'buffer 128 MiB, tables 64 MiB, not compressed',
    { writeBufferSize: 128 * MIB, maxFileSize: 64 * MIB, compression: false },
  ],
  [
    'buffer 64 MiB, tables 256 MiB, blocks 32 KiB, same',
    {
      writeBufferSize: 64 * MIB,
      maxFileSize: 256 * MIB,
      blockSize: 32 * 1_024,
      compression: false,
    },
  ],
];

interface Phase {
  readonly groups: Histogram;
  readonly elapsedMs: number;
  readonly writtenBytes: number;
}

/** Writes one group, due then. */
type WriteGroup = (dueMs: number) => Promise<void>;

async function rowOf(label: string, settings: Settings): Promise<string[]> {
  const folder = mkdtempSync(join(options.folder, 'vertebra-leveldb-'));
  const database = new Level<Buffer, Buffer>(join(folder, 'database'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    ...settings,
  });
  await database.open();
  try {
    for (let from = 0; from < KEY_COUNT; from += GROUP) {
      await write(database, (index) => Math.min(from + index, KEY_COUNT - 1));
    }
    const fast = await phase(database, async (writeGroup) => {
      const endMs = performance.now() + PHASE_MS;
      while (performance.now() < endMs) await writeGroup(performance.now());
    });
    const groupsPerMs = fast.groups.totalCount / fast.elapsedMs;
    const steady = await phase(database, (writeGroup) =>
      onSchedule(writeGroup, groupsPerMs * SHARE_OF_MAX),
    );
    const at = ({ groups }: Phase, percentile: number): string =>
      (groups.getValueAtPercentile(percentile) / 1_000).toFixed(0);
    return [
      label,
      (1_000 * GROUP * groupsPerMs).toFixed(0),
      ...[fast, steady].map(writtenForByte),
      at(fast, 100),
      at(steady, 99),
      at(steady, 100),
    ];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function phase(
  database: Level<Buffer, Buffer>,
  run: (writeGroup: WriteGroup) => Promise<void>,
): Promise<Phase> {
  const groups = build({ highestTrackableValue: 120_000_000 });
  const bytesBefore = diskBytes();
  const startedMs = performance.now();
  await run(async (dueMs) => {
    await write(database, () => Math.floor(Math.random() * KEY_COUNT));
    groups.recordValue(Math.max(0, Math.round((performance.now() - dueMs) * 1_000)));
  });
  const elapsedMs = performance.now() - startedMs;
  return { groups, elapsedMs, writtenBytes: diskBytes() - bytesBefore };
}

function write(database: Level<Buffer, Buffer>, keyAt: (index: number) => number): Promise<void> {
  const batch = database.batch();
  for (let index = 0; index < GROUP; index += 1) {
    const from = Math.floor(Math.random() * (SOURCE.length - VALUE_SIZE));
    batch.put(keyOf(keyAt(index)), SOURCE.subarray(from, from + VALUE_SIZE));
  }
  // The option is classic-level's, which the published type of `Level` leaves out.
  return batch.write({ sync: true } as object);
}

async function onSchedule(writeGroup: WriteGroup, groupsPerMs: number): Promise<void> {
  const startedMs = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let count = 0; performance.now() - startedMs < PHASE_MS;) {
    for (; startedMs + count / groupsPerMs <= performance.now(); count += 1) {
      const group = writeGroup(startedMs + count / groupsPerMs);
      underWay.add(group);
      void group.finally(() => underWay.delete(group));
    }
    await delay(1);
  }
  await Promise.all(underWay);
}

function writtenForByte({ groups, writtenBytes }: Phase): string {
  return (writtenBytes / (groups.totalCount * GROUP * VALUE_SIZE)).toFixed(2);
}

function diskBytes(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

function keyOf(index: number): Buffer {
  const scattered = Math.imul(index, 0x9e3779b1) >>> 0;
  return Buffer.from(`o\x00\x05default\x00patients\x00${scattered}/${index}`, 'latin1');
}

const rows: string[][] = [];
for (const number of options.only.split(',')) {
  const setting = SETTINGS[Number(number) - 1];
  if (setting === undefined) throw new Error(`there is no setting ${number}`);
  rows.push(await rowOf(...setting));
}
const columns = ['PUT/s', 'written for a byte', 'at 60 %', 'worst ms', 'at 60 %: p99 ms', 'worst'];
console.log(textTable(['', ...columns], rows));
