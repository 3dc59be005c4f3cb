/**
 * Ordered heads: two streams of heads in key order, side by side.
 */

import type { ObjectKey } from '../base/names.ts';

export interface KeyHead {
  readonly key: ObjectKey;
  readonly head: Buffer;
}

/** A key that at least one side has. */
export interface HeadPair {
  readonly key: ObjectKey;
  readonly local: Buffer | undefined;
  readonly remote: Buffer | undefined;
}

type Batches = AsyncIterator<readonly KeyHead[]>;

/** In key order, each key once; both streams are ended when the reader stops. */
export async function* pairHeads(local: Batches, remote: Batches): AsyncGenerator<HeadPair> {
  const [left, right] = [new HeadCursor(local), new HeadCursor(remote)];
  try {
    for (;;) {
      const [mine, theirs] = await Promise.all([left.head(), right.head()]);
      if (mine === undefined && theirs === undefined) return;
      const order = compareHeads(mine, theirs);
      const key = (order <= 0 ? mine : theirs)?.key;
      if (key === undefined) return;
      yield {
        key,
        local: order <= 0 ? mine?.head : undefined,
        remote: order >= 0 ? theirs?.head : undefined,
      };
      if (order <= 0) left.next();
      if (order >= 0) right.next();
    }
  } finally {
    await Promise.all([local.return?.(), remote.return?.()]);
  }
}

/** The order of keys in the store: by type, bucket and key, bytewise. */
export function compareKeys(left: ObjectKey, right: ObjectKey): number {
  return (
    compareNames(left.type, right.type) ||
    compareNames(left.bucket, right.bucket) ||
    compareNames(left.key, right.key)
  );
}

class HeadCursor {
  readonly #batches: Batches;
  #batch: readonly KeyHead[] = [];
  #index = 0;
  #isOver = false;

  constructor(batches: Batches) {
    this.#batches = batches;
  }

  /** The present head; undefined at the end. */
  async head(): Promise<KeyHead | undefined> {
    while (this.#index >= this.#batch.length && !this.#isOver) {
      const next = await this.#batches.next();
      this.#isOver = next.done === true;
      this.#batch = next.done === true ? [] : next.value;
      this.#index = 0;
    }
    return this.#batch[this.#index];
  }

  next(): void {
    this.#index += 1;
  }
}

/** The end of a stream comes after every key. */
function compareHeads(left: KeyHead | undefined, right: KeyHead | undefined): number {
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return compareKeys(left.key, right.key);
}

function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
