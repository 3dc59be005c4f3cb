/** Fold scans against a plain look at everything that was written. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { encodeContext } from '../../src/clock/context.ts';
import { isTombstone } from '../../src/object/show.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { digestOfKey, leafHash, segmentIn, TREE_SIZES } from '../../src/object/tictac-tree.ts';
import type { FoldPiece, FoldQuestion, FoldRange, FoldScan } from '../../src/peer/folds.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
  openWorld,
  partitionFor,
  record,
  RING_SIZE,
  text,
  TOMBSTONE,
  write,
} from './replica-world.ts';

const ALL = Array.from({ length: RING_SIZE }, (_, partition) => partition as Partition);
const BUCKET = { type: text('default'), bucket: text('patients') };

/** How a key was made, one write after the other. */
type Step = 'sibling' | 'overwrite' | 'delete';

interface Made {
  readonly key: ByteString;
  readonly steps: readonly Step[];
  readonly size: number;
  readonly afterMs: number;
}

const made: fc.Arbitrary<readonly Made[]> = fc.uniqueArray(
  fc.record({
    key: fc.string({ minLength: 1, maxLength: 3 }).map(text),
    steps: fc.array(fc.constantFrom<Step>('sibling', 'overwrite', 'delete'), { maxLength: 4 }),
    size: fc.nat({ max: 1_500 }),
    afterMs: fc.nat({ max: 3_000 }),
  }),
  { selector: ({ key }) => key, maxLength: 25 },
);

const copies = fc.constantFrom('all' as const, 'tombstones' as const, 'live' as const);
const questions: fc.Arbitrary<FoldQuestion> = fc.oneof(
  fc.record({ kind: fc.constant('siblings' as const), above: fc.nat({ max: 3 }) }),
  fc.record({ kind: fc.constant('sizes' as const), above: fc.nat({ max: 2_000 }) }),
  fc.record({ kind: fc.constant('keys' as const), copies }),
  fc.record({ kind: fc.constant('contexts' as const), copies }),
  fc.record({ kind: fc.constant('statistics' as const), copies }),
  fc.record({
    kind: fc.constant('leaves' as const),
    seed: fc.option(fc.nat(), { nil: undefined }),
  }),
);

const START_SECONDS = 1_700_000_000;
const seconds = fc.nat({ max: 60 }).map((each) => START_SECONDS + each);
const key = fc.string({ maxLength: 3 }).map(text);
const ranges: fc.Arbitrary<Omit<FoldRange, 'type' | 'bucket'>> = fc.record({
  keys: fc.option(fc.record({ from: key, to: key }), { nil: undefined }),
  segments: fc.option(
    fc.record({
      size: fc.constantFrom(...TREE_SIZES),
      segments: fc.uniqueArray(fc.nat({ max: 4_095 })).map((ids) => new Set(ids)),
    }),
    { nil: undefined },
  ),
  modified: fc.option(fc.record({ from: seconds, to: seconds }), { nil: undefined }),
});

interface Held {
  readonly key: ObjectKey;
  readonly object: StoredObject;
}

type World = Awaited<ReturnType<typeof openWorld>>;

async function fill(world: World, all: readonly Made[]): Promise<readonly Held[]> {
  const held: Held[] = [];
  for (const { key: name, steps, size, afterMs } of all) {
    await world.host.advance(afterMs);
    const key: ObjectKey = { ...BUCKET, key: name };
    let object = await write(world.replica, key, { content: content('v'.repeat(size)) });
    for (const step of steps) {
      const context = step === 'sibling' ? {} : { context: object.context };
      const next = step === 'delete' ? TOMBSTONE : content(step);
      object = await write(world.replica, key, { content: next, ...context });
    }
    held.push({ key, object });
  }
  // Of other buckets and types nothing is told.
  const elsewhere = { ...BUCKET, bucket: text('patientss'), key: text('k') };
  await write(world.replica, elsewhere, { content: content('v') });
  await write(world.replica, { ...elsewhere, type: text('t') }, { content: content('v') });
  return held;
}

