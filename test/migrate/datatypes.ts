/** Data types carried by what they hold, over the operations that any Riak knows. */

import { deflateSync } from 'node:zlib';
import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import { addElements, emptyRegisters } from '../../src/datatype/hyperloglog.ts';
import { decodeRiakSketch } from '../../src/migrate/riak-sketch.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { name } from '../api/pbc/served.ts';
import { copyOnce, newFolder, serveRealEnd } from './two-ends.ts';
import type { DatatypeOperation, Field } from '../../src/datatype/operation.ts';
import type { OneEnd } from './two-ends.ts';

const TYPES = ['counters', 'default', 'gsets', 'maps', 'sets'].map(name);

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
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { deleted: 1 } });
  t.match(await target.client.datatypes.fetch(keyIn('sets')), { value: undefined });
});

function added(from: number, to: number): DatatypeOperation {
  const adds = Array.from({ length: to - from }, (_, index) => name(`e${from + index}`));
  return { kind: 'hll', adds };
}

async function countOf({ client }: OneEnd): Promise<number | undefined> {
  const { value } = await client.datatypes.fetch(keyIn('hlls'));
  return value?.kind === 'hll' ? value.count : undefined;
}

t.test('a HyperLogLog is carried by its registers, and goes on counting', async (t) => {
  const [source, target] = [await serveRealEnd(t), await serveRealEnd(t)];
  const scope = scopeOf([name('hlls')], undefined);
  const run = { ledger: newFolder(t), scope, carriesDeletes: true };
  await update(source, 'hlls', added(0, 100));
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { copied: 1 } });
  t.equal(await countOf(target), await countOf(source));
  const once = await countOf(target);
  await update(target, 'hlls', added(0, 100));
  t.equal(await countOf(target), once, 'what was counted before counts for nothing more');
  await update(source, 'hlls', added(100, 200));
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { copied: 1 } });
  t.equal(await countOf(target), await countOf(source));
  await update(target, 'hlls', added(200, 300));
  await update(source, 'hlls', added(300, 400));
  t.match(await copyOnce(source, target, run), { outcomes: { conflict: 1 } });
  const forced = { ...run, onConflict: 'replace' } as const;
  t.match(await copyOnce(source, target, forced), { isSettled: true, outcomes: { copied: 1 } });
  await update(source, 'hlls', added(200, 300));
  t.equal(await countOf(target), await countOf(source), 'the target has lost nothing of its own');
  t.match(await copyOnce(source, target, run), { isSettled: true, outcomes: { same: 1 } });
  await source.client.delete(keyIn('hlls'));
  t.match(await copyOnce(source, target, run), { outcomes: { deleted: 1 } });
  t.equal(await countOf(target), undefined);
});

t.test('an end whose HyperLogLogs are stored as Riak stores them takes no registers', async (t) => {
  const [source, target] = [await serveRealEnd(t), await serveRealEnd(t)];
  await update(source, 'hlls', added(0, 10));
  Object.defineProperty(target.end, 'storesSketches', { value: false });
  const run = { ledger: newFolder(t), scope: scopeOf([name('hlls')], undefined) };
  const summary = await copyOnce(source, target, run);
  t.match(summary, { isSettled: false, outcomes: { 'not-carried': 1 } });
  t.match(Object.keys(summary.reasons), [/only Vertebra takes/]);
  t.equal(await countOf(target), undefined);
});

/** Erlang's terms, as far as a sketch has them. */
function termOf(
  term: string | number | Buffer | readonly unknown[] | { list: readonly unknown[] },
): Buffer {
  if (typeof term === 'string')
    return Buffer.concat([Buffer.of(119, term.length), Buffer.from(term)]);
  if (typeof term === 'number') {
    return term < 256 ? Buffer.of(97, term) : Buffer.of(98, 0, 0, term >> 8, term & 0xff);
  }
  const size = (count: number): Buffer => Buffer.of(0, 0, count >> 8, count & 0xff);
  if (Buffer.isBuffer(term)) return Buffer.concat([Buffer.of(109), size(term.length), term]);
  if ('list' in term) {
    if (term.list.length === 0) return Buffer.of(106);
    const items = (term.list as readonly (readonly number[])[]).map(termOf);
    return Buffer.concat([Buffer.of(108), size(items.length), ...items, Buffer.of(106)]);
  }
  const items = (term as readonly (string | number | Buffer)[]).map(termOf);
  return Buffer.concat([Buffer.of(104, items.length), ...items]);
}

function riakBytes(precision: number, form: readonly unknown[], isCompressed: boolean): Buffer {
  const term = termOf(['hyper', precision, ['hyper_binary', form]]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(term.length);
  const packed = isCompressed ? [Buffer.of(80), size, deflateSync(term)] : [term];
  const head = Buffer.concat([Buffer.of(69, 2, 0, 0, 0, 11), Buffer.from('riak_kv_hll')]);
  return Buffer.concat([head, Buffer.of(86, 1, 131), ...packed]);
}

t.test("Riak's registers are read, in each of their forms, and nothing else is", (t) => {
  const elements = Array.from({ length: 30 }, (_, index) => name(`e${index}`));
  const registers = runAtOnce(addElements(emptyRegisters(10), elements));
  const entries = [...registers.entries()].filter(([, rank]) => rank > 0);
  const bits = [...registers].map((rank) => rank.toString(2).padStart(6, '0')).join('');
  const packed = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const none = { list: [] };
  const [first = [0, 0] as const] = entries;
  const dense = ['dense', packed, { list: [[first[0], 1]] }, 1, 51];
  const buffer = ['buffer', { list: [...entries, [first[0], 1]] }, entries.length, 10, 25];
  for (const [what, form] of Object.entries({
    dense,
    newer: ['dense', packed, none, 0, 10, 51],
    buffer,
  })) {
    for (const isCompressed of [false, true]) {
      const read = decodeRiakSketch(riakBytes(10, form, isCompressed));
      t.same(Buffer.from(read ?? []), Buffer.from(registers), what);
    }
  }
  const sound = riakBytes(10, buffer, false);
  const thresholdsSize = 6;
  for (let length = 0; length < sound.length - thresholdsSize; length += 1) {
    if (decodeRiakSketch(sound.subarray(0, length)) !== undefined) t.fail(`cut to ${length} bytes`);
  }
  const wrong = [
    riakBytes(11, dense, false),
    riakBytes(3, buffer, false),
    riakBytes(10, ['buffer', { list: [[1_024, 1]] }, 1, 10, 25], false),
    riakBytes(10, ['buffer', { list: [[0, 60]] }, 1, 10, 25], false),
    riakBytes(10, ['gb', none, 0, 0], false),
  ];
  for (const bytes of wrong) t.equal(decodeRiakSketch(bytes), undefined);
  t.end();
});
