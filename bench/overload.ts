/**
 * `npm run bench:overload`: what a node gets done when it is asked for more than it can do.
 *
 * One node that holds all (n=1) and raw connections, Protocol Buffers or HTTP (`--api http`), each with
 * one PUT of 1 KiB under way at most. First its capacity, closed loop; then open loop at 0.5 to 10
 * times of it: a request is due at its time whether or not those before it have been answered. A
 * request that finds no idle connection is not sent: that many connections is what the clients of one
 * node have. Goodput counts what was stored within a second of when it was due, once the load has stood
 * for a second. Last, half of the capacity again, second by second: how soon the node is itself.
 *
 * The generator would take the node's processor and the figures would be its own: so the node is held
 * to one processor and the generator to another (`taskset`), and both say how much they used.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { Fault } from '../src/base/fault.ts';
import { encodeFrame } from '../src/api/pbc/framing.ts';
import { ProtoWriter } from '../src/api/pbc/messages/proto-writer.ts';
import { RpbPutReq } from '../src/api/pbc/messages/put-messages.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { putFields } from '../src/client/request-fields.ts';
import { OverloadClients } from './overload-clients.ts';
import { cpuMicrosOf } from './process-costs.ts';
import type { OverloadApi, Served } from './overload-clients.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '2000' },
    factors: { type: 'string', default: '0.5,1,2,5,10' },
    api: { type: 'string', default: 'pb' },
    'base-port': { type: 'string', default: '25000' },
    /** Both on all processors. */
    together: { type: 'boolean', default: false },
  },
});
if (options.api !== 'pb' && options.api !== 'http') {
  throw new Fault('config', `--api is pb or http, and not ${options.api}`);
}
const DURATION_MS = Number(options.seconds) * 1_000;
const SETTLE_MS = 1_000;
const WARM_UP_MS = 6_000;
const RECOVERY_SECONDS = 10;

const NAMES = Array.from({ length: 4_096 }, (_, index) => `key-${index}`);
const VALUE = Buffer.alloc(1_024, 'v');
const STORED_CODE = 12;

function overPbc(): OverloadApi {
  const requests = NAMES.map((name) => {
    const key = {
      type: utf8ToByteString('n1'),
      bucket: utf8ToByteString('bench'),
      key: utf8ToByteString(name),
    };
    const fields = putFields(key, { value: VALUE }, {});
    return Buffer.concat(encodeFrame(new ProtoWriter(), RpbPutReq, fields));
  });
  return { requests, isStored: (answer) => answer[4] === STORED_CODE };
}

function overHttp(): OverloadApi {
  const requests = NAMES.map((name) => {
    const head = [
      `PUT /types/n1/buckets/bench/keys/${name} HTTP/1.1`,
      'Host: node',
      'Content-Type: application/octet-stream',
      `Content-Length: ${VALUE.length}`,
    ];
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), VALUE]);
  });
  return { requests, isStored: (answer) => answer.toString('latin1', 9, 12) === '204' };
}

/** Processors of the node and of the generator; false: there are not enough, or no `taskset`. */
function holdApart(nodePid: number): boolean {
  if (availableParallelism() < 2) return false;
  return [
    ['0', `${nodePid}`],
    ['1', `${process.pid}`],
  ].every(([processor, pid]) => {
    return spawnSync('taskset', ['-acp', processor as string, pid as string]).status === 0;
  });
}

/** What happened during `run`, by the second. */
async function measured(
  clients: OverloadClients,
  pid: number,
  run: () => Promise<void>,
): Promise<
  Served & {
    readonly p99Ms: number;
    readonly longestMs: number;
    readonly cores: readonly [number, number];
  }
> {
  const before = clients.served();
  clients.resetLatencies();
  const startMs = performance.now();
  const nodeMicros = cpuMicrosOf([pid]);
  const ownMicros = cpuMicrosOf([process.pid]);
  await run();
  const seconds = (performance.now() - startMs) / 1_000;
  const after = clients.served();
  const coresOf = (micros: number): number => micros / 1e6 / seconds;
  return {
    offered: (after.offered - before.offered) / seconds,
    unsent: (after.unsent - before.unsent) / seconds,
    good: (after.good - before.good) / seconds,
    late: (after.late - before.late) / seconds,
    refused: (after.refused - before.refused) / seconds,
    p99Ms: clients.p99Ms(),
    longestMs: clients.longestMs,
    cores: [
      coresOf(cpuMicrosOf([pid]) - nodeMicros),
      coresOf(cpuMicrosOf([process.pid]) - ownMicros),
    ],
  };
}

async function main(cluster: DevCluster, node: DevNode): Promise<void> {
  const pid = cluster.mustChild(node.name).pid as number;
  await cluster.ensureBucketTypes({ n1: { n_val: 1, allow_mult: false } });
  const isApart = !options.together && holdApart(pid);
  const isHttp = options.api === 'http';
  const clients = new OverloadClients(isHttp ? overHttp() : overPbc());
  const port = isHttp ? node.httpPort : node.pbcPort;
  await clients.open({ host: node.host, port }, Number(options.connections));
  await clients.closedLoop(64, WARM_UP_MS);
  const { good: capacity } = await measured(clients, pid, () =>
    clients.closedLoop(64, DURATION_MS),
  );
  console.log(
    `capacity: ${Math.round(capacity)} PUTs a second, closed loop, 64 under way; ` +
      `node and generator ${isApart ? 'on a processor each' : 'together on all processors'}\n`,
  );
  const rows: string[][] = [];
  for (const factor of options.factors.split(',').map(Number)) {
    await clients.openLoop(capacity * factor, SETTLE_MS);
    const row = await measured(clients, pid, () =>
      clients.openLoop(capacity * factor, DURATION_MS),
    );
    rows.push([
      `${factor}`,
      ...[row.offered, row.unsent, row.refused, row.late, row.good].map((rate) => {
        return `${Math.round(rate)}`;
      }),
      `${Math.round((100 * row.good) / capacity)} %`,
      row.p99Ms.toFixed(0),
      (row.longestMs / 1_000).toFixed(1),
      ...row.cores.map((cores) => cores.toFixed(2)),
    ]);
  }
  const recovery: string[] = [];
  for (let second = 1; second <= RECOVERY_SECONDS; second += 1) {
    const row = await measured(clients, pid, () => clients.openLoop(capacity / 2, 1_000));
    const share = Math.round((100 * row.good) / row.offered);
    const longest = (row.longestMs / 1_000).toFixed(1);
    const p99 = row.p99Ms.toFixed(0);
    recovery.push(`${second}: ${share} %, p99 ${p99} ms, the longest ${longest} s`);
  }
  const heading = [
    'times',
    'due/s',
    'no connection/s',
    'refused/s',
    'late/s',
    'good/s',
    'of capacity',
    'p99 ms',
    'longest s',
    'node cores',
    'generator cores',
  ];
  console.log(textTable(heading, rows));
  console.log(`\nafter it, at half the capacity, second by second:\n${recovery.join('\n')}`);
  clients.close();
}

const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const configPath = writeDevConfig({ nodes: 1, basePort: Number(options['base-port']), data });
const nodes = devNodes(configPath);
const entryPoint = resolve(import.meta.dirname, '../src/main.js');
const cluster = new DevCluster({ configPath, nodes, entryPoint });
await cluster.start();
try {
  await main(cluster, nodes[0] as DevNode);
} finally {
  await cluster.stop();
  rmSync(data, { recursive: true, force: true });
}
