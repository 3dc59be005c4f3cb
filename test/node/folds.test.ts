/**
 * Folds over the whole cluster: nodes that die on the way, clients that leave, limits; and what folds
 * change, which is no more than what they have found.
 */

import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId, type ObjectKey } from '../../src/base/names.ts';
import { encodeContext } from '../../src/clock/context.ts';
import type { FoldOptions, FoldOutcome, FoldRequest } from '../../src/node/fold-requests.ts';
import { FOLD_HELD_MAX_BYTES, GatheredAmounts } from '../../src/node/fold-held.ts';
import { Folds, type FoldsPorts } from '../../src/node/folds.ts';
import type { DeleteOutcome, DeleteRequest } from '../../src/object/requests.ts';
import type { FoldPiece, FoldRange } from '../../src/peer/folds.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { TestCluster } from './cluster-harness.ts';
import { contextOf, N1, N2, N3, Teller } from './told.ts';

const BUCKET = utf8ToByteString('b');
const RANGE: FoldRange = {
  type: DEFAULT_BUCKET_TYPE,
  bucket: BUCKET,
  keys: undefined,
  segments: undefined,
  modified: undefined,
};
const PATIENT: FoldOptions = { timeoutMs: 60_000, isWanted: () => true };

function keyOf(key: string): ObjectKey {
  return { type: DEFAULT_BUCKET_TYPE, bucket: BUCKET, key: utf8ToByteString(key) };
}

async function filled(count: number, { nodeCount = 3, prefix = 'k-' } = {}): Promise<Teller> {
  const repair = { reaper: { deleteMode: 'keep' as const } };
  const teller = new Teller(await TestCluster.start({ nodeCount, repair }));
  const { cluster } = teller;
  const content = { metadata: {}, value: Buffer.from('v'), isTombstone: false };
  const writes = Array.from({ length: count }, (_, index) => {
    const key = keyOf(`${prefix}${String(index).padStart(4, '0')}`);
    return cluster.node(N1).put({ key, content, returning: 'nothing', w: 3 });
  });
  for (const outcome of await cluster.settle(Promise.all(writes))) {
    if (outcome.kind !== 'stored') throw new Error(outcome.kind);
  }
  return teller;
}

t.test('what a fold has found of several nodes is sorted in slices', (t) => {
  const gathered = new GatheredAmounts();
  const names = Array.from({ length: 60_000 }, (_, at) => utf8ToByteString(`${100_000 + at}`));
  for (const first of [0, 1, 2]) {
    const amounts = names.flatMap((name, at): [ByteString, number][] => {
      return at % 3 === first ? [[name, at]] : [];
    });
    t.ok(gathered.add({ kind: 'amounts', upTo: names[0] as ByteString, amounts }));
  }
  const work = gathered.sorted();
  let slices = 1;
  let step = work.next();
  for (; step.done !== true; step = work.next()) slices += 1;
  t.ok(slices > 8, `${slices} slices`);
  t.same(
    step.value.map(([name]) => name),
    names,
  );
  t.end();
});

function folded(
  { cluster }: Teller,
  request: FoldRequest,
  options: FoldOptions = PATIENT,
): Promise<FoldOutcome> {
  return cluster.settle(cluster.node(N1).fold(request, options));
}

async function countOf(teller: Teller): Promise<number | string> {
  const outcome = await folded(teller, { kind: 'statistics', range: RANGE });
  return outcome.kind === 'statistics' ? outcome.statistics.count : outcome.kind;
}

t.test('a node that dies on the way is replaced, and no key is told twice', async (t) => {
  // Pieces are bounded in bytes: with such names there are some of each node.
  const prefix = 'k'.repeat(4_000);
  const teller = await filled(300, { nodeCount: 5, prefix });
  const { cluster } = teller;
  let lookCount = 0;
  const isWanted = (): boolean => {
    lookCount += 1;
    if (lookCount === 2) cluster.crash(cluster.streamed[0]?.target as NodeId);
    return true;
  };
  const request: FoldRequest = { kind: 'contexts', range: RANGE, copies: 'all' };
  const outcome = await folded(teller, request, { ...PATIENT, isWanted });
  const told = outcome.kind === 'contexts' ? outcome.contexts.map(({ key }) => key) : [];
  t.equal(told.length, 300);
  t.equal(new Set(told).size, 300);
  t.same(told, told.toSorted());
  t.equal(cluster.counted(N1, 'coverage_restarts_total'), 1);
});

t.test('without a live replica of some keys a fold fails', async (t) => {
  const teller = await filled(10, { nodeCount: 5 });
  const { cluster } = teller;
  for (const id of cluster.ids.slice(1, 4)) cluster.crash(id);
  await t.rejects(countOf(teller), { code: 'peer-unreachable' });
});

