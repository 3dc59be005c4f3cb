/**
 * The judges: one for each promise, independent of the code they judge.
 *
 * They look at what clients were told and at what lies on the disks when faults have ended, hints
 * have drained and anti-entropy has passed. Each returns its findings in words; none means kept.
 */

import { covers, type VersionVector } from '../../src/clock/version-vector.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { History, WriteRecord } from './history.ts';

/** A key's copies at the end, by node; only primaries of the key. */
export type CopiesByNode = ReadonlyMap<string, StoredObject | undefined>;

/**
 * Invariant 1: each acknowledged write is a sibling, or superseded by a write that had seen it.
 * Where one value is kept (`keepsOne`) a write may also have lost to one that was not over before it
 * began: with clocks in step, the newer stamp wins.
 */
export function judgeNothingLost(
  history: History,
  key: ObjectKey,
  end: {
    readonly object: StoredObject | undefined;
    readonly keepsOne: boolean;
    /** Records were damaged or lost: a write that one node alone had to hold may be gone. */
    readonly hadDamage: boolean;
    /** No write had to be held by more than one node all the time. */
    readonly isSingle: boolean;
  },
): string[] {
  const writes = history.ofKey(key);
  const surviving = new Set(
    (end.object?.siblings ?? []).map(({ value }) => value.toString('latin1')),
  );
  const lost: string[] = [];
  for (const write of writes) {
    if (write.ackedMs === undefined || write.isDelete || surviving.has(write.token)) continue;
    if (end.hadDamage && (end.isSingle || write.needed === 1)) continue;
    const isSuperseded = writes.some((other) => other !== write && hadSeen(other, write));
    const isOutdone =
      end.keepsOne && writes.some((other) => other !== write && mayBeNewer(other, write));
    if (!isSuperseded && !isOutdone) lost.push(`${write.token} was acknowledged and is lost`);
  }
  return lost;
}

/**
 * Invariant 1, the other half: what an acknowledged write had seen does not come back. Where a disk was
 * set back in secret (`wasSetBack`), what was deleted may: it can be older than a tombstone that all had
 * confirmed and reaped, and nobody remembers those for ever.
 */
export function judgeSupersededStaysGone(
  history: History,
  key: ObjectKey,
  end: {
    readonly object: StoredObject | undefined;
    readonly hadDamage: boolean;
    readonly wasSetBack: boolean;
    readonly isSingle: boolean;
  },
): string[] {
  const writes = history.ofKey(key);
  const deletes = end.wasSetBack ? writes.filter(({ isDelete }) => isDelete) : [];
  const risen: string[] = [];
  for (const sibling of end.object?.siblings ?? []) {
    if (sibling.isTombstone) continue;
    if (deletes.some(({ context }) => context && covers(context, sibling.dot))) continue;
    const killer = writes.find(
      ({ ackedMs, context, dot, needed }) =>
        ackedMs !== undefined &&
        !(end.hadDamage && (end.isSingle || needed === 1)) &&
        dot !== sibling.dot &&
        context !== undefined &&
        covers(context, sibling.dot),
    );
    if (killer !== undefined) {
      const token = sibling.value.toString('latin1');
      risen.push(`${token} is back though ${killer.token || 'a delete'} had seen it`);
    }
  }
  return risen;
}

/**
 * Invariant 2, asked at the moment of the acknowledgement: as many disks as were counted hold the
 * write or something that has seen it.
 */
export function judgeDurable(write: WriteRecord, copies: CopiesByNode): string | undefined {
  const { dot, needed } = write;
  if (dot === undefined) return `${write.token} was acknowledged and is on no disk`;
  let count = 0;
  for (const copy of copies.values()) {
    if (copy !== undefined && covers(copy.context, dot)) count += 1;
  }
  return count >= needed
    ? undefined
    : `${write.token} was acknowledged with ${count} of ${needed} durable copies`;
}

