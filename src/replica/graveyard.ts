/**
 * The graveyard: what reaped tombstones had superseded, remembered for a while.
 *
 * Once a tombstone is gone, a message of an older write that is still on its way would bring the
 * deleted object back: nothing is left to say that it was deleted. So the context of a reaped
 * tombstone is kept in memory for longer than any message can live, and what comes for its key goes
 * on from there: what the context covers stays dead, and what is new lives. A node that is killed
 * forgets its graveyard, and with its links all messages that were on their way to it.
 *
 * Bounded: past its size the oldest are forgotten first, which is counted.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import type { VersionVector } from '../clock/version-vector.ts';

export interface GraveyardOptions {
  /** How long a reaped tombstone is remembered. */
  readonly graveMs: number;
  readonly gravesMax: number;
}

interface Grave {
  readonly context: VersionVector;
  readonly endMs: number;
}

export class Graveyard {
  readonly #host: Host;
  readonly #options: GraveyardOptions;
  /** The oldest first. */
  readonly #graves = new Map<ByteString, Grave>();

  constructor(host: Host, options: GraveyardOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** The context of the tombstone that was reaped from this key not long ago. */
  find(id: ByteString): VersionVector | undefined {
    if (this.#graves.size === 0) return undefined;
    const grave = this.#graves.get(id);
    if (grave === undefined || grave.endMs <= this.#host.clock.monotonicMs()) return undefined;
    return grave.context;
  }

  bury(id: ByteString, context: VersionVector): void {
    const nowMs = this.#host.clock.monotonicMs();
    // To the end of the order, where the newest are.
    this.#graves.delete(id);
    this.#graves.set(id, { context, endMs: nowMs + this.#options.graveMs });
    for (const [oldest, { endMs }] of this.#graves) {
      const isOver = endMs <= nowMs;
      if (!isOver && this.#graves.size <= this.#options.gravesMax) break;
      if (!isOver) this.#host.metrics.count('replica_graves_dropped');
      this.#graves.delete(oldest);
    }
  }

  /** The key has a copy again, which knows all that the grave knew. */
  open(id: ByteString): void {
    this.#graves.delete(id);
  }
}
