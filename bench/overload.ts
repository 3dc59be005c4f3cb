/**
 * `npm run bench:overload`: what a node gets done when it is asked for more than it can do.
 *
 * One node that holds all (n=1) and raw Protocol Buffers connections, each with one PUT of 1 KiB under
 * way at most. First its capacity, closed loop; then open loop at 0.5 to 10 times of it: a request is
 * due at its time whether or not those before it have been answered. Goodput counts what was stored
 * within a second of when it was due. A request that finds no idle connection is not sent: that many
 * connections is what the clients of one node have. Last, half of the capacity again, second by second:
 * how soon the node is itself.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'hdr-histogram-js';
import { encodeFrame } from '../src/api/pbc/framing.ts';
import { ProtoWriter } from '../src/api/pbc/messages/proto-writer.ts';
import { RpbPutReq } from '../src/api/pbc/messages/put-messages.ts';
import { DevCluster, type DevNode } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { textTable } from '../src/cli/text-table.ts';
import { putFields } from '../src/client/request-fields.ts';
import { utf8ToByteString } from '../src/base/bytes.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '2000' },
    factors: { type: 'string', default: '0.5,1,2,5,10' },
    'base-port': { type: 'string', default: '25000' },
  },
});
const DURATION_MS = Number(options.seconds) * 1_000;
const CONNECTIONS = Number(options.connections);
const GOOD_WITHIN_MS = 1_000;
const WARM_UP_MS = 6_000;
const RECOVERY_SECONDS = 10;
const STORED_CODE = 12;

const REQUESTS = Array.from({ length: 4_096 }, (_, index) => {
  const key = {
    type: utf8ToByteString('n1'),
    bucket: utf8ToByteString('bench'),
    key: utf8ToByteString(`key-${index}`),
  };
  const fields = putFields(key, { value: Buffer.alloc(1_024, 'v') }, {});
  return Buffer.from(encodeFrame(new ProtoWriter(), RpbPutReq, fields));
});

interface Tally {
  offered: number;
  unsent: number;
  stored: number;
  good: number;
  refused: number;
}

/** Connections with at most one request under way each. */
class Load {
  readonly #idle: Socket[] = [];
  readonly latencies = build({ highestTrackableValue: 120_000_000 });
  #next = 0;
  tally: Tally = newTally();
  /** Called with each connection that has become idle. */
  onIdle: () => void = () => {};

  async open(node: DevNode, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const socket = connect(node.pbcPort, node.host);
      socket.setNoDelay(true);
      await new Promise<void>((connected, failed) => {
        socket.once('connect', connected);
        socket.once('error', failed);
      });
      this.#idle.push(socket);
    }
  }

  /** One request, due at `dueMs`, on an idle connection if there is one. */
  send(dueMs: number): boolean {
    this.tally.offered += 1;
    const socket = this.#idle.pop();
    if (socket === undefined) {
      this.tally.unsent += 1;
      return false;
    }
    const { tally } = this;
    socket.once('data', (reply: Buffer) => {
      const tookMs = performance.now() - dueMs;
      if (reply[4] === STORED_CODE) {
        tally.stored += 1;
        if (tookMs <= GOOD_WITHIN_MS) tally.good += 1;
        this.latencies.recordValue(Math.round(tookMs * 1_000));
      } else tally.refused += 1;
      this.#idle.push(socket);
      this.onIdle();
    });
    this.#next = (this.#next + 1) % REQUESTS.length;
    socket.write(REQUESTS[this.#next] as Buffer);
    return true;
  }

  start(): Tally {
    this.tally = newTally();
    this.latencies.reset();
    return this.tally;
  }

  close(): void {
    for (const socket of this.#idle) socket.destroy();
  }
}

function newTally(): Tally {
  return { offered: 0, unsent: 0, stored: 0, good: 0, refused: 0 };
}

/** `under` requests under way all the time; stored a second. */
async function closedLoop(load: Load, under: number, durationMs: number): Promise<number> {
  const tally = load.start();
  const endMs = performance.now() + durationMs;
  load.onIdle = () => {
    if (performance.now() < endMs) load.send(performance.now());
  };
  for (let index = 0; index < under; index += 1) load.send(performance.now());
  await pause(durationMs);
  load.onIdle = () => {};
  const perSecond = (tally.stored * 1_000) / durationMs;
  await pause(1_000);
  return perSecond;
}

/** `perSecond` requests are due, evenly, for `durationMs`. */
async function openLoop(load: Load, perSecond: number, durationMs: number): Promise<Tally> {
  const tally = load.start();
  const startMs = performance.now();
  const dueCount = (perSecond * durationMs) / 1_000;
  while (tally.offered < dueCount) {
    const untilNow = Math.min(dueCount, ((performance.now() - startMs) * perSecond) / 1_000);
    // Replies must be read too: at most a millisecond or two of requests at once.
    let left = 200;
    while (tally.offered < untilNow && left > 0) {
      load.send(startMs + (tally.offered * 1_000) / perSecond);
      left -= 1;
    }
    await new Promise<void>((next) => setImmediate(next));
  }
  return tally;
}

function pause(durationMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, durationMs));
}

const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
const configPath = writeDevConfig({ nodes: 1, basePort: Number(options['base-port']), data });
const nodes = devNodes(configPath);
const entryPoint = resolve(import.meta.dirname, '../src/main.js');
const cluster = new DevCluster({ configPath, nodes, entryPoint });
await cluster.start();
const load = new Load();
try {
  await cluster.ensureBucketTypes({ n1: { n_val: 1, allow_mult: false } });
  await load.open(nodes[0] as DevNode, CONNECTIONS);
  await closedLoop(load, 64, WARM_UP_MS);
  const capacity = await closedLoop(load, 64, DURATION_MS);
  console.log(`capacity: ${Math.round(capacity)} PUTs a second, closed loop, 64 under way\n`);
  const rows: string[][] = [];
  for (const factor of options.factors.split(',').map(Number)) {
    const tally = await openLoop(load, capacity * factor, DURATION_MS);
    const seconds = DURATION_MS / 1_000;
    const p99 = load.latencies.getValueAtPercentile(99) / 1_000;
    rows.push([
      `${factor}`,
      ...[tally.offered, tally.unsent, tally.refused, tally.good].map((count) => {
        return `${Math.round(count / seconds)}`;
      }),
      `${Math.round((100 * tally.good) / seconds / capacity)} %`,
      p99.toFixed(1),
    ]);
  }
  const recovery: string[] = [];
  for (let second = 1; second <= RECOVERY_SECONDS; second += 1) {
    const { good, offered } = await openLoop(load, capacity / 2, 1_000);
    const p99 = load.latencies.getValueAtPercentile(99) / 1_000;
    recovery.push(`${second}: ${Math.round((100 * good) / offered)} % p99 ${p99.toFixed(0)} ms`);
  }
  const heading = [
    'times',
    'due/s',
    'no connection/s',
    'refused/s',
    'good/s',
    'of capacity',
    'p99 ms',
  ];
  console.log(textTable(heading, rows));
  console.log(`\nafter it, at half the capacity, second by second:\n${recovery.join('\n')}`);
} finally {
  load.close();
  await cluster.stop();
  rmSync(data, { recursive: true, force: true });
}
