/** What is read of a tree's copies are those whose bucket has its n_val now. */

import t from 'tap';
import { keyToString, type ObjectKey } from '../../src/base/names.ts';
import { CountedCopies } from '../../src/replica/counted-copies.ts';
import { DamagedCopies } from '../../src/replica/damaged-copies.ts';
import { HashTrees, SEGMENT_COUNT, segmentOf } from '../../src/storage/hash-tree.ts';
import { content, objectKey, openWorld, partitionFor, write } from './replica-world.ts';

const NAMES = Array.from({ length: 40 }, (_, index) => `key ${index}`);
const [ONE] = NAMES.map((name) => objectKey(name)) as [ObjectKey];
const PARTITION = partitionFor(ONE);
const WIDE = 'wide';
/** Those of the partition, half of them in a bucket that gets another n_val. */
const KEYS = ['patients', WIDE]
  .flatMap((bucket) => NAMES.map((name) => objectKey(name, bucket)))
  .filter((key) => partitionFor(key) === PARTITION);

/** A store in which all were counted by an n_val of 3, and a look at it by which some have 5. */
async function openCounted() {
  const { host, store, replica } = await openWorld();
  for (const key of KEYS) await write(replica, key, { content: content('v') });
  const damaged = new DamagedCopies(host, () => {});
  const counted = new CountedCopies(host, {
    store,
    trees: new HashTrees(store),
    damaged,
    slots: () => [],
    nValOf: ({ bucket }) => (bucket === WIDE ? 5 : 3),
  });
  return { damaged, counted };
}

async function keysOf(
  batches: AsyncIterable<readonly { readonly key: ObjectKey }[]>,
): Promise<string[]> {
  const keys: string[] = [];
  for await (const batch of batches) for (const { key } of batch) keys.push(keyToString(key));
  return keys.sort();
}

function namesIn(isWide: boolean): string[] {
  const found = KEYS.filter(({ bucket }) => (bucket === WIDE) === isWide);
  return found.map(keyToString).sort();
}

t.test('records, heads and hashes are of the copies with that n_val', async (t) => {
  const { counted } = await openCounted();
  const segments = KEYS.map(segmentOf);
  for (const [nVal, isWide] of [
    [3, false],
    [5, true],
  ] as const) {
    const expected = namesIn(isWide);
    t.ok(expected.length > 0);
    t.same(await keysOf(counted.records(PARTITION, nVal, undefined)), expected);
    t.same(await keysOf(counted.heads(PARTITION, nVal, segments)), expected);
    t.same(await keysOf(counted.hashes(PARTITION, nVal, segments)), expected);
  }
});

t.test('a copy that is known to be damaged has no hash to show', async (t) => {
  const { counted, damaged } = await openCounted();
  damaged.note(keyToString(ONE));
  const expected = namesIn(false).filter((id) => id !== keyToString(ONE));
  t.same(await keysOf(counted.hashes(PARTITION, 3, KEYS.map(segmentOf))), expected);
});

t.test('a tree counts by the n_val of before until it is recounted', async (t) => {
  const { counted } = await openCounted();
  t.equal(await counted.holdsAny(PARTITION, 3), true);
  t.equal(await counted.holdsAny(PARTITION, 5), false);
  const all = Array.from({ length: SEGMENT_COUNT }, (_, segment) => segment);
  const options = { segments: all, keepPace: async () => true };
  const before = await counted.tree(PARTITION, 3);
  const moved = new Set(KEYS.filter(({ bucket }) => bucket === WIDE).map(segmentOf)).size;
  t.equal(await counted.recountTree(PARTITION, 3, options), moved);
  t.equal(await counted.recountTree(PARTITION, 5, options), moved);
  t.notSame(await counted.tree(PARTITION, 3), before);
  t.equal(await counted.holdsAny(PARTITION, 5), true);
});
