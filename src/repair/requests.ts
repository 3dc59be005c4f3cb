/**
 * The requests of repair to a peer, each with the one reply that it can have.
 */

import { Fault } from '../base/fault.ts';
import type { FaultCode } from '../base/fault.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { FetchedCopy, KeyRecord, PeerReply, PeerRequest } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';
import { SEGMENT_COUNT, SEGMENT_SIZE } from '../storage/hash-tree.ts';

const OBJECT_FAULTS: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'malformed',
  'peer-malformed',
  'peer-refused',
  'store-corrupt',
]);

export class RepairRequests {
  readonly #peer: Peer;
  readonly #timeoutMs: number;

  constructor(peer: Peer, timeoutMs: number) {
    this.#peer = peer;
    this.#timeoutMs = timeoutMs;
  }

  /** The peer's record, or its head; undefined: no readable copy. */
  async get(node: NodeId, key: ObjectKey, headOnly: boolean): Promise<Buffer | undefined> {
    const reply = await this.#request(node, { verb: 'get', key, headOnly });
    if (reply.kind !== 'object') throw unexpected(reply);
    return reply.record;
  }

  /** Resolves when the peer holds all that `record` holds, durably. */
  async merge(node: NodeId, key: ObjectKey, record: Buffer): Promise<void> {
    const reply = await this.#request(node, { verb: 'merge', key, record, hintFor: undefined });
    if (reply.kind !== 'done') throw unexpected(reply);
  }

  /** The peer's copies, or their heads, of the first of `keys`, of one at least. */
  async fetch(
    node: NodeId,
    keys: readonly ObjectKey[],
    headsOnly: boolean,
  ): Promise<readonly FetchedCopy[]> {
    const reply = await this.#request(node, { verb: 'fetch', keys, headsOnly });
    if (reply.kind !== 'copies') throw unexpected(reply);
    const { copies } = reply;
    if (copies.length === 0 || copies.length > keys.length) {
      throw new Fault('peer-malformed', 'copies of no or of other keys');
    }
    return copies;
  }

  /** Resolves when the peer holds all that is in the records, durably, but for those it refuses. */
  async deliver(node: NodeId, records: readonly KeyRecord[]): Promise<ReadonlySet<number>> {
    const reply = await this.#request(node, { verb: 'deliver', records });
    if (reply.kind !== 'delivered') throw unexpected(reply);
    return new Set(reply.refused);
  }

  /** Whether the peer has no copy of the key any more. */
  async reap(node: NodeId, key: ObjectKey, tombstoneHash: Buffer): Promise<boolean> {
    const reply = await this.#request(node, { verb: 'reap', key, tombstoneHash });
    if (reply.kind !== 'reaped') throw unexpected(reply);
    return reply.isGone;
  }

  async tree(node: NodeId, partition: Partition, nVal: number): Promise<Buffer> {
    const reply = await this.#request(node, { verb: 'tree', partition, nVal });
    if (reply.kind !== 'tree') throw unexpected(reply);
    if (reply.segments.length !== SEGMENT_COUNT * SEGMENT_SIZE) {
      throw new Fault('peer-malformed', 'a hash tree of another shape');
    }
    return reply.segments;
  }

  #request(node: NodeId, request: PeerRequest): Promise<PeerReply> {
    return this.#peer.request(node, request, this.#timeoutMs);
  }
}

function unexpected(reply: PeerReply): Fault {
  return new Fault('peer-refused', `a peer answered ${reply.kind}`);
}

/** Whether the trouble is with one object only, and not with a whole node. */
export function isAboutObject(fault: Fault): boolean {
  return OBJECT_FAULTS.has(fault.code);
}
