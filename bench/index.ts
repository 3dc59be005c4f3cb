/**
 * `node build/bench/index.js`: index queries and folds, and what reads beside them feel.
 *
 * Three nodes of this machine, n=3; 200,000 records with five terms each. Each kind of query or fold runs in a
 * closed loop while reads come at a fixed rate, whose latencies are taken from when they were due; the
 * first row has the reads alone. The generator is this process and shares the machine. Compare rows of
 * one run. The nodes' time for a term, of a fold for a key, is what they use above that of the reads alone. The
 * last columns are how long a node's event loop was held at most, and by its own thread's work.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'hdr-histogram-js';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { DevCluster } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { FIRST_YEAR, RECORDS_PER_PRACTICE, YEAR_COUNT } from './index-records.ts';
import { indexedRecord, practice, serialText } from './index-records.ts';
import { foldOverHttp, sizesOverPbc, type Fold } from './index-folds.ts';
import { EventLoopWatch } from './load/event-loop-watch.ts';
import { cpuMicrosOf } from './process-costs.ts';
import { longestText } from './report/event-loops.ts';
import type { DelayCounts, EventLoopDelays } from './report/event-loops.ts';
import type { Histogram } from 'hdr-histogram-js';
import type { DevNode } from '../src/cli/dev-cluster.ts';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '8' },
    'reads-per-second': { type: 'string', default: '500' },
    queries: { type: 'string', default: '2' },
    'base-port': { type: 'string', default: '24100' },
    /** `queries` or `folds`; else both. */
    only: { type: 'string', default: 'queries,folds' },
  },
});
const RECORD_COUNT = Number(options.records);
const DURATION_MS = Number(options.seconds) * 1_000;
const READ_INTERVAL_MS = 1_000 / Number(options['reads-per-second']);
const QUERIES_UNDER_WAY = Number(options.queries);
const WRITES_UNDER_WAY = 64;
const PAGE_LENGTH = 100;
const VALUE = Buffer.alloc(1_024, 'vertebra');
const TYPE = utf8ToByteString('indexed');
const BUCKET = utf8ToByteString('people');
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');

const FOLDED = { type: TYPE, bucket: BUCKET, keyCount: RECORD_COUNT };
const FOLDS = [
  ['fold: keys with siblings, none', 'siblings', '/counts/1'],
  ['fold: statistics', 'objectstats', ''],
  ['fold: a hash tree', 'rangetrees', '/trees/medium'],
  ['fold: sizes, all keys', 'objectsizes', '/sizes/1'],
  ['fold: clocks, all keys', 'rangetrees', '/keysclocks'],
] as const;

/** One query; resolves with the number of index terms that it had to read. */
type Ask = () => Promise<number>;

interface Measured {
  readonly label: string;
  readonly queries: Histogram;
  readonly reads: Histogram;
  readonly termCount: number;
  /** Of all nodes. */
  readonly nodeMicros: number;
  readonly elapsedMs: number;
  readonly eventLoops: readonly EventLoopDelays[];
}

const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const configPath = writeDevConfig({ nodes: 3, basePort: Number(options['base-port']), data });
const nodes = devNodes(configPath);
const cluster = new DevCluster({ configPath, nodes, entryPoint: ENTRY_POINT });
await cluster.start();
const client = new VertebraClient({
  nodes: nodes.map(({ host, pbcPort }) => ({ host, port: pbcPort })),
  connectionsPerNode: 24,
});
const agent = new Agent({ keepAlive: true });
const watch = new EventLoopWatch(
  nodes.map(({ name, host, httpPort: port }) => ({ name, address: { host, port } })),
);
try {
  await cluster.ensureBucketTypes({ [TYPE]: { n_val: 3, allow_mult: false } });
  await load();
  const rows: Measured[] = [await measure('reads alone', undefined)];
  if (options.only.includes('queries')) {
    rows.push(await measure('exact match', exactMatch));
    rows.push(await measure('3 % range, return_terms', rangeWithTerms));
    rows.push(await measure(`3 % range, pages of ${PAGE_LENGTH}`, pagedRange));
    rows.push(await measure('people finder, one year', peopleFinder));
    rows.push(await measure('count by filter, all terms', countByFilter));
  }
  if (options.only.includes('folds')) {
    for (const [label, ...what] of FOLDS) {
      rows.push(await measure(label, asked(foldOverHttp(agent, FOLDED, what))));
    }
    rows.push(await measure('fold: sizes, all keys, over PB', asked(sizesOverPbc(FOLDED))));
  }
  const idle = rows[0] as Measured;
  console.log(
    textTable(
      heading(),
      rows.map((row) => toRow(row, idle.nodeMicros / idle.elapsedMs)),
    ),
  );
} finally {
  agent.destroy();
  client.close();
  await cluster.stop();
  rmSync(data, { recursive: true, force: true });
}

