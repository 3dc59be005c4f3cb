/**
 * What every `Store` promises, as one suite: run on the memory store, on LevelDB, and on the
 * simulation's disk. A caller gives a way to open a fresh, empty store.
 */

import fc from 'fast-check';
import type { Test } from 'tap';
import { keyAfter } from '../../src/storage/keys.ts';
import type { ScanEntry, ScanRange, Store, WriteOperation } from '../../src/storage/store.ts';

export interface StoreFactory {
  /** A fresh, empty store; the suite closes it. */
  open(): Promise<Store>;
}

const ALL: ScanRange = { from: Buffer.of(0), to: Buffer.alloc(16, 0xff) };

export function put(key: Buffer | string, value: Buffer | string): WriteOperation {
  return { kind: 'put', key: Buffer.from(key), head: Buffer.from(value) };
}

/** The first byte of the value is its head, the rest its body. */
export function putParts(key: Buffer | string, value: Buffer | string): WriteOperation {
  const bytes = Buffer.from(value);
  return {
    kind: 'put',
    key: Buffer.from(key),
    head: bytes.subarray(0, 1),
    body: bytes.subarray(1),
  };
}

export function remove(key: Buffer | string): WriteOperation {
  return { kind: 'remove', key: Buffer.from(key) };
}

export async function scanAll(store: Store, range: ScanRange): Promise<ScanEntry[]> {
  const entries: ScanEntry[] = [];
  for await (const batch of store.scan(range)) entries.push(...batch);
  return entries;
}

/** Keys and values as text, `key=value`. */
export async function scanTexts(store: Store, range: ScanRange): Promise<string[]> {
  const entries = await scanAll(store, range);
  return entries.map(({ key, value }) => `${key.toString('latin1')}=${value.toString('latin1')}`);
}

export function checkStoreCompliance(t: Test, factory: StoreFactory): void {
  const withStore: WithStore = (fact, check) => {
    void t.test(fact, async (t) => {
      const store = await factory.open();
      t.teardown(() => store.close());
      await check(t, store);
    });
  };

  checkEntries(withStore);
  checkScans(withStore);
  checkOrderOfWrites(withStore);
  checkRandomHistories(withStore);
  checkClose(withStore);
}

type WithStore = (fact: string, check: (t: Test, store: Store) => Promise<void>) => void;

function checkEntries(withStore: WithStore): void {
  withStore('what was written is read, and what was not is absent', async (t, store) => {
    t.equal(await store.get(Buffer.from('a')), undefined);
    await store.write([putParts('a', '1'), putParts('b', '2')]);
    t.same(await store.get(Buffer.from('a')), Buffer.from('1'));
    t.same(await store.get(Buffer.from('b')), Buffer.from('2'));
    await store.write([remove('a'), remove('never there')]);
    t.equal(await store.get(Buffer.from('a')), undefined);
    t.equal(store.health().kind, 'ready');
    t.equal(store.refusal(), undefined);
  });

  withStore('a value is its head and then its body', async (t, store) => {
    const [head, body] = [Buffer.from('head'), Buffer.from('body')];
    await store.write([{ kind: 'put', key: Buffer.from('k'), head, body }]);
    t.same(await store.get(Buffer.from('k')), Buffer.from('headbody'));
    const read = await store.getHead(Buffer.from('k'));
    t.same(read?.subarray(0, 4), head);
  });

  withStore('keys hold any byte and values may be empty or big', async (t, store) => {
    const big = Buffer.alloc(5_000_000, 'patient');
    const keys = [Buffer.of(0), Buffer.of(0, 0), Buffer.of(0xff), Buffer.of(0xff, 0xff, 0)];
    await store.write(keys.map((key, index) => putParts(key, index === 0 ? big : Buffer.alloc(0))));
    t.ok((await store.get(keys[0] ?? big))?.equals(big));
    for (const key of keys.slice(1)) t.same(await store.get(key), Buffer.alloc(0));
    t.equal(await store.get(Buffer.of(0xff, 0xff)), undefined);
  });

  withStore('a key may be of any length, beside a large body too', async (t, store) => {
    const long = Buffer.alloc(1_500_000, 'key');
    await store.write([putParts(long, 'v'.repeat(10_000))]);
    t.equal((await store.get(long))?.toString(), 'v'.repeat(10_000));
    await store.write([remove(long)]);
    t.equal(await store.get(long), undefined);
  });

  withStore('many reads at once are each answered with their own entry', async (t, store) => {
    const names = Array.from({ length: 300 }, (_, index) => `key ${index}`);
    await store.write(
      names.filter((_, index) => index % 3 > 0).map((name) => putParts(name, name)),
    );
    const values = await Promise.all(
      names.map(async (name, index) => {
        if (index % 2 === 0) return (await store.get(Buffer.from(name)))?.toString();
        const head = await store.getHead(Buffer.from(name));
        return head === undefined ? undefined : `${head.toString('latin1', 0, 1)}${name.slice(1)}`;
      }),
    );
    t.same(
      values,
      names.map((name, index) => (index % 3 > 0 ? name : undefined)),
    );
  });

  withStore('an empty write is a write', async (t, store) => {
    await store.write([]);
    t.same(await scanAll(store, ALL), []);
  });
}

