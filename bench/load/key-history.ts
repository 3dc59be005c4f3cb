/**
 * What one key may hold, judged by the writes that were tried on it.
 *
 * Of each key only the writes count that no acknowledged write has superseded. Where siblings are kept
 * a write supersedes what its writer had read, and each of the others must be found; where one value
 * is kept a write supersedes all that had ended before it began, and what is found must be one of the
 * others. A delete without a context takes what it finds: of a write beside it nobody can say whether
 * that was there yet, so it may be found or not. A write without an answer may have been carried out or
 * not: it may be found, and what it would supersede may be gone.
 */

export interface Write {
  readonly stamp: number;
  readonly startMs: number;
  /** When the answer came; Infinity while there is none. */
  readonly endMs: number;
  /** And must be found. */
  readonly isAcknowledged: boolean;
  /** A delete leaves nothing to find. */
  readonly isDelete: boolean;
  /** Stamps that its writer had read; undefined: it went out without a context. */
  readonly basis: readonly number[] | undefined;
}

export interface Judgement {
  /** Acknowledged writes that are gone. */
  readonly lost: number;
  /** Acknowledged writes that a write without an answer may have superseded. */
  readonly unknown: number;
  /** Values that had been superseded or deleted and are there again. */
  readonly returned: number;
}

const SOUND: Judgement = { lost: 0, unknown: 0, returned: 0 };

/** Whether `later` leaves nothing of `earlier`, if it was carried out. */
export function supersedes(later: Write, earlier: Write, keepsSiblings: boolean): boolean {
  const hadEnded = later.startMs >= earlier.endMs;
  // A write after a delete makes the key anew; a delete without a context takes all it finds.
  if (earlier.isDelete) return hadEnded;
  if (!keepsSiblings || (later.isDelete && later.basis === undefined)) return hadEnded;
  return later.basis?.includes(earlier.stamp) === true;
}

/** What remains when `write` has been acknowledged; it is the last of the list. */
export function withAcknowledged(
  remaining: readonly Write[],
  write: Write,
  keepsSiblings: boolean,
): Write[] {
  let kept = [...remaining];
  // What a superseded write without an answer had superseded is gone as well: someone has read it.
  const pending: Write[] = [write];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const by = next;
    const gone = kept.filter((one) => supersedes(by, one, keepsSiblings));
    if (gone.length === 0) continue;
    kept = kept.filter((one) => !gone.includes(one));
    if (keepsSiblings) pending.push(...gone.filter((one) => !one.isAcknowledged));
  }
  if (!keepsSiblings) return [...kept, write];
  if (takesAll(write)) return [...kept.map(asUncertain), write];
  const isBesideDelete = kept.some((one) => one.isAcknowledged && takesAll(one));
  return [...kept, isBesideDelete ? asUncertain(write) : write];
}

function takesAll({ isDelete, basis }: Write): boolean {
  return isDelete && basis === undefined;
}

function asUncertain(write: Write): Write {
  return write.isDelete ? write : { ...write, isAcknowledged: false };
}

/** Compares what remains of the writes with the stamps that were found. */
export function judge(
  remaining: readonly Write[],
  found: readonly number[],
  keepsSiblings: boolean,
): Judgement {
  const known = new Set(remaining.map(({ stamp }) => stamp));
  const returned = found.filter((stamp) => !known.has(stamp)).length;
  const acknowledged = remaining.filter(({ isAcknowledged }) => isAcknowledged);
  if (acknowledged.length === 0) return SOUND;
  if (!keepsSiblings) return judgeOneValue(remaining, found);
  const open = remaining.filter(({ isAcknowledged }) => !isAcknowledged);
  let lost = 0;
  let unknown = 0;
  for (const write of acknowledged) {
    if (write.isDelete || found.includes(write.stamp)) continue;
    // A delete that is under way still may take what came after its start.
    const isExplained = open.some((one) => takesAll(one) || supersedes(one, write, true));
    if (isExplained) unknown += 1;
    else lost += 1;
  }
  return { lost, unknown, returned };
}

function judgeOneValue(remaining: readonly Write[], found: readonly number[]): Judgement {
  const value = remaining.find(({ stamp, isDelete }) => !isDelete && found.includes(stamp));
  if (value !== undefined) return SOUND;
  const wasDeleted = remaining.some(({ isDelete }) => isDelete);
  if (found.length === 0) return wasDeleted ? SOUND : { lost: 1, unknown: 0, returned: 0 };
  // An older value is in the place of the newest.
  const onlyDeletes = remaining.every(({ isDelete }) => isDelete);
  return onlyDeletes
    ? { lost: 0, unknown: 0, returned: found.length }
    : { lost: 1, unknown: 0, returned: 0 };
}
