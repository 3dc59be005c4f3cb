/**
 * The ports of the epoch agreement: the other nodes, and the place for what must not be forgotten.
 *
 * A node puts the peers' `agree` and `state` requests behind `AgreementPeers`, and one key of its
 * store behind `AgreementLog`.
 */

import type { Epoch, NodeId } from '../base/names.ts';

export interface AgreementPeers {
  /** The target's answer to one message of the agreement. Rejects with a fault, in bounded time. */
  agree(target: NodeId, message: Buffer, timeoutMs: number): Promise<Buffer>;
  /** The target's state document if its epoch is above `aboveEpoch`. Rejects with a fault. */
  fetchState(target: NodeId, aboveEpoch: Epoch, timeoutMs: number): Promise<Buffer | undefined>;
}

export interface AgreementLog {
  /** What was saved last, or undefined if nothing ever was. */
  load(): Promise<Buffer | undefined>;
  /** Replaces it, whole or not at all; resolves when it is on stable storage. */
  save(record: Buffer): Promise<void>;
}
