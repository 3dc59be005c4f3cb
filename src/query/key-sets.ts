/**
 * Sets of keys, and their combination by an aggregation expression.
 *
 * Ranges are read one after the other, and of each only what can still matter is kept: a set that is
 * intersected with an earlier one keeps none but its keys, and a range is not read at all where nothing
 * of it could count. A range that an expression names twice is read once.
 */

import { assert } from '../base/fault.ts';
import { tagsOf } from './combination.ts';
import { keyCostBytes } from './held-cost.ts';
import { scanMatches } from './match-scan.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Combination } from './combination.ts';
import type { MatchScan, TimedPorts } from './match-scan.ts';
import type { HoldRefusal, QueryHold } from './query-holds.ts';
import type { QueryRange } from './query-request.ts';

export class KeySet implements Iterable<ByteString> {
  readonly #hold: QueryHold;
  readonly #keys = new Set<ByteString>();
  #costBytes = 0;

  constructor(hold: QueryHold) {
    this.#hold = hold;
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: ByteString): boolean {
    return this.#keys.has(key);
  }

  add(key: ByteString): HoldRefusal | undefined {
    if (this.#keys.has(key)) return undefined;
    const costBytes = keyCostBytes(key);
    const refusal = this.#hold.take(costBytes);
    if (refusal !== undefined) return refusal;
    this.#costBytes += costBytes;
    this.#keys.add(key);
    return undefined;
  }

  delete(key: ByteString): undefined {
    if (!this.#keys.delete(key)) return;
    this.#costBytes -= keyCostBytes(key);
    this.#hold.giveBack(keyCostBytes(key));
  }

  /** It is not used any more. */
  forget(): void {
    this.#hold.giveBack(this.#costBytes);
    this.#costBytes = 0;
    this.#keys.clear();
  }

  [Symbol.iterator](): IterableIterator<ByteString> {
    return this.#keys.values();
  }
}

/** The keys that match, those of them that are in `within` if that is given. */
export async function collectKeys(
  scan: MatchScan,
  ports: TimedPorts,
  within?: KeySet,
): Promise<KeySet | HoldRefusal> {
  const keys = new KeySet(ports.hold);
  const matching = scanMatches(scan, ports, (_term, key) => {
    return within === undefined || within.has(key) ? key : undefined;
  });
  for await (const batch of matching) {
    for (const key of batch) {
      const refusal = keys.add(key);
      if (refusal !== undefined) return refusal;
    }
  }
  return keys;
}

export interface CombinedSource {
  readonly combination: Combination;
  readonly rangeByTag: ReadonlyMap<number, QueryRange>;
}

export async function combineKeys(
  { combination, rangeByTag }: CombinedSource,
  ports: TimedPorts,
): Promise<KeySet | HoldRefusal> {
  const sharedByTag = new Map<number, KeySet>();
  for (const tag of tagsOf(combination)) {
    if (occurrenceCount(tag, combination) < 2) continue;
    const keys = await collectKeys({ range: mustRange(tag, rangeByTag) }, ports);
    if (typeof keys === 'string') return keys;
    sharedByTag.set(tag, keys);
  }
  return new Combining(rangeByTag, sharedByTag, ports).keysOf(combination, undefined);
}

function occurrenceCount(tag: number, part: Combination): number {
  if (part.kind === 'range') return part.tag === tag ? 1 : 0;
  return occurrenceCount(tag, part.left) + occurrenceCount(tag, part.right);
}

/** Keys that are worked on between turns for others. */
const KEYS_IN_TURN = 4_096;

class Combining {
  readonly #rangeByTag: ReadonlyMap<number, QueryRange>;
  readonly #sharedByTag: ReadonlyMap<number, KeySet>;
  readonly #ports: TimedPorts;

  constructor(
    rangeByTag: ReadonlyMap<number, QueryRange>,
    sharedByTag: ReadonlyMap<number, KeySet>,
    ports: TimedPorts,
  ) {
    this.#rangeByTag = rangeByTag;
    this.#sharedByTag = sharedByTag;
    this.#ports = ports;
  }

  /** A new set, which is the caller's to change. */
  async keysOf(part: Combination, within: KeySet | undefined): Promise<KeySet | HoldRefusal> {
    if (part.kind === 'range') return this.#keysOfRange(part.tag, within);
    const left = await this.keysOf(part.left, within);
    if (typeof left === 'string') return left;
    if (part.kind !== 'union' && left.size === 0) return left;
    const right = await this.keysOf(part.right, part.kind === 'union' ? within : left);
    if (typeof right === 'string') return right;
    switch (part.kind) {
      case 'union':
        return left.size < right.size ? this.#merge(right, left) : this.#merge(left, right);
      case 'intersect':
        left.forget();
        return right;
      case 'subtract':
        return this.#remove(left, right);
    }
  }

  async #keysOfRange(tag: number, within: KeySet | undefined): Promise<KeySet | HoldRefusal> {
    const shared = this.#sharedByTag.get(tag);
    if (shared === undefined) {
      return collectKeys({ range: mustRange(tag, this.#rangeByTag) }, this.#ports, within);
    }
    const keys = new KeySet(this.#ports.hold);
    return this.#forEach(
      shared,
      (key) => {
        return within === undefined || within.has(key) ? keys.add(key) : undefined;
      },
      keys,
    );
  }

  async #merge(target: KeySet, added: KeySet): Promise<KeySet | HoldRefusal> {
    const merged = await this.#forEach(added, (key) => target.add(key), target);
    added.forget();
    return merged;
  }

  async #remove(target: KeySet, removed: KeySet): Promise<KeySet | HoldRefusal> {
    const rest = await this.#forEach(removed, (key) => target.delete(key), target);
    removed.forget();
    return rest;
  }

  /** `result`, once `act` was done with each key. */
  async #forEach(
    keys: KeySet,
    act: (key: ByteString) => HoldRefusal | undefined,
    result: KeySet,
  ): Promise<KeySet | HoldRefusal> {
    let count = 0;
    for (const key of keys) {
      const refusal = act(key);
      if (refusal !== undefined) return refusal;
      count += 1;
      if (count % KEYS_IN_TURN === 0) await this.#ports.time.pass();
    }
    return result;
  }
}

function mustRange(tag: number, rangeByTag: ReadonlyMap<number, QueryRange>): QueryRange {
  const range = rangeByTag.get(tag);
  assert(range !== undefined, 'a request has a range for each tag of its combination');
  return range;
}
