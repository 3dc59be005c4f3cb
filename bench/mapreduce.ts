/**
 * `node build/bench/mapreduce.js`: what a MapReduce job over large objects costs, and where.
 *
 * Five nodes of this machine, n=3, so that the node that is asked holds three in five; documents of
 * JSON, each with a link. Each job runs once, over all keys of the bucket, asked of the first node: a
 * link phase, which is the node's own code, and a map in JavaScript that gives one field of each
 * document, both counted or added up by a reduce phase. The bytes are all that nodes sent each other
 * meanwhile, which begins or ends at the node that was asked. With `--data FOLDER` the cluster's data
 * stays there, and a second run finds it and loads nothing.
 */

import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../src/base/names.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { cpuMicrosOf } from './process-costs.ts';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '20000' },
    size: { type: 'string', default: '20000' },
    'base-port': { type: 'string', default: '24200' },
    data: { type: 'string' },
  },
});
const RECORD_COUNT = Number(options.records);
const PADDING = 'vertebra'.repeat(Number(options.size) / 8);
const NODE_COUNT = 5;
const WRITES_UNDER_WAY = 32;
const BUCKET = 'documents';
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');
const FIELD_SOURCE = 'function(v){return [JSON.parse(v.values[0].data).serial]}';

const REDUCE = (name: string): object => ({
  reduce: { language: 'erlang', module: 'riak_kv_mapreduce', function: name },
});
const JOBS: readonly (readonly [label: string, query: readonly object[], expected: number])[] = [
  ['links, counted', [{ link: { tag: 'next' } }, REDUCE('reduce_count_inputs')], RECORD_COUNT],
  [
    'a field in JavaScript, added up',
    [{ map: { language: 'javascript', source: FIELD_SOURCE } }, REDUCE('reduce_sum')],
    (RECORD_COUNT * (RECORD_COUNT - 1)) / 2,
  ],
];

const isLoaded = options.data !== undefined && existsSync(options.data);
const data = options.data ?? mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const basePort = Number(options['base-port']);
const configPath = writeDevConfig({ nodes: NODE_COUNT, basePort, data });
appendFileSync(configPath, 'map_reduce: { javascript: enabled }\n');
const nodes = devNodes(configPath);
const cluster = new DevCluster({ configPath, nodes, entryPoint: ENTRY_POINT });
await cluster.start();
const pids = nodes.map(({ name }) => cluster.mustChild(name).pid ?? 0);
const client = new VertebraClient({
  nodes: nodes.map(({ host, pbcPort }) => ({ host, port: pbcPort })),
});
try {
  if (!isLoaded) await load();
  const rows: string[][] = [];
  for (const [label, query, expected] of JOBS) rows.push(await measure(label, query, expected));
  console.log(textTable(['job', 'seconds', 'MiB between nodes', 'node CPU s'], rows));
} finally {
  client.close();
  await cluster.stop();
  if (options.data === undefined) rmSync(data, { recursive: true, force: true });
}

async function load(): Promise<void> {
  const startedMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let serial = next++; serial < RECORD_COUNT; serial = next++) {
      const [bucket, key] = [BUCKET, `k${serial}`].map(utf8ToByteString);
      if (bucket === undefined || key === undefined) return;
      const value = Buffer.from(JSON.stringify({ serial, padding: PADDING }));
      const links = [{ bucket, key, tag: utf8ToByteString('next') }];
      const contentType = utf8ToByteString('application/json');
      const content = { value, metadata: { contentType, links } };
      await client.put({ type: DEFAULT_BUCKET_TYPE, bucket, key }, content, { isRepeatable: true });
    }
  };
  await Promise.all(Array.from({ length: WRITES_UNDER_WAY }, worker));
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(`${RECORD_COUNT} documents of ${options.size} bytes in ${seconds.toFixed(0)} s\n`);
}

async function measure(
  label: string,
  query: readonly object[],
  expected: number,
): Promise<string[]> {
  const [bytesBefore, cpuBefore] = [await sentBytes(), cpuMicrosOf(pids)];
  const startedMs = performance.now();
  const { host, httpPort } = nodes[0] as DevNode;
  const response = await fetch(`http://${host}:${httpPort}/mapred`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: BUCKET, query, timeout: 90_000 }),
  });
  const text = await response.text();
  const seconds = (performance.now() - startedMs) / 1_000;
  if (text !== `[${expected}]`) throw new Error(`${response.status}: ${text.slice(0, 300)}`);
  const mebibytes = ((await sentBytes()) - bytesBefore) / 2 ** 20;
  const cpuSeconds = (cpuMicrosOf(pids) - cpuBefore) / 1e6;
  return [label, seconds.toFixed(1), mebibytes.toFixed(1), cpuSeconds.toFixed(1)];
}

/** By all nodes to each other, so far. */
async function sentBytes(): Promise<number> {
  let sum = 0;
  for (const { host, httpPort } of nodes) {
    const text = await (await fetch(`http://${host}:${httpPort}/metrics`)).text();
    sum += Number(/^\w*peer_sent_bytes\w* (\d+)/m.exec(text)?.[1] ?? NaN);
  }
  return sum;
}
