/** What is carried between real nodes, whatever keys and values are like. */

import t from 'tap';
import { compare } from '../../src/migrate/compare.ts';
import { KeyFile } from '../../src/migrate/key-file.ts';
import { plan } from '../../src/migrate/plan.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { name } from '../api/pbc/served.ts';
import { copyOnce, newFolder, serveRealEnd } from './two-ends.ts';
import type { OneEnd } from './two-ends.ts';

const TYPES = ['default', 'once', 'siblings'].map(name);
const SCOPE = scopeOf(TYPES, undefined);
const BUCKET = name('b/\xff%2F');
const KEYS = ['a/b%2Fc d+?#&', '%', '..', '\0\xff\xfe', 'caf\xc3\xa9', 'x'.repeat(2_000)];
const METADATA = {
  contentType: name('application/json'),
  userMetadata: [[name('\xff'), name('')] as const, [name('X-Riak-Meta-a'), name('1')] as const],
  indexes: [
    { field: name('n_bin'), term: name('a, b') },
    { field: name('n_bin'), term: name('\xff\xfe') },
    { field: name('n_int'), term: name('-5') },
  ],
  links: [{ bucket: name('b/2'), key: name('k%'), tag: name('"t"') }],
};

function keyIn(type: string, key: string) {
  return { type: name(type), bucket: BUCKET, key: name(key) };
}

async function fill({ client }: OneEnd): Promise<void> {
  for (const type of TYPES) {
    for (const key of KEYS) await client.put(keyIn(type, key), { value: Buffer.from(key) });
    await client.put(keyIn(type, 'empty'), { value: Buffer.alloc(0), metadata: METADATA });
  }
  const large = { value: Buffer.alloc(5 * 1024 * 1024, 'large '), metadata: METADATA };
  await client.put(keyIn('siblings', 'large'), large);
  for (const text of ['one', 'two']) {
    const indexes = [{ field: name('s_bin'), term: name(text) }];
    const metadata = { ...METADATA, indexes };
    await client.put(keyIn('siblings', 'siblings'), { value: Buffer.from(text), metadata });
  }
  // One who deletes without having seen what another writes meanwhile.
  await client.put(keyIn('siblings', 'tombstone'), { value: Buffer.from('seen') });
  const { context } = await client.get(keyIn('siblings', 'tombstone'));
  await client.put(keyIn('siblings', 'tombstone'), { value: Buffer.from('kept') }, { context });
  await client.delete(keyIn('siblings', 'tombstone'), { context });
  await client.put(keyIn('siblings', 'deleted'), { value: Buffer.from('v') });
  const seen = await client.get(keyIn('siblings', 'deleted'));
  await client.delete(keyIn('siblings', 'deleted'), { context: seen.context });
}

async function isSame(source: OneEnd, target: OneEnd): Promise<boolean> {
  const ends = { source: source.end, target: target.end, keyFile: await KeyFile.open(undefined) };
  const rest = { concurrency: 8, rate: undefined, expected: undefined, isQuiet: true };
  return (await compare(ends, { scope: SCOPE, ...rest })).isSame;
}

t.test('everything but a deletion beside a value is carried, and is the same then', async (t) => {
  const [source, target] = [await serveRealEnd(t), await serveRealEnd(t)];
  await fill(source);
  const ledger = newFolder(t);
  const summary = await copyOnce(source, target, { ledger, scope: SCOPE, carriesDeletes: true });
  t.match(summary, { isSettled: true, outcomes: { copied: 24 }, tombstoneSiblings: 1 });
  t.equal(await isSame(source, target), true);
  for (const type of TYPES) {
    for (const key of KEYS) {
      const value = Buffer.from(key);
      t.match(await target.client.get(keyIn(type, key)), { siblings: [{ value }] });
    }
  }
  const value = Buffer.alloc(0);
  const empty = await target.client.get(keyIn('once', 'empty'));
  t.match(empty, { siblings: [{ value, metadata: METADATA }] });
  for (const term of ['one', 'two']) {
    const query = { type: name('siblings'), bucket: BUCKET, field: name('s_bin') };
    const found = await target.client.indexPage({ ...query, from: name(term) }, { maxResults: 9 });
    t.same(found.matches, [{ term: undefined, key: 'siblings' }], 'the index of each sibling');
  }
  t.match(await target.client.get(keyIn('siblings', 'tombstone')), {
    siblings: [{ value: Buffer.from('kept') }],
  });
  const again = await copyOnce(source, target, { ledger, scope: SCOPE, carriesDeletes: true });
  t.match(again, { isSettled: true, outcomes: { unchanged: 24, copied: undefined } });
});

t.test('the properties of buckets and types are compared, and set', async (t) => {
  const [source, target] = [await serveRealEnd(t), await serveRealEnd(t)];
  await source.client.put(keyIn('siblings', 'k'), { value: Buffer.from('v') });
  const set = { n_val: 2, r: 1, pw: 'one', notfound_ok: false } as const;
  await source.client.buckets.setProperties(name('siblings'), BUCKET, set);
  await source.client.buckets.setTypeProperties(name('once'), { dw: 'all' });
  const ends = { source: source.end, target: target.end };
  const planned = await plan(ends, { scope: SCOPE, sets: true });
  t.match(planned.items, [
    { kind: 'type-differs', type: 'once', differences: [{ name: 'dw', source: 'all' }] },
    { kind: 'bucket-differs', type: 'siblings', isSet: true, differences: { length: 4 } },
  ]);
  t.match(await target.client.buckets.properties(name('siblings'), BUCKET), set);
});
