/**
 * The heads of the copies that were written last, so that the next write of such a key need not read
 * its copy first: a lookup in LevelDB, the check and the decoding were a sixth of what a replica
 * spends on a write.
 *
 * The write path is the only writer of copies. A head is in here only while no change of its key is
 * under way, and stands for exactly what the store was last told; whoever changes the copy takes it
 * out, and it comes back when that is durable. So it can be nothing but what a read would find,
 * unless the disk has damaged it since.
 *
 * Bounded in number, and a head that is unusually large is not kept; the one that was used longest
 * ago goes first.
 */

import { AgedMap } from '../base/aged-map.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Partition } from '../base/names.ts';
import type { ObjectHead } from '../object/stored-object.ts';

export interface StoredHead {
  readonly partition: Partition;
  readonly head: ObjectHead;
  /** Its causal hash, where it is known; no buffer, which would keep a whole slab in memory. */
  readonly hash: ByteString | undefined;
}

export class RecentHeads {
  readonly #countMax: number;
  readonly #heads = new AgedMap<ByteString, StoredHead>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#heads.size;
  }

  /** `stored.head` is kept as it is: it must hold no values. */
  keep(id: ByteString, stored: StoredHead): void {
    this.#heads.set(id, stored);
    if (this.#heads.size <= this.#countMax) return;
    const oldest = this.#heads.oldest();
    if (oldest !== undefined) this.#heads.delete(oldest.key);
  }

  /** Takes out the head of a key's copy. */
  take(id: ByteString): StoredHead | undefined {
    const stored = this.#heads.get(id);
    if (stored !== undefined) this.#heads.delete(id);
    return stored;
  }
}
