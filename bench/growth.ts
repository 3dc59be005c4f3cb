/**
 * `node build/bench/growth.js [--keys N,N,…] [--nodes N,N,…] [--data DIR [--filled N]] [--among N]`: what an operation
 * costs, and how long a node takes to start, as keys and nodes become more.
 *
 * Keys: one node, n=1, whose store is filled from this process, without a network, while the node is
 * stopped, and compacted, so that what is measured is not the end of the filling. Each count goes on from
 * the one before it. Memory is the node's own, without the pages of LevelDB's tables, which are mapped
 * and which the kernel takes back when it needs them. Nodes:
 * n=3 r=2 w=2, ten connections to each. Costs are processor time of all threads of all nodes; they
 * share this machine, so with more nodes each has less to do, and less to join into one frame or
 * one sync: the frames sent for an operation stand beside its cost. `--data` keeps the node with many
 * keys, and `--filled` says how many it has already. `--among 10000` asks the node with many keys for keys among
 * all and among so many, by turns, `--rounds` times.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Level } from 'level';
import { utf8ToByteString } from '../src/base/bytes.ts';
import type { Host } from '../src/base/host.ts';
import type { ObjectKey } from '../src/base/names.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { EMPTY_VERSION_VECTOR } from '../src/clock/version-vector.ts';
import { CREATED_TYPE_PROPERTIES } from '../src/object/bucket-properties.ts';
import { openIdentity } from '../src/replica/identity.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../src/replica/store-replica.ts';
import { partitionOf } from '../src/ring/partition.ts';
import { openLevelDbStore } from '../src/storage/open-leveldb.ts';
import { SystemClock, SystemRandom } from '../src/telemetry/system-host.ts';
import { measureLoop, repeat, type MeasuredLoop, type Operate } from './closed-loop.ts';
import { ownBytesOf } from './process-costs.ts';

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '10000,100000,1000000' },
    nodes: { type: 'string', default: '3,6,12' },
    seconds: { type: 'string', default: '10' },
    'value-bytes': { type: 'string', default: '1024' },
    'warm-up': { type: 'string', default: '20000' },
    'base-port': { type: 'string', default: '26000' },
    data: { type: 'string' },
    filled: { type: 'string', default: '0' },
    among: { type: 'string', default: '0' },
    rounds: { type: 'string', default: '3' },
  },
});
const DURATION_MS = Number(options.seconds) * 1_000;
const VALUE_BYTES = Number(options['value-bytes']);
const WARM_UP_COUNT = Number(options['warm-up']);
/** 0: not asked by turns. */
const AMONG = Number(options.among);
const ROUNDS = Number(options.rounds);
const BASE_PORT = Number(options['base-port']);
const BUCKET = utf8ToByteString('bench');
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');
/** Of the configuration that `writeDevConfig` writes. */
const RING_SIZE = 64;
const WRITES_UNDER_WAY = 512;
const CONNECTIONS_PER_NODE = 10;
const KEY_COUNT_OF_NODES = 10_000;
const MIB = 1024 * 1024;

const silent = (): void => undefined;
const host: Host = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  log: { debug: silent, info: silent, warn: silent, error: silent },
  metrics: { count: silent, gauge: silent, observe: silent },
};

function keyOf(type: string, index: number): ObjectKey {
  return { type: utf8ToByteString(type), bucket: BUCKET, key: utf8ToByteString(`key-${index}`) };
}

/**
 * By partition and then by key, as the store keeps them: LevelDB then has nothing to merge, which would take
 * most of the time of ten million writes.
 */
function inStoreOrder(from: number, to: number): Uint32Array {
  const ofPartition = Array.from({ length: RING_SIZE }, (): string[] => []);
  for (let index = from; index < to; index += 1) {
    ofPartition[partitionOf(keyOf('n1', index), RING_SIZE)]?.push(`${index}`);
  }
  const ordered = new Uint32Array(to - from);
  let count = 0;
  for (const indexes of ofPartition) {
    for (const index of indexes.toSorted()) ordered[count++] = Number(index);
  }
  return ordered;
}

