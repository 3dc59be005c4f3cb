/**
 * Data types over several nodes: updates anywhere come together, whatever fails meanwhile.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import type { DatatypeOperation } from '../../src/datatype/operation.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  ShownDatatype,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../../src/object/datatype-requests.ts';
import { TestCluster, type ClusterOptions } from './cluster-harness.ts';
import { content, N1, N2, N3, Teller, told } from './told.ts';

const b = utf8ToByteString;
const add = (...adds: string[]): DatatypeOperation => ({
  kind: 'set',
  adds: adds.map(b),
  removes: [],
});
const remove = (...removes: string[]): DatatypeOperation => ({
  kind: 'set',
  adds: [],
  removes: removes.map(b),
});
const count = (increment: number): DatatypeOperation => ({
  kind: 'counter',
  increment: BigInt(increment),
});
const UPDATED = { kind: 'updated', shown: undefined };

class DatatypeTeller extends Teller {
  static async begin(options: Partial<ClusterOptions> = {}): Promise<DatatypeTeller> {
    const teller = new DatatypeTeller(await TestCluster.start({ nodeCount: 3, ...options }));
    await teller.makeType('sets', { datatype: 'set' });
    await teller.makeType('counters', { datatype: 'counter' });
    return teller;
  }

  key(type: string, isWanted: (nodes: readonly NodeId[]) => boolean = () => true): ObjectKey {
    return this.cluster.keyWhere(isWanted, { type });
  }

  fetch(
    at: NodeId,
    key: ObjectKey,
    options: Partial<FetchDatatypeRequest> = {},
  ): Promise<FetchDatatypeOutcome> {
    return this.cluster.settle(this.cluster.node(at).fetchDatatype({ key, ...options }));
  }

  update(
    at: NodeId,
    key: ObjectKey,
    request: Pick<UpdateDatatypeRequest, 'operation'> & Partial<UpdateDatatypeRequest>,
  ): Promise<UpdateDatatypeOutcome> {
    const whole = { key, returning: 'nothing', ...request } as const;
    return this.cluster.settle(this.cluster.node(at).updateDatatype(whole));
  }

  async shown(at: NodeId, key: ObjectKey): Promise<ShownDatatype> {
    const outcome = await this.fetch(at, key, { r: 'all' });
    if (outcome.kind !== 'found') throw new Error(outcome.kind);
    return outcome.shown;
  }

  /** The elements of a set, or the value of a counter, as all replicas together have it. */
  async value(at: NodeId, key: ObjectKey): Promise<unknown> {
    const { value } = await this.shown(at, key);
    return value.kind === 'set' ? value.elements : value.kind === 'counter' && value.value;
  }

  async context(at: NodeId, key: ObjectKey): Promise<VersionVector> {
    const { context } = await this.shown(at, key);
    if (context === undefined) throw new Error('a value without a context');
    return context;
  }
}

t.test('increments through all nodes add up, and every node shows the sum', async (t) => {
  const teller = await DatatypeTeller.begin();
  const key = teller.key('counters');
  t.same(await teller.fetch(N1, key), { kind: 'not-found', datatype: 'counter' });
  for (const [at, increment] of [
    [N1, 5],
    [N2, -7],
    [N3, 4],
  ] as const) {
    t.same(await teller.update(at, key, { operation: count(increment) }), UPDATED);
  }
  for (const at of teller.cluster.ids) t.equal(await teller.value(at, key), 2n);
  const echoed = await teller.update(N2, key, { operation: count(8), returning: 'value' });
  t.same(echoed, {
    kind: 'updated',
    shown: { value: { kind: 'counter', value: 10n }, context: undefined },
  });
});

t.test('a read that has much to join repairs a stale replica like any other', async (t) => {
  const teller = await DatatypeTeller.begin();
  const { cluster } = teller;
  const key = teller.key('sets', ([first]) => first === N1);
  for (const id of [N1, N2]) cluster.link(id, N3, { kind: 'silent' });
  await cluster.settle(
    Promise.all(
      [N1, N2].map((id) => {
        // More than is joined at once.
        const operation = add(id.repeat(200_000));
        const request = { key, operation, returning: 'nothing', timeoutMs: 300 } as const;
        return cluster.node(id).updateDatatype(request);
      }),
    ),
  );
  cluster.heal();
  t.equal((await teller.copyAt(N1, key))?.length, 2);
  t.equal(await teller.copyAt(N3, key), undefined);
  // All three have answered before the join begins.
  const found = await teller.get(N1, key, { r: 3, notFoundOk: true });
  t.equal(found.kind === 'found' && found.object.siblings.length, 1);
  await cluster.time.advance(20);
  t.equal((await teller.copyAt(N3, key))?.length, 2);
  t.equal(cluster.counted(N1, 'read_repairs'), 1);
});

