/**
 * The substrate: how fast the disk is under everything else, on this machine, now.
 *
 * Bare LevelDB as the store uses it, and the store itself, so that what the store adds can be seen.
 * All figures come from one run in one process, on random values that do not compress, of which a
 * node's other work takes nothing; compare only figures of the same run. Run it with
 * `node build/bench/substrate.js [folder]`.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Level } from 'level';
import type { Host } from '../src/base/host.ts';
import { openLevelDbStore } from '../src/storage/open-leveldb.ts';
import type { LevelDbStore } from '../src/storage/leveldb-store.ts';
import { SystemClock, SystemRandom } from '../src/telemetry/system-host.ts';

export interface SubstrateOptions {
  /** Where the databases are made and removed again; what is measured is this disk. */
  readonly folder: string;
  /** For each figure. */
  readonly durationMs: number;
  readonly valueSizeBytes: number;
}

export interface SubstrateFigure {
  readonly name: string;
  readonly operationsPerSecond: number;
  /** Of all threads of this process, for one operation. */
  readonly cpuMicros: number;
}

const GROUP = 64;
/** Names of the figures that others are compared with. */
export const GET_MANY = `getMany of ${GROUP}`;
export const THREE_DATABASES = `three databases, batch of ${GROUP} to each, fsync`;
const SECOND_MS = 1_000;
/** Reads are of these first keys, which the block cache holds: the cost of a read, not of a disk. */
const READ_KEYS_MAX = 20_000;

/** The figures in the order in which they were measured; about eleven times `durationMs`. */
export async function measureSubstrate(options: SubstrateOptions): Promise<SubstrateFigure[]> {
  const folder = await mkdtemp(join(options.folder, 'vertebra-bench-'));
  try {
    return [
      ...(await measureDatabase(join(folder, 'database'), options)),
      await measureThreeDatabases(folder, options),
      ...(await measureStore(join(folder, 'store'), options)),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureDatabase(
  folder: string,
  { durationMs, valueSizeBytes }: SubstrateOptions,
): Promise<SubstrateFigure[]> {
  const database = await openDatabase(folder);
  const keys = new KeySequence();
  const value = randomBytes(valueSizeBytes);
  const writeGroup = (sync: boolean) => writeBatch(database, { keys, value, sync });
  const run = (name: string, count: number, operate: () => Promise<unknown>) =>
    measured({ name, count, durationMs }, operate);
  const figures = [
    await run('batch of 64, no fsync', GROUP, () => writeGroup(false)),
    await run('batch of 64, fsync', GROUP, () => writeGroup(true)),
    await run('put, fsync', 1, () => database.put(keys.next(), value, { sync: true })),
    await run(GET_MANY, GROUP, () => database.getMany(keys.sample(GROUP))),
    await run('get', 1, () => database.get(keys.sampleOne())),
    await run('getMany of 64, absent', GROUP, () => database.getMany(keys.absent(GROUP))),
  ];
  await database.close();
  return figures;
}

/** What three replicas on one machine could do at best: each group goes to all three at the same time. */
async function measureThreeDatabases(
  folder: string,
  { durationMs, valueSizeBytes }: SubstrateOptions,
): Promise<SubstrateFigure> {
  const databases = await Promise.all(
    ['first', 'second', 'third'].map((name) => openDatabase(join(folder, name))),
  );
  const value = randomBytes(valueSizeBytes);
  const sequences = databases.map(() => new KeySequence());
  const figure = await measured({ name: THREE_DATABASES, count: GROUP, durationMs }, () =>
    Promise.all(
      databases.map((database, at) =>
        writeBatch(database, { keys: sequences[at] as KeySequence, value, sync: true }),
      ),
    ),
  );
  await Promise.all(databases.map((database) => database.close()));
  return figure;
}

async function openDatabase(folder: string): Promise<Level<Buffer, Buffer>> {
  const database = new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: 64 * 1024 * 1024,
    writeBufferSize: 32 * 1024 * 1024,
  });
  await database.open();
  return database;
}

interface Group {
  readonly keys: KeySequence;
  readonly value: Buffer;
  readonly sync: boolean;
}

function writeBatch(database: Level<Buffer, Buffer>, { keys, value, sync }: Group): Promise<void> {
  const batch = database.batch();
  for (let index = 0; index < GROUP; index += 1) batch.put(keys.next(), value);
  return batch.write({ sync });
}

async function measureStore(
  folder: string,
  { durationMs, valueSizeBytes }: SubstrateOptions,
): Promise<SubstrateFigure[]> {
  const store = await openLevelDbStore(silentHost(), { folder });
  const keys = new KeySequence();
  const value = randomBytes(valueSizeBytes);
  const run = (name: string, writers: number, operate: () => Promise<unknown>) =>
    measured({ name, count: writers, durationMs }, () =>
      Promise.all(Array.from({ length: writers }, operate)),
    );
  const figures = [
    await run('store: 64 writes at once, fsync', GROUP, () => write(store, keys, value)),
    await run('store: one write at a time, fsync', 1, () => write(store, keys, value)),
    await run('store: 64 gets at once', GROUP, () => store.get(keys.sampleOne())),
    await run('store: one get at a time', 1, () => store.get(keys.sampleOne())),
  ];
  await store.close();
  return figures;
}

function write(store: LevelDbStore, keys: KeySequence, value: Buffer): Promise<void> {
  return store.write([{ kind: 'put', key: keys.next(), head: value }]);
}

/** Repeats `operate`, which stands for `count` operations, one after the other. */
async function measured(
  { name, count, durationMs }: { name: string; count: number; durationMs: number },
  operate: () => Promise<unknown>,
): Promise<SubstrateFigure> {
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  let operations = 0;
  while (performance.now() - startMs < durationMs) {
    await operate();
    operations += count;
  }
  const elapsedMs = performance.now() - startMs;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    name,
    operationsPerSecond: (operations * SECOND_MS) / elapsedMs,
    cpuMicros: (cpu.user + cpu.system) / operations,
  };
}

/** Keys as long as an object's, in order of writing; reads pick one of the first. */
class KeySequence {
  #count = 0;

  next(): Buffer {
    this.#count += 1;
    return keyNumber(this.#count);
  }

  sampleOne(): Buffer {
    return keyNumber(1 + Math.floor(Math.random() * Math.min(this.#count, READ_KEYS_MAX)));
  }

  sample(count: number): Buffer[] {
    return Array.from({ length: count }, () => this.sampleOne());
  }

  absent(count: number): Buffer[] {
    return this.sample(count).map((key) => Buffer.concat([key, Buffer.of(0)]));
  }
}

function keyNumber(index: number): Buffer {
  // Written in an order that is not the order of the keys, as hashing has it.
  const scattered = Math.imul(index, 0x9e3779b1) >>> 0;
  return Buffer.from(`o\x00\x05default\x00patients\x00${scattered}/${index}`, 'latin1');
}

function silentHost(): Host {
  const ignore = () => {};
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    metrics: { count: ignore, gauge: ignore, observe: ignore },
  };
}

/** One line for each figure. */
export function formatSubstrate(figures: readonly SubstrateFigure[]): string {
  return figures
    .map(({ name, operationsPerSecond, cpuMicros }) => {
      const rate = Math.round(operationsPerSecond).toLocaleString('en');
      return `${name.padEnd(36)}${rate.padStart(10)} /s${cpuMicros.toFixed(1).padStart(9)} us CPU`;
    })
    .join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? tmpdir();
  const figures = await measureSubstrate({ folder, durationMs: 1_500, valueSizeBytes: 1024 });
  process.stdout.write(`${formatSubstrate(figures)}\n`);
}