/** Writes the keys from `from` on into the store of a node that does not run. */
async function fillStore(folder: string, from: number, to: number): Promise<void> {
  const store = await openLevelDbStore(host, { folder, durability: 'os' });
  const properties = { ...CREATED_TYPE_PROPERTIES, n_val: 1, allow_mult: false };
  const identity = await openIdentity(store, host);
  const ports = { store, identity, properties: () => properties };
  const replica = await StoreReplica.open(host, ports, STORE_REPLICA_DEFAULTS);
  const write = async (index: number): Promise<void> => {
    const key = keyOf('n1', index);
    const content = { metadata: {}, value: host.random.bytes(VALUE_BYTES), isTombstone: false };
    const placement = { partition: partitionOf(key, RING_SIZE), properties };
    const written = { context: EMPTY_VERSION_VECTOR, content };
    const outcome = await replica.coordinate(key, placement, written);
    if (outcome.kind !== 'issued') throw new Error(outcome.kind);
    await outcome.durable;
  };
  const indexes = inStoreOrder(from, to);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < indexes.length; at = next++) await write(indexes[at] as number);
  };
  await Promise.all(Array.from({ length: WRITES_UNDER_WAY }, worker));
  await store.close();
  await compact(folder);
}

async function compact(folder: string): Promise<void> {
  const database = new Level<Buffer, Buffer>(folder, { keyEncoding: 'buffer' });
  await database.open();
  // In Node, `Level` is classic-level's own class, which its published type leaves out.
  const { compactRange } = database as unknown as Pick<Compactable, 'compactRange'>;
  await compactRange.call(database, Buffer.of(0), Buffer.of(0xff));
  await database.close();
}

interface Compactable {
  compactRange(this: unknown, from: Buffer, to: Buffer): Promise<void>;
}

/** The node once with its bucket type, so that what is filled belongs to it from the start. */
async function makeNode(configPath: string): Promise<void> {
  const cluster = new DevCluster({
    configPath,
    nodes: devNodes(configPath),
    entryPoint: ENTRY_POINT,
  });
  await cluster.start();
  await cluster.ensureBucketTypes({ n1: { n_val: 1, allow_mult: false } });
  await cluster.stop();
}

interface Setup {
  readonly data: string;
  readonly nodeCount: number;
  readonly n: number;
  readonly keyCount: number;
}

interface Costs {
  readonly startMs: number;
  readonly idleBytes: number;
  readonly usedBytes: number;
  readonly gets: Loop;
  readonly puts: Loop;
  /** GETs among all keys and among some, by turns. */
  readonly turns: readonly Turn[];
}

interface Turn {
  readonly keyCount: number;
  readonly gets: MeasuredLoop;
}

interface Loop extends MeasuredLoop {
  /** Between nodes, for one operation. */
  readonly frames: number;
}

/** Starts the nodes on what is in `data`, and loads them. */
async function measureNodes({ data, nodeCount, n, keyCount }: Setup): Promise<Costs> {
  const configPath = writeDevConfig({ nodes: nodeCount, basePort: BASE_PORT, data });
  const nodes = devNodes(configPath);
  const cluster = new DevCluster({ configPath, nodes, entryPoint: ENTRY_POINT });
  const startedMs = performance.now();
  await cluster.start();
  const startMs = performance.now() - startedMs;
  const pids = nodes.map(({ name }) => cluster.mustChild(name).pid ?? 0);
  const idleBytes = Math.max(...pids.map(ownBytesOf));
  const client = new VertebraClient({
    nodes: nodes.map((node) => ({ host: node.host, port: node.pbcPort })),
    connectionsPerNode: CONNECTIONS_PER_NODE,
  });
  try {
    await cluster.ensureBucketTypes({ [`n${n}`]: { n_val: n, allow_mult: false } });
    const put: Operate = (index) =>
      client.put(keyOf(`n${n}`, index), { value: host.random.bytes(VALUE_BYTES) });
    const get: Operate = (index) => client.get(keyOf(`n${n}`, index));
    const connections = CONNECTIONS_PER_NODE * nodeCount;
    const loop = { connections, keyCount, pids };
    // Warm in operations of each node: its share of them is compiled, then it is measured.
    await repeat(put, Math.max(WARM_UP_COUNT * nodeCount, nodeCount > 1 ? keyCount : 0), loop);
    await repeat(get, WARM_UP_COUNT * nodeCount, loop);
    const measure = async (operate: Operate): Promise<Loop> => {
      const before = await framesSent(nodes);
      const measured = await measureLoop(operate, DURATION_MS, loop);
      const count = Math.max(1, measured.histogram.totalCount);
      return { ...measured, frames: ((await framesSent(nodes)) - before) / count };
    };
    const gets = await measure(get);
    const turns: Turn[] = [];
    const asked = AMONG > 0 && nodeCount === 1 ? [keyCount, Math.min(AMONG, keyCount)] : [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const among of asked) {
        const measured = await measureLoop(get, DURATION_MS, { ...loop, keyCount: among });
        turns.push({ keyCount: among, gets: measured });
      }
    }
    const puts = await measure(put);
    const usedBytes = Math.max(...pids.map(ownBytesOf));
    return { startMs, idleBytes, usedBytes, gets, puts, turns };
  } finally {
    client.close();
    await cluster.stop();
  }
}