async function load(): Promise<void> {
  const startedMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let serial = next++; serial < RECORD_COUNT; serial = next++) {
      const { key, terms } = indexedRecord(serial);
      const indexes = terms.map(([field, term]) => {
        return { field: utf8ToByteString(field), term: utf8ToByteString(term) };
      });
      const target = { type: TYPE, bucket: BUCKET, key: utf8ToByteString(key) };
      await client.put(target, { value: VALUE, metadata: { indexes } }, { isRepeatable: true });
    }
  };
  await Promise.all(Array.from({ length: WRITES_UNDER_WAY }, worker));
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(
    `${RECORD_COUNT} records with 5 index terms each: ${(RECORD_COUNT / seconds).toFixed(0)} ` +
      `writes a second\n`,
  );
}

async function exactMatch(): Promise<number> {
  const index = Math.floor(Math.random() * Math.ceil(RECORD_COUNT / RECORDS_PER_PRACTICE));
  return countMatches({ field: 'gp_bin', from: practice(index), returnsTerms: false });
}

async function rangeWithTerms(): Promise<number> {
  const [from, to] = threePercent();
  return countMatches({ field: 'serial_bin', from, to, returnsTerms: true });
}

async function pagedRange(): Promise<number> {
  const [from, to] = threePercent();
  const query = { type: TYPE, bucket: BUCKET, field: utf8ToByteString('serial_bin') };
  const range = { from: utf8ToByteString(from), to: utf8ToByteString(to), returnsTerms: true };
  let count = 0;
  let continuation: Buffer | undefined;
  do {
    const page = await client.indexPage(
      { ...query, ...range },
      { maxResults: PAGE_LENGTH, continuation },
    );
    count += page.matches.length;
    continuation = page.continuation;
  } while (continuation !== undefined);
  return count;
}

async function countMatches(query: {
  readonly field: string;
  readonly from: string;
  readonly to?: string;
  readonly returnsTerms: boolean;
}): Promise<number> {
  let count = 0;
  const batches = client.index({
    type: TYPE,
    bucket: BUCKET,
    field: utf8ToByteString(query.field),
    from: utf8ToByteString(query.from),
    ...(query.to !== undefined && { to: utf8ToByteString(query.to) }),
    returnsTerms: query.returnsTerms,
  });
  for await (const batch of batches) count += batch.length;
  return count;
}

function threePercent(): [from: string, to: string] {
  const length = Math.floor(RECORD_COUNT * 0.03);
  const start = Math.floor(Math.random() * (RECORD_COUNT - length));
  return [serialText(start), serialText(start + length - 1)];
}

/** Birth year, family-name prefix and given name; at most 50 matches. */
async function peopleFinder(): Promise<number> {
  const year = FIRST_YEAR + Math.floor(Math.random() * YEAR_COUNT);
  await post({
    substitutions: { dl1: '|', dl2: '.', family: 'SM', given: 'ANNE' },
    accumulation_option: 'raw_keys',
    max_results: 50,
    query_list: [
      {
        index_name: 'peoplefinder_bin',
        start_term: `${year}`,
        end_term: `${year}~`,
        evaluation_expression: 'delim($term, :dl1, ($dob, $fn, $gn, $pc)) | split($gn, :dl2, $gn)',
        filter_expression: 'begins_with($fn, :family) AND (:given IN $gn)',
      },
    ],
  });
  return RECORD_COUNT / YEAR_COUNT;
}

async function countByFilter(): Promise<number> {
  await post({
    accumulation_option: 'raw_count',
    query_list: [
      {
        index_name: 'peoplefinder_bin',
        start_term: '1',
        end_term: '3',
        evaluation_expression: 'delim($term, "|", ($dob, $fn, $gn, $pc))',
        filter_expression: 'contains($gn, "ANNE") AND $pc BETWEEN "ZZ20" AND "ZZ40"',
      },
    ],
  });
  return RECORD_COUNT;
}

function asked(fold: Fold): Ask {
  return () => fold(nodes[Math.floor(Math.random() * nodes.length)] as DevNode);
}

