/**
 * What a fold gathers until it has ended, counted as it grows.
 *
 * Clients of Riak take what a fold found as one message, so all of it must be held; what would be more
 * than one fold may hold ends it.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { distinctInSlices, sortInSlices } from '../base/sliced-lists.ts';
import type { Sliced } from '../base/sliced.ts';
import type { TictacTree } from '../object/tictac-tree.ts';
import type { ClassCount, FoldPiece, KeyAmount, ObjectStatistics } from '../peer/folds.ts';
import type { BucketName, FoundContext } from './fold-requests.ts';

/** For what one fold has found. */
export const FOLD_HELD_MAX_BYTES = 64 * 1024 * 1024;

/** What an entry takes beside its bytes. */
const ENTRY_BYTES = 256;
const LEAF_SIZE_BYTES = 8;

export class HeldBytes {
  #left = FOLD_HELD_MAX_BYTES;

  /** False: it is too much. */
  take(sizeBytes: number): boolean {
    this.#left -= sizeBytes + ENTRY_BYTES;
    return this.#left >= 0;
  }
}

export interface Gathering {
  /** False: it would be too much. */
  add(piece: FoldPiece): boolean;
}

export class GatheredAmounts implements Gathering {
  readonly #held = new HeldBytes();
  readonly #amounts: KeyAmount[] = [];

  add(piece: FoldPiece): boolean {
    assert(piece.kind === 'amounts', 'amounts were asked for');
    for (const found of piece.amounts) {
      if (!this.#held.take(found[0].length)) return false;
      this.#amounts.push(found);
    }
    return true;
  }

  /** By key: pieces of several nodes lie side by side. Of a key that was told twice, what was more. */
  *sorted(): Sliced<readonly KeyAmount[]> {
    const sorted = yield* sortInSlices(this.#amounts, ([left, less], [right, more]) => {
      return compareNames(left, right) || more - less;
    });
    return yield* distinctInSlices(sorted, ([left], [right]) => left === right);
  }
}

export class GatheredContexts {
  readonly #held = new HeldBytes();
  readonly #contexts: FoundContext[] = [];

  ofBucket({ type, bucket }: BucketName): Gathering {
    return {
      add: (piece) => {
        assert(piece.kind === 'contexts', 'contexts were asked for');
        for (const [key, context] of piece.contexts) {
          if (!this.#held.take(key.length + context.length)) return false;
          // A copy: what came is a view of all that came with it.
          this.#contexts.push({ type, bucket, key, context: Buffer.from(context) });
        }
        return true;
      },
    };
  }

  /** By bucket and key, each once. */
  *sorted(): Sliced<readonly FoundContext[]> {
    const sorted = yield* sortInSlices(this.#contexts, compareFound);
    return yield* distinctInSlices(sorted, (left, right) => compareFound(left, right) === 0);
  }
}

export class GatheredStatistics implements Gathering {
  #count = 0;
  #sizeBytes = 0;
  readonly #sizes = new Map<number, number>();
  readonly #siblings = new Map<number, number>();

  add(piece: FoldPiece): boolean {
    assert(piece.kind === 'statistics', 'statistics were asked for');
    const { count, sizeBytes, sizes, siblings } = piece.statistics;
    this.#count += count;
    this.#sizeBytes += sizeBytes;
    addCounts(this.#sizes, sizes);
    addCounts(this.#siblings, siblings);
    return true;
  }

  total(): ObjectStatistics {
    return {
      count: this.#count,
      sizeBytes: this.#sizeBytes,
      sizes: sortedCounts(this.#sizes),
      siblings: sortedCounts(this.#siblings),
    };
  }
}

export function gatherLeaves(tree: TictacTree): Gathering {
  return {
    add: (piece) => {
      assert(piece.kind === 'leaves', 'leaves were asked for');
      const { leaves } = piece;
      for (let offset = 0; offset < leaves.length; offset += LEAF_SIZE_BYTES) {
        tree.add(leaves.readUInt32BE(offset), leaves.readUInt32BE(offset + 4));
      }
      return true;
    },
  };
}

function addCounts(sums: Map<number, number>, counts: readonly ClassCount[]): void {
  for (const [of, count] of counts) sums.set(of, (sums.get(of) ?? 0) + count);
}

function sortedCounts(sums: ReadonlyMap<number, number>): ClassCount[] {
  return [...sums].sort(([left], [right]) => left - right);
}

function compareFound(left: FoundContext, right: FoundContext): number {
  return compareBuckets(left, right) || compareNames(left.key, right.key);
}

function compareBuckets(left: BucketName, right: BucketName): number {
  return compareNames(left.type, right.type) || compareNames(left.bucket, right.bucket);
}

function compareNames(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