/** By all nodes so far. */
async function framesSent(nodes: readonly DevNode[]): Promise<number> {
  const texts = nodes.map(async (node) => {
    const reply = await fetch(`http://${node.host}:${node.httpPort}/metrics`);
    return /^\S*peer_frames_sent\S* (\d+)/m.exec(await reply.text())?.[1] ?? '0';
  });
  return (await Promise.all(texts)).map(Number).reduce((sum, sent) => sum + sent, 0);
}

function toRow(label: string, { startMs, idleBytes, usedBytes, gets, puts }: Costs): string[] {
  const loops = [gets, puts].flatMap(({ operationsPerSecond, nodeMicros, frames, histogram }) => [
    operationsPerSecond.toFixed(0),
    nodeMicros.toFixed(0),
    frames.toFixed(2),
    (histogram.getValueAtPercentile(99) / 1_000).toFixed(1),
  ]);
  const memory = [idleBytes, usedBytes].map((bytes) => (bytes / MIB).toFixed(0));
  const errors = `${gets.errorCount + puts.errorCount}`;
  return [label, (startMs / 1_000).toFixed(2), ...loops, ...memory, errors];
}

function turnRow({ keyCount, gets }: Turn): string[] {
  const { operationsPerSecond, nodeMicros, histogram } = gets;
  const p99Ms = histogram.getValueAtPercentile(99) / 1_000;
  return [`${keyCount}`, operationsPerSecond.toFixed(0), nodeMicros.toFixed(0), p99Ms.toFixed(1)];
}

const COLUMNS = [
  'start s',
  'GET/s',
  'node µs',
  'frames',
  'p99 ms',
  'PUT/s',
  'node µs',
  'frames',
  'p99 ms',
  'MiB idle',
  'after',
  'errors',
];

function counts(list: string): number[] {
  return list.split(',').filter(Boolean).map(Number);
}

const folder = options.data ?? mkdtempSync(join(tmpdir(), 'vertebra-growth-'));
try {
  const withKeys: string[][] = [];
  let filled = Number(options.filled);
  for (const keyCount of counts(options.keys)) {
    const data = join(folder, 'keys');
    mkdirSync(data, { recursive: true });
    const configPath = writeDevConfig({ nodes: 1, basePort: BASE_PORT, data });
    const [node] = devNodes(configPath);
    if (node === undefined) throw new Error('a cluster of one has a node');
    await makeNode(configPath);
    const startedMs = performance.now();
    await fillStore(join(node.dataFolder, 'store'), filled, keyCount);
    const tookMs = performance.now() - startedMs;
    console.log(`${keyCount} keys: filled and compacted in ${(tookMs / 1_000).toFixed(0)} s`);
    filled = keyCount;
    const costs = await measureNodes({ data, nodeCount: 1, n: 1, keyCount });
    withKeys.push(toRow(`${keyCount}`, costs));
    if (costs.turns.length > 0) {
      const heading = ['GETs among', 'GET/s', 'node µs', 'p99 ms'];
      console.log(`\n${keyCount} keys, by turns\n${textTable(heading, costs.turns.map(turnRow))}`);
    }
  }
  if (withKeys.length > 0) console.log(`\n${textTable(['keys', ...COLUMNS], withKeys)}\n`);
  const withNodes: string[][] = [];
  for (const nodeCount of counts(options.nodes)) {
    const data = join(folder, `nodes-${nodeCount}`);
    const costs = await measureNodes({ data, nodeCount, n: 3, keyCount: KEY_COUNT_OF_NODES });
    withNodes.push(toRow(`${nodeCount}`, costs));
    rmSync(data, { recursive: true, force: true });
  }
  if (withNodes.length > 0) console.log(textTable(['nodes', ...COLUMNS], withNodes));
} finally {
  if (options.data === undefined) rmSync(folder, { recursive: true, force: true });
}
