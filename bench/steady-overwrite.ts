/**
 * Steady overwriting: what the store writes for each byte that it is given, and how long it lets one
 * wait, while reads go on. `node build/bench/steady-overwrite.js [--inline] [--value-bytes 22800]`
 *
 * A set of keys is loaded and then overwritten at random: first as fast as it goes, with 32 writers,
 * then, for `--steady-seconds`, at 60 % of that rate, on a schedule, each latency counted from the
 * moment its write was due. Started in a control group with less memory than `--keys` values take, it
 * shows a log that no page cache holds.
 * Beside them four readers read at random. Values do not compress. `--inline` keeps every value in
 * LevelDB. Bytes are those that this process sent to the disk (`/proc/self/io`).
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build, type Histogram } from 'hdr-histogram-js';
import { textTable } from '../src/cli/text-table.ts';
import { openLevelDbStore } from '../src/storage/open-leveldb.ts';
import { MetricsRegistry } from '../src/telemetry/metrics-registry.ts';
import { SystemClock, SystemRandom } from '../src/telemetry/system-host.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    'steady-seconds': { type: 'string' },
    keys: { type: 'string', default: '16000' },
    'value-bytes': { type: 'string', default: '22800' },
    folder: { type: 'string', default: tmpdir() },
    inline: { type: 'boolean', default: false },
    'no-collection': { type: 'boolean', default: false },
  },
});
const PHASE_MS = Number(options.seconds) * 1000;
const STEADY_MS = Number(options['steady-seconds'] ?? options.seconds) * 1000;
const KEY_COUNT = Number(options.keys);
const VALUE_SIZE = Number(options['value-bytes']);
const WRITERS = 32;
const READERS = 4;
const SHARE_OF_MAX = 0.6;
/** As long as a record's with a few index terms. */
const HEAD = randomBytes(300);
const SOURCE = randomBytes(8 * 1024 * 1024);

interface Phase {
  readonly label: string;
  readonly puts: Histogram;
  readonly gets: Histogram;
  readonly elapsedMs: number;
  readonly writtenBytes: number;
  readonly cpuMicros: number;
}

const folder = mkdtempSync(join(options.folder, 'vertebra-overwrite-'));
const ignore = (): void => {};
const clock = new SystemClock();
const metrics = new MetricsRegistry(clock);
const store = await openLevelDbStore(
  {
    clock,
    random: new SystemRandom(),
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    metrics,
  },
  {
    folder: join(folder, 'store'),
    ...(options.inline && { inlineMaxBytes: Infinity }),
    ...(options['no-collection'] && { wasteRatioMax: 1 }),
  },
);
try {
  let next = 0;
  const load = await phase('load', (put) =>
    atMost(() => (next < KEY_COUNT ? put(next++, performance.now()) : undefined)),
  );
  const fast = await phase('at full speed', async (put) => {
    const endMs = performance.now() + PHASE_MS;
    await atMost(() => (performance.now() < endMs ? put(anyKey(), performance.now()) : undefined));
  });
  const rate = (fast.puts.totalCount / fast.elapsedMs) * SHARE_OF_MAX;
  const steady = await phase('at 60 % of it', (put) => onSchedule(put, rate));
  const headers = ['', 'PUT/s', 'p50 ms', 'p99', 'p99.9', 'worst', 'GET p50 ms', 'p99', 'worst'];
  console.log(
    textTable([...headers, 'bytes written/user byte', 'CPU µs/op'], [load, fast, steady].map(row)),
  );
  for (const [name, value] of Object.entries(logFigures())) console.log(`${name} ${value}`);
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}

type Put = (index: number, dueMs: number) => Promise<void>;

async function phase(label: string, run: (put: Put) => Promise<void>): Promise<Phase> {
  const [puts, gets] = [newHistogram(), newHistogram()];
  const cpuBefore = process.cpuUsage();
  const bytesBefore = diskBytes();
  const startedMs = performance.now();
  const reading = new AbortController();
  const readers = Array.from({ length: READERS }, async () => {
    while (!reading.signal.aborted) {
      const beganMs = performance.now();
      await store.get(keyOf(anyKey()));
      record(gets, beganMs);
      await delay(2);
    }
  });
  await run(async (index, dueMs) => {
    const from = Math.floor(Math.random() * (SOURCE.length - VALUE_SIZE));
    const body = SOURCE.subarray(from, from + VALUE_SIZE);
    await store.write([{ kind: 'put', key: keyOf(index), head: HEAD, body }]);
    record(puts, dueMs);
  });
  const elapsedMs = performance.now() - startedMs;
  reading.abort();
  await Promise.all(readers);
  const cpu = process.cpuUsage(cpuBefore);
  const cpuMicros = (cpu.user + cpu.system) / puts.totalCount;
  return { label, puts, gets, elapsedMs, writtenBytes: diskBytes() - bytesBefore, cpuMicros };
}

/** Writes by as many writers, each of which goes on until there is nothing more. */
async function atMost(step: () => Promise<void> | undefined): Promise<void> {
  const writer = async (): Promise<void> => {
    for (let write = step(); write !== undefined; write = step()) await write;
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

async function onSchedule(put: Put, ratePerMs: number): Promise<void> {
  const startedMs = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let count = 0; ;) {
    const nowMs = performance.now();
    if (nowMs - startedMs > STEADY_MS) break;
    for (; startedMs + count / ratePerMs <= nowMs; count += 1) {
      const write = put(anyKey(), startedMs + count / ratePerMs);
      underWay.add(write);
      void write.finally(() => underWay.delete(write));
    }
    await delay(1);
  }
  await Promise.all(underWay);
}

function row({ label, puts, gets, elapsedMs, writtenBytes, cpuMicros }: Phase): string[] {
  const at = (histogram: Histogram, percentile: number): string =>
    (histogram.getValueAtPercentile(percentile) / 1000).toFixed(1);
  return [
    label,
    ((puts.totalCount * 1000) / elapsedMs).toFixed(0),
    ...[50, 99, 99.9, 100].map((percentile) => at(puts, percentile)),
    ...[50, 99, 100].map((percentile) => at(gets, percentile)),
    (writtenBytes / (puts.totalCount * (VALUE_SIZE + HEAD.length))).toFixed(2),
    cpuMicros.toFixed(0),
  ];
}

function logFigures(): Record<string, number> {
  const { counters, gauges } = metrics.snapshot();
  const figures: Record<string, number> = {};
  for (const [name, { total }] of counters)
    if (name.startsWith('store_log_')) figures[name] = total;
  for (const [name, value] of gauges) if (name.startsWith('store_log_')) figures[name] = value;
  return figures;
}

function diskBytes(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

function newHistogram(): Histogram {
  return build({ highestTrackableValue: 120_000_000 });
}

function record(histogram: Histogram, sinceMs: number): void {
  histogram.recordValue(Math.max(0, Math.round((performance.now() - sinceMs) * 1000)));
}

function anyKey(): number {
  return Math.floor(Math.random() * KEY_COUNT);
}

function keyOf(index: number): Buffer {
  const scattered = Math.imul(index, 0x9e3779b1) >>> 0;
  return Buffer.from(`o\x00\x05default\x00patients\x00${scattered}/${index}`, 'latin1');
}
