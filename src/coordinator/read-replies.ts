/**
 * The replies to one read: what each replica holds, and what they hold together.
 *
 * Most replicas answer with heads and one with the whole record. Equal objects encode alike, so a
 * head that is byte for byte that of an object already known needs no decoding; that is the common
 * case. `target` is the merge of all heads that came in; the read is complete when the merge of the
 * whole objects in hand adds up to it.
 */

import { mergeHeads, mergeObjects } from '../object/reconcile.ts';
import { decodeChecked, decodeHead, sliceHead } from '../object/record.ts';
import { isTombstone } from '../object/show.ts';
import type { ObjectHead, StoredObject } from '../object/stored-object.ts';
import type { Participant } from './participants.ts';
import type { ReadReply, ReplicaFailure } from './tally.ts';

/** One participant's part. */
export interface Slot {
  readonly participant: Participant;
  /** `pending` until its first reply. */
  reply: ReadReply | 'pending';
  /** What it holds, once it has said so. */
  head: ObjectHead | undefined;
  /** The bytes of that head. */
  headBytes: Buffer | undefined;
  /** The whole record, if it was asked for and came. */
  record: Buffer | undefined;
  object: StoredObject | undefined;
  /** Whether it was asked for the whole record, and what came of it. */
  objectRequest: 'none' | 'under-way' | 'answered' | 'failed';
  /** It holds a copy that cannot be read any more. */
  isDamaged: boolean;
}

function newSlot(participant: Participant): Slot {
  return {
    participant,
    reply: 'pending',
    head: undefined,
    headBytes: undefined,
    record: undefined,
    object: undefined,
    objectRequest: 'none',
    isDamaged: false,
  };
}

export class ReadReplies {
  readonly slots: Slot[];
  #target: ObjectHead | undefined;
  #object: StoredObject | undefined;
  #pendingCount: number;
  #objectRequestCount = 0;
  #firstHead: ObjectHead | undefined;
  #firstHeadBytes: Buffer | undefined;
  #hasDifference = false;
  #hasAbsence = false;

  constructor(participants: readonly Participant[]) {
    this.slots = participants.map(newSlot);
    this.#pendingCount = participants.length;
  }

  /** The merge of all heads seen; undefined: no replica that answered holds a copy. */
  get target(): ObjectHead | undefined {
    return this.#target;
  }

  /** The merge of the whole objects in hand. */
  get object(): StoredObject | undefined {
    return this.#object;
  }

  /** Whether every replica has had its say. */
  get isComplete(): boolean {
    return this.#pendingCount === 0;
  }

  /** Whether a replica that was asked for its whole record has yet to answer that. */
  get isObjectUnderWay(): boolean {
    return this.#objectRequestCount > 0;
  }

  /** Whether replicas that answered may hold different things; told by their bytes, so cheap. */
  get differs(): boolean {
    return this.#hasDifference || (this.#hasAbsence && this.#target !== undefined);
  }

  /** Whether the objects in hand are all that the heads promise. */
  get isWhole(): boolean {
    if (this.#target === undefined) return true;
    return this.#object !== undefined && !adds(this.#object, this.#target);
  }

  addSlot(participant: Participant): Slot {
    const slot = newSlot(participant);
    this.slots.push(slot);
    this.#pendingCount += 1;
    return slot;
  }

  /** The next reply of this replica is to be its whole record. */
  expectObject(slot: Slot): void {
    slot.objectRequest = 'under-way';
    this.#objectRequestCount += 1;
  }

  /** The first reply of a replica: its record or head, or no copy. Says what it counts for. */
  accept(slot: Slot, record: Buffer | undefined): ReadReply {
    this.#pendingCount -= 1;
    const isWhole = slot.objectRequest === 'under-way';
    if (record === undefined) this.#hasAbsence = true;
    slot.reply = record === undefined ? 'absent' : this.#meet(slot, record, isWhole);
    if (isWhole) this.#endObjectRequest(slot);
    return slot.reply;
  }

  /** The whole record of a replica that sent its head before; undefined: it cannot be had. */
  acceptObject(slot: Slot, record: Buffer | undefined): void {
    if (record !== undefined) this.#meet(slot, record, true);
    this.#endObjectRequest(slot);
  }

  /** The first reply of a replica was that its copy is damaged. */
  failDamaged(slot: Slot): void {
    this.#hasAbsence = true;
    slot.isDamaged = true;
    this.fail(slot, 'failed');
  }

  /** The first reply of a replica was a fault. */
  fail(slot: Slot, failure: ReplicaFailure): void {
    this.#pendingCount -= 1;
    slot.reply = failure;
    if (slot.objectRequest === 'under-way') this.#endObjectRequest(slot);
  }

  /** Whether `slot` holds something that the objects in hand lack, and was not asked for it yet. */
  canAdd(slot: Slot): boolean {
    if (slot.head === undefined || slot.objectRequest !== 'none') return false;
    return this.#object === undefined || adds(this.#object, slot.head);
  }

  /** Whether `slot` alone holds all of the target. */
  holdsAll(slot: Slot): boolean {
    const target = this.#target;
    return slot.head !== undefined && target !== undefined && !adds(slot.head, target);
  }

  #endObjectRequest(slot: Slot): void {
    if (slot.objectRequest === 'under-way') this.#objectRequestCount -= 1;
    slot.objectRequest = slot.object === undefined ? 'failed' : 'answered';
  }

  #meet(slot: Slot, record: Buffer, isWhole: boolean): ReadReply {
    const headBytes = sliceHead(record);
    if (headBytes === undefined) return 'failed';
    const known = this.#knownHead(headBytes);
    const object = isWhole ? decodeChecked(record) : undefined;
    const head = isWhole ? object : (known ?? decodeHead(record));
    if (head === undefined) return 'failed';
    slot.head = head;
    slot.headBytes = headBytes;
    if (object !== undefined) {
      slot.object = object;
      slot.record = record;
      this.#object = this.#object === undefined ? object : mergeObjects(this.#object, object);
    }
    if (this.#target === undefined) {
      this.#target = head;
      this.#firstHead = head;
      this.#firstHeadBytes = headBytes;
    } else if (known === undefined) {
      this.#target = mergeHeads(this.#target, head);
      this.#hasDifference = true;
    }
    return isTombstone(head) ? 'tombstone' : 'object';
  }

  /** The head that these are the bytes of, if it is the one that came first. */
  #knownHead(headBytes: Buffer): ObjectHead | undefined {
    return this.#firstHeadBytes?.equals(headBytes) === true ? this.#firstHead : undefined;
  }
}

/** Whether `other` has seen or holds something that `base` does not. */
export function adds(base: ObjectHead, other: ObjectHead): boolean {
  return mergeHeads(base, other) !== base;
}
