/**
 * Reads and writes on a healthy cluster, each fact told step by step.
 */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { PutTerms } from '../../src/object/requests.ts';
import type { Metadata } from '../../src/object/stored-object.ts';
import { EMPTY_VERSION_VECTOR, equals } from '../../src/clock/version-vector.ts';
import { TestCluster } from './cluster-harness.ts';
import { content, contextOf, N1, N2, N3, Teller, told, values } from './told.ts';

const STORED = { kind: 'stored', object: undefined };

t.test('what one node stored every node reads', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  for (const id of teller.cluster.ids) t.same(told(await teller.get(id, key)), ['a']);
});

t.test('a write counts once at each replica, the coordinating one too', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a', w: 3 }), STORED);
  t.same(
    cluster.ids.map((id) => cluster.counted(id, 'vnode_puts')),
    [1, 1, 1],
  );
});

t.test('a node alone holds all replicas and meets every quorum but distinct nodes', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 1 }));
  const key = teller.cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a', w: 3, dw: 3, pw: 3 }), STORED);
  t.same(told(await teller.get(N1, key, { r: 3, pr: 3 })), ['a']);
  t.same(await teller.put(N1, key, { text: 'b', nodeConfirms: 2 }), {
    kind: 'unsatisfied',
    quorum: 'node_confirms',
    needed: 2,
    got: 1,
  });
  t.same(await teller.get(N1, key, { nodeConfirms: 2 }), {
    kind: 'insufficient-nodes',
    needed: 2,
    got: 1,
  });
  t.same(told(await teller.get(N1, key)), ['a']);
});

t.test('with two nodes for three replicas one node holds two positions', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 2 }));
  const key = teller.cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a', w: 3, pw: 3, nodeConfirms: 2 }), STORED);
  t.same(told(await teller.get(N2, key, { r: 3, nodeConfirms: 2 })), ['a']);
});

t.test('a node that holds no replica passes the write on, one hop', async (t) => {
  const client = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = client;
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
  const [first] = cluster.node(N1).preferenceList(key) ?? [];
  const stored = await client.put(N1, key, { text: 'a', returning: 'body' });
  if (stored.kind !== 'stored' || stored.object === undefined) return t.fail(stored.kind);
  t.same(values(stored.object), ['a']);
  t.equal(cluster.counted(N1, 'coord_redirs_total'), 1);
  const hops = cluster.seen.filter(({ request }) => request.verb === 'put');
  t.same(
    hops.map(({ source, target }) => [source, target]),
    [[N1, first?.node]],
  );
  t.same(told(await client.get(N1, key)), ['a']);
});

t.test(
  'writes that have not seen each other become siblings, and one that has, resolves them',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
    const { cluster } = teller;
    await teller.makeType('siblings', {});
    const key = cluster.keyWhere(() => true, { type: 'siblings' });
    const both = await cluster.settle(
      Promise.all([
        cluster.node(N1).put({ key, content: content('a'), returning: 'nothing' }),
        cluster.node(N2).put({ key, content: content('b'), returning: 'nothing' }),
      ]),
    );
    t.same(both, [STORED, STORED]);
    const found = await teller.get(N3, key, { r: 3 });
    t.same(told(found), ['a', 'b']);
    const resolved = await teller.put(N3, key, {
      text: 'c',
      context: contextOf(found),
      returning: 'body',
    });
    t.same(resolved.kind === 'stored' && resolved.object && values(resolved.object), ['c']);
    t.same(told(await teller.get(N1, key)), ['c']);
  },
);

t.test(
  'where no siblings are kept the later write is shown, and the context covers both',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
    const key = teller.cluster.keyWhere(() => true);
    await teller.put(N1, key, { text: 'a' });
    await teller.cluster.time.advance(10);
    await teller.put(N2, key, { text: 'b' });
    t.same(told(await teller.get(N3, key)), ['b']);
  },
);

t.test('a write returns nothing, the head or the whole, as asked', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere((nodes) => nodes.includes(N1));
  const head = await teller.put(N1, key, { text: 'abc', returning: 'head' });
  if (head.kind !== 'stored' || head.object === undefined) return t.fail(head.kind);
  t.equal(head.object.siblings[0]?.valueSizeBytes, 3);
  t.equal(head.object.siblings[0]?.value.length, 0);
  t.same(head.object.siblings[0]?.metadata, content('abc').metadata satisfies Metadata);
  const asIs = await teller.put(N1, key, {
    text: 'd',
    returning: 'body',
    asIs: true,
    context: contextOf(head),
  });
  t.ok(equals(contextOf(asIs), contextOf(head)));
});

t.test('a head read brings no values', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'abc', w: 3 });
  cluster.seen.length = 0;
  const found = await teller.get(N1, key, { headOnly: true });
  if (found.kind !== 'found') return t.fail(found.kind);
  t.equal(found.object.siblings[0]?.valueSizeBytes, 3);
  t.equal(found.object.siblings[0]?.value.length, 0);
  const asked = cluster.seen.filter(({ request }) => request.verb === 'get');
  t.ok(asked.every(({ request }) => request.verb === 'get' && request.headOnly));
});

