/**
 * `node build/bench/transfer.js [--keys N] [--size BYTES] [--data DIR]`: moving replicas, and comparing
 * them.
 *
 * With `--data` both sides are kept in DIR, and a run that finds them there goes on to the exchanges,
 * so that more can be compared than fits the time of one run.
 *
 * Two replicas on LevelDB in one process; what goes between them is encoded as on the wire, and there
 * is no network. Source, receiver and both stores share the machine, so a node of its own is faster.
 * Local reads go on at the source meanwhile, one every 2 ms, whose latencies are taken from when they
 * were due; the first row has them alone.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'hdr-histogram-js';
import { utf8ToByteString } from '../src/base/bytes.ts';
import type { Host } from '../src/base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../src/base/names.ts';
import { textTable } from '../src/cli/text-table.ts';
import { EMPTY_VERSION_VECTOR } from '../src/clock/version-vector.ts';
import { initialState } from '../src/membership/initial-state.ts';
import { CREATED_TYPE_PROPERTIES } from '../src/object/bucket-properties.ts';
import type { PeerReply, PeerRequest } from '../src/peer/messages.ts';
import type { Peer } from '../src/peer/peer.ts';
import { decodeReply, decodeStreamItem, encodeReply, encodeStreamItem } from '../src/peer/wire.ts';
import { fetchCopies } from '../src/node/copy-requests.ts';
import { openIdentity } from '../src/replica/identity.ts';
import type { Placement } from '../src/replica/replica.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../src/replica/store-replica.ts';
import { ByteRateLimit } from '../src/repair/byte-rate-limit.ts';
import { Exchanges } from '../src/repair/exchange.ts';
import { Fill } from '../src/repair/fill.ts';
import { FillLog } from '../src/repair/fill-log.ts';
import { Halt } from '../src/repair/halt.ts';
import type { TransferPorts } from '../src/repair/ports.ts';
import { TransferProgress } from '../src/repair/transfer-progress.ts';
import { TRANSFER_DEFAULTS } from '../src/repair/transfers.ts';
import { partitionOf } from '../src/ring/partition.ts';
import { Ring } from '../src/ring/ring.ts';
import { HashTree } from '../src/storage/hash-tree.ts';
import type { Store } from '../src/storage/store.ts';
import { openLevelDbStore } from '../src/storage/open-leveldb.ts';
import { SystemClock, SystemRandom } from '../src/telemetry/system-host.ts';

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '200000' },
    size: { type: 'string', default: '1024' },
    data: { type: 'string' },
  },
});
const KEY_COUNT = Number(options.keys);
const SIZE_BYTES = Number(options.size);
const RING_SIZE = 8;
const N_VAL = CREATED_TYPE_PROPERTIES.n_val;
const READ_INTERVAL_MS = 2;
const WRITES_UNDER_WAY = 256;
const PUTS_MAX = 50_000;
const MIB = 1024 * 1024;
const UNPACED_BYTES_PER_SECOND = 1024 * MIB;
const [SOURCE, RECEIVER] = ['source@bench' as NodeId, 'receiver@bench' as NodeId];

const silent = (): void => undefined;
const host: Host = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  log: { debug: silent, info: silent, warn: silent, error: silent },
  metrics: { count: silent, gauge: silent, observe: silent },
};

function keyOf(index: number): ObjectKey {
  const [type, bucket] = [utf8ToByteString('default'), utf8ToByteString('bench')];
  return { type, bucket, key: utf8ToByteString(`key ${index}`) };
}

function placementOf(key: ObjectKey): Placement {
  return { partition: partitionOf(key, RING_SIZE), properties: CREATED_TYPE_PROPERTIES };
}

interface Side {
  readonly store: Store & { close(): Promise<void> };
  readonly replica: StoreReplica;
}

async function openSide(folder: string): Promise<Side> {
  const store = await openLevelDbStore(host, { folder, durability: 'fsync' });
  const identity = await openIdentity(store, host);
  const properties = (): typeof CREATED_TYPE_PROPERTIES => CREATED_TYPE_PROPERTIES;
  const ports = { store, identity, properties };
  const replica = await StoreReplica.open(host, ports, STORE_REPLICA_DEFAULTS);
  return { store, replica };
}

async function write(replica: StoreReplica, key: ObjectKey): Promise<void> {
  const content = { metadata: {}, value: host.random.bytes(SIZE_BYTES), isTombstone: false };
  const what = { context: EMPTY_VERSION_VECTOR, content };
  const outcome = await replica.coordinate(key, placementOf(key), what);
  if (outcome.kind !== 'issued') throw new Error(outcome.kind);
  await outcome.durable;
}

async function writeAll(replica: StoreReplica, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += WRITES_UNDER_WAY) {
    const count = Math.min(WRITES_UNDER_WAY, to - first);
    const keys = Array.from({ length: count }, (_, index) => keyOf(first + index));
    await Promise.all(keys.map((key) => write(replica, key)));
  }
}

/** Answers as the source node would, in wire form. */
function peerOf({ replica }: Side): Peer {
  const answer = async (request: PeerRequest): Promise<PeerReply> => {
    if (request.verb === 'tree') {
      return { kind: 'tree', segments: await replica.tree(request.partition, request.nVal) };
    }
    if (request.verb !== 'fetch') throw new Error(`no ${request.verb} here`);
    const copies = { replica, place: placementOf };
    return { kind: 'copies', copies: await fetchCopies(copies, request.keys, request.headsOnly) };
  };
  return {
    request: async (_target, request) => decodeReply(encodeReply(await answer(request))),
    async *stream(_target, request) {
      if (request.verb === 'records') {
        for await (const records of replica.records(request.partition, request.nVal, request.after))
          yield decodeStreamItem(encodeStreamItem({ kind: 'records', records }));
      } else if (request.verb === 'hashes') {
        const { partition, nVal, segments } = request;
        for await (const hashes of replica.hashes(partition, nVal, segments))
          yield decodeStreamItem(encodeStreamItem({ kind: 'hashes', hashes }));
      }
    },
  };
}

