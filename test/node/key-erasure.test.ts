/**
 * An erased key is held by nobody, and what stands in the way of that is told.
 */

import t from 'tap';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { NewContent } from '../../src/object/requests.ts';
import { eraseKey, type ErasureOptions, type KeyErasure } from '../../src/node/key-erasure.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { TestCluster } from './cluster-harness.ts';
import { content, N1, N2, N3, Teller, told } from './told.ts';
import { ProcessClock } from './virtual-time.ts';

const KEEPS = { reaper: { deleteMode: 'keep' as const } };

async function erase(
  { cluster }: Teller,
  key: ObjectKey,
  options: Partial<ErasureOptions> = {},
): Promise<KeyErasure> {
  const node = cluster.node(N1);
  const all = { clients: node, keepsTombstone: false, timeoutMs: 5_000, ...options };
  const erasure = await cluster.settle(node.operations().erase(key, all));
  if (erasure === undefined) throw new Error('the type is unknown');
  return erasure;
}

/** The nodes whose stores have an entry that names the key: a copy, an index entry, a note, a hint. */
async function namedBy(cluster: TestCluster, { key }: ObjectKey): Promise<NodeId[]> {
  const name = Buffer.from(key, 'latin1');
  const naming: NodeId[] = [];
  for (const id of cluster.ids) {
    const store = await cluster.copy(id);
    let isNamed = false;
    for await (const entries of store.scan({ from: Buffer.of(0), to: Buffer.of(0xff) })) {
      isNamed ||= entries.some((entry) => entry.key.includes(name) || entry.value.includes(name));
    }
    if (isNamed) naming.push(id);
  }
  return naming;
}

function indexed(text: string): NewContent {
  const indexes = [{ field: utf8ToByteString('born_int'), term: utf8ToByteString('19650501') }];
  return { ...content(text), metadata: { indexes } };
}

t.test('siblings, index entries and the tombstone go from every store', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5, repair: KEEPS }));
  const { cluster } = teller;
  await teller.makeType('many', { allow_mult: true });
  const key = cluster.keyWhere(() => true, { type: 'many' });
  await teller.put(N1, key, { text: '', content: indexed('a'), w: 3 });
  await teller.put(N2, key, { text: '', content: indexed('b'), w: 3 });
  t.equal((await namedBy(cluster, key)).length, 3);

  t.match(await erase(teller, key), {
    verdict: 'erased',
    wasThere: true,
    deleted: 'deleted',
    trace: { verdict: 'absent', hintCount: 0 },
  });
  t.same(await namedBy(cluster, key), []);
  t.equal(told(await teller.get(N2, key)), 'not-found');
});

t.test('what is not there is erased, and a tombstone that was left goes too', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const key = teller.cluster.keyWhere(() => true);
  const nothing = { verdict: 'erased', wasThere: false, deleted: undefined };
  t.match(await erase(teller, key), nothing);
  await teller.put(N1, key, { text: 'a', w: 3 });
  await teller.delete(N1, key, { w: 3 });
  t.equal((await namedBy(teller.cluster, key)).length, 3);
  t.match(await erase(teller, key), nothing);
  t.same(await namedBy(teller.cluster, key), []);
});

t.test('for other clusters the tombstone stays, at every replica', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const key = teller.cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  const { verdict, trace } = await erase(teller, key, { keepsTombstone: true });
  t.equal(verdict, 'erased');
  t.equal(trace.verdict, 'agree');
  t.equal(trace.copies.length, 3);
  for (const { siblings } of trace.copies) t.match(siblings, [{ isTombstone: true }]);
});

t.test('who is away may hold a copy, also where it is no replica', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 4, repair: KEEPS }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => [N1, N2, N3].every((id) => nodes.includes(id)));
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash('n4' as NodeId);
  await cluster.untilUp(N1, N2, N3);
  const { verdict, trace } = await erase(teller, key, { keepsTombstone: true });
  t.equal(verdict, 'left');
  t.match(trace, { verdict: 'agree', hintCount: 0 });
});

t.test('while a member is away nothing is called erased; when it is back all goes', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  const away = await erase(teller, key);
  t.match(away, { verdict: 'left', deleted: 'deleted' });
  t.ok(away.trace.copies.some(({ node, state }) => node === N3 && state === 'unknown'));
  t.equal(told(await teller.get(N1, key)), 'not-found');

  await cluster.restart(N3);
  await cluster.untilUp(N1, N2, N3);
  t.match(await erase(teller, key, { timeoutMs: 60_000 }), { verdict: 'erased' });
  t.same(await namedBy(cluster, key), []);
  t.equal(told(await teller.get(N3, key)), 'not-found');
});

t.test(
  'an older copy that is still owed to a replica is seen, and goes with the rest',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 4, repair: KEEPS }));
    const { cluster } = teller;
    const key = cluster.keyWhere((nodes) => [N1, N2, N3].every((id) => nodes.includes(id)));
    const fourth = 'n4' as NodeId;
    cluster.crash(N3);
    await cluster.untilUp(N1, N2, fourth);
    await teller.put(N1, key, { text: 'a', w: 3 });
    cluster.link(fourth, N3, { kind: 'cut' });
    await cluster.restart(N3);
    await cluster.time.until(() => cluster.node(N1).liveMembers().length === 4);
    const owed = await erase(teller, key);
    t.match(owed, { verdict: 'left' });
    t.ok(owed.trace.copies.some(({ node, siblings }) => node === fourth && siblings.length > 0));

    cluster.heal();
    await cluster.untilUp(...cluster.ids);
    t.match(await erase(teller, key, { timeoutMs: 120_000 }), { verdict: 'erased' });
    t.same(await namedBy(cluster, key), []);
  },
);

t.test('what a client writes meanwhile stays, and is told', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const node = teller.cluster.node(N1);
  await teller.makeType('many', { allow_mult: true });
  const key = teller.cluster.keyWhere(() => true, { type: 'many' });
  await teller.put(N1, key, { text: 'a', w: 3 });
  const clients: ErasureOptions['clients'] = {
    get: (request) => node.get(request),
    delete: async (request) => {
      const write = { key, content: content('b'), returning: 'nothing', w: 3 } as const;
      const [outcome] = [await node.delete(request), await node.put(write)];
      return outcome;
    },
  };
  t.match(await erase(teller, key, { clients }), { verdict: 'rewritten', wasThere: true });
  const found = told(await teller.get(N2, key));
  t.ok(found.includes('b') && !found.includes('a'), String(found));
});

t.test('a delete that is refused is told, and the value is left', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const node = teller.cluster.node(N1);
  const key = teller.cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  const clients: ErasureOptions['clients'] = {
    get: (request) => node.get(request),
    delete: () => Promise.resolve({ kind: 'overload' }),
  };
  t.match(await erase(teller, key, { clients }), { verdict: 'left', deleted: 'overload' });
  t.same(told(await teller.get(N2, key)), ['a']);
});

t.test('a tombstone that may not go yet is left', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair: KEEPS }));
  const { cluster } = teller;
  const node = cluster.node(N1);
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  await teller.delete(N1, key, { w: 3 });
  const ports = {
    clock: new ProcessClock(cluster.time),
    trace: () => node.operations().locate(key),
    seen: () => Promise.reject(new Error('there is no value')),
    reap: () => Promise.resolve(false),
  };
  const options = { clients: node, keepsTombstone: false, timeoutMs: 1_000 };
  t.match(await cluster.settle(eraseKey(ports, key, options)), { verdict: 'left' });
});
