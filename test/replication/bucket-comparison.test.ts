/** Comparing a bucket: what is asked for, however much of it there is. */

import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { sleep } from '../../src/base/host.ts';
import { LAST_KEY, type NodeId, type ObjectKey } from '../../src/base/names.ts';
import { encodeContext } from '../../src/clock/context.ts';
import type { Actor, VersionVector } from '../../src/clock/version-vector.ts';
import type { FoldOutcome, FoldRequest } from '../../src/node/fold-requests.ts';
import type { FoldRange } from '../../src/node/node-service.ts';
import { digestOfKey, isInFilter, leafHash, TictacTree } from '../../src/object/tictac-tree.ts';
import { Halt } from '../../src/repair/halt.ts';
import { between, BucketComparison } from '../../src/replication/bucket-comparison.ts';
import { TOO_MANY, type KeyContext, type RemoteTree } from '../../src/replication/remote-folds.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const silent = (): void => {};
const HOST = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  { count: silent, gauge: silent, observe: silent },
);
// Where a comparison gives way to others, nothing else keeps this process from ending.
const alive = setInterval(silent, 1_000);
t.teardown(() => clearInterval(alive));
const BUCKET = { type: 'siblings' as ByteString, bucket: 'b' as ByteString };
const unasked = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));
const ACTOR = 'a'.repeat(18) as Actor;
const OTHER = 'b'.repeat(18) as Actor;

interface Copy {
  readonly context: VersionVector;
  readonly isDeleted: boolean;
}

/** What a cluster holds, and how many keys one fold of it may find. */
class Held {
  readonly #copies = new Map<ByteString, Copy>();
  readonly #foundMax: number;
  folds = 0;

  constructor(copies: Iterable<readonly [string, Copy]>, foundMax: number) {
    for (const [key, copy] of copies) this.#copies.set(key as ByteString, copy);
    this.#foundMax = foundMax;
  }

  tree(): TictacTree {
    const tree = new TictacTree('xsmall');
    for (const [key, { context }] of this.#copies) {
      const digest = digestOfKey(keyOf(key));
      const bytes = encodeContext(context);
      tree.add(digest.segment, leafHash(digest, bytes.readUInt32BE(bytes.length - 4)));
    }
    return tree;
  }

  found({ keys, segments }: FoldRange, isDeletedOnly = false): KeyContext[] | typeof TOO_MANY {
    this.folds += 1;
    const found = [...this.#copies]
      .filter(([key]) => keys === undefined || (key >= keys.from && key <= keys.to))
      .filter(([key]) => segments === undefined || isInFilter(segments, digestOfKey(keyOf(key))))
      .filter(([, { isDeleted }]) => isDeleted || !isDeletedOnly)
      .map(([key, { context }]) => ({ key, context: encodeContext(context) }));
    return found.length > this.#foundMax ? TOO_MANY : found;
  }

  lastOfNext(from: ByteString, count: number): ByteString | undefined {
    return [...this.#copies]
      .filter(([key, { isDeleted }]) => key >= from && !isDeleted)
      .map(([key]) => key)
      .sort()[count - 1];
  }
}

function keyOf(key: ByteString): ObjectKey {
  return { ...BUCKET, key };
}

function comparison(there: Held, here: Held, rangeKeys: number): BucketComparison {
  const node = {
    id: 'n1' as NodeId,
    liveMembers: () => [],
    isMember: () => true,
    absorb: () => Promise.reject(new Fault('closed', 'nothing is taken here')),
    fold: async (request: FoldRequest): Promise<FoldOutcome> => {
      if (request.kind === 'tree') return { kind: 'tree', tree: here.tree() };
      if (request.kind !== 'contexts') throw new Fault('malformed', request.kind);
      const found = here.found(request.range);
      if (found === TOO_MANY) return { kind: 'too-many', heldMaxBytes: 1 };
      return { kind: 'contexts', contexts: found.map((each) => ({ ...BUCKET, ...each })) };
    },
  };
  const remote = {
    tree: async (): Promise<RemoteTree> => {
      const tree = there.tree();
      const branches = tree.branchNumbers().map((number) => {
        return [number, deflateSync(tree.branch(number))] as const;
      });
      return { root: tree.root(), packedBranches: new Map(branches) };
    },
    contexts: async (range: FoldRange) => there.found(range),
    tombstones: async (range: FoldRange) => there.found(range, true),
    lastOfNext: async (_: unknown, from: ByteString, count: number) =>
      there.lastOfNext(from, count),
  };
  return new BucketComparison({ host: HOST, node, remote, halt: new Halt() }, BUCKET, rangeKeys);
}

async function differing(there: Held, here: Held, rangeKeys = 100): Promise<string[]> {
  const all: string[] = [];
  for await (const keys of comparison(there, here, rangeKeys).differing()) all.push(...keys);
  return all;
}

const copyArbitrary: fc.Arbitrary<Copy> = fc
  .record({ own: fc.integer({ min: 0, max: 3 }), other: fc.integer({ min: 0, max: 3 }) })
  .filter(({ own, other }) => own + other > 0)
  .chain(({ own, other }) => {
    const entries = [[ACTOR, own] as const, [OTHER, other] as const];
    const context = new Map(entries.filter(([, counter]) => counter > 0));
    return fc.record({ context: fc.constant(context), isDeleted: fc.boolean() });
  });
const clusterArbitrary = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', '\0', 'ÿ') }),
  copyArbitrary,
  { maxKeys: 30 },
);

t.test(
  'what the source has more of is asked for, once, however little a fold may find',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(
        clusterArbitrary,
        clusterArbitrary,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 10 }),
        async (there, here, foundMax, rangeKeys) => {
          const wanted = Object.keys(there).filter((key) => {
            const { context, isDeleted } = there[key] as Copy;
            const ours = here[key];
            if (ours === undefined) return !isDeleted;
            return [...context].some(
              ([actor, counter]) => (ours.context.get(actor) ?? 0) < counter,
            );
          });
          const found = await differing(
            new Held(Object.entries(there), foundMax),
            new Held(Object.entries(here), foundMax),
            rangeKeys,
          );
          if (found.sort().join() !== wanted.sort().join()) {
            throw new Error(`asked for ${found.join()}, not for ${wanted.join()}`);
          }
        },
      ),
      { numRuns: 300 },
    );
    t.pass('as the contexts say');
  },
);