t.test('updates made side by side are siblings in the store and one value outside', async (t) => {
  const teller = await DatatypeTeller.begin();
  const { cluster } = teller;
  const key = teller.key('sets');
  const operations = [add('a'), add('b'), add('c')];
  const outcomes = await cluster.settle(
    Promise.all(
      cluster.ids.map((id, index) => {
        const operation = operations[index] as DatatypeOperation;
        return cluster.node(id).updateDatatype({ key, operation, returning: 'nothing' });
      }),
    ),
  );
  t.same(outcomes, [UPDATED, UPDATED, UPDATED]);
  t.equal((await teller.copyAt(N1, key))?.length, 3);
  t.same(await teller.value(N2, key), ['a', 'b', 'c']);

  const found = await teller.get(N3, key, { r: 'all' });
  const head = await teller.get(N1, key, { r: 'all', headOnly: true });
  if (found.kind !== 'found' || head.kind !== 'found') return t.fail(found.kind);
  t.equal(found.object.siblings.length, 1);
  t.equal(found.object.siblings[0]?.metadata.contentType, 'application/riak_set');
  t.equal(head.object.siblings[0]?.vtag, found.object.siblings[0]?.vtag, 'the same everywhere');
  t.equal(head.object.siblings[0]?.valueSizeBytes, found.object.siblings[0]?.value.length);

  await teller.update(N1, key, { operation: add('d'), w: 3 });
  t.equal((await teller.copyAt(N2, key))?.length, 1, 'the next update takes them all in');
  t.same(await teller.value(N3, key), ['a', 'b', 'c', 'd']);
});

t.test('what is updated on both sides of a split comes together when it heals', async (t) => {
  const teller = await DatatypeTeller.begin();
  const { cluster } = teller;
  const counter = teller.key('counters');
  const set = teller.key('sets');
  await teller.update(N1, counter, { operation: count(1), w: 3 });
  await teller.update(N1, set, { operation: add('a', 'b'), w: 3 });
  const seen = await teller.context(N1, set);
  cluster.isolate(N3);
  await cluster.untilUp(N1, N2);
  await cluster.time.until(() => cluster.node(N3).liveMembers().length === 1);
  await teller.update(N1, counter, { operation: count(10) });
  await teller.update(N3, counter, { operation: count(100) });
  await teller.update(N2, set, { operation: remove('a', 'b'), context: seen });
  await teller.update(N3, set, { operation: add('b', 'c') });
  cluster.heal();
  await cluster.untilUp(N1, N2, N3);
  for (const at of cluster.ids) {
    t.equal(await teller.value(at, counter), 111n);
    t.same(await teller.value(at, set), ['b', 'c'], 'an add wins over the removal beside it');
  }
});

t.test('a removal takes what its context has seen and leaves the context as it was', async (t) => {
  const teller = await DatatypeTeller.begin();
  const key = teller.key('sets');
  await teller.update(N1, key, { operation: add('a', 'b') });
  const context = await teller.context(N2, key);
  await teller.update(N3, key, { operation: add('b'), w: 3 });
  await teller.update(N2, key, { operation: remove('a', 'b', 'zz'), context });
  t.same(await teller.value(N1, key), ['b'], 'the second adding was not seen');
  const before = await teller.context(N1, key);
  await teller.update(N1, key, { operation: remove('b'), context: before });
  t.same(await teller.shown(N2, key), { value: { kind: 'set', elements: [] }, context: before });
});

t.test('without a context a removal names what is there, or nothing is done', async (t) => {
  const teller = await DatatypeTeller.begin({ nodeCount: 5 });
  const key = teller.key('sets', (nodes) => !nodes.includes(N1));
  await teller.update(N1, key, { operation: add('a', 'b'), w: 3 });
  t.equal(teller.cluster.counted(N1, 'coord_redirs_total'), 1, 'passed on to a replica');
  const both: DatatypeOperation = { kind: 'set', adds: [b('c')], removes: [b('zz')] };
  t.same(await teller.update(N1, key, { operation: both }), {
    kind: 'element-not-present',
    element: 'zz',
  });
  t.same(await teller.value(N1, key), ['a', 'b']);
  const echoed = await teller.update(N1, key, { operation: remove('a'), returning: 'value' });
  t.same(echoed.kind === 'updated' && echoed.shown?.value, { kind: 'set', elements: ['b'] });
});

t.test('a deleted value begins anew, and an update beside the delete survives', async (t) => {
  const teller = await DatatypeTeller.begin();
  const { cluster } = teller;
  const key = teller.key('sets');
  await teller.update(N1, key, { operation: add('a'), w: 3 });
  await teller.delete(N2, key, { rw: 'all' });
  t.same(await teller.fetch(N3, key), { kind: 'not-found', datatype: 'set' });
  await teller.update(N3, key, { operation: add('b'), w: 3 });
  t.same(await teller.value(N1, key), ['b']);

  await cluster.settle(
    Promise.all([
      cluster.node(N1).delete({ key }),
      cluster.node(N2).updateDatatype({ key, operation: add('c'), returning: 'nothing' }),
    ]),
  );
  t.ok(((await teller.value(N3, key)) as string[]).includes('c'));
});

