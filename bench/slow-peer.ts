/**
 * `node build/bench/slow-peer.js`: what a node that stops in bursts, or whose disk is slow, costs the
 * requests of the others.
 *
 * Three nodes, n=3 r=2 w=2, 1 KiB, GETs and PUTs at a steady rate through the first and the third;
 * the second is stopped (SIGSTOP) for a while again and again, as by a collector's pause or a busy
 * host, and then its disk is throttled, where the system lets us (`machine/disk-throttle.ts`). Latencies count
 * from when a request was due. Rows without faults stand before and after.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Histogram } from 'hdr-histogram-js';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { VertebraClient } from '../src/client/client.ts';
import { DiskThrottle } from './machine/disk-throttle.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    /** Requests a second, one in four a PUT. */
    rate: { type: 'string', default: '800' },
    /** What the slow disk takes, in KiB a second. */
    'disk-kib': { type: 'string', default: '256' },
    'base-port': { type: 'string', default: '25000' },
  },
});
const DURATION_MS = Number(options.seconds) * 1_000;
const RATE = Number(options.rate);
const KEY_COUNT = 5_000;
const WARM_UP_MS = 8_000;
const REST_MS = 2_000;
const VALUE = Buffer.alloc(1_024, 'v');
const TYPE = utf8ToByteString('n3');
const BUCKET = utf8ToByteString('bench');

/** The second node rests for `forMs` at the end of each `everyMs`. */
interface Bursts {
  readonly forMs: number;
  readonly everyMs: number;
}

interface Latencies {
  readonly gets: Histogram;
  readonly puts: Histogram;
  errorCount: number;
}

function newLatencies(): Latencies {
  const bounds = { highestTrackableValue: 120_000_000 };
  return { gets: build(bounds), puts: build(bounds), errorCount: 0 };
}

/** Requests by the clock, whatever becomes of those before; resolves when all are answered. */
async function load(client: VertebraClient, durationMs: number): Promise<Latencies> {
  const latencies = newLatencies();
  const underWay: Promise<void>[] = [];
  const startMs = performance.now();
  const dueCount = Math.round((durationMs * RATE) / 1_000);
  for (let due = 0; due < dueCount;) {
    await pause(1);
    for (; due < dueCount && due < ((performance.now() - startMs) * RATE) / 1_000; due += 1) {
      underWay.push(one(client, latencies, { index: due, dueMs: startMs + (due * 1_000) / RATE }));
    }
  }
  await Promise.all(underWay);
  return latencies;
}

async function one(
  client: VertebraClient,
  latencies: Latencies,
  { index, dueMs }: { readonly index: number; readonly dueMs: number },
): Promise<void> {
  const isPut = index % 4 === 0;
  const name = `key-${Math.floor(Math.random() * KEY_COUNT)}`;
  const key = { type: TYPE, bucket: BUCKET, key: utf8ToByteString(name) };
  try {
    await (isPut ? client.put(key, { value: VALUE }) : client.get(key));
    const tookMicros = Math.round((performance.now() - dueMs) * 1_000);
    (isPut ? latencies.puts : latencies.gets).recordValue(tookMicros);
  } catch {
    latencies.errorCount += 1;
  }
}

async function row(
  label: string,
  { client, stop }: { readonly client: VertebraClient; readonly stop: (isOn: boolean) => void },
  bursts?: Bursts,
): Promise<string[]> {
  const phase = { isOver: false };
  const stopInBursts = async ({ everyMs, forMs }: Bursts): Promise<void> => {
    while (!phase.isOver) {
      await pause(everyMs - forMs);
      stop(true);
      await pause(forMs);
      stop(false);
    }
  };
  const bursting = bursts && stopInBursts(bursts);
  const { gets, puts, errorCount } = await load(client, DURATION_MS);
  phase.isOver = true;
  await bursting;
  await pause(REST_MS);
  const ms = (histogram: Histogram, percentile: number): string => {
    return (histogram.getValueAtPercentile(percentile) / 1_000).toFixed(1);
  };
  const cells = [gets, puts].flatMap((histogram) => [50, 99, 99.9].map((at) => ms(histogram, at)));
  return [label, ...cells, `${errorCount}`];
}

function pause(durationMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, durationMs));
}

const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const configPath = writeDevConfig({ nodes: 3, basePort: Number(options['base-port']), data });
const nodes = devNodes(configPath);
const [first, second, third] = nodes as [DevNode, DevNode, DevNode];
const entryPoint = resolve(import.meta.dirname, '../src/main.js');
const cluster = new DevCluster({ configPath, nodes, entryPoint });
const throttle = DiskThrottle.open(data, 'slow-peer');
await cluster.start();
const client = new VertebraClient({
  nodes: [first, third].map(({ host, pbcPort }) => ({ host, port: pbcPort })),
  connectionsPerNode: 64,
});
try {
  await cluster.ensureBucketTypes({ [TYPE]: { n_val: 3, allow_mult: false } });
  await load(client, WARM_UP_MS);
  const slow = cluster.mustChild(second.name);
  const parts = { client, stop: (isOn: boolean) => slow.kill(isOn ? 'SIGSTOP' : 'SIGCONT') };
  const rows = [
    await row('no faults', parts),
    await row('0.2 s of each second', parts, { forMs: 200, everyMs: 1_000 }),
    await row('2 s of each 6', parts, { forMs: 2_000, everyMs: 6_000 }),
    await row('no faults again', parts),
  ];
  if (throttle === undefined) console.log('no control group may be made here: no slow disk');
  else {
    throttle.add(slow.pid ?? 0);
    throttle.limit(Number(options['disk-kib']) * 1_024);
    rows.push(await row(`disk of ${options['disk-kib']} KiB/s`, parts));
    throttle.limit(undefined);
    rows.push(await row('no faults, at last', parts));
  }
  const columns = ['GET', 'PUT'].flatMap((name) =>
    ['p50', 'p99', 'p99.9'].map((p) => `${name} ${p}`),
  );
  console.log(
    `${RATE} requests a second through two of three nodes, ms; the other is stopped for\n`,
  );
  console.log(textTable(['', ...columns, 'errors'], rows));
} finally {
  client.close();
  cluster.mustChild(second.name).kill('SIGCONT');
  await cluster.stop();
  throttle?.close();
  rmSync(data, { recursive: true, force: true });
}