function post(document: unknown): Promise<void> {
  const node = nodes[Math.floor(Math.random() * nodes.length)] as DevNode;
  const path = `/types/${TYPE}/buckets/${BUCKET}/query`;
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const { host, httpPort: port } = node;
    const request = httpRequest({ host, port, method: 'POST', path, headers, agent }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('error', reject);
      reply.on('end', () => {
        if (reply.statusCode === 200) resolve();
        else reject(new Error(`${reply.statusCode}: ${Buffer.concat(chunks).toString()}`));
      });
    });
    request.on('error', reject);
    request.end(JSON.stringify(document));
  });
}

/** Queries in a closed loop, reads at their rate. */
async function measure(label: string, ask: Ask | undefined): Promise<Measured> {
  const queries = build({ highestTrackableValue: 600_000_000 });
  const reads = build({ highestTrackableValue: 600_000_000 });
  const pids = nodes.map(({ name }) => cluster.mustChild(name).pid ?? 0);
  await watch.read();
  const microsBefore = cpuMicrosOf(pids);
  const startedMs = performance.now();
  const endMs = startedMs + DURATION_MS;
  let termCount = 0;
  const askAgain = async (again: Ask): Promise<void> => {
    while (performance.now() < endMs) {
      const beganMs = performance.now();
      const terms = await again();
      termCount += terms;
      queries.recordValue(Math.round((performance.now() - beganMs) * 1_000));
    }
  };
  const askers =
    ask === undefined ? [] : Array.from({ length: QUERIES_UNDER_WAY }, () => askAgain(ask));
  await Promise.all([readAtRate(reads, startedMs, endMs), ...askers]);
  const elapsedMs = performance.now() - startedMs;
  const nodeMicros = cpuMicrosOf(pids) - microsBefore;
  const eventLoops = await watch.read();
  return { label, queries, reads, termCount, elapsedMs, nodeMicros, eventLoops };
}

async function readAtRate(reads: Histogram, startedMs: number, endMs: number): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  let dueMs = startedMs;
  const failures: unknown[] = [];
  while (dueMs < endMs && failures.length === 0) {
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    for (; dueMs <= performance.now(); dueMs += READ_INTERVAL_MS) {
      const read = readOne(reads, dueMs)
        .catch((error: unknown) => failures.push(error))
        .finally(() => underWay.delete(read));
      underWay.add(read);
    }
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0] as Error;
}

async function readOne(reads: Histogram, dueMs: number): Promise<void> {
  const key = utf8ToByteString(serialText(Math.floor(Math.random() * RECORD_COUNT)));
  const { kind } = await client.get({ type: TYPE, bucket: BUCKET, key });
  if (kind !== 'found') throw new Error(`a record is ${kind}`);
  reads.recordValue(Math.round((performance.now() - dueMs) * 1_000));
}

function heading(): string[] {
  const ofQueries = ['queries/s', 'p50 ms', 'p99 ms', 'terms/s', 'node µs/term'];
  return [
    '',
    ...ofQueries,
    'read p50 ms',
    'read p99 ms',
    'read p99.9 ms',
    'loop held ms',
    'own ms',
  ];
}

/** `idleMicros`: what the nodes use in a millisecond of reads alone. */
function toRow(row: Measured, idleMicros: number): string[] {
  const { label, queries, reads, termCount, elapsedMs, nodeMicros } = row;
  const seconds = elapsedMs / 1_000;
  const ms = (histogram: Histogram, percentile: number): string => {
    if (histogram.totalCount === 0) return '';
    return (histogram.getValueAtPercentile(percentile) / 1_000).toFixed(1);
  };
  const rate = (count: number): string => (count === 0 ? '' : (count / seconds).toFixed(0));
  return [
    label,
    rate(queries.totalCount),
    ms(queries, 50),
    ms(queries, 99),
    rate(termCount),
    termCount === 0 ? '' : ((nodeMicros - idleMicros * elapsedMs) / termCount).toFixed(1),
    ms(reads, 50),
    ms(reads, 99),
    ms(reads, 99.9),
    longestOf(row.eventLoops.map(({ counts }) => counts)),
    longestOf(row.eventLoops.map(({ ownCounts }) => ownCounts ?? [])),
  ];
}

/** Of the node whose event loop was held longest. */
function longestOf(counts: readonly DelayCounts[]): string {
  const texts = counts
    .map(longestText)
    .sort((left, right) => Number.parseInt(right) - Number.parseInt(left));
  return texts[0] ?? '';
}