/** What is asked for, by looking at each object. */
function asked(held: readonly Held[], { range, after }: FoldScan): readonly Held[] {
  return held
    .filter(({ key, object }) => {
      const { keys, segments, modified } = range;
      if (keys !== undefined && (key.key < keys.from || key.key > keys.to)) return false;
      if (after !== undefined && key.key <= after) return false;
      const segment = segments && segmentIn(segments.size, digestOfKey(key));
      if (segments && segment !== undefined && !segments.segments.has(segment)) return false;
      if (modified === undefined) return true;
      const last = Math.max(...object.siblings.map((each) => each.lastModifiedMicros));
      const at = Math.floor(last / 1_000_000);
      return at >= modified.from && at <= modified.to;
    })
    .sort((left, right) => (left.key.key < right.key.key ? -1 : 1));
}

type Told = readonly unknown[];

function expected(held: readonly Held[], question: FoldQuestion): Told {
  const among = held.filter(({ object }) => {
    if (!('copies' in question) || question.copies === 'all') return true;
    return isTombstone(object) === (question.copies === 'tombstones');
  });
  const sizes = among.map(({ object }) => record(object).length);
  switch (question.kind) {
    case 'siblings':
      return among
        .map(({ key, object }) => [key.key, object.siblings.length] as const)
        .filter(([, count]) => count > question.above);
    case 'sizes':
      return among
        .map(({ key }, index) => [key.key, sizes[index] ?? 0] as const)
        .filter(([, size]) => size > question.above);
    case 'keys':
      return among.map(({ key }) => [key.key, 0]);
    case 'contexts':
      return among.map(({ key, object }) => [key.key, encodeContext(object.context)]);
    case 'statistics':
      return [
        among.length,
        sizes.reduce((sum, size) => sum + size, 0),
        counted(sizes.map((size) => String(size).length - 1)),
        counted(among.map(({ object }) => object.siblings.length)),
      ];
    case 'leaves':
      return among.map(({ key }) => digestOfKey(key).segment);
  }
}

function counted(classes: readonly number[]): readonly (readonly [number, number])[] {
  const counts = new Map<number, number>();
  for (const each of classes) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].sort(([left], [right]) => left - right);
}

function told(pieces: readonly FoldPiece[], { kind }: FoldQuestion): Told {
  if (kind === 'statistics') {
    const parts = pieces.map((piece) => {
      assert(piece.kind === 'statistics');
      return piece.statistics;
    });
    const classes = (name: 'sizes' | 'siblings'): number[] => {
      return parts.flatMap((part) => {
        return part[name].flatMap(([of, count]) => Array.from({ length: count }, () => of));
      });
    };
    return [
      parts.reduce((sum, { count }) => sum + count, 0),
      parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      counted(classes('sizes')),
      counted(classes('siblings')),
    ];
  }
  return pieces.flatMap((piece): unknown[] => {
    if (piece.kind === 'amounts') return [...piece.amounts];
    if (piece.kind === 'contexts') return [...piece.contexts];
    assert(piece.kind === 'leaves');
    return Array.from({ length: piece.leaves.length / 8 }, (_, index) => {
      return piece.leaves.readUInt32BE(index * 8);
    });
  });
}

async function pieces(
  replica: StoreReplica,
  partitions: readonly Partition[],
  scan: FoldScan,
): Promise<FoldPiece[]> {
  const all: FoldPiece[] = [];
  for await (const piece of replica.fold({ partitions }, scan)) all.push(piece);
  return all;
}

t.test('a fold tells what a plain look at every object tells', async () => {
  await fc.assert(
    fc.asyncProperty(
      made,
      ranges,
      fc.array(questions, { minLength: 1, maxLength: 4 }),
      fc.option(key, { nil: undefined }),
      fc.subarray(ALL, { minLength: 1 }),
      async (all, part, questions, after, partitions) => {
        const world = await openWorld();
        const held = await fill(world, all);
        const here = held.filter(({ key }) => partitions.includes(partitionFor(key)));
        for (const question of questions) {
          const scan: FoldScan = { range: { ...BUCKET, ...part }, question, after };
          const found = await pieces(world.replica, partitions, scan);
          assert.deepStrictEqual(
            told(found, question),
            expected(asked(here, scan), question),
            question.kind,
          );
          const ends = found.map(({ upTo }) => upTo);
          assert.deepStrictEqual(ends, [...new Set(ends)].sort(), 'pieces go up');
        }
      },
    ),
    { numRuns: 60 },
  );
});