interface Row {
  readonly what: string;
  readonly tookMs: number;
  readonly keys: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const rows: Row[] = [];

/** `work`, with reads at the source beside it. */
async function measure(what: string, source: Side, work: () => Promise<number>): Promise<void> {
  const reads = build({ numberOfSignificantValueDigits: 3 });
  const startMs = performance.now();
  let dueMs = startMs;
  const timer = setInterval(() => {
    for (; dueMs <= performance.now(); dueMs += READ_INTERVAL_MS) {
      const [wasDueMs, key] = [dueMs, keyOf(host.random.integer(KEY_COUNT))];
      void source.replica.getRecord(key, placementOf(key).partition, false).then(() => {
        reads.recordValue(Math.max(1, (performance.now() - wasDueMs) * 1_000));
      });
    }
  }, READ_INTERVAL_MS);
  const keys = await work();
  clearInterval(timer);
  const tookMs = performance.now() - startMs;
  const [p50Ms, p99Ms] = [50, 99].map((p) => reads.getValueAtPercentile(p) / 1_000) as [
    number,
    number,
  ];
  rows.push({ what, tookMs, keys, p50Ms, p99Ms });
}

function transferPorts(source: Side, receiver: Side): TransferPorts {
  const { state } = initialState({
    clusterName: 'bench',
    ringSize: RING_SIZE,
    members: [SOURCE, RECEIVER].map((id) => {
      return { id, host: 'bench', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' };
    }),
    defaultProperties: {},
  });
  const ring = new Ring(state);
  return {
    host,
    replica: receiver.replica,
    store: receiver.store,
    peer: peerOf(source),
    self: RECEIVER,
    view: {
      state: () => state,
      ring: () => ring,
      jointRing: () => undefined,
      isUp: () => true,
      hasSpread: () => true,
      place: placementOf,
    },
    propose: () => Promise.resolve(),
    filled: silent,
  };
}

async function fill(ports: TransferPorts, bytesPerSecond: number, number: number): Promise<number> {
  const rateLimit = new ByteRateLimit(host.clock, bytesPerSecond);
  const progress = new TransferProgress(host.clock, TRANSFER_DEFAULTS.stallMs);
  const exchanges = new Exchanges(ports, rateLimit, { ...TRANSFER_DEFAULTS, settleMs: 0 });
  const log = new FillLog(ports.store, number);
  const means = {
    kind: 'fill',
    options: TRANSFER_DEFAULTS,
    log,
    exchanges,
    rateLimit,
    progress,
  } as const;
  const work = new Fill(ports, { ...means, isWanted: () => true, isHereMostly: false }, new Halt());
  const trees = partitions().map((partition) => ({ partition, nVal: N_VAL, sources: [SOURCE] }));
  if (!(await work.run(trees))) throw new Error('the fill was cut off');
  return progress.status(() => true).totals[0]?.keys ?? 0;
}

async function exchange(ports: TransferPorts): Promise<number> {
  const rateLimit = new ByteRateLimit(host.clock, UNPACED_BYTES_PER_SECOND);
  const exchanges = new Exchanges(ports, rateLimit, { ...TRANSFER_DEFAULTS, settleMs: 0 });
  let pulled = 0;
  for (const partition of partitions()) {
    const result = await exchanges.run({ partition, nVal: N_VAL, peer: SOURCE }, new Halt());
    pulled += result.pulled;
  }
  return pulled;
}

function partitions(): Partition[] {
  return Array.from({ length: RING_SIZE }, (_, index) => index as Partition);
}

/** The same objects again, with and without what is kept for comparing them. */
async function measurePuts(source: Side): Promise<void> {
  const count = Math.min(PUTS_MAX, KEY_COUNT);
  const { update } = HashTree.prototype;
  for (const [what, isKept] of [
    ['puts, trees kept', true],
    ['puts, no trees', false],
    ['puts, trees kept, again', true],
  ] as const) {
    // Without a change of the tree the copy is not filed either.
    HashTree.prototype.update = isKept ? update : () => undefined;
    const startMs = performance.now();
    await writeAll(source.replica, 0, count);
    rows.push({ what, tookMs: performance.now() - startMs, keys: count, p50Ms: 0, p99Ms: 0 });
  }
}

const folder = options.data ?? mkdtempSync(join(tmpdir(), 'vertebra-transfer-'));
const isPrepared = existsSync(join(folder, 'source'));
try {
  mkdirSync(folder, { recursive: true });
  const [source, receiver] = [
    await openSide(join(folder, 'source')),
    await openSide(join(folder, 'receiver')),
  ];
  const ports = transferPorts(source, receiver);
  if (!isPrepared) {
    await writeAll(source.replica, 0, KEY_COUNT);
    await measure('reads alone', source, async () => {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return 0;
    });
    await measure('fill, unpaced', source, () => fill(ports, UNPACED_BYTES_PER_SECOND, 1));
  }
  for (const count of [0, 10, 10_000]) {
    await writeAll(source.replica, 0, count);
    await measure(`exchange, ${count} differ`, source, () => exchange(ports));
  }
  if (options.data === undefined) await measurePuts(source);
  const table = rows.map(({ what, tookMs, keys, p50Ms, p99Ms }) => {
    const seconds = tookMs / 1_000;
    const mibPerSecond = (keys * SIZE_BYTES) / MIB / seconds;
    const rate = keys === 0 ? ['', ''] : [(keys / seconds).toFixed(0), mibPerSecond.toFixed(1)];
    return [what, seconds.toFixed(2), `${keys}`, ...rate, p50Ms.toFixed(2), p99Ms.toFixed(2)];
  });
  console.log(`${KEY_COUNT} keys of ${SIZE_BYTES} bytes in ${RING_SIZE} partitions`);
  console.log(textTable(['', 's', 'keys', 'keys/s', 'MiB/s', 'read p50 ms', 'p99 ms'], table));
  await Promise.all([source, receiver].map(({ store }) => store.close()));
} finally {
  if (options.data === undefined) rmSync(folder, { recursive: true, force: true });
}
