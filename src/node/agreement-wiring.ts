/**
 * What the epoch agreement stands on in a node: one entry of its store, and its peers' answers.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { AgreementLog, AgreementPeers } from '../membership/agreement-ports.ts';
import type { Peer } from '../peer/peer.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

const RECORD_KEY = encodeMetaKey(utf8ToByteString('agreement'));

export class StoreAgreementLog implements AgreementLog {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  load(): Promise<Buffer | undefined> {
    return this.#store.get(RECORD_KEY);
  }

  save(record: Buffer): Promise<void> {
    return this.#store.write([{ kind: 'put', key: RECORD_KEY, head: record }]);
  }
}

export class PeerAgreement implements AgreementPeers {
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  async agree(target: NodeId, message: Buffer, timeoutMs: number): Promise<Buffer> {
    const reply = await this.#peer.request(target, { verb: 'agree', message }, timeoutMs);
    if (reply.kind !== 'agreement') throw wrongReply(target);
    return reply.message;
  }

  async fetchState(
    target: NodeId,
    aboveEpoch: Epoch,
    timeoutMs: number,
  ): Promise<Buffer | undefined> {
    const reply = await this.#peer.request(target, { verb: 'state', aboveEpoch }, timeoutMs);
    if (reply.kind !== 'state') throw wrongReply(target);
    return reply.document;
  }
}

function wrongReply(target: NodeId): Fault {
  return new Fault('peer-malformed', `${target} answered another question`);
}
