/**
 * Objects that a cluster can really come to hold, and what they must show, told twice.
 *
 * Random writes (with no, stale, present and future contexts), merges of any state ever seen, and
 * lost copies are played on the code under test and on a model that knows nothing of clocks: it
 * keeps, for each write, the set of writes it superseded. (The model speaks for buckets with dotted
 * version vectors and for buckets of one value; plain version vectors keep more than they must.)
 */

import fc from 'fast-check';
import { bytesToByteString } from '../../src/base/bytes.ts';
import { actorPrefix, nextDot } from '../../src/clock/actor.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR, dotToString } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import {
  CREATED_TYPE_PROPERTIES,
  DEFAULT_TYPE_PROPERTIES,
} from '../../src/object/bucket-properties.ts';
import type { BucketProperties } from '../../src/object/bucket-properties.ts';
import { applyWrite, mergeObjects } from '../../src/object/reconcile.ts';
import type { Metadata, StoredObject } from '../../src/object/stored-object.ts';

export const REPLICA_COUNT = 3;

export const PROPERTIES = {
  dotted: CREATED_TYPE_PROPERTIES,
  plain: { ...CREATED_TYPE_PROPERTIES, dvv_enabled: false },
  single: DEFAULT_TYPE_PROPERTIES,
} satisfies Record<string, BucketProperties>;

export type Mode = keyof typeof PROPERTIES;

export type Step =
  | { readonly kind: 'write'; readonly replica: number; readonly seen: number; readonly mode: Mode }
  | { readonly kind: 'merge'; readonly replica: number; readonly from: number }
  | { readonly kind: 'forget'; readonly replica: number };

/** One state a replica was in, with the model's view of it. */
export interface State {
  readonly object: StoredObject | undefined;
  /** Writes it has seen, by `dotToString`. */
  readonly history: ReadonlySet<string>;
}

export interface Played {
  /** The present state of each replica. */
  readonly replicas: readonly State[];
  /** Every state any replica was ever in, the empty one first. */
  readonly states: readonly State[];
  /** The siblings that the model expects of a state; not for histories with `plain` writes. */
  readonly expected: (state: State) => string[];
}

const replica = fc.nat({ max: REPLICA_COUNT - 1 });
const anyState = fc.nat({ max: 1000 });

/** Lost copies happen only if `forgets`. */
export function histories(options: {
  readonly modes: readonly Mode[];
  readonly forgets: boolean;
}): fc.Arbitrary<Step[]> {
  const mode = fc.constantFrom(...options.modes);
  const steps: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('write' as const), replica, seen: anyState, mode }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('merge' as const), replica, from: anyState }),
    },
  ];
  if (options.forgets) {
    steps.push({
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('forget' as const), replica }),
    });
  }
  return fc.array(fc.oneof(...steps), { maxLength: 25 });
}

/** Everything that can happen. */
export const anyHistory = histories({ modes: ['dotted', 'plain', 'single'], forgets: true });

/** `continuity: 'assumed'` plays a node that does not notice that its copy was lost in between. */
export function play(
  steps: readonly Step[],
  options: { readonly continuity?: 'known' | 'assumed' } = {},
): Played {
  const empty: State = { object: undefined, history: new Set() };
  const replicas = Array.from({ length: REPLICA_COUNT }, () => ({ state: empty, isOwn: true }));
  const prefixes = replicas.map((_, index) =>
    actorPrefix(bytesToByteString(Buffer.alloc(8, index + 1)) as string as NodeIdentity, 1),
  );
  const states: State[] = [empty];
  const supersededBy = new Map<string, ReadonlySet<string>>();
  let keyEpoch = 0;
  let writeCount = 0;

  const write = (step: Step & { kind: 'write' }): void => {
    const target = replicas[step.replica]!;
    const { object, history } = target.state;
    const seen = states[step.seen % states.length]!;
    const context: VersionVector = seen.object?.context ?? EMPTY_VERSION_VECTOR;
    const dot = nextDot({
      prefix: prefixes[step.replica]!,
      local: object?.context,
      isContinuous: target.isOwn || options.continuity === 'assumed',
      client: context,
      freshKeyEpoch: () => (keyEpoch += 1),
    });
    writeCount += 1;
    const id = dotToString(dot);
    supersededBy.set(
      id,
      step.mode === 'single' ? new Set([...seen.history, ...history]) : seen.history,
    );
    target.isOwn = true;
    target.state = {
      object: applyWrite(object, {
        context,
        dot,
        properties: PROPERTIES[step.mode],
        // Clocks that stand still: only the rule for stamps tells old from new.
        nowMicros: 1_000,
        vtag: id,
        content: { metadata: {}, value: Buffer.from(id), isTombstone: writeCount % 3 === 0 },
      }),
      history: new Set([...history, ...seen.history, id]),
    };
  };

  const expected = (state: State): string[] => {
    const gone = new Set<string>();
    for (const id of state.history) for (const old of supersededBy.get(id) ?? []) gone.add(old);
    return [...state.history].filter((id) => !gone.has(id)).sort();
  };

  for (const step of steps) {
    const target = replicas[step.replica]!;
    if (step.kind === 'write') write(step);
    if (step.kind === 'merge') {
      const source = states[step.from % states.length]!;
      target.state = {
        object: mergeOptional(target.state.object, source.object),
        history: new Set([...target.state.history, ...source.history]),
      };
    }
    if (step.kind === 'forget') {
      target.state = empty;
      target.isOwn = false;
    }
    states.push(target.state);
  }
  return { replicas: replicas.map(({ state }) => state), states, expected };
}

export function siblingIds(object: StoredObject | undefined): string[] {
  return (object?.siblings ?? []).map((sibling) => dotToString(sibling.dot)).sort();
}

function mergeOptional(
  left: StoredObject | undefined,
  right: StoredObject | undefined,
): StoredObject | undefined {
  if (left === undefined) return right;
  return right === undefined ? left : mergeObjects(left, right);
}

/** A byte string of any bytes. */
export const byteStrings = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => bytesToByteString(bytes));

/** Metadata with any fields, absent ones absent. */
export const metadatas: fc.Arbitrary<Metadata> = fc.record(
  {
    contentType: byteStrings(20),
    charset: byteStrings(8),
    contentEncoding: byteStrings(8),
    links: fc.array(
      fc.record({
        bucket: fc.option(byteStrings(8), { nil: undefined }),
        key: fc.option(byteStrings(8), { nil: undefined }),
        tag: fc.option(byteStrings(8), { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
    userMetadata: fc.array(fc.tuple(byteStrings(12), byteStrings(12)), { maxLength: 3 }),
    indexes: fc.array(fc.record({ field: byteStrings(8), term: byteStrings(8) }), { maxLength: 4 }),
  },
  { requiredKeys: [] },
);

/** Reachable objects with arbitrary metadata and values. */
export const objects: fc.Arbitrary<StoredObject> = fc
  .tuple(
    anyHistory,
    fc.array(fc.tuple(metadatas, fc.uint8Array({ maxLength: 40 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([steps, contents]) => {
    const written: Step = { kind: 'write', replica: 0, seen: 0, mode: 'dotted' };
    const object = play([...steps, written]).states.at(-1)?.object as StoredObject;
    const siblings = object.siblings.map((sibling, index) => {
      const [metadata, value] = contents[index % contents.length]!;
      return { ...sibling, metadata, value: Buffer.from(value), valueSizeBytes: value.length };
    });
    return { context: object.context, siblings };
  });
