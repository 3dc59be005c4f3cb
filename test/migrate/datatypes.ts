/** Data types carried by what they hold, over the operations that any Riak knows. */

import t from 'tap';
import { scopeOf } from '../../src/migrate/walk.ts';
import { name } from '../api/pbc/served.ts';
import { copyOnce, newFolder, serveRealEnd } from './two-ends.ts';
import type { DatatypeOperation, Field } from '../../src/datatype/operation.ts';
import type { OneEnd } from './two-ends.ts';

const TYPES = ['counters', 'default', 'gsets', 'hlls', 'maps', 'sets'].map(name);

function keyIn(type: string) {
  return { type: name(type), bucket: name('b'), key: name('k') };
}

function field(kind: Field['kind'], text: string): Field {
  return { kind, name: name(text) };
}

async function update({ client }: OneEnd, type: string, operation: DatatypeOperation) {
  const { context } = await client.datatypes.fetch(keyIn(type));
  await client.datatypes.update(keyIn(type), operation, context);
}

const FIRST_MAP: DatatypeOperation = {
  kind: 'map',
  removes: [],
  updates: [
    { field: field('counter', 'c'), operation: { kind: 'counter', increment: 5n } },
    { field: field('register', 'r'), operation: { kind: 'register', value: name('text') } },
    { field: field('flag', 'off'), operation: { kind: 'flag', enable: false } },
    { field: field('flag', 'on'), operation: { kind: 'flag', enable: true } },
    {
      field: field('map', 'm'),
      operation: {
        kind: 'map',
        removes: [],
        updates: [
          {
            field: field('set', 's'),
            operation: { kind: 'set', adds: [name('x'), name('y')], removes: [] },
          },
          { field: field('set', 'empty'), operation: { kind: 'set', adds: [], removes: [] } },
        ],
      },
    },
  ],
};

const SECOND_MAP: DatatypeOperation = {
  kind: 'map',
  removes: [field('counter', 'c'), field('flag', 'on')],
  updates: [
    { field: field('register', 'r'), operation: { kind: 'register', value: name('other') } },
    {
      field: field('map', 'm'),
      operation: {
        kind: 'map',
        removes: [field('set', 'empty')],
        updates: [
          { field: field('set', 's'), operation: { kind: 'set', adds: [], removes: [name('x')] } },
        ],
      },
    },
  ],
};

t.test('counters, sets and maps are carried, and so is what changes in them', async (t) => {
  const [source, target] = [await serveRealEnd(t), await serveRealEnd(t)];
  for (const { client } of [source, target]) {
    await client.buckets.setProperties(name('default'), name('b'), { allow_mult: true });
  }
  const adds = ['a', 'b', '\xff'].map(name);
  await update(source, 'counters', { kind: 'counter', increment: -7n });
  await update(source, 'default', { kind: 'counter', increment: 3n });
  await update(source, 'sets', { kind: 'set', adds, removes: [] });
  await update(source, 'gsets', { kind: 'gset', adds });
  await update(source, 'maps', FIRST_MAP);
  const run = { ledger: newFolder(t), scope: scopeOf(TYPES, undefined), carriesDeletes: true };
  const holdsSame = async (why: string): Promise<void> => {
    for (const type of ['counters', 'default', 'sets', 'gsets', 'maps']) {
      const wanted = await source.client.datatypes.fetch(keyIn(type));
      const got = await target.client.datatypes.fetch(keyIn(type));
      t.same(got.value, wanted.value, `${type} ${why}`);
    }
  };
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { copied: 5 } });
  await holdsSame('once copied');

  await update(source, 'counters', { kind: 'counter', increment: 10n });
  await update(source, 'default', { kind: 'counter', increment: 1n });
  await update(source, 'sets', { kind: 'set', adds: [name('c')], removes: [name('a')] });
  await update(source, 'maps', SECOND_MAP);
  await target.client.datatypes.update(keyIn('gsets'), { kind: 'gset', adds: [name('mine')] });
  const second = await copyOnce(source, target, run);
  t.match(second, { isSettled: true, outcomes: { copied: 4, unchanged: 1 } });
  await update(source, 'gsets', { kind: 'gset', adds: [name('mine')] });
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { same: 1 } });
  await holdsSame('after a change');

  await source.client.delete(keyIn('sets'));
  await update(source, 'hlls', { kind: 'hll', adds });
  const third = await copyOnce(source, target, run);
  t.match(third, { outcomes: { deleted: 1, 'not-carried': 1 } });
  t.match(Object.keys(third.reasons), [/HyperLogLogs show a count/]);
  t.match(await target.client.datatypes.fetch(keyIn('sets')), { value: undefined });
});
