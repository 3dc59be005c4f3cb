/**
 * The hash trees: always the XOR over what is there, in memory and in the store, whatever the order
 * of changes; equal for equal contents; and telling apart exactly the segments that differ.
 */

import { hash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import {
  HashTree,
  HashTrees,
  SEGMENT_COUNT,
  SEGMENT_SIZE,
  differingSegments,
  entryHash,
  segmentOf,
  treeRoot,
} from '../../src/storage/hash-tree.ts';
import { treeRange } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { ScanEntry, ScanRange, Store } from '../../src/storage/store.ts';
import { scanAll } from './store-compliance.ts';

const PARTITION = 5 as Partition;
const N_VAL = 3;

interface Change {
  /** Which of a few keys. */
  readonly key: number;
  /** The copy's new version; undefined removes it. */
  readonly version: number | undefined;
}

const anyChanges = fc.array(
  fc.record({
    key: fc.integer({ min: 0, max: 40 }),
    version: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
  }),
  { maxLength: 80 },
);

function keyNumber(index: number): ObjectKey {
  return { type: 'default', bucket: 'patients', key: `999${index}` } as unknown as ObjectKey;
}

function causalHash(version: number): Buffer {
  return hash('md5', `version ${version}`, 'buffer');
}

function emptyTree(): HashTree {
  return new HashTree(PARTITION, N_VAL, Buffer.alloc(SEGMENT_COUNT * SEGMENT_SIZE));
}

/** Applies the changes one after the other; what is there in the end, by key. */
function applied(
  changes: readonly Change[],
  apply: (key: ObjectKey, before: Buffer | undefined, after: Buffer | undefined) => void,
): Map<number, Buffer> {
  const copies = new Map<number, Buffer>();
  for (const { key, version } of changes) {
    const after = version === undefined ? undefined : causalHash(version);
    apply(keyNumber(key), copies.get(key), after);
    if (after === undefined) copies.delete(key);
    else copies.set(key, after);
  }
  return copies;
}

/** The tree as its definition says, straight from what is there. */
function treeOf(copies: ReadonlyMap<number, Buffer>): Buffer {
  const segments = Buffer.alloc(SEGMENT_COUNT * SEGMENT_SIZE);
  for (const [index, causal] of copies) {
    const key = keyNumber(index);
    const offset = segmentOf(key) * SEGMENT_SIZE;
    for (const [at, byte] of entryHash(key, causal).entries()) {
      segments[offset + at] = (segments[offset + at] ?? 0) ^ byte;
    }
  }
  return segments;
}

async function storedTree(store: Store): Promise<Buffer> {
  return (await new HashTrees(store).load(PARTITION, N_VAL)).segments();
}

t.test('a tree is the XOR over what is there, in memory and in the store', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyChanges, async (changes) => {
      const store = new MemoryStore();
      const tree = await new HashTrees(store).load(PARTITION, N_VAL);
      const writes: Promise<void>[] = [];
      const copies = applied(changes, (key, before, after) => {
        const change = tree.update(key, { before, after });
        if (change !== undefined) writes.push(store.write([change.row]));
      });
      await Promise.all(writes);
      t.ok(tree.segments().equals(treeOf(copies)));
      t.ok((await storedTree(store)).equals(treeOf(copies)));
    }),
  );
});

t.test('trees are equal when contents are, and differ just where contents do', (t) => {
  fc.assert(
    fc.property(anyChanges, anyChanges, (left, right) => {
      const trees = [emptyTree(), emptyTree()] as const;
      const [l, r] = [left, right].map((changes, side) =>
        applied(changes, (key, before, after) => trees[side]?.update(key, { before, after })),
      );
      const expected = new Set<number>();
      for (let index = 0; index <= 40; index += 1) {
        const [a, b] = [l?.get(index), r?.get(index)];
        const isSame = a === b || (a !== undefined && b !== undefined && a.equals(b));
        if (!isSame) expected.add(segmentOf(keyNumber(index)));
      }
      const segments = trees.map((tree) => tree.segments());
      const [a = Buffer.alloc(0), b = Buffer.alloc(0)] = segments;
      t.same(
        differingSegments(a, b),
        [...expected].sort((x, y) => x - y),
      );
      t.equal(treeRoot(a).equals(treeRoot(b)), expected.size === 0);
    }),
  );
  t.end();
});

