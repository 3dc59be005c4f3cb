/** Copies between two clusters: what is carried, and what is left alone. */

import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import t from 'tap';
import { Ledger } from '../../src/migrate/ledger.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { name } from '../api/pbc/served.ts';
import { BUCKET, TYPE, change, copyOnce, keyOf, newFolder, remove } from './two-ends.ts';
import { serveEnd, valuesOf } from './two-ends.ts';
import type { Test } from 'tap';

async function twoEnds(t: Test) {
  return { source: await serveEnd(t), target: await serveEnd(t), ledger: newFolder(t) };
}

t.test('an object is carried with all that stands beside its value', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  const metadata = {
    contentType: name('application/json'),
    charset: name('utf-8'),
    contentEncoding: name('gzip'),
    userMetadata: [[name('a'), name('1')] as const, [name('b'), name('\xff')] as const],
    indexes: [
      { field: name('born_int'), term: name('19700101') },
      { field: name('name_bin'), term: name('okafor') },
    ],
    links: [{ bucket: name('b2'), key: name('k2'), tag: name('t') }],
  };
  const value = Buffer.from([0, 1, 255]);
  const key = { type: TYPE, bucket: name('b\xff'), key: name('\0k\xfe') };
  await source.client.put(key, { value, metadata });
  const summary = await copyOnce(source, target, { ledger });
  t.match(summary, { isSettled: true, outcomes: { copied: 1 }, bytes: 3 });
  t.match(await target.client.get(key), { siblings: [{ value, metadata }] });
  const query = { type: TYPE, bucket: key.bucket, field: name('name_bin'), from: name('okafor') };
  const page = await target.client.indexPage(query, { maxResults: 5 });
  t.same(page.matches, [{ term: undefined, key: key.key }], 'the target finds it by its index');
});

t.test('siblings are carried as siblings, those that hold the same as one', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  for (const value of ['one', 'two', 'three', 'one']) {
    await source.client.put(keyOf('k'), { value: Buffer.from(value) });
  }
  t.match(await copyOnce(source, target, { ledger }), { outcomes: { copied: 1 } });
  t.same(await valuesOf(target, 'k'), ['one', 'three', 'two']);
  await change(source, 'k', 'resolved');
  t.match(await copyOnce(source, target, { ledger }), { outcomes: { copied: 1 } });
  t.same(await valuesOf(target, 'k'), ['resolved']);
});

t.test('a second pass carries what has changed at the source, and only that', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  for (const text of ['kept', 'changed', 'gone']) await change(source, text, `${text} 1`);
  t.match(await copyOnce(source, target, { ledger }), { outcomes: { copied: 3 }, pass: 1 });
  await change(source, 'changed', 'changed 2');
  await change(source, 'new', 'new 1');
  await remove(source, 'gone');
  const second = await copyOnce(source, target, { ledger, carriesDeletes: true });
  t.match(second, { isSettled: true, outcomes: { copied: 2, unchanged: 1, deleted: 1 }, pass: 2 });
  t.same(await valuesOf(target, 'changed'), ['changed 2']);
  t.same(await valuesOf(target, 'new'), ['new 1']);
  t.same(await valuesOf(target, 'gone'), []);
  const third = await copyOnce(source, target, { ledger, carriesDeletes: true });
  t.match(third, { isSettled: true, outcomes: { copied: undefined, deleted: undefined } });
});

t.test('what the target changed or deleted since the copy does not come back', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  for (const text of ['a', 'b', 'c', 'd']) await change(source, text, 'old');
  await copyOnce(source, target, { ledger });
  await change(target, 'a', 'newer');
  await remove(target, 'b');
  await change(target, 'c', 'mine');
  await change(source, 'c', 'theirs');
  await remove(target, 'd');
  await change(source, 'd', 'theirs');
  const keysTo = join(newFolder(t), 'keys');
  const again = await copyOnce(source, target, { ledger, carriesDeletes: true, keysTo });
  t.match(again, {
    isSettled: false,
    outcomes: { unchanged: 2, conflict: 1, 'deleted-at-target': 1 },
  });
  t.same(await valuesOf(target, 'a'), ['newer']);
  t.same(await valuesOf(target, 'b'), []);
  t.same(await valuesOf(target, 'c'), ['mine']);
  t.same(await valuesOf(target, 'd'), []);
  const lines = readFileSync(keysTo, 'utf8').trimEnd().split('\n');
  t.same(
    lines.map((line) => JSON.parse(line)).sort((left, right) => (left.key < right.key ? -1 : 1)),
    [
      { type: TYPE, bucket: BUCKET, key: 'c', outcome: 'conflict' },
      { type: TYPE, bucket: BUCKET, key: 'd', outcome: 'deleted-at-target' },
    ],
  );
  t.match(await copyOnce(source, target, { ledger, onConflict: 'replace' }), { isSettled: true });
  t.same(await valuesOf(target, 'c'), ['theirs'], 'unless it is asked for');
});

t.test('a source that has lost its data does not empty the target', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  const texts = Array.from({ length: 30 }, (_, index) => `k${index}`);
  for (const text of texts) await change(source, text, 'v');
  await copyOnce(source, target, { ledger });
  const empty = await serveEnd(t);
  const run = { ledger, carriesDeletes: true, deletesMax: 5, concurrency: 1 };
  const summary = await copyOnce(empty, target, run);
  t.match(summary, { isWhole: false, isSettled: false, outcomes: { deleted: 5 } });
  const kept = await Promise.all(texts.map((text) => valuesOf(target, text)));
  t.equal(kept.filter(([value]) => value === 'v').length, 25);
});

