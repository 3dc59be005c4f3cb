/**
 * Damaged copies: those that a read could make no sense of, until they are overwritten.
 *
 * A sound head proves nothing of a copy whose body is damaged, so whoever is about to trust one asks
 * here first, and what else is remembered of the copy is forgotten at once: its next use reads it.
 * Each is logged once, however often it is read; every reading is counted. Bounded: past the limit the
 * one that was read the longest ago is forgotten, until a read finds it anew, and no more are logged: whoever
 * has just found one can rely on it, however many there are that nobody can mend.
 */

import { AgedMap } from '../base/aged-map.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import { keyToString, type ObjectKey } from '../base/names.ts';

const COPIES_MAX = 4096;

export class DamagedCopies {
  readonly #host: Host;
  readonly #forget: (id: ByteString) => void;
  readonly #copiesMax: number;
  readonly #ids = new AgedMap<ByteString, true>();

  /** An id is of `keyToString`; `forget` drops what is remembered of that copy elsewhere. */
  constructor(host: Host, forget: (id: ByteString) => void, copiesMax = COPIES_MAX) {
    this.#host = host;
    this.#forget = forget;
    this.#copiesMax = copiesMax;
  }

  has(id: ByteString): boolean {
    return this.#ids.has(id);
  }

  hasKey(key: ObjectKey): boolean {
    return this.#ids.size > 0 && this.#ids.has(keyToString(key));
  }

  /** A read has found it damaged. */
  note(id: ByteString): void {
    this.#host.metrics.count('replica_corrupt');
    this.#forget(id);
    const isKnown = this.#ids.has(id);
    this.#ids.set(id, true);
    if (isKnown) return;
    const oldest = this.#ids.size > this.#copiesMax ? this.#ids.oldest() : undefined;
    if (oldest !== undefined) this.#ids.delete(oldest.key);
    else this.#host.log.error('replica.corrupt', { remedy: 'repaired from its peers' });
  }

  /** Another copy is durable in its place. */
  overwritten(id: ByteString): void {
    this.#ids.delete(id);
  }
}
