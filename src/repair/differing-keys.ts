/**
 * Differing keys: two ordered streams of keys with causal hashes, side by side, and what only one of
 * them has, or has otherwise.
 */

import type { ObjectKey } from '../base/names.ts';
import type { KeyHash } from '../peer/messages.ts';

/** A key whose copies differ; undefined: that side has none. */
export interface DifferingKey {
  readonly key: ObjectKey;
  readonly local: Buffer | undefined;
  readonly remote: Buffer | undefined;
}

type Batches = AsyncIterator<readonly KeyHash[]>;
type KeyOrder = (left: ObjectKey, right: ObjectKey) => number;

/**
 * In the order that both streams have, each key once, in batches of those found since the one before,
 * which may be empty; both streams are ended when the reader stops.
 */
export async function* differingKeys(
  local: Batches,
  remote: Batches,
  order: KeyOrder,
): AsyncGenerator<readonly DifferingKey[]> {
  const [left, right] = [new Cursor(local), new Cursor(remote)];
  try {
    for (;;) {
      await Promise.all([left.load(), right.load()]);
      if (left.entry === undefined && right.entry === undefined) return;
      yield compareLoaded(left, right, order);
    }
  } finally {
    await Promise.all([local.return?.(), remote.return?.()]);
  }
}

/** As far as both sides are loaded: no entry is waited for. */
function compareLoaded(left: Cursor, right: Cursor, order: KeyOrder): DifferingKey[] {
  const differing: DifferingKey[] = [];
  while (left.isLoaded && right.isLoaded) {
    const [mine, theirs] = [left.entry, right.entry];
    if (mine === undefined && theirs === undefined) break;
    const sign = orderOf(mine, theirs, order);
    if (sign <= 0) left.next();
    if (sign >= 0) right.next();
    if (sign === 0 && mine !== undefined && theirs?.hash.equals(mine.hash) === true) continue;
    const first = sign <= 0 ? mine : theirs;
    if (first === undefined) break;
    const [local, remote] = [
      sign <= 0 ? mine?.hash : undefined,
      sign >= 0 ? theirs?.hash : undefined,
    ];
    differing.push({ key: first.key, local, remote });
  }
  return differing;
}

/** The order of keys in the store: by type, bucket and key, bytewise. */
export function compareKeys(left: ObjectKey, right: ObjectKey): number {
  return (
    compareNames(left.type, right.type) ||
    compareNames(left.bucket, right.bucket) ||
    compareNames(left.key, right.key)
  );
}

class Cursor {
  readonly #batches: Batches;
  #batch: readonly KeyHash[] = [];
  #index = 0;
  #isOver = false;

  constructor(batches: Batches) {
    this.#batches = batches;
  }

  /** Whether `entry` is the present one; if not, it is yet to be loaded. */
  get isLoaded(): boolean {
    return this.#isOver || this.#index < this.#batch.length;
  }

  /** Undefined at the end. */
  get entry(): KeyHash | undefined {
    return this.#batch[this.#index];
  }

  async load(): Promise<void> {
    while (!this.isLoaded) {
      const next = await this.#batches.next();
      this.#isOver = next.done === true;
      this.#batch = next.done === true ? [] : next.value;
      this.#index = 0;
    }
  }

  next(): void {
    this.#index += 1;
  }
}

/** The end of a stream comes after every key. */
function orderOf(left: KeyHash | undefined, right: KeyHash | undefined, order: KeyOrder): number {
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return order(left.key, right.key);
}

function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