function checkScans(withStore: WithStore): void {
  withStore('a scan is in bytewise order within [from, to)', async (t, store) => {
    await store.write(['b', 'a', 'ab', 'c', '\x00', 'B'].map((key) => putParts(key, key)));
    const range = { from: Buffer.from('a'), to: Buffer.from('c') };
    t.same(await scanTexts(store, range), ['a=a', 'ab=ab', 'b=b']);
    t.same(await scanTexts(store, { ...range, reverse: true }), ['b=b', 'ab=ab', 'a=a']);
    t.same(await scanTexts(store, { from: range.to, to: range.from }), []);
    t.same(await scanTexts(store, { from: range.from, to: range.from }), []);
  });

  withStore('a scan stops at its limit, from either end', async (t, store) => {
    await store.write(Array.from({ length: 1000 }, (_, index) => putParts(numbered(index), 'v')));
    for (const limit of [0, 1, 2, 255, 256, 257, 600, 1000, 1001]) {
      const forward = await scanAll(store, { ...ALL, limit });
      t.equal(forward.length, Math.min(limit, 1000));
      const backward = await scanAll(store, { ...ALL, limit, reverse: true });
      t.same(
        backward.map(({ key }) => key.toString()),
        Array.from({ length: Math.min(limit, 1000) }, (_, index) => numbered(999 - index)),
      );
    }
  });

  withStore('a scan for keys only brings empty values', async (t, store) => {
    await store.write([putParts('a', 'one'), putParts('b', 'two')]);
    t.same(await scanTexts(store, { ...ALL, keysOnly: true }), ['a=', 'b=']);
    t.same(await scanTexts(store, { ...ALL, keysOnly: true, reverse: true }), ['b=', 'a=']);
  });

  withStore('a scan for heads only brings at least the heads', async (t, store) => {
    await store.write([putParts('a', 'one'), putParts('b', 'two')]);
    const entries = await scanAll(store, { ...ALL, headsOnly: true });
    t.same(
      entries.map(({ key, value }) => `${key.toString()}=${value.toString('latin1', 0, 1)}`),
      ['a=o', 'b=t'],
    );
  });

  withStore('a scan sees one moment, whatever is written meanwhile', async (t, store) => {
    const count = 2000;
    await store.write(
      Array.from({ length: count }, (_, index) => putParts(numbered(index), 'old')),
    );
    const seen: string[] = [];
    let isFirst = true;
    for await (const batch of store.scan(ALL)) {
      seen.push(...batch.map(({ key, value }) => `${key.toString()}=${value.toString()}`));
      if (!isFirst) continue;
      isFirst = false;
      await store.write(
        Array.from({ length: count }, (_, index) => putParts(numbered(index), 'new')),
      );
      await store.write([remove(numbered(count - 1)), putParts('x', 'late')]);
    }
    t.same(
      seen,
      Array.from({ length: count }, (_, index) => `${numbered(index)}=old`),
    );
    t.equal((await scanAll(store, ALL)).length, count);
  });

  withStore('a scan comes in batches of a bounded size', async (t, store) => {
    const value = Buffer.alloc(100_000);
    await store.write(Array.from({ length: 60 }, (_, index) => putParts(numbered(index), value)));
    let count = 0;
    for await (const batch of store.scan(ALL)) {
      t.ok(batch.length > 0 && batch.length <= 20, `${batch.length} entries of 100 kB`);
      count += batch.length;
    }
    t.equal(count, 60);
  });

  withStore('a scan can be stopped early, many times', async (t, store) => {
    await store.write(Array.from({ length: 1000 }, (_, index) => putParts(numbered(index), 'v')));
    for (let round = 0; round < 50; round += 1) {
      for await (const batch of store.scan(ALL)) {
        t.equal(batch[0]?.key.toString(), numbered(0));
        break;
      }
    }
    const unstarted = store.scan(ALL);
    t.same(await unstarted.return?.(), { done: true, value: undefined });
    t.same(await unstarted.next(), { done: true, value: undefined });
  });

  withStore('a scan goes on where another ended', async (t, store) => {
    await store.write(Array.from({ length: 100 }, (_, index) => putParts(numbered(index), 'v')));
    const keys: string[] = [];
    let from = ALL.from;
    for (;;) {
      const page = await scanAll(store, { ...ALL, from, limit: 7 });
      const last = page.at(-1);
      if (last === undefined) break;
      keys.push(...page.map(({ key }) => key.toString()));
      from = keyAfter(last.key);
    }
    t.same(
      keys,
      Array.from({ length: 100 }, (_, index) => numbered(index)),
    );
  });
}

