/** The client against real servers: what it asks, what it makes of the answers. */

import t from 'tap';
import { byteStringToUtf8, utf8ToByteString } from '../../src/base/bytes.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { name, serve } from '../api/pbc/served.ts';
import type { Test } from 'tap';
import type { ClientOptions } from '../../src/client/client.ts';

const UNTYPED = name('default');
const SIBLINGS = name('siblings');
const BUCKET = name('b');
const KEY = { type: UNTYPED, bucket: BUCKET, key: name('k') };

async function connected(t: Test, options: Partial<ClientOptions> = {}) {
  const served = await serve();
  t.teardown(() => served.server.close());
  const client = new VertebraClient({
    nodes: [{ host: '127.0.0.1', port: served.port }],
    ...options,
  });
  t.teardown(() => client.close());
  return { ...served, client };
}

async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const batch of batches) items.push(...batch);
  return items;
}

t.test('an object comes back as it was stored', async (t) => {
  const { client } = await connected(t);
  t.same(await client.get(KEY), { kind: 'not-found', context: undefined });
  const metadata = {
    contentType: name('application/json'),
    charset: name('utf-8'),
    contentEncoding: name('identity'),
    userMetadata: [[name('a'), name('1')] as const, [name('a'), utf8ToByteString('é')] as const],
    indexes: [{ field: name('born_int'), term: name('19700101') }],
    links: [{ bucket: name('b2'), key: name('k2'), tag: undefined }],
  };
  const value = Buffer.from('{"a":"ü"}');
  const stored = await client.put(KEY, { value, metadata }, { returning: 'body' });
  const got = await client.get(KEY);
  if (stored.kind !== 'stored' || got.kind !== 'found') return t.fail('an object');
  t.equal(stored.key, KEY.key);
  t.same(stored.object, { context: got.context, siblings: got.siblings });
  const [sibling] = got.siblings;
  t.match(sibling, { metadata, value, isTombstone: false, valueSizeBytes: value.length });
  t.ok(Math.abs((sibling?.lastModifiedMicros ?? 0) / 1000 - Date.now()) < 60_000);
  const head = await client.get(KEY, { headOnly: true, r: 'all' });
  return t.match(head, {
    kind: 'found',
    siblings: [{ vtag: sibling?.vtag, value: Buffer.alloc(0) }],
  });
});

t.test('siblings are resolved by a write on their context', async (t) => {
  const { client } = await connected(t);
  const key = { ...KEY, type: SIBLINGS };
  await client.put(key, { value: Buffer.from('one') });
  await client.put(key, { value: Buffer.from('two') });
  const got = await client.get(key);
  if (got.kind !== 'found') return t.fail('an object');
  t.same(got.siblings.map(({ value }) => String(value)).sort(), ['one', 'two']);
  await client.put(key, { value: Buffer.from('both') }, { context: got.context });
  t.match(await client.get(key), { siblings: [{ value: Buffer.from('both') }] });
  await client.delete(key, { w: 'all' });
  const deleted = await client.get(key);
  return t.ok(deleted.kind === 'not-found' && deleted.context !== undefined, 'with its context');
});

t.test('conditions are outcomes', async (t) => {
  const { client } = await connected(t);
  const content = { value: Buffer.from('v') };
  const ifNew = { condition: 'none-match' } as const;
  const ifSame = { condition: 'not-modified' } as const;
  t.match(await client.put(KEY, content, ifSame), { kind: 'nothing-to-match' });
  t.match(await client.put(KEY, content, ifNew), { kind: 'stored' });
  t.match(await client.put(KEY, content, ifNew), { kind: 'match-found' });
  t.match(await client.put(KEY, content, ifSame), { kind: 'modified' });
});

t.test('the server makes a key where none is given', async (t) => {
  const { client } = await connected(t);
  const stored = await client.put({ type: UNTYPED, bucket: BUCKET }, { value: Buffer.from('v') });
  if (stored.kind !== 'stored') return t.fail('stored');
  t.match(stored.key, /^[0-9A-Za-z]{20,}$/);
  return t.match(await client.get({ ...KEY, key: stored.key }), { kind: 'found' });
});

t.test('what the server refuses is a fault with its words', async (t) => {
  const { client } = await connected(t);
  const refused = (message: string) => ({ code: 'peer-refused', message });
  await t.rejects(client.get({ ...KEY, type: name('unknown') }), refused('no_type'));
  await t.rejects(client.get(KEY, { r: 4 }), refused('{n_val_violation,3}'));
  await t.rejects(
    client.put({ ...KEY, key: name('') }, { value: Buffer.alloc(0) }),
    refused('Key cannot be zero-length'),
  );
  await t.rejects(
    collect(client.listKeys(name('unknown'), BUCKET)),
    refused("No bucket-type named 'unknown'"),
  );
  await t.rejects(client.get(KEY, { timeoutMs: 0 }), { code: 'timeout' });
});

