/**
 * `node build/bench/replication-cost.js`: what a replication queue costs the writes of its node.
 *
 * Nodes of this machine, each a cluster of its own (n=1, fsync), get the same closed loop of PUTs of 1 KiB by turns:
 * one without a queue, one whose queue fills, one whose queue has hardly any memory and fills its disk, and one that
 * a node of another cluster fetches from. Compare rows of one run. A node's time is that of its process for a write,
 * with what it does meanwhile: reading what is fetched, writing the queue's files.
 */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { measureLoop, type MeasuredLoop } from './closed-loop.ts';
import { cpuMicrosOf } from './process-costs.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '5' },
    'under-way': { type: 'string', default: '64' },
    'base-port': { type: 'string', default: '33300' },
  },
});
const DURATION_MS = 1_000 * Number(options.seconds);
const ROUNDS = Number(options.rounds);
const CONNECTIONS = Number(options['under-way']);
const WARM_UP_MS = 5_000;
const REST_MS = 1_000;
const KEY_COUNT = 200_000;
const VALUE = Buffer.alloc(1_024, 'v');
const TYPE = utf8ToByteString('n1');
const BUCKET = utf8ToByteString('bench');
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');
const QUEUE = 'queues: [{ name: q }]';

interface Subject {
  readonly label: string;
  readonly client: VertebraClient;
  readonly pid: number;
  readonly rows: (MeasuredLoop & { readonly sinkMicros: number })[];
}

const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const clusters: DevCluster[] = [];

async function startNode(replication: string): Promise<DevNode & { readonly pid: number }> {
  const number = clusters.length;
  const data = join(folder, `${number}`);
  const basePort = Number(options['base-port']) + 20 * number;
  const configPath = writeDevConfig({ nodes: 1, basePort, data });
  appendFileSync(configPath, replication === '' ? '' : `replication: { ${replication} }\n`);
  const cluster = new DevCluster({
    configPath,
    nodes: devNodes(configPath),
    entryPoint: ENTRY_POINT,
  });
  clusters.push(cluster);
  await cluster.start();
  await cluster.ensureBucketTypes({ n1: { n_val: 1, allow_mult: false } });
  const node = cluster.nodes[0] as DevNode;
  return { ...node, pid: cluster.mustChild(node.name).pid ?? 0 };
}

async function subjectOf(label: string, replication: string): Promise<Subject> {
  const node = await startNode(replication);
  const nodes = [{ host: node.host, port: node.pbcPort }];
  const client = new VertebraClient({ nodes, connectionsPerNode: CONNECTIONS });
  return { label, client, pid: node.pid, rows: [] };
}

function putTo({ client }: Subject): (index: number) => Promise<unknown> {
  return (index) => {
    const key = utf8ToByteString(`key-${index}`);
    return client.put({ type: TYPE, bucket: BUCKET, key }, { value: VALUE });
  };
}

async function measure(subject: Subject, sinkPid: number, durationMs: number) {
  const before = cpuMicrosOf([sinkPid]);
  const loop = await measureLoop(putTo(subject), durationMs, {
    pids: [subject.pid],
    connections: CONNECTIONS,
    keyCount: KEY_COUNT,
  });
  const sinkMicros = (cpuMicrosOf([sinkPid]) - before) / Math.max(1, loop.histogram.totalCount);
  await new Promise((done) => setTimeout(done, REST_MS));
  return { ...loop, sinkMicros };
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

function rowOf({ label, rows }: Subject): string[] {
  const of = (valueOf: (row: Subject['rows'][number]) => number): number =>
    median(rows.map(valueOf));
  const percentile = (at: number): string =>
    (of(({ histogram }) => histogram.getValueAtPercentile(at)) / 1_000).toFixed(2);
  return [
    label,
    `${Math.round(of((row) => row.operationsPerSecond))}`,
    percentile(50),
    percentile(99),
    of((row) => row.nodeMicros).toFixed(0),
    of((row) => row.sinkMicros).toFixed(0),
    `${rows.reduce((sum, { errorCount }) => sum + errorCount, 0)}`,
  ];
}

async function main(): Promise<void> {
  const subjects = [
    await subjectOf('no queue', ''),
    await subjectOf('a queue that fills', QUEUE),
    await subjectOf('one that fills its disk', `queue_memory: 64KiB, ${QUEUE}`),
    await subjectOf('one that is fetched from', QUEUE),
  ];
  const drained = clusters.at(-1)?.nodes[0] as DevNode;
  const source = `{ queue: q, nodes: ['127.0.0.1:${drained.pbcPort}'], full_sync: 0s }`;
  const { pid: sinkPid } = await startNode(`sources: [${source}]`);
  for (const subject of subjects) await measure(subject, sinkPid, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round += 1) {
    // Who is first has the machine at its coolest: each is once.
    const order = subjects.map((_, index) => subjects[(index + round) % subjects.length]);
    for (const subject of order) {
      if (subject !== undefined) subject.rows.push(await measure(subject, sinkPid, DURATION_MS));
    }
  }
  for (const { client } of subjects) client.close();
  const columns = ['PUTs/s', 'p50 ms', 'p99 ms', 'node µs', "fetching node's µs", 'errors'];
  console.log(
    `${CONNECTIONS} under way, medians of ${ROUNDS} rounds of ${DURATION_MS / 1_000} s\n`,
  );
  console.log(textTable(['', ...columns], subjects.map(rowOf)));
}

try {
  await main();
} finally {
  await Promise.all(clusters.map((cluster) => cluster.stop()));
  rmSync(folder, { recursive: true, force: true });
}