function checkOrderOfWrites(withStore: WithStore): void {
  withStore('writes apply in the order of the calls, without waiting between', async (t, store) => {
    const writes: Promise<void>[] = [];
    for (let index = 0; index < 500; index += 1) {
      writes.push(store.write([putParts('k', String(index)), putParts(`own ${index}`, 'v')]));
      if (index % 10 === 9) writes.push(store.write([remove('k')]));
    }
    writes.push(store.write([putParts('k', 'last')]));
    await Promise.all(writes);
    t.same(await store.get(Buffer.from('k')), Buffer.from('last'));
    t.equal((await scanAll(store, ALL)).length, 501);
  });

  withStore('within one write the later operation on a key wins', async (t, store) => {
    await store.write([putParts('k', '1'), putParts('k', '2'), remove('k'), putParts('k', '3')]);
    t.same(await store.get(Buffer.from('k')), Buffer.from('3'));
    await store.write([putParts('k', '4'), remove('k')]);
    t.equal(await store.get(Buffer.from('k')), undefined);
  });

  withStore('writes resolve in the order of the calls', async (t, store) => {
    const resolved: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await store.write([putParts(`k${index}`, 'v')]);
        resolved.push(index);
      }),
    );
    t.same(
      resolved,
      Array.from({ length: 50 }, (_, index) => index),
    );
  });

  withStore('an empty write resolves after all writes before it', async (t, store) => {
    let resolved = 0;
    for (let index = 0; index < 30; index += 1) {
      void store.write([putParts(`k${index}`, 'v')]).then(() => (resolved += 1));
    }
    await store.write([]);
    t.equal(resolved, 30);
  });

  withStore('the buffers of a write are free when the call returns', async (t, store) => {
    const [key, head, body] = [Buffer.from('key'), Buffer.from('he'), Buffer.from('ad')];
    const written = store.write([{ kind: 'put', key, head, body }, putParts('other', '')]);
    for (const buffer of [key, head, body]) buffer.fill('x');
    await written;
    t.same(await scanTexts(store, ALL), ['key=head', 'other=']);
  });

  withStore('a read after a write has resolved sees it', async (t, store) => {
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const key = `k${index % 20}-${index}`;
        await store.write([putParts(key, String(index))]);
        t.same(await store.get(Buffer.from(key)), Buffer.from(String(index)));
      }),
    );
  });

  withStore('no scan ever sees half of a write', async (t, store) => {
    const pairs = 40;
    const writing = (async () => {
      for (let index = 0; index < pairs; index += 1) {
        await store.write([putParts('left', String(index)), putParts('right', String(index))]);
      }
    })();
    for (let index = 0; index < pairs; index += 1) {
      const entries = await scanAll(store, { from: Buffer.from('left'), to: Buffer.from('s') });
      t.same(entries[0]?.value, entries[1]?.value);
    }
    await writing;
  });
}

