/**
 * Read repair: after a read has been answered, replicas that held less are given the rest.
 *
 * A replica is stale if the merge of all replies adds something to its copy, or if its copy cannot be
 * read any more. A primary that held nothing is given a copy; a stand-in that held nothing is not, for
 * it would only be handed on, nor is anyone given a tombstone it never had a reason for: the others
 * may be reaping it just now. While a step to another ring is open, those who hold the key in that ring
 * only are given what was repaired too. Repair is a merge like any other, so it is idempotent and may
 * be cut off anywhere. What would go beyond the limits is skipped and counted: the next read, or
 * anti-entropy, finds it again.
 */

import { allEnded } from '../base/all-ended.ts';
import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { encodeRecord, joinRecord } from '../object/record.ts';
import { isTombstone } from '../object/show.ts';
import type { Peer } from '../peer/peer.ts';
import type { ActiveLists } from './participants.ts';
import { mustConfirmMerge, type CoordinatorPorts } from './ports.ts';
import { adds, type ReadReplies, type Slot } from './read-replies.ts';

export interface ReadRepairOptions {
  /** Objects under repair at once. */
  readonly inFlightMax: number;
  /** Bytes of records on their way to stale replicas at once. */
  readonly inFlightBytesMax: number;
  /** For each request of a repair. */
  readonly timeoutMs: number;
}

/** What was read. */
interface ReadPlace {
  readonly request: { readonly key: ObjectKey };
  readonly partition: Partition;
  readonly required: { readonly n: number };
}

export class ReadRepair {
  readonly #host: Host;
  readonly #peer: Peer;
  readonly #lists: ActiveLists;
  readonly #options: ReadRepairOptions;
  #inFlight = 0;
  #inFlightBytes = 0;

  constructor(
    { host, peer, lists }: Pick<CoordinatorPorts, 'host' | 'peer' | 'lists'>,
    options: ReadRepairOptions,
  ) {
    this.#host = host;
    this.#peer = peer;
    this.#lists = lists;
    this.#options = options;
  }

  /** Called once the last replica has had its say; returns at once. */
  consider(place: ReadPlace, replies: ReadReplies): void {
    if (!replies.differs) return;
    const stale = staleSlots(replies);
    if (stale.length === 0) return;
    if (this.#inFlight >= this.#options.inFlightMax) {
      this.#host.metrics.count('skipped_read_repairs');
      return;
    }
    this.#inFlight += 1;
    this.#run(place, replies, stale).then(
      () => {
        this.#inFlight -= 1;
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        if (!isFault(error)) throw error;
        this.#host.metrics.count('read_repairs_failed_total');
      },
    );
  }

  async #run(place: ReadPlace, replies: ReadReplies, stale: readonly Slot[]): Promise<void> {
    const { key } = place.request;
    const record = await this.#wholeRecord(key, replies);
    if (record === undefined) {
      this.#host.metrics.count('read_repairs_failed_total');
      return;
    }
    const joining = this.#onlyInJointRing(place, replies);
    const sizeBytes = record.length * (stale.length + joining.length);
    if (this.#inFlight > 1 && this.#inFlightBytes + sizeBytes > this.#options.inFlightBytesMax) {
      this.#host.metrics.count('skipped_read_repairs');
      return;
    }
    this.#host.metrics.count('read_repairs');
    this.#inFlightBytes += sizeBytes;
    try {
      // Each counts until it has ended, whatever becomes of the others.
      await allEnded([
        ...stale.map((slot) => this.#mend(key, slot, record)),
        ...joining.map((node) => this.#merge(node, key, { record, hintFor: undefined })),
      ]);
    } finally {
      this.#inFlightBytes -= sizeBytes;
    }
  }

  async #mend(key: ObjectKey, slot: Slot, record: Buffer): Promise<void> {
    const { node, primaryCount, hintTargets } = slot.participant;
    const place = primaryCount > 0 ? 'primary' : 'fallback';
    const state = slot.head === undefined ? 'notfound' : 'outofdate';
    this.#host.metrics.count(`read_repairs_${place}_${state}`);
    // One message for each it stands in for, as with a write.
    const owed = hintTargets.length === 0 ? [undefined] : hintTargets;
    await allEnded(owed.map((hintFor) => this.#merge(node, key, { record, hintFor })));
  }

  async #merge(
    node: NodeId,
    key: ObjectKey,
    what: { readonly record: Buffer; readonly hintFor: NodeId | undefined },
  ): Promise<void> {
    const request = { verb: 'merge', key, ...what } as const;
    mustConfirmMerge(await this.#peer.request(node, request, this.#options.timeoutMs));
  }

  #onlyInJointRing({ partition, required }: ReadPlace, { slots, target }: ReadReplies): NodeId[] {
    const joint = this.#lists.jointLists(partition, required.n, true);
    if (joint === undefined || target === undefined || isTombstone(target)) return [];
    return joint.each[1]
      .filter(({ node, primaryCount }) => {
        return primaryCount > 0 && !slots.some(({ participant }) => participant.node === node);
      })
      .map(({ node }) => node);
  }

  /** The record of all that the replicas hold together; undefined if it cannot be had now. */
  async #wholeRecord(key: ObjectKey, replies: ReadReplies): Promise<Buffer | undefined> {
    while (!replies.isWhole) {
      const slot =
        replies.slots.find((each) => replies.canAdd(each) && replies.holdsAll(each)) ??
        replies.slots.find((each) => replies.canAdd(each));
      if (slot === undefined) return undefined;
      await this.#readObject(key, replies, slot);
    }
    const { target, object } = replies;
    if (target === undefined || object === undefined) return undefined;
    const holder = replies.slots.find(
      (slot) => slot.object !== undefined && replies.holdsAll(slot),
    );
    return holder?.record ?? joinRecord(encodeRecord(object));
  }

  /** Each slot is read at most once: afterwards its object is there, or cannot be had. */
  async #readObject(key: ObjectKey, replies: ReadReplies, slot: Slot): Promise<void> {
    const request = { verb: 'get', key, headOnly: false } as const;
    try {
      const reply = await this.#peer.request(
        slot.participant.node,
        request,
        this.#options.timeoutMs,
      );
      replies.acceptObject(slot, reply.kind === 'object' ? reply.record : undefined);
    } catch (error) {
      if (!isFault(error)) throw error;
      replies.acceptObject(slot, undefined);
    }
  }
}

/** The replicas to which the merge of all replies adds something. */
function staleSlots(replies: ReadReplies): Slot[] {
  const { target, slots } = replies;
  if (target === undefined) return [];
  const isDeleted = isTombstone(target);
  return slots.filter((slot) => {
    // A damaged copy is replaced by whatever the others hold.
    if (slot.isDamaged) return true;
    if (slot.reply === 'absent') return !isDeleted && slot.participant.primaryCount > 0;
    return slot.head !== undefined && adds(slot.head, target);
  });
}
