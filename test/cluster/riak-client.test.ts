/** Basho's own client works unchanged: everything it offers for objects, against three processes. */

import t from 'tap';
import { startCluster } from './local-cluster.ts';
import { connectRiakClient, newObject } from './riak-client.ts';

const { nodes, close } = await startCluster(3, { siblings: { allow_mult: true } });
const client = await connectRiakClient(nodes);
t.teardown(async () => {
  await client.stop();
  await close();
});

const patient = { bucket: 'patients', key: '9990000018' };

t.test('an object comes back through every node with its metadata', async (t) => {
  const { server_version: version } = await client.ask('fetchServerInfo');
  t.match(version, /^3\.2\./);
  const value = newObject()
    .setValue({ familyName: 'Okafor', names: ['Ada', 'Zoë'] })
    .setContentType('application/json')
    .setUserMeta([{ key: 'source', value: 'registry' }]);
  const stored = await client.ask('storeValue', { ...patient, value });
  t.same(stored, { generatedKey: null, vclock: null, values: [] }, 'nothing comes back unasked');

  // The client takes its nodes in turn.
  for (const node of nodes) {
    const { values, isNotFound } = await client.ask('fetchValue', { ...patient, notFoundOk: true });
    t.equal(isNotFound, false, node.name);
    t.equal(values[0]?.value.toString(), '{"familyName":"Okafor","names":["Ada","Zoë"]}');
    t.equal(values[0]?.contentType, 'application/json');
    t.same(values[0]?.userMeta, [{ key: 'source', value: 'registry' }]);
    t.ok(Math.abs((values[0]?.lastModified ?? 0) - Date.now()) < 600_000);
  }
});

t.test('a key is made where none is given, and a body comes back if asked for', async (t) => {
  const stored = await client.ask('storeValue', {
    bucket: 'patients',
    value: 'made',
    returnBody: true,
  });
  t.match(stored.generatedKey, /^[0-9A-Za-z]{20,}$/);
  t.equal(stored.values[0]?.value.toString(), 'made');
  const key = stored.generatedKey;
  const head = await client.ask('fetchValue', { bucket: 'patients', key, headOnly: true });
  t.equal(head.values[0]?.value.length, 0);
  t.same(head.vclock, stored.vclock);
  const returnHead = await client.ask('storeValue', {
    bucket: 'patients',
    key,
    vclock: stored.vclock,
    value: 'made again',
    returnHead: true,
  });
  t.equal(returnHead.values[0]?.value.length, 0);
  t.notSame(returnHead.vclock, stored.vclock);
});

t.test('siblings are met and resolved', async (t) => {
  const place = { bucketType: 'siblings', bucket: 'patients', key: 'both' };
  await Promise.all(
    ['left', 'right'].map((value) => client.ask('storeValue', { ...place, value })),
  );
  const met = await client.ask('fetchValue', place);
  t.same(met.values.map(({ value }) => value.toString()).toSorted(), ['left', 'right']);

  let seen = 0;
  const resolved = await client.ask('fetchValue', {
    ...place,
    conflictResolver: (siblings: readonly { value: Buffer }[]) => {
      seen = siblings.length;
      return siblings.find(({ value }) => value.toString() === 'left');
    },
  });
  t.equal(seen, 2);
  t.equal(resolved.values[0]?.value.toString(), 'left');
  await client.ask('storeValue', { ...place, value: resolved.values[0] });
  for (const node of nodes) {
    const { values } = await client.ask('fetchValue', place);
    t.same(
      values.map(({ value }) => value.toString()),
      ['left'],
      node.name,
    );
  }
});

t.test('conditions hold', async (t) => {
  const place = { bucket: 'conditions', key: 'one' };
  const first = await client.ask('storeValue', {
    ...place,
    value: '1',
    ifNoneMatch: true,
    returnBody: true,
  });
  await t.rejects(client.ask('storeValue', { ...place, value: '2', ifNoneMatch: true }), {
    message: 'match_found',
  });
  const { vclock } = first;
  await client.ask('storeValue', { ...place, vclock, value: '2', ifNotModified: true });
  await t.rejects(client.ask('storeValue', { ...place, vclock, value: '3', ifNotModified: true }), {
    message: 'modified',
  });
  const changed = await client.ask('fetchValue', { ...place, ifModified: vclock });
  t.notOk(changed.isUnchanged);
  t.equal(changed.values[0]?.value.toString(), '2');
});