t.test('a change that changes nothing needs no write', (t) => {
  const tree = emptyTree();
  const [before, after] = [causalHash(1), causalHash(1)];
  t.equal(tree.update(keyNumber(1), { before, after }), undefined);
  t.equal(tree.update(keyNumber(1), { before: undefined, after: undefined }), undefined);
  t.ok(tree.segments().equals(Buffer.alloc(SEGMENT_COUNT * SEGMENT_SIZE)));
  t.end();
});

t.test('an emptied segment leaves no row behind', async (t) => {
  const store = new MemoryStore();
  const tree = await new HashTrees(store).load(PARTITION, N_VAL);
  const changes = [{ before: undefined, after: causalHash(1) }];
  for (const { before, after } of [...changes, { before: causalHash(1), after: undefined }]) {
    const change = tree.update(keyNumber(7), { before, after });
    t.equal(change?.segment, segmentOf(keyNumber(7)));
    if (change !== undefined) await store.write([change.row]);
  }
  t.same(await scanAll(store, treeRange(PARTITION)), []);
});

t.test('loads that overlap give one tree, and trees of other n_vals are others', async (t) => {
  const trees = new HashTrees(new MemoryStore());
  t.equal(trees.find(PARTITION, N_VAL), undefined);
  const [first, second, other] = await Promise.all([
    trees.load(PARTITION, N_VAL),
    trees.load(PARTITION, N_VAL),
    trees.load(PARTITION, N_VAL + 1),
  ]);
  t.equal(first, second);
  t.equal(first, trees.find(PARTITION, N_VAL));
  t.equal(first, await trees.load(PARTITION, N_VAL));
  t.not(first, other);
  t.equal(trees.count, 2);
});

class BusyStore extends MemoryStore {
  isBusy = true;

  override async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    if (this.isBusy) throw new Fault('overload', 'too many scans are open');
    yield* super.scan(range);
  }
}

t.test('a load that failed is tried again by the next caller', async (t) => {
  const store = new BusyStore();
  const trees = new HashTrees(store);
  await t.rejects(trees.load(PARTITION, N_VAL), { code: 'overload' });
  store.isBusy = false;
  t.equal((await trees.load(PARTITION, N_VAL)).nVal, N_VAL);
});

t.test('keys spread evenly over the segments, also keys that differ in one digit', (t) => {
  const count = 200_000;
  const counts = Array.from({ length: SEGMENT_COUNT }, () => 0);
  for (let index = 0; index < count; index += 1) {
    const segment = segmentOf(keyNumber(index));
    counts[segment] = (counts[segment] ?? 0) + 1;
  }
  const mean = count / SEGMENT_COUNT;
  // Chi-squared with 1,023 degrees of freedom: mean 1,023, standard deviation 45.
  const chiSquared = counts.reduce((sum, found) => sum + (found - mean) ** 2 / mean, 0);
  t.ok(chiSquared > 1023 - 5 * 45 && chiSquared < 1023 + 5 * 45, `chi squared ${chiSquared}`);
  t.end();
});

t.test('a hundred thousand entries have a hundred thousand hashes', (t) => {
  const seen = new Set<string>();
  for (let index = 0; index < 50_000; index += 1) {
    for (const version of [1, 2]) {
      seen.add(entryHash(keyNumber(index), causalHash(version)).toString('latin1'));
    }
  }
  t.equal(seen.size, 100_000);
  t.end();
});

t.test('hashes are part of the protocol: they never change', (t) => {
  const key = {
    type: 'default' as ByteString,
    bucket: 'b\x00\xff' as ByteString,
    key: 'k' as ByteString,
  };
  const moved = { ...key, bucket: 'b\x00' as ByteString, key: '\xffk' as ByteString };
  t.equal(segmentOf(key), 665);
  t.equal(entryHash(key, causalHash(1)).toString('hex'), '7940919bd0ec1f48');
  t.equal(entryHash(moved, causalHash(1)).toString('hex'), '3b04ec292a364ef7');
  t.end();
});