t.test('what only one replica holds is given to the others by a repair of the range', async (t) => {
  const teller = await filled(20);
  const { cluster } = teller;
  const get = { verb: 'get', key: keyOf('k-0007'), headOnly: false } as const;
  const copy = await cluster.settle(cluster.node(N3).handle(N3, get, 1_000));
  const key = keyOf('lone');
  const record = (copy.kind === 'object' ? copy.record : undefined) ?? Buffer.alloc(0);
  const merge = { verb: 'merge', key, record, hintFor: undefined } as const;
  await cluster.settle(cluster.node(N3).handle(N3, merge, 1_000));
  t.equal(await teller.copyAt(N1, key), undefined);
  const outcome = await cluster.settle(
    cluster.node(N3).fold({ kind: 'repair', range: RANGE }, PATIENT),
  );
  t.same(outcome, { kind: 'count', count: 21 });
  await cluster.time.advance(100);
  for (const id of [N1, N2]) t.same(await teller.copyAt(id, key), ['v']);
  t.equal(cluster.counted(N3, 'read_repairs'), 1);
  t.equal(cluster.counted(N3, 'fold_repaired_total'), 21);
});

t.test('a tombstone goes only when every member is there', async (t) => {
  const teller = await filled(5);
  const { cluster } = teller;
  await teller.delete(N1, keyOf('k-0001'), { w: 3 });
  await teller.delete(N1, keyOf('k-0002'), { w: 3 });
  const reap: FoldRequest = { kind: 'reap', range: RANGE, isCountOnly: false };
  cluster.isolate(N3);
  await cluster.untilUp(N1, N2);
  t.same(await folded(teller, reap), { kind: 'count', count: 2 });
  t.equal(await countOf(teller), 5);
  cluster.heal();
  await cluster.untilUp(N1, N2, N3);
  t.same(await folded(teller, reap), { kind: 'count', count: 2 });
  t.equal(await countOf(teller), 3);
  t.equal(cluster.counted(N1, 'fold_reaped_total'), 2);
});

t.test('keys that lie at two places since `chash_keyfun` was changed hide no others', async (t) => {
  const teller = await filled(60, { nodeCount: 5 });
  const { cluster } = teller;
  const bucketOnly = { mod: 'riak_core_util', fun: 'chash_bucketonly_keyfun' };
  const changes = { chash_keyfun: bucketOnly };
  await cluster.settle(cluster.node(N1).setBucketProperties(DEFAULT_BUCKET_TYPE, BUCKET, changes));
  // With the last key every node's last piece ends.
  await teller.put(N1, keyOf('k-0059'), { text: 'moved', w: 3 });
  const all = Array.from(
    { length: 60 },
    (_, index) => keyOf(`k-${`${index}`.padStart(4, '0')}`).key,
  );
  for (const id of cluster.ids) {
    const asked = cluster.node(id);
    const contexts = await cluster.settle(
      asked.fold({ kind: 'contexts', range: RANGE, copies: 'all' }, PATIENT),
    );
    t.same(contexts.kind === 'contexts' && contexts.contexts.map(({ key }) => key), all);
    const found = await cluster.settle(asked.fold(FIND, PATIENT));
    t.same(found.kind === 'amounts' && found.amounts.map(([key]) => key), all);
    const sums = await cluster.settle(asked.fold({ kind: 'statistics', range: RANGE }, PATIENT));
    const count = sums.kind === 'statistics' ? sums.statistics.count : sums.kind;
    t.ok(count === 60 || count === 61, `${count}: what lies at two places may count twice`);
  }
});

interface World {
  readonly folds: Folds;
  readonly host: VirtualHost;
  readonly deleted: DeleteRequest[];
}

/** Folds over what `pieces` says, as if from a cluster. */
function world(
  pieces: (host: VirtualHost) => AsyncIterable<FoldPiece>,
  remove: (request: DeleteRequest) => DeleteOutcome = () => ({ kind: 'deleted' }),
): World {
  const host = new VirtualHost();
  const deleted: DeleteRequest[] = [];
  const parts = {
    coverage: {
      async *fold() {
        for await (const piece of pieces(host)) yield [piece];
      },
    },
    topology: { properties: () => ({ n_val: 3 }) },
    repair: { reapAwaits: () => [], reap: () => Promise.resolve(true) },
  };
  const ports: FoldsPorts = {
    host,
    mustServe: () => parts as unknown as ReturnType<FoldsPorts['mustServe']>,
    replication: { has: () => false, offerForSync: () => false },
    delete: async (request) => {
      deleted.push(request);
      return remove(request);
    },
  };
  return { folds: new Folds(ports), host, deleted };
}

async function* repeated(piece: FoldPiece, count = Number.POSITIVE_INFINITY) {
  for (let index = 0; index < count; index += 1) yield await Promise.resolve(piece);
}

function amountsPiece(count: number): FoldPiece {
  const amounts = Array.from({ length: count }, (_, index) => {
    return [utf8ToByteString(`${index}`.padStart(1_000, '0')), 1] as const;
  });
  return { kind: 'amounts', upTo: BUCKET, amounts };
}

