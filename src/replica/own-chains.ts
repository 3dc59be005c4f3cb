/**
 * Own chains: whether this node may count on with its actor of a key.
 *
 * An actor's dots on a key are one chain, so the next counter must come from a copy that has held
 * every dot of the chain so far. A copy is such a witness as long as it is held without a gap; it is
 * none if it was dropped or reaped and then brought back by a peer, because the peer may be behind
 * with this node's own dots. The sign of that is always the same: a merge brings dots of this
 * node's own actors that its copy has not. Such a key's chain is closed, and its next write begins a
 * fresh one (the fault of basho/riak_kv issue 679 and its kin).
 *
 * What is closed is known in memory only. A clean stop would forget it, so there is none then: the
 * next start has actors of its own, which closes all chains.
 */

import type { ByteString } from '../base/bytes.ts';
import { decodeActor, nextDot } from '../clock/actor.ts';
import type { Dot, VersionVector } from '../clock/version-vector.ts';
import type { Identity } from './identity.ts';

/** Past this many closed keys all chains are closed at once, which costs an actor for each key. */
const CLOSED_KEYS_MAX = 65_536;

export class OwnChains {
  readonly #identity: Identity;
  readonly #closedKeys = new Set<ByteString>();
  /** Actors of this key epoch or an older one are not continued. */
  #closedKeyEpoch = 0;
  /** Whose key epochs they are. */
  #closedPrefix = '';

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /**
   * The dot for a client's write on a key, never issued before; `local` is the context of the
   * readable copy. Who issues it calls `begin` at once, and `close` if it cannot be stored.
   */
  next(
    id: ByteString,
    contexts: { readonly local: VersionVector | undefined; readonly client: VersionVector },
  ): Dot {
    const { local, client } = contexts;
    this.#identity.beginAfresh();
    return nextDot({
      prefix: this.#identity.prefix,
      local,
      isContinuous: !this.#closedKeys.has(id) && this.#isOpen(local),
      client,
      freshKeyEpoch: () => this.#identity.freshKeyEpoch(),
    });
  }

  /** The dot that `next` gave is in the copy now, so the copy is a witness of its chain. */
  begin(id: ByteString): void {
    this.#closedKeys.delete(id);
  }

  /** Closes the key's chain if `remote`, about to be merged, knows more of it than the copy. */
  meet(id: ByteString, local: VersionVector | undefined, remote: VersionVector): void {
    const { prefix } = this.#identity;
    for (const [actor, counter] of remote) {
      if (!actor.startsWith(prefix) || (local?.get(actor) ?? 0) >= counter) continue;
      this.close(id);
      return;
    }
  }

  /**
   * Closes the key's chain: a dot that was issued on it may not have reached the store. No other, for each
   * actor that is begun stays in a context for ever.
   */
  close(id: ByteString): void {
    if (this.#closedKeys.size >= CLOSED_KEYS_MAX) this.#closeAll();
    else this.#closedKeys.add(id);
    this.#identity.forbidCleanStop();
  }

  #closeAll(): void {
    this.#closedKeys.clear();
    this.#closedKeyEpoch = this.#identity.lastKeyEpoch;
    this.#closedPrefix = this.#identity.prefix;
  }

  #isOpen(local: VersionVector | undefined): boolean {
    const { prefix } = this.#identity;
    if (this.#closedPrefix !== prefix || local === undefined) return true;
    for (const actor of local.keys()) {
      if (actor.startsWith(prefix) && decodeActor(actor).keyEpoch > this.#closedKeyEpoch) {
        return true;
      }
    }
    return false;
  }
}