type HistoryStep =
  | { readonly kind: 'write'; readonly operations: readonly WriteOperation[] }
  | { readonly kind: 'scan'; readonly range: ScanRange };

const anyKey = fc
  .array(fc.constantFrom(0, 1, 0x61, 0xff), { minLength: 1, maxLength: 3 })
  .map((bytes) => Buffer.from(bytes));
const anyOperation: fc.Arbitrary<WriteOperation> = fc.oneof(
  fc.tuple(anyKey, fc.string()).map(([key, value]) => putParts(key, value)),
  anyKey.map(remove),
);
const anyStep: fc.Arbitrary<HistoryStep> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    operations: fc.array(anyOperation, { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('scan' as const),
    range: fc.record({
      from: anyKey,
      to: anyKey,
      reverse: fc.boolean(),
      limit: fc.integer({ min: 0, max: 10 }),
      keysOnly: fc.boolean(),
    }),
  }),
);

function checkRandomHistories(withStore: WithStore): void {
  withStore('any history of writes and scans agrees with a plain map', async (t, store) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 12 }), async (steps) => {
        const model = new Map<string, Buffer>();
        await store.write((await scanAll(store, ALL)).map(({ key }) => remove(key)));
        for (const step of steps) {
          if (step.kind === 'write') {
            applyToModel(model, step.operations);
            await store.write(step.operations);
          } else {
            t.same(await scanAll(store, step.range), scanOfModel(model, step.range));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
}

function applyToModel(model: Map<string, Buffer>, operations: readonly WriteOperation[]): void {
  for (const operation of operations) {
    const key = operation.key.toString('latin1');
    if (operation.kind === 'remove') model.delete(key);
    else model.set(key, Buffer.concat([operation.head, operation.body ?? Buffer.alloc(0)]));
  }
}

function scanOfModel(model: ReadonlyMap<string, Buffer>, range: ScanRange): ScanEntry[] {
  const keys = [...model.keys()]
    .filter((key) => key >= range.from.toString('latin1') && key < range.to.toString('latin1'))
    .sort();
  if (range.reverse) keys.reverse();
  return keys.slice(0, range.limit).map((key) => ({
    key: Buffer.from(key, 'latin1'),
    value: range.keysOnly ? Buffer.alloc(0) : (model.get(key) ?? Buffer.alloc(0)),
  }));
}

function checkClose(withStore: WithStore): void {
  withStore('close waits for writes under way, and is idempotent', async (t, store) => {
    const writes = Array.from({ length: 20 }, (_, index) =>
      store.write([putParts(`k${index}`, 'v')]),
    );
    await Promise.all([store.close(), store.close()]);
    await Promise.all(writes);
    await store.close();
    t.pass('all writes resolved');
  });

  withStore('a closed store refuses everything', async (t, store) => {
    await store.write([putParts('k', 'v')]);
    await store.close();
    await t.rejects(store.get(Buffer.from('k')), { code: 'store-closed' });
    await t.rejects(store.getHead(Buffer.from('k')), { code: 'store-closed' });
    await t.rejects(store.write([putParts('k', 'w')]), { code: 'store-closed' });
    await t.rejects(scanAll(store, ALL), { code: 'store-closed' });
    t.match(store.refusal(), { code: 'store-closed' });
  });

  withStore('a scan that the store closes under ends with a fault', async (t, store) => {
    await store.write(Array.from({ length: 3000 }, (_, index) => putParts(numbered(index), 'v')));
    const scan = store.scan(ALL);
    t.equal((await scan.next()).done, false);
    await store.close();
    await t.rejects(scan.next(), { code: 'store-closed' });
    t.equal((await scan.next()).done, true);
  });
}

function numbered(index: number): string {
  return `key ${String(index).padStart(6, '0')}`;
}