const FIND: FoldRequest = { kind: 'find-keys', range: RANGE, by: 'sizes', above: 0 };
const ERASE: FoldRequest = { kind: 'erase', range: RANGE, isCountOnly: false };

t.test('what would be too much to hold ends a fold', async (t) => {
  const { folds } = world(() => repeated(amountsPiece(1_000)));
  const outcome = await folds.fold(FIND, PATIENT);
  t.same(outcome, { kind: 'too-many', heldMaxBytes: FOLD_HELD_MAX_BYTES });
});

t.test('a fold that nobody waits for ends at its next step', async (t) => {
  let steps = 0;
  const { folds } = world(() => repeated(amountsPiece(1)));
  const isWanted = (): boolean => (steps += 1) < 10;
  await t.rejects(folds.fold(FIND, { ...PATIENT, isWanted }), { code: 'closed' });
  t.equal(steps, 10);
});

t.test('a fold ends when its time is up, though pieces come', async (t) => {
  const { folds } = world(async function* (host) {
    for (;;) {
      await host.advance(1_000);
      yield amountsPiece(1);
    }
  });
  await t.rejects(folds.fold(FIND, { ...PATIENT, timeoutMs: 10_000 }), { code: 'timeout' });
});

t.test('few folds run at a time, and one that has failed makes room', async (t) => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { folds, host } = world(async function* () {
    await released;
    yield* [];
    throw new Fault('peer-unreachable', 'all nodes are gone');
  });
  const running = Array.from({ length: 4 }, () => folds.fold(FIND, PATIENT));
  await t.rejects(folds.fold(FIND, PATIENT), { code: 'overload' });
  t.equal(host.counters.get('clusteraae_fsm_create_error'), 1);
  release();
  for (const each of running) await t.rejects(each, { code: 'peer-unreachable' });
  await t.rejects(folds.fold(FIND, PATIENT), { code: 'peer-unreachable' });
  t.equal(host.counters.get('clusteraae_fsm_create'), 5);
});

t.test('an erase covers what was found and nothing else', async (t) => {
  const teller = await filled(1);
  const { cluster } = teller;
  await teller.makeType('siblings', { allow_mult: true });
  const key = { ...keyOf('k'), type: utf8ToByteString('siblings') };
  await teller.put(N1, key, { text: 'found', w: 3 });
  const context = contextOf(await teller.get(N1, key));
  await teller.put(N2, key, { text: 'written meanwhile', w: 3 });
  const contexts = [[key.key, encodeContext(context)] as const];
  const { folds, deleted } = world(() =>
    repeated({ kind: 'contexts', upTo: key.key, contexts }, 1),
  );
  const range = { ...RANGE, type: key.type };
  const outcome = await folds.fold({ ...ERASE, range }, PATIENT);
  t.same(outcome, { kind: 'count', count: 1 });
  for (const request of deleted) await cluster.settle(cluster.node(N1).delete(request));
  const left = await teller.get(N3, key);
  t.equal(left.kind, 'found');
  t.ok((await teller.copyAt(N1, key))?.includes('written meanwhile'));
  t.notOk((await teller.copyAt(N1, key))?.includes('found'));
});

t.test('an erase waits for room, and one key that fails is no reason to stop', async (t) => {
  const context = encodeContext(new Map());
  const contexts = ['a', 'b', 'c', 'd'].map((each) => [utf8ToByteString(each), context] as const);
  let refusals = 3;
  const { folds, host, deleted } = world(
    () => repeated({ kind: 'contexts', upTo: BUCKET, contexts }, 1),
    ({ key }) => {
      if (key.key === 'b') return { kind: 'timeout' };
      if (key.key === 'd') throw new Fault('store-fenced', 'a disk failed');
      if (key.key !== 'c' || refusals === 0) return { kind: 'deleted' };
      refusals -= 1;
      return { kind: 'overload' };
    },
  );
  const folding = folds.fold(ERASE, PATIENT);
  await host.advance(1_000);
  t.same(await folding, { kind: 'count', count: 4 });
  t.equal(refusals, 0);
  t.equal(deleted.length, 7);
  t.equal(host.counters.get('fold_erased_total'), 2);
  t.ok(host.logged.includes('job.fold-ended'));
});

t.test('an erase that is not wanted any more stops between two keys', async (t) => {
  const context = encodeContext(new Map());
  const contexts = Array.from({ length: 50 }, (_, index) => {
    return [utf8ToByteString(`${index}`), context] as const;
  });
  const { folds, deleted, host } = world(() =>
    repeated({ kind: 'contexts', upTo: BUCKET, contexts }),
  );
  const isWanted = (): boolean => deleted.length < 20;
  await t.rejects(folds.fold(ERASE, { ...PATIENT, isWanted }), { code: 'closed' });
  t.equal(deleted.length, 20);
  t.equal(host.counters.get('fold_erased_total'), 20, 'what was done is counted');
});