t.test('a condition is checked before the write', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere(() => true);
  const unchanged = (context = EMPTY_VERSION_VECTOR): object => ({
    condition: { kind: 'not-modified', context },
    context,
  });
  t.same(await teller.put(N1, key, { text: 'x', ...unchanged() }), { kind: 'nothing-to-match' });
  const isNew = { condition: { kind: 'none-match' } } as const;
  t.same(await teller.put(N1, key, { text: 'a', w: 3, ...isNew }), STORED);
  t.same(await teller.put(N2, key, { text: 'b', ...isNew }), { kind: 'match-found' });
  const context = contextOf(await teller.get(N1, key));
  t.same(await teller.put(N2, key, { text: 'c', w: 3, ...unchanged(context) }), STORED);
  t.same(await teller.put(N2, key, { text: 'd', ...unchanged(context) }), { kind: 'modified' });
  t.same(
    await teller.put(N2, key, { text: 'd', w: 4, ...isNew }),
    { kind: 'match-found' },
    'and before the quorums',
  );
  t.same(await teller.put(N2, key, { text: 'e', ...unchanged() }), { kind: 'modified' });
  t.same(told(await teller.get(N3, key)), ['c']);
  await teller.delete(N1, key, { rw: 'all' });
  t.same(await teller.put(N1, key, { text: 'f', ...unchanged(context) }), {
    kind: 'nothing-to-match',
  });
  t.same(await teller.put(N1, key, { text: 'f', ...isNew }), STORED);
});

t.test('what a put is refused for can be asked before there is a content', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  const find = (terms: Partial<PutTerms> = {}) =>
    cluster.settle(cluster.node(N1).findPutRefusal({ key, ...terms }));
  const isNew = { condition: { kind: 'none-match' } } as const;
  t.equal(await find(), undefined);
  t.equal(await find(isNew), undefined);
  t.same(await find({ w: 4 }), { kind: 'n-val-violation', n: 3 });
  t.same(await find({ condition: { kind: 'not-modified', context: undefined }, w: 4 }), {
    kind: 'nothing-to-match',
  });
  const type = 'no-such-type' as ByteString;
  t.same(await find({ key: { ...key, type } }), { kind: 'unknown-bucket-type', type });
  const name = 'k'.repeat(2 ** 16) as ByteString;
  t.match(await find({ key: { ...key, key: name } }), { kind: 'too-large' });
  t.same(told(await teller.get(N1, key)), 'not-found', 'nothing has been written');
  await teller.put(N2, key, { text: 'a', w: 3 });
  t.same(await find(isNew), { kind: 'match-found' });
});

t.test('what cannot be met is refused before anything is written', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a', w: 4 }), { kind: 'n-val-violation', n: 3 });
  t.same(await teller.put(N1, key, { text: 'a', nVal: 4 }), { kind: 'n-val-violation', n: 4 });
  t.same(await teller.put(N1, key, { text: 'a', nodeConfirms: 4 }), {
    kind: 'n-val-violation',
    n: 3,
  });
  t.same(await teller.put(N1, key, { text: 'a', timeoutMs: 0 }), { kind: 'timeout' });
  t.same(await teller.get(N1, key, { r: 3, nVal: 2 }), { kind: 'n-val-violation', n: 2 });
  t.same(await teller.get(N1, key, { nodeConfirms: 4 }), {
    kind: 'insufficient-nodes',
    needed: 4,
    got: 3,
  });
  t.same(await teller.get(N1, key, { timeoutMs: -1 }), { kind: 'timeout' });
  t.same(told(await teller.get(N1, key)), 'not-found');
  const typed = teller.cluster.node(N1);
  const unknown = { ...key, type: 'no-such-type' as typeof key.type };
  t.same(await teller.cluster.settle(typed.get({ key: unknown })), {
    kind: 'unknown-bucket-type',
    type: 'no-such-type',
  });
});

t.test(
  'a name that no other API could carry is refused, and what has it can be deleted',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
    const [name, key] = ['n'.repeat(65_536) as ByteString, teller.cluster.keyWhere(() => true)];
    for (const long of [
      { ...key, key: name },
      { ...key, bucket: name },
    ]) {
      const tooLarge = { kind: 'too-large', sizeBytes: 65_536 };
      t.same(await teller.put(N1, long, { text: 'a' }), tooLarge);
      const node = teller.cluster.node(N1);
      const deleted = node.delete({ key: long, context: EMPTY_VERSION_VECTOR });
      t.same(await teller.cluster.settle(deleted), { kind: 'deleted' });
    }
    const longest = { ...key, key: name.slice(1) as ByteString };
    t.same(await teller.put(N1, longest, { text: 'a' }), STORED);
  },
);

t.test('past the limit a request is refused at once', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3, limits: { requestsMax: 2 } });
  const key = cluster.keyWhere(() => true);
  const outcomes = await cluster.settle(
    Promise.all([1, 2, 3].map(() => cluster.node(N1).get({ key }))),
  );
  t.same(
    outcomes.map(({ kind }) => kind),
    ['not-found', 'not-found', 'overload'],
  );
  t.equal(cluster.counted(N1, 'requests_refused'), 1);
  t.same(told(await new Teller(cluster).get(N1, key)), 'not-found');
});

t.test('a write-once bucket answers without a body, a hooked one not at all', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  await teller.makeType('once', { write_once: true });
  await teller.makeType('hooked', { precommit: [{ mod: 'm', fun: 'f' }] });
  const once = teller.cluster.keyWhere(() => true, { type: 'once' });
  t.same(await teller.put(N1, once, { text: 'a', returning: 'body' }), STORED);
  t.same(told(await teller.get(N2, once)), ['a']);
  // Nor does it look at an n_val or nodes of the request's, or at a time-out of 0.
  const unseen = { nVal: 4, nodeConfirms: 9, timeoutMs: 0 };
  t.same(await teller.put(N1, once, { text: 'b', ...unseen }), STORED);
  const hooked = teller.cluster.keyWhere(() => true, { type: 'hooked' });
  t.same(await teller.put(N1, hooked, { text: 'a' }), {
    kind: 'precommit-failed',
    reason: undefined,
  });
});