t.test('a counter loses nothing when a replica comes back without its store', async (t) => {
  const teller = await DatatypeTeller.begin();
  const { cluster } = teller;
  const key = teller.key('counters');
  for (const at of cluster.ids) await teller.update(at, key, { operation: count(1), w: 3 });
  cluster.crash(N1);
  await cluster.untilUp(N2, N3);
  cluster.wipe(N1);
  await cluster.restart(N1);
  await cluster.untilUp(N1, N2, N3);
  await teller.update(N1, key, { operation: count(10) });
  t.equal(await teller.value(N2, key), 13n);
  t.equal(await teller.value(N1, key), 13n);
});

t.test(
  'an ordinary value in such a bucket reads as empty, and stays beside an update',
  async (t) => {
    const teller = await DatatypeTeller.begin();
    const key = teller.key('counters');
    await teller.put(N1, key, { text: 'text', w: 3 });
    t.equal(await teller.value(N2, key), 0n);
    await teller.update(N2, key, { operation: count(3), w: 3 });
    t.equal(await teller.value(N3, key), 3n);
    const found = await teller.get(N1, key);
    t.equal(found.kind === 'found' && found.object.siblings.length, 2);
    const forged = {
      ...content('no state at all'),
      metadata: { contentType: b('application/riak_counter') },
    };
    await teller.put(N1, key, { text: '', w: 3, content: forged });
    t.equal(await teller.value(N2, key), 3n, 'bytes that are no state are an ordinary value');
    const set = teller.key('sets');
    await teller.put(N1, set, { text: 'text', w: 3 });
    t.same(await teller.shown(N2, set), {
      value: { kind: 'set', elements: [] },
      context: undefined,
    });
  },
);

t.test('what a bucket does not hold is refused before anything is sent', async (t) => {
  const teller = await DatatypeTeller.begin();
  await teller.makeType('plain', {});
  await teller.makeType('single', { allow_mult: false });
  const { seen } = teller.cluster;
  const asked = async (type: string, operation: DatatypeOperation): Promise<unknown> => {
    const key = { type: b(type), bucket: b('b'), key: b('k') };
    const [update, fetch] = [
      await teller.update(N1, key, { operation }),
      await teller.fetch(N1, key),
    ];
    return [update.kind, fetch.kind];
  };
  t.same(await asked('nosuch', count(1)), ['unknown-bucket-type', 'unknown-bucket-type']);
  t.same(await asked('plain', count(1)), ['no-datatype', 'no-datatype']);
  t.same(await asked('single', count(1)), ['siblings-off', 'siblings-off']);
  t.same(await asked('default', count(1)), ['siblings-off', 'not-found']);
  t.same(await asked('sets', count(1)), ['wrong-type', 'not-found']);
  const huge = 10n ** 200n;
  t.same(await asked('counters', { kind: 'counter', increment: huge }), [
    'operation-too-large',
    'not-found',
  ]);
  const longName = { type: b('counters'), bucket: b('b'), key: b('k'.repeat(65_536)) };
  t.same(await teller.update(N1, longName, { operation: count(1) }), {
    kind: 'too-large',
    sizeBytes: 65_536,
  });
  t.notOk(seen.some(({ request }) => request.verb === 'update' || request.verb === 'merge'));
});

t.test('untyped buckets that keep siblings hold counters', async (t) => {
  const teller = await DatatypeTeller.begin({ defaultProperties: { allow_mult: true } });
  const { cluster } = teller;
  const key = teller.key('default');
  const increments = cluster.ids.map((id) => {
    return cluster.node(id).updateDatatype({ key, operation: count(2), returning: 'nothing' });
  });
  await cluster.settle(Promise.all(increments));
  t.equal(await teller.value(N2, key), 6n);
  const found = await teller.get(N1, key, { r: 'all' });
  t.equal(found.kind === 'found' && found.object.siblings.length, 1);
  await teller.delete(N1, key, { rw: 'all' });
  t.equal(told(await teller.get(N2, key)), 'not-found');
  t.same(await teller.fetch(N2, key), { kind: 'not-found', datatype: 'counter' });
});

t.test('a sketch has the precision of its bucket', async (t) => {
  const teller = await DatatypeTeller.begin();
  await teller.makeType('sketches', { datatype: 'hll', hll_precision: 5 });
  const key = teller.key('sketches');
  const adds = Array.from({ length: 1_000 }, (_, index) => b(`element ${index}`));
  await teller.update(N1, key, { operation: { kind: 'hll', adds }, w: 3 });
  const { value } = await teller.shown(N2, key);
  if (value.kind !== 'hll') return t.fail(value.kind);
  t.ok(Math.abs(value.count - 1_000) < 600 && value.count !== 1_000, `${value.count}`);
  const stored = await teller.get(N1, key);
  t.ok(stored.kind === 'found' && (stored.object.siblings[0]?.valueSizeBytes ?? 0) < 200);
});
