/**
 * `npm run bench:quick`: one table, one run, one machine.
 *
 * (a) the substrate: LevelDB by itself; (b) one node that holds all, n=1; (c) three nodes, n=3 r=2 w=2.
 * All over Protocol Buffers with 1 KiB values and 32 connections, closed loop, durability fsync. The
 * generator is this process and shares the machine with the nodes. Each measurement comes after a
 * warm-up counted in operations, because what V8 compiles in its first ten thousand would otherwise be
 * most of what is measured. Compare ratios within one run; the absolute figures are the machine's.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8ToByteString, type ByteString } from '../src/base/bytes.ts';
import { VertebraClient } from '../src/client/client.ts';
import { DevCluster } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { measureLoop, repeat, type MeasuredLoop } from './closed-loop.ts';
import { GET_MANY, THREE_DATABASES, formatSubstrate, measureSubstrate } from './substrate.ts';
import type { SubstrateFigure } from './substrate.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    'value-bytes': { type: 'string', default: '1024' },
    connections: { type: 'string', default: '32' },
    keys: { type: 'string', default: '10000' },
    // Operations of each kind that every node serves before it is measured.
    'warm-up': { type: 'string', default: '20000' },
    'base-port': { type: 'string', default: '24000' },
    'skip-substrate': { type: 'boolean', default: false },
  },
});
const DURATION_MS = Number(options.seconds) * 1000;
const VALUE = Buffer.alloc(Number(options['value-bytes']), 'vertebra');
const CONNECTIONS = Number(options.connections);
const KEY_COUNT = Number(options.keys);
const WARM_UP_COUNT = Number(options['warm-up']);
const BUCKET = utf8ToByteString('bench');
const ENTRY_POINT = resolve(import.meta.dirname, '../src/main.js');

interface Measured extends MeasuredLoop {
  readonly label: string;
}

let substrate: readonly SubstrateFigure[] = [];
if (!options['skip-substrate']) {
  console.log('(a) the substrate\n');
  substrate = await measureSubstrate({
    folder: tmpdir(),
    durationMs: Math.min(2_000, DURATION_MS),
    valueSizeBytes: VALUE.length,
  });
  console.log(formatSubstrate(substrate));
}
console.log('\n(b) one node, n=1, and (c) three nodes, n=3 r=2 w=2\n');
const rows = [...(await measureCluster(1, 1)), ...(await measureCluster(3, 3))];
console.log(
  textTable(
    [
      '',
      'per second',
      'p50 ms',
      'p99 ms',
      'p99.9 ms',
      'node µs/op',
      'generator µs/op',
      'MiB a node',
      'errors',
    ],
    rows.map(toRow),
  ),
);
printShare(
  'GET of one node',
  rows.find(({ label }) => label === '1 node, n=1: GET'),
  GET_MANY,
);
printShare(
  'PUT',
  rows.find(({ label }) => label === '3 nodes, n=3: PUT'),
  THREE_DATABASES,
);

/** How much of what LevelDB alone can do is left at the client. */
function printShare(what: string, measured: Measured | undefined, figureName: string): void {
  const figure = substrate.find(({ name }) => name === figureName);
  if (measured === undefined || figure === undefined) return;
  const share = (100 * measured.operationsPerSecond) / figure.operationsPerSecond;
  console.log(`${what}: ${share.toFixed(0)} % of '${figureName}'`);
}

async function measureCluster(nodeCount: number, n: number): Promise<Measured[]> {
  const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
  const basePort = Number(options['base-port']);
  const configPath = writeDevConfig({ nodes: nodeCount, basePort, data });
  const nodes = devNodes(configPath);
  const cluster = new DevCluster({ configPath, nodes, entryPoint: ENTRY_POINT });
  await cluster.start();
  const client = new VertebraClient({
    nodes: nodes.map(({ host, pbcPort }) => ({ host, port: pbcPort })),
    connectionsPerNode: Math.ceil(CONNECTIONS / nodeCount),
  });
  try {
    const type = utf8ToByteString(`n${n}`);
    await cluster.ensureBucketTypes({ [type]: { n_val: n, allow_mult: false } });
    const label = `${nodeCount} node${nodeCount > 1 ? 's' : ''}, n=${n}`;
    const pids = nodes.map((node) => cluster.mustChild(node.name).pid ?? 0);
    const put = (index: number): Promise<unknown> =>
      client.put({ type, bucket: BUCKET, key: keyOf(index) }, { value: VALUE });
    const get = (index: number): Promise<unknown> =>
      client.get({ type, bucket: BUCKET, key: keyOf(index) });
    const loop = { connections: CONNECTIONS, keyCount: KEY_COUNT, pids };
    // Each key once, so that every GET finds something.
    await repeat(put, KEY_COUNT, loop);
    await repeat(put, WARM_UP_COUNT * nodeCount - KEY_COUNT, loop);
    const puts = await measureLoop(put, DURATION_MS, loop);
    await repeat(get, WARM_UP_COUNT * nodeCount, loop);
    const gets = await measureLoop(get, DURATION_MS, loop);
    return [
      { label: `${label}: PUT`, ...puts },
      { label: `${label}: GET`, ...gets },
    ];
  } finally {
    client.close();
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

function toRow(measured: Measured): string[] {
  const milliseconds = (percentile: number): string =>
    (measured.histogram.getValueAtPercentile(percentile) / 1000).toFixed(2);
  return [
    measured.label,
    measured.operationsPerSecond.toFixed(0),
    milliseconds(50),
    milliseconds(99),
    milliseconds(99.9),
    measured.nodeMicros.toFixed(0),
    measured.generatorMicros.toFixed(0),
    (measured.residentBytes / (1024 * 1024)).toFixed(0),
    String(measured.errorCount),
  ];
}

function keyOf(index: number): ByteString {
  return utf8ToByteString(`key-${String(index).padStart(8, '0')}`);
}
