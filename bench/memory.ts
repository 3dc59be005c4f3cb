/**
 * `node build/bench/memory.js`: what nodes take when they are idle, and whether they keep memory of
 * listings, index queries or MapReduce jobs.
 *
 * Three nodes of this machine, n=3, a bucket of 100 keys with an index term each. Each kind of request is
 * made in twelve rounds of the same number (24,000 listings, 240,000 index queries, 24,000 jobs in all),
 * spread over the nodes, eight under way; after each round and a rest stands each node's own memory:
 * what the kernel calls anonymous, without the pages of files that LevelDB has mapped. The last line of a
 * kind says whether that still grew in the second half of the rounds; the exit code is 1 where it did.
 * With a tenth of the requests it does: nodes keep what they have until V8 collects the whole heap,
 * which a few thousand do not make it do.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../src/base/names.ts';
import { DevCluster } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { ownBytesOf, residentBytesOf } from './process-costs.ts';
import { growthOf, isGrowing } from './report/growth-of-memory.ts';

const { values: options } = parseArgs({
  options: {
    listings: { type: 'string', default: '24000' },
    queries: { type: 'string', default: '240000' },
    jobs: { type: 'string', default: '24000' },
    rounds: { type: 'string', default: '12' },
    keys: { type: 'string', default: '100' },
    nodes: { type: 'string', default: '3' },
    /** After a round: what was given up is given back meanwhile. */
    'rest-seconds': { type: 'string', default: '2' },
    'base-port': { type: 'string', default: '24300' },
  },
});
const ROUNDS = Number(options.rounds);
const KEY_COUNT = Number(options.keys);
const REST_MS = 1_000 * Number(options['rest-seconds']);
/** From the start until a node counts as idle. */
const IDLE_MS = 5_000;
const UNDER_WAY = 8;
const MIB = 2 ** 20;
const BUCKET = utf8ToByteString('listed');
const FIELD = utf8ToByteString('serial_int');
const PLACE = { type: DEFAULT_BUCKET_TYPE, bucket: BUCKET };
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');

/** One request to a node. */
type Ask = (node: number) => Promise<void>;

const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const nodeCount = Number(options.nodes);
const configPath = writeDevConfig({
  nodes: nodeCount,
  basePort: Number(options['base-port']),
  data,
});
const nodes = devNodes(configPath);
const cluster = new DevCluster({ configPath, nodes, entryPoint: ENTRY_POINT });
const clients = nodes.map(
  ({ host, pbcPort: port }) => new VertebraClient({ nodes: [{ host, port }] }),
);
let hasGrown = false;
try {
  await cluster.start();
  await pause(IDLE_MS);
  const resident = pids().map((pid) => mebibytes(residentBytesOf(pid)));
  console.log(
    `idle: resident ${resident.join(', ')} MiB, own ${ownOfNodes().map(mebibytes).join(', ')}`,
  );
  await load();
  await show('listings', Number(options.listings), list);
  await show('index queries', Number(options.queries), query);
  await show('MapReduce jobs', Number(options.jobs), countInJob);
} finally {
  for (const client of clients) client.close();
  await cluster.stop();
  rmSync(data, { recursive: true, force: true });
}
process.exitCode = hasGrown ? 1 : 0;

async function load(): Promise<void> {
  for (let serial = 0; serial < KEY_COUNT; serial += 1) {
    const term = utf8ToByteString(String(serial));
    const metadata = {
      contentType: utf8ToByteString('text/plain'),
      indexes: [{ field: FIELD, term }],
    };
    await clients[0]?.put({ ...PLACE, key: term }, { value: Buffer.alloc(100), metadata });
  }
}

async function list(node: number): Promise<void> {
  let count = 0;
  for await (const keys of mustClient(node).listKeys(DEFAULT_BUCKET_TYPE, BUCKET))
    count += keys.length;
  mustBe(count, 'keys');
}

async function query(node: number): Promise<void> {
  let count = 0;
  const [from, to] = [utf8ToByteString('0'), utf8ToByteString(String(KEY_COUNT))];
  const range = { ...PLACE, field: FIELD, from, to };
  for await (const matches of mustClient(node).index(range)) count += matches.length;
  mustBe(count, 'matches');
}

async function countInJob(node: number): Promise<void> {
  const { host, httpPort } = nodes[node] as (typeof nodes)[number];
  const reduce = {
    language: 'erlang',
    module: 'riak_kv_mapreduce',
    function: 'reduce_count_inputs',
  };
  const response = await fetch(`http://${host}:${httpPort}/mapred`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: BUCKET, query: [{ reduce }] }),
  });
  const [count] = (await response.json()) as [number];
  mustBe(count, 'inputs');
}

function mustClient(node: number): VertebraClient {
  return clients[node] as VertebraClient;
}

/** An answer that is short would cost less memory, too. */
function mustBe(count: number, what: string): void {
  if (count !== KEY_COUNT) throw new Error(`${count} ${what} for ${KEY_COUNT}`);
}

async function show(kind: string, total: number, ask: Ask): Promise<void> {
  if (total === 0) return;
  const rounds: { readonly seconds: number; readonly own: readonly number[] }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const startedMs = performance.now();
    await askAll(Math.ceil(total / ROUNDS), ask);
    const seconds = (performance.now() - startedMs) / 1_000;
    await pause(REST_MS);
    rounds.push({ seconds, own: ownOfNodes() });
  }
  const rows = rounds.map(({ seconds, own }, index) => [
    String((index + 1) * Math.ceil(total / ROUNDS)),
    seconds.toFixed(1),
    ...own.map(mebibytes),
  ]);
  const trends = nodes.map((_, node) => growthOf(rounds.map(({ own }) => own[node] ?? 0)));
  const trendTexts = trends.map((growth) => {
    return growth === undefined ? '' : mebibytes(growth.bytesPerRound);
  });
  rows.push(['a round, of the later half', '', ...trendTexts]);
  const names = nodes.map(({ name }) => `${name}, own MiB`);
  console.log(`\n${textTable([kind, 'seconds', ...names], rows)}`);
  const growing = nodes.filter((_, node) => {
    const growth = trends[node];
    return growth !== undefined && isGrowing(growth, ROUNDS);
  });
  if (growing.length > 0) hasGrown = true;
  const who = growing.map(({ name }) => name).join(', ');
  console.log(growing.length === 0 ? 'it does not grow' : `it still grows: ${who}`);
}

async function askAll(count: number, ask: Ask): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) await ask(number % nodes.length);
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
}

function ownOfNodes(): number[] {
  return pids().map(ownBytesOf);
}

function pids(): number[] {
  return nodes.map(({ name }) => cluster.mustChild(name).pid ?? 0);
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