t.test('the deleted is not found', async (t) => {
  const place = { bucketType: 'siblings', bucket: 'deleted', key: 'gone' };
  const { vclock } = await client.ask('storeValue', { ...place, value: 'x', returnBody: true });
  t.equal(await client.ask('deleteValue', { ...place, vclock, w: 3 }), true);
  for (const node of nodes) {
    t.equal((await client.ask('fetchValue', place)).isNotFound, true, node.name);
  }
});

t.test('keys and buckets are listed', async (t) => {
  // A listing asks one replica of each partition, so all of them must have the key.
  const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
  await Promise.all(
    keys.map((key) => client.ask('storeValue', { bucket: 'listed', key, value: key, w: 3 })),
  );
  const listed = await client.ask('listKeys', { bucket: 'listed', stream: false });
  t.same([...listed.keys].sort(), keys.sort());
  const { buckets } = await client.ask('listBuckets', { stream: false });
  t.ok(['patients', 'listed', 'conditions'].every((bucket) => buckets.includes(bucket)));
  await t.rejects(client.ask('listKeys', { bucketType: 'nosuch', bucket: 'x', stream: false }));
});

t.test('bucket properties are set, seen through every node, and reset', async (t) => {
  const bucket = 'props';
  await client.ask('storeBucketProps', { bucket, nVal: 2, allowMult: true, r: 1 });
  for (const node of nodes) {
    const props = await client.ask('fetchBucketProps', { bucket });
    t.match(props, { nVal: 2, allowMult: true, r: 1, lastWriteWins: false }, node.name);
  }
  await client.ask('resetBucketProps', { bucket });
  t.match(await client.ask('fetchBucketProps', { bucket }), { nVal: 3, allowMult: false });
  t.match(await client.ask('fetchBucketTypeProps', { bucketType: 'siblings' }), {
    allowMult: true,
    nVal: 3,
  });
  const { preflist } = await client.ask('fetchPreflist', { bucket, key: 'any' });
  t.equal(preflist.length, 3);
});

t.test('secondary indexes are queried by term, range and page', async (t) => {
  const bucket = 'indexed';
  const patients = Array.from({ length: 10 }, (_, index) => ({
    key: `p${index}`,
    year: 1950 + index,
  }));
  await Promise.all(
    patients.map(({ key, year }) => {
      const value = newObject()
        .setValue('x')
        .addToIndex('born_int', year)
        .addToIndex('town_bin', year % 2 === 0 ? 'Leeds' : 'York');
      return client.ask('storeValue', { bucket, key, value, w: 3 });
    }),
  );
  const query = { bucket, stream: false };
  const inLeeds = await client.ask('secondaryIndexQuery', {
    ...query,
    indexName: 'town_bin',
    indexKey: 'Leeds',
  });
  t.same(inLeeds.values.map(({ objectKey }) => objectKey).toSorted(), [
    'p0',
    'p2',
    'p4',
    'p6',
    'p8',
  ]);
  const range = { ...query, indexName: 'born_int', rangeStart: 1952, rangeEnd: 1956 };
  const born = await client.ask('secondaryIndexQuery', { ...range, returnKeyAndIndex: true });
  t.same(
    born.values.toSorted((left, right) => Number(left.indexKey) - Number(right.indexKey)),
    [1952, 1953, 1954, 1955, 1956].map((indexKey) => ({
      indexKey,
      objectKey: `p${indexKey - 1950}`,
    })),
  );
  const page = await client.ask('secondaryIndexQuery', { ...range, maxResults: 3 });
  t.same(
    page.values.map(({ objectKey }) => objectKey),
    ['p2', 'p3', 'p4'],
  );
  const rest = await client.ask('secondaryIndexQuery', {
    ...range,
    maxResults: 3,
    continuation: page.continuation,
  });
  t.same(
    rest.values.map(({ objectKey }) => objectKey),
    ['p5', 'p6'],
  );
});