t.test('who goes on after a piece misses nothing and hears nothing twice', async (t) => {
  const world = await openWorld();
  const names = Array.from({ length: 3_000 }, (_, index) => text(String(index).padStart(4, '0')));
  await Promise.all(
    names.map((name) => write(world.replica, { ...BUCKET, key: name }, { content: content('v') })),
  );
  const range = { ...BUCKET, keys: undefined, segments: undefined, modified: undefined };
  const question: FoldQuestion = { kind: 'keys', copies: 'all' };
  const whole = await pieces(world.replica, ALL, { range, question, after: undefined });
  t.ok(whole.length > 2, 'in several pieces');
  t.same(
    told(whole, question).map((entry) => (entry as [string])[0]),
    names,
  );
  for (const [index, { upTo }] of whole.entries()) {
    const rest = await pieces(world.replica, ALL, { range, question, after: upTo });
    t.same(told(rest, question), told(whole.slice(index + 1), question));
  }
});

t.test('a piece is bounded however large the contexts are', async (t) => {
  const world = await openWorld();
  const names = Array.from({ length: 40 }, (_, index) => text(`${'k'.repeat(20_000)}${index}`));
  for (const name of names) {
    await write(world.replica, { ...BUCKET, key: name }, { content: content('v') });
  }
  const range = { ...BUCKET, keys: undefined, segments: undefined, modified: undefined };
  const question: FoldQuestion = { kind: 'contexts', copies: 'all' };
  const found = await pieces(world.replica, ALL, { range, question, after: undefined });
  t.equal(told(found, question).length, 40);
  for (const piece of found) t.ok(told([piece], question).length <= 7);
});

t.test('a copy whose head is damaged is left out, and the others are told', async (t) => {
  const world = await openWorld();
  const [sound, torn] = [
    { ...BUCKET, key: text('a') },
    { ...BUCKET, key: text('b') },
  ];
  await write(world.replica, sound, { content: content('v') });
  await write(world.replica, torn, { content: content('v') });
  const entry = encodeObjectKey(partitionFor(torn), torn);
  const stored = (await world.store.get(entry)) as Buffer;
  const head = Buffer.from(stored);
  head[12] = (head[12] ?? 0) ^ 0xff;
  await world.store.write([{ kind: 'put', key: entry, head, body: Buffer.alloc(0) }]);
  const range = { ...BUCKET, keys: undefined, segments: undefined, modified: undefined };
  const question: FoldQuestion = { kind: 'keys', copies: 'all' };
  const found = await pieces(world.replica, ALL, { range, question, after: undefined });
  t.same(told(found, question), [[text('a'), 0]]);
});

t.test('leaves differ with the object, the key and the seed', async (t) => {
  const world = await openWorld();
  const key = { ...BUCKET, key: text('a') };
  const leafOf = async (seed?: number): Promise<number> => {
    const range = { ...BUCKET, keys: undefined, segments: undefined, modified: undefined };
    const question: FoldQuestion = { kind: 'leaves', seed };
    const [piece] = await pieces(world.replica, ALL, { range, question, after: undefined });
    assert(piece?.kind === 'leaves');
    return piece.leaves.readUInt32BE(4);
  };
  const first = await write(world.replica, key, { content: content('v') });
  const leaf = await leafOf();
  t.equal(await leafOf(), leaf);
  t.not(await leafOf(1), leaf);
  t.not(await leafOf(1), await leafOf(2));
  t.not(leafHash(digestOfKey(key), 0), leaf);
  await write(world.replica, key, { content: content('v'), context: first.context });
  t.not(await leafOf(), leaf);
});