t.test('no more are deleted than may be, however many are under way at a time', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  const texts = Array.from({ length: 30 }, (_, index) => `k${index}`);
  for (const text of texts) await change(source, text, 'v');
  await copyOnce(source, target, { ledger });
  const run = { ledger, carriesDeletes: true, deletesMax: 5, concurrency: 16 };
  const summary = await copyOnce(await serveEnd(t), target, run);
  t.match(summary, { isWhole: false, outcomes: { deleted: 5, left: Number } });
  const kept = await Promise.all(texts.map((text) => valuesOf(target, text)));
  t.equal(kept.filter(([value]) => value === 'v').length, 25);
});

t.test('a folder that holds something else is no ledger', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  const other = new Level(ledger);
  await other.put('a', 'b');
  await other.close();
  await t.rejects(copyOnce(source, target, { ledger }), {
    message: /something else than a ledger/,
  });
});

t.test('a folder of somebody else is left as it is', async (t) => {
  const folder = newFolder(t);
  writeFileSync(join(folder, 'file'), '');
  chmodSync(folder, 0o755);
  const opened = Ledger.open({ folder, from: ['a:1'], to: ['b:1'], isReverse: false });
  await t.rejects(opened, { code: 'config', message: /something else than a ledger/ });
  t.same(readdirSync(folder), ['file']);
  t.equal(statSync(folder).mode & 0o777, 0o755);
  // One that was ended at its first opening goes on.
  renameSync(join(folder, 'file'), join(folder, 'LOCK'));
  await (await Ledger.open({ folder, from: ['a:1'], to: ['b:1'], isReverse: false })).close();
  t.equal(statSync(folder).mode & 0o777, 0o700);
});

t.test('keys may be named to what is no file, and nothing of that is changed', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  await change(source, 'k', 'v');
  const pipe = join(newFolder(t), 'pipe');
  execFileSync('mkfifo', ['-m', '644', pipe]);
  const reader = await open(pipe, 'r+');
  t.teardown(() => reader.close());
  t.match(await copyOnce(source, target, { ledger, keysTo: pipe }), { isSettled: true });
  t.equal(statSync(pipe).mode & 0o777, 0o644);
});

t.test('a ledger is of both its ends', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  await change(source, 'a', 'v');
  await copyOnce(source, target, { ledger });
  const reopen = async (from: string, to: string): Promise<void> => {
    const opened = await Ledger.open({ folder: ledger, from: [from], to: [to], isReverse: false });
    await opened.close();
  };
  // All that the first target holds would pass for held by the second.
  for (const [from, to] of [
    ['a:1', 'c:1'],
    ['c:1', 'b:1'],
    ['a:1', 'a:1'],
  ] as const) {
    await t.rejects(reopen(from, to), { message: /is of a copy from a:1 to b:1/ });
  }
  await t.rejects(reopen('b:1', 'a:1'), { message: /: add --reverse/ });
  await reopen('a:1', 'b:1');
});

t.test('without a ledger what stands at the target stays', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  for (const text of ['same', 'other', 'deleted']) await change(source, text, 'v');
  await change(target, 'same', 'v');
  await change(target, 'other', 'w');
  await change(target, 'deleted', 'v');
  await remove(target, 'deleted');
  t.match(await copyOnce(source, target, { ledger }), {
    outcomes: { same: 1, conflict: 1, 'deleted-at-target': 1 },
  });
  t.same(await valuesOf(target, 'other'), ['w']);
  t.same(await valuesOf(target, 'deleted'), []);
});

t.test('the way back takes what changed since the cut', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  for (const text of ['a', 'b', 'c']) await change(source, text, 'old');
  await copyOnce(source, target, { ledger });
  await change(target, 'a', 'new');
  await remove(target, 'b');
  await change(target, 'd', 'born here');
  const back = { ledger, isReverse: true, carriesDeletes: true };
  t.match(await copyOnce(target, source, back), {
    isSettled: true,
    outcomes: { copied: 2, unchanged: 1, deleted: 1 },
  });
  t.same(await valuesOf(source, 'a'), ['new']);
  t.same(await valuesOf(source, 'b'), []);
  t.same(await valuesOf(source, 'd'), ['born here']);
  t.match(await copyOnce(source, target, { ledger }), { isSettled: true }, 'and on again');
});

t.test('what the target cannot hold is told', async (t) => {
  const { source, target, ledger } = await twoEnds(t);
  await source.client.buckets.setProperties(name('nosibs'), BUCKET, { allow_mult: true });
  const key = { ...keyOf('k'), type: name('nosibs') };
  for (const value of ['one', 'two']) await source.client.put(key, { value: Buffer.from(value) });
  const scope = scopeOf([key.type], undefined);
  const summary = await copyOnce(source, target, { ledger, scope });
  t.match(summary, { isSettled: false, outcomes: { 'not-carried': 1 } });
  t.match(Object.keys(summary.reasons), [/siblings/]);
  t.match(await target.client.get(key), { kind: 'not-found' });

  const place = target.end.place.bind(target.end);
  target.end.place = async (type, bucket) => {
    const found = await place(type, bucket);
    return { ...found, properties: { ...found.properties, allow_mult: true, write_once: true } };
  };
  const once = await copyOnce(source, target, { ledger: newFolder(t), scope });
  t.match(once.outcomes, { 'not-carried': 1 }, 'of a bucket that is written once, too');
});
