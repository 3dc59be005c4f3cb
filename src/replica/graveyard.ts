/**
 * The graveyard: reaped tombstones, remembered for a while.
 *
 * Once a tombstone is gone, a message of an older write that is still on its way, or a node that was
 * restored from an older copy, would bring the deleted object back: nothing is left to say that it was
 * deleted. So a reaped tombstone is kept in memory for longer than any message can live. What comes
 * for its key and is new lives on, without what the tombstone covers; what is not new raises the
 * tombstone again, so that whoever still has the old object learns that it is dead. A node that is
 * killed forgets its graveyard, and with its links all messages that were on their way to it.
 *
 * Bounded: past its size the oldest are forgotten first, which is counted.
 */

import { AgedMap } from '../base/aged-map.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import type { StoredObject } from '../object/stored-object.ts';

export interface GraveyardOptions {
  /** How long a reaped tombstone is remembered. */
  readonly graveMs: number;
  readonly gravesMax: number;
}

interface Grave {
  readonly tombstone: StoredObject;
  readonly endMs: number;
}

export class Graveyard {
  readonly #host: Host;
  readonly #options: GraveyardOptions;
  readonly #graves = new AgedMap<ByteString, Grave>();

  constructor(host: Host, options: GraveyardOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** The tombstone that was reaped from this key not long ago. */
  find(id: ByteString): StoredObject | undefined {
    if (this.#graves.size === 0) return undefined;
    const grave = this.#graves.get(id);
    if (grave === undefined || grave.endMs <= this.#host.clock.monotonicMs()) return undefined;
    return grave.tombstone;
  }

  bury(id: ByteString, tombstone: StoredObject): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#graves.set(id, { tombstone, endMs: nowMs + this.#options.graveMs });
    for (;;) {
      const oldest = this.#graves.oldest();
      if (oldest === undefined) break;
      const isOver = oldest.value.endMs <= nowMs;
      if (!isOver && this.#graves.size <= this.#options.gravesMax) break;
      if (!isOver) this.#host.metrics.count('replica_graves_dropped');
      this.#graves.delete(oldest.key);
    }
  }

  /** The key has a copy again, which knows all that the grave knew. */
  open(id: ByteString): void {
    this.#graves.delete(id);
  }
}