t.test('listings and index queries come in batches or pages', async (t) => {
  const { client } = await connected(t);
  const keys = Array.from({ length: 250 }, (_, index) =>
    name(`k${String(index).padStart(3, '0')}`),
  );
  for (const [index, key] of keys.entries()) {
    const indexes = [{ field: name('n_int'), term: name(String(index)) }];
    await client.put({ ...KEY, key }, { value: Buffer.from('v'), metadata: { indexes } });
  }
  t.same((await collect(client.listKeys(UNTYPED, BUCKET))).sort(), keys);
  t.same(await collect(client.listBuckets(UNTYPED)), [BUCKET]);

  const query = {
    type: UNTYPED,
    bucket: BUCKET,
    field: name('n_int'),
    from: name('10'),
    to: name('229'),
    returnsTerms: true,
  };
  const matches = await collect(client.index(query));
  t.equal(matches.length, 220);
  t.same(matches[5], { term: '15', key: 'k015' });
  t.same(await collect(client.index({ ...query, to: undefined } as never)), [
    { term: undefined, key: 'k010' },
  ]);

  const paged = [];
  let continuation: Buffer | undefined;
  do {
    const page = await client.indexPage(query, { maxResults: 100, continuation });
    paged.push(...page.matches);
    continuation = page.continuation;
  } while (continuation !== undefined);
  t.same(paged, matches);
  const byExpression = { ...query, field: name('$key'), from: name('a'), to: name('z') };
  const ending = await collect(client.index({ ...byExpression, termRegex: name('00$') }));
  t.same(
    ending.map(({ key }) => key),
    ['k000', 'k100', 'k200'],
  );
});

t.test('leaving a stream early leaves the client usable', async (t) => {
  const { client } = await connected(t, { connectionsPerNode: 1 });
  for (let index = 0; index < 300; index += 1) {
    await client.put({ ...KEY, key: name(`k${index}`) }, { value: Buffer.from('v') });
  }
  for await (const keys of client.listKeys(UNTYPED, BUCKET)) {
    t.ok(keys.length > 0);
    break;
  }
  t.equal((await collect(client.listKeys(UNTYPED, BUCKET))).length, 300);
});

t.test('properties of buckets and types are read and set', async (t) => {
  const { client } = await connected(t);
  const { buckets } = client;
  t.match(await buckets.properties(UNTYPED, BUCKET), { n_val: 3, allow_mult: false, r: 'quorum' });
  const precommit = [{ mod: 'm', fun: 'f' }, { name: 'hook' }];
  await buckets.setProperties(UNTYPED, BUCKET, {
    n_val: 2,
    pw: 'one',
    precommit,
    repl: 'realtime',
  });
  t.match(await buckets.properties(UNTYPED, BUCKET), {
    n_val: 2,
    pw: 'one',
    precommit,
    repl: 'realtime',
    chash_keyfun: { mod: 'riak_core_util', fun: 'chash_std_keyfun' },
  });
  await buckets.resetProperties(UNTYPED, BUCKET);
  t.match(await buckets.properties(UNTYPED, BUCKET), { n_val: 3, precommit: [] });
  await buckets.setTypeProperties(SIBLINGS, { allow_mult: true });
  t.match(await buckets.typeProperties(SIBLINGS), { allow_mult: true });
  await t.rejects(buckets.setTypeProperties(UNTYPED, { n_val: 2 }), {
    code: 'peer-refused',
    message: 'Invalid bucket properties: no_default_update',
  });
});

t.test('a node says who it is and who holds a key', async (t) => {
  const { client } = await connected(t);
  await client.ping();
  t.same(await client.serverInfo(), { node: 'dev1@127.0.0.1', version: '3.2.1' });
  const positions = await client.preferenceList(KEY);
  t.equal(positions.length, 3);
  t.match(positions[0], { partition: 0, node: 'dev1@127.0.0.1', isPrimary: true });
});

t.test('many requests at once are all answered, each with its own', async (t) => {
  for (const depth of [1, 8]) {
    const { client } = await connected(t, { connectionsPerNode: 3, depth });
    const keys = Array.from({ length: 300 }, (_, index) => ({ ...KEY, key: name(`k${index}`) }));
    await Promise.all(keys.map((key) => client.put(key, { value: Buffer.from(key.key) })));
    const got = await Promise.all(keys.map((key) => client.get(key)));
    t.same(
      got.map((result) => (result.kind === 'found' ? String(result.siblings[0]?.value) : '')),
      keys.map(({ key }) => byteStringToUtf8(key)),
    );
  }
});
