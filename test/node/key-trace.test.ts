/**
 * The trace of a key tells where its copies are and whether they agree.
 */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import type { KeyTrace } from '../../src/node/key-trace.ts';
import { locatedKeyText } from '../../src/admin/key-commands.ts';
import { TestCluster } from './cluster-harness.ts';
import { content, N1, N2, N3, Teller } from './told.ts';

async function trace(teller: Teller, at: NodeId, key: Parameters<Teller['get']>[1]) {
  const found = await teller.cluster.settle(teller.cluster.node(at).operations().locate(key));
  if (found === undefined) throw new Error('the type is unknown');
  return found;
}

function copyAt(found: KeyTrace, node: NodeId) {
  const copy = found.copies.find((each) => each.node === node);
  if (copy === undefined) throw new Error(`${node} shows no copy`);
  return copy;
}

t.test('replicas that hold the same agree, and say in what', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere(() => true);
  t.equal((await trace(teller, N1, key)).verdict, 'absent');
  await teller.put(N1, key, { text: 'Okafor', w: 3 });
  const found = await trace(teller, N2, key);
  t.match(found, { verdict: 'agree', nVal: 3, hintCount: 0 });
  t.equal(found.copies.length, 3);
  t.equal(new Set(found.copies.map(({ causalHash }) => causalHash)).size, 1);
  for (const copy of found.copies) {
    t.match(copy, { role: 'primary', isUp: true, state: 'whole', isBehind: false });
    t.match(copy.context, [/^[0-9a-f]{16}\.\d+\.\d+:1$/]);
    t.match(copy.siblings, [{ dot: copy.context[0], valueSizeBytes: 6, isTombstone: false }]);
  }
  const text = locatedKeyText({ type: 't', bucket: 'b', key: 'k', fingerprint: 'f00d', ...found });
  t.match(text, /verdict: all replicas hold the same/);
  t.notMatch(text, /Okafor/, 'no value is shown');
});

t.test('a replica that missed a write is behind, and its hint is named', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  await teller.put(N1, key, { text: 'b' });
  const away = await trace(teller, N1, key);
  t.match(away, { verdict: 'unknown' });
  t.match(copyAt(away, N3), { isUp: false, state: 'unknown', fault: 'peer-unreachable' });
  t.ok(away.hintCount > 0);
  t.ok(away.copies.some(({ hintsFor }) => hintsFor.includes(N3)));

  // Nobody may heal it before it is looked at.
  cluster.link(N1, N3, { kind: 'cut' });
  cluster.link(N2, N3, { kind: 'cut' });
  await cluster.restart(N3);
  const back = await trace(teller, N3, key);
  t.match(back, { verdict: 'differ' });
  t.match(copyAt(back, N3), { state: 'whole', isBehind: true });
  t.match(copyAt(back, N1), { isBehind: false });
});

t.test('siblings and tombstones are shown as what they are', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  await teller.makeType('many', { allow_mult: true });
  const key = teller.cluster.keyWhere(() => true, { type: 'many' });
  await teller.put(N1, key, { text: 'a', w: 3 });
  await teller.put(N2, key, { text: 'b', w: 3 });
  t.equal(copyAt(await trace(teller, N3, key), N3).siblings.length, 2);
  await teller.put(N1, key, {
    text: '',
    w: 3,
    content: { ...content(''), isTombstone: true },
  });
  const siblings = copyAt(await trace(teller, N3, key), N3).siblings;
  t.equal(siblings.filter(({ isTombstone }) => isTombstone).length, 1);
});

t.test('a damaged value under a sound head is found by looking', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = teller.cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  await teller.cluster.corrupt(N2, key);
  const found = await trace(teller, N1, key);
  t.equal(found.verdict, 'differ');
  t.match(copyAt(found, N2), { state: 'damaged', isBehind: false });
  t.match(copyAt(found, N1), { state: 'whole' });
});

t.test('an unknown bucket type has no trace', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 1 }));
  const key = { ...teller.cluster.keyWhere(() => true), type: 'nosuch' as never };
  t.equal(await teller.cluster.settle(teller.cluster.node(N1).operations().locate(key)), undefined);
});
