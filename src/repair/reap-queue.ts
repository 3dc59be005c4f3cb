/**
 * Tombstones that wait for their time, each key once, the next one that is due at hand.
 *
 * Those in one turn all wait equally long, so each turn is a queue of its own and nothing is ever sorted. A
 * key's first turn is the delete mode's; a replica that was written to a moment later than the others costs it
 * another, longer each time, and after the last the sweeps have it.
 */

import { AgedMap } from '../base/aged-map.ts';
import type { ByteString } from '../base/bytes.ts';
import { keyToString } from '../base/names.ts';
import type { ObjectKey } from '../base/names.ts';

/** What a tombstone waits before it is looked at again, in milliseconds. */
const AGAIN_MS: readonly number[] = [50, 200, 800, 3_200];

export interface DueKey {
  readonly key: ObjectKey;
  readonly dueMs: number;
  readonly turn: number;
  readonly turnsMax: number;
}

export class ReapQueue {
  readonly #turns: readonly AgedMap<ByteString, DueKey>[];
  readonly #waitsMs: readonly number[];

  constructor(firstMs: number) {
    this.#waitsMs = [firstMs, ...AGAIN_MS];
    this.#turns = this.#waitsMs.map(() => new AgedMap());
  }

  get size(): number {
    return this.#turns.reduce((size, turn) => size + turn.size, 0);
  }

  has(key: ObjectKey): boolean {
    const id = keyToString(key);
    return this.#turns.some((turn) => turn.has(id));
  }

  /** `isFresh`: it was met just now, and may be ahead of a replica. It gets turns after the first. */
  add(key: ObjectKey, nowMs: number, isFresh: boolean): void {
    this.#set({ key, turn: 0, turnsMax: isFresh ? this.#turns.length : 1 }, nowMs);
  }

  /** Its next turn; false if it has had the last. */
  again({ key, turn, turnsMax }: DueKey, nowMs: number): boolean {
    if (turn + 1 >= turnsMax) return false;
    this.#set({ key, turn: turn + 1, turnsMax }, nowMs);
    return true;
  }

  /** The one that is due first. */
  next(): DueKey | undefined {
    let next: DueKey | undefined;
    for (const turn of this.#turns) {
      const oldest = turn.oldest()?.value;
      if (oldest !== undefined && (next === undefined || oldest.dueMs < next.dueMs)) next = oldest;
    }
    return next;
  }

  delete({ key, turn }: DueKey): void {
    this.#turns[turn]?.delete(keyToString(key));
  }

  clear(): void {
    for (const turn of this.#turns) turn.clear();
  }

  #set(entry: Omit<DueKey, 'dueMs'>, nowMs: number): void {
    const dueMs = nowMs + (this.#waitsMs[entry.turn] ?? 0);
    this.#turns[entry.turn]?.set(keyToString(entry.key), { ...entry, dueMs });
  }
}