/**
 * Without faults, and whatever ring a node reads in: a majority of the replicas that it would ask hold
 * the write that was acknowledged.
 */
export function judgeMeetable(
  write: WriteRecord,
  copies: CopiesByNode,
  list: readonly string[],
): string | undefined {
  const { dot } = write;
  if (dot === undefined) return undefined;
  const holding = list.filter((node) => {
    const copy = copies.get(node);
    return copy !== undefined && covers(copy.context, dot);
  });
  return 2 * holding.length > list.length
    ? undefined
    : `${write.token} was acknowledged and ${holding.length} of ${list.join()} hold it`;
}

/** Invariant 4: all replicas of a key are equal; `hash` must tell different objects apart. */
export function judgeConverged(
  copies: CopiesByNode,
  hash: (object: StoredObject) => string,
): string | undefined {
  const states = new Map<string, string[]>();
  for (const [node, copy] of copies) {
    // A tombstone that was reaped on one node and not yet on another is no difference to anyone.
    const isGone = copy === undefined || copy.siblings.every(({ isTombstone }) => isTombstone);
    const state = isGone ? 'gone' : hash(copy);
    states.set(state, [...(states.get(state) ?? []), node]);
  }
  if (states.size <= 1) return undefined;
  const groups = [...states.values()].map((nodes) => nodes.join('+'));
  return `replicas differ: ${groups.join(' | ')}`;
}

/** What a client was shown by a majority of the primaries. */
export interface StrictRead {
  readonly key: ObjectKey;
  readonly startedMs: number;
  /** Undefined: it found nothing, not even a tombstone. */
  readonly context: VersionVector | undefined;
}

/**
 * `pw` and `pr` of a majority meet: a read has seen every such write that was acknowledged before it
 * began. A delete takes with it what it had seen, or in the place of one value all that was there.
 */
export function judgeStrictRead(
  writes: readonly WriteRecord[],
  read: StrictRead,
  keepsOne: boolean,
): string | undefined {
  const isGone = (write: WriteRecord): boolean =>
    writes.some(
      (other) =>
        other.isDelete && (hadSeen(other, write) || (keepsOne && mayBeNewer(other, write))),
    );
  const missed = writes.find((write) => {
    const { isStrict, ackedMs, dot } = write;
    if (!isStrict || dot === undefined || ackedMs === undefined || ackedMs >= read.startedMs) {
      return false;
    }
    return !(read.context && covers(read.context, dot)) && !isGone(write);
  });
  return missed && `${missed.token} was acknowledged by a majority and a later read missed it`;
}

function hadSeen(other: WriteRecord, write: WriteRecord): boolean {
  return write.dot !== undefined && other.context !== undefined && covers(other.context, write.dot);
}

/**
 * Whether a write may have been superseded before it reached a disk: where one value is kept, of two
 * writes of a key in one commit only the later one is stored.
 */
export function mayShareCommit(write: WriteRecord, others: readonly WriteRecord[]): boolean {
  const { startedMs, ackedMs = Infinity } = write;
  return others.some(
    (other) =>
      other !== write &&
      // A delete has no token by which its dot could be found.
      (other.isDelete || other.dot !== undefined) &&
      other.startedMs <= ackedMs &&
      (other.ackedMs ?? Infinity) >= startedMs,
  );
}

/** Whether `other` can carry the newer stamp: it was not acknowledged before `write` began. */
function mayBeNewer(other: WriteRecord, write: WriteRecord): boolean {
  return other.ackedMs === undefined || other.ackedMs >= write.startedMs;
}

/** What copies are together. */
export function mergedCopy(copies: Iterable<StoredObject | undefined>): StoredObject | undefined {
  let merged: StoredObject | undefined;
  for (const copy of copies) {
    if (copy === undefined) continue;
    merged = merged === undefined ? copy : mergeObjects(merged, copy);
  }
  return merged;
}