t.test('where nothing differs the trees are all that is compared', async (t) => {
  const copies = Array.from({ length: 500 }, (_, index) => {
    return [`k${index}`, { context: new Map([[ACTOR, 1]]), isDeleted: false }] as const;
  });
  const [there, here] = [new Held(copies, 1_000), new Held(copies, 1_000)];
  t.same(await differing(there, here), []);
  t.equal(there.folds + here.folds, 0);
});

t.test('a range is halved at a name within it, and soon parts two that are much alike', (t) => {
  const name = (text: string): ByteString => text as ByteString;
  t.equal(between(name('b'), name('a')), undefined);
  t.equal(between(name('a'), name('a')), undefined);
  fc.assert(
    fc.property(
      fc.string({ maxLength: 12, unit: 'binary-ascii' }),
      fc.string({ maxLength: 12, unit: 'binary-ascii' }),
      (left, right) => {
        const [from, to] = [left, right].sort() as [ByteString, ByteString];
        const middle = between(from, to);
        return from === to
          ? middle === undefined
          : middle !== undefined && middle >= from && middle < to;
      },
    ),
  );
  const [left, right] = [name('patient-0000000042'), name('patient-0000000043')];
  let [from, to] = [name(''), LAST_KEY];
  let steps = 0;
  // As long as both are in one half.
  for (; from <= left && right <= to; steps += 1) {
    const middle = between(from, to) ?? to;
    if (left <= middle) to = middle;
    else from = `${middle}\0` as ByteString;
  }
  t.ok(steps < 200, `${steps} steps`);
  t.end();
});

t.test(
  'a fold that has taken long is tried again too, when the node it ran on is gone',
  async (t) => {
    const host = new VirtualHost();
    const tree = new TictacTree('xsmall');
    let asked = 0;
    let failuresLeft = 1;
    const remote = {
      tree: async (): Promise<RemoteTree> => {
        asked += 1;
        if (failuresLeft <= 0) return { root: tree.root(), packedBranches: new Map() };
        failuresLeft -= 1;
        await sleep(host.clock, 1_800_000);
        throw new Fault('peer-closed', 'the connection was lost');
      },
      contexts: unasked,
      tombstones: unasked,
      lastOfNext: unasked,
    };
    const node = {
      id: 'n1' as NodeId,
      liveMembers: () => [],
      isMember: () => true,
      absorb: unasked,
      fold: async (): Promise<FoldOutcome> => ({ kind: 'tree', tree }),
    };
    const compare = async (): Promise<string> => {
      const comparison = new BucketComparison({ host, node, remote, halt: new Halt() }, BUCKET);
      try {
        for await (const keys of comparison.differing()) t.same(keys, []);
        return 'compared';
      } catch (error) {
        return String(error);
      }
    };
    const once = compare();
    await host.advance(3_600_000);
    t.equal(await once, 'compared');
    t.equal(asked, 2);
    failuresLeft = Infinity;
    const always = compare();
    await host.advance(36_000_000);
    t.match(await always, /the connection was lost/, 'not for ever');
  },
);
