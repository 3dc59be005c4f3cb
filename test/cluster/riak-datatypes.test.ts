/** Basho's own client works unchanged: every operation on data types, against three processes. */

import t from 'tap';
import { startCluster } from './local-cluster.ts';
import { connectRiakClient, newMapOperation } from './riak-client.ts';

const { nodes, close } = await startCluster(3, {
  counters: { datatype: 'counter' },
  sets: { datatype: 'set' },
  maps: { datatype: 'map' },
  hlls: { datatype: 'hll' },
});
const client = await connectRiakClient(nodes);
t.teardown(async () => {
  await client.stop();
  await close();
});

t.test('counters go up and down, and get keys', async (t) => {
  const place = { bucketType: 'counters', bucket: 'visits', key: 'k' };
  t.equal((await client.ask('fetchCounter', place)).counterValue, null);
  const up = await client.ask('updateCounter', { ...place, increment: 10, returnBody: true });
  t.equal(up.counterValue, 10);
  await client.ask('updateCounter', { ...place, increment: -3 });
  // The client takes its nodes in turn.
  for (const node of nodes) {
    t.equal((await client.ask('fetchCounter', place)).counterValue, 7, node.name);
  }
  const keyless = { bucketType: 'counters', bucket: 'visits', increment: 1 };
  const made = await client.ask('updateCounter', keyless);
  t.match(made.generatedKey, /^\w{20,}$/);
  await client.ask('deleteValue', { ...place, w: 3 });
  t.equal((await client.ask('fetchCounter', place)).counterValue, null, 'deleted');
  const again = await client.ask('updateCounter', { ...place, increment: 2, returnBody: true });
  t.equal(again.counterValue, 2, 'and begun again');
});

t.test('sets take away what was seen, and nothing else', async (t) => {
  const place = { bucketType: 'sets', bucket: 'allergies', key: 'k' };
  t.equal((await client.ask('fetchSet', place)).isNotFound, true);
  const added = { ...place, additions: ['pollen', 'nuts'], w: 3 };
  t.same((await client.ask('updateSet', added)).values, ['nuts', 'pollen']);
  const { context } = await client.ask('fetchSet', place);
  await client.ask('updateSet', { ...place, additions: ['latex'] });
  const removed = await client.ask('updateSet', { ...place, context, removals: ['nuts', 'latex'] });
  t.same(removed.values, ['latex', 'pollen'], 'the context had not seen the latex');
  await t.rejects(client.ask('updateSet', { ...place, removals: ['dust'] }), {
    message: '{precondition,{not_present,<<"dust">>}}',
  });
});

t.test('maps hold every kind of field, and lose those that are removed', async (t) => {
  const place = { bucketType: 'maps', bucket: 'patients', key: 'k' };
  t.equal((await client.ask('fetchMap', place)).isNotFound, true);
  const op = newMapOperation();
  op.incrementCounter('visits', 2)
    .addToSet('tags', 'a')
    .addToSet('tags', 'b')
    .setRegister('name', Buffer.from('Ada'))
    .setFlag('active', true);
  op.map('next').setRegister('of', Buffer.from('kin')).map('deep').incrementCounter('n', 1);
  const stored = await client.ask('updateMap', { ...place, op, w: 3 });
  t.match(stored.map, {
    counters: { visits: 2 },
    sets: { tags: ['a', 'b'] },
    flags: { active: true },
    maps: { next: { maps: { deep: { counters: { n: 1 } } } } },
  });
  t.equal(stored.map.registers['name']?.toString(), 'Ada');
  t.equal(stored.map.maps['next']?.registers['of']?.toString(), 'kin');

  const { context } = await client.ask('fetchMap', place);
  const less = newMapOperation();
  less.removeCounter('visits').removeRegister('name').removeFromSet('tags', 'a');
  less.setFlag('active', false).map('next').removeMap('deep');
  const { map } = await client.ask('updateMap', { ...place, op: less, context });
  t.same(map.counters, {});
  t.same(map.registers, {});
  t.same(map.sets, { tags: ['b'] });
  t.same(map.flags, { active: false });
  t.same(map.maps['next']?.maps, {});

  const last = newMapOperation().removeSet('tags').removeFlag('active').removeMap('next');
  const seen = await client.ask('fetchMap', place);
  await client.ask('updateMap', { ...place, op: last, context: seen.context });
  t.match(await client.ask('fetchMap', place), { isNotFound: false, map: { sets: {}, maps: {} } });
});

t.test('cardinalities are counted', async (t) => {
  const place = { bucketType: 'hlls', bucket: 'visitors', key: 'k' };
  t.equal(await client.askHll('FetchHll', place), null);
  const additions = ['a', 'b', 'c', 'a'];
  t.equal(await client.askHll('UpdateHll', { ...place, additions, returnBody: true }), 3);
  for (const node of nodes) t.equal(await client.askHll('FetchHll', place), 3, node.name);
});

t.test('an operation on another type is refused in Riak’s words', async (t) => {
  const place = { bucketType: 'sets', bucket: 'allergies', key: 'k' };
  await t.rejects(client.ask('updateCounter', { ...place, increment: 1 }), {
    message: 'Operation type is `counter` but  bucket type is `set`.',
  });
  await t.rejects(client.ask('fetchCounter', { ...place, bucketType: 'none' }), {
    message: 'Error no bucket type `<<"none">>`',
  });
});
