/**
 * A queue of another cluster at one of its nodes, over one connection.
 *
 * What a fetch gave out is the connection's until it asks again, which says that all of it is safe here;
 * if it ends before, the node gives it to the next who asks. So a lot is fetched only when the one before
 * it has been dealt with, and on the same connection.
 */

import { crc32 } from 'node:zlib';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../base/names.ts';
import { decodeMessage } from '../api/pbc/messages/message-type.ts';
import {
  ReplicatedLot,
  RpbFetchReq,
  RpbFetchResp,
  RpbPushReq,
  RpbPushResp,
} from '../api/pbc/messages/replication-messages.ts';
import type { MessageOf } from '../api/pbc/messages/message-type.ts';
import type { NodeAddress } from '../client/connection.ts';
import type { Login } from '../client/credentials.ts';
import type { Dialler, PinnedLine } from './dialler.ts';

/** One object of another cluster, as it is stored there. */
export interface FetchedItem {
  readonly key: ObjectKey;
  readonly record: Buffer;
  /** Since it was put on the queue. */
  readonly ageMs: number;
  /** A full-sync or a fold put it there, not a client's write. */
  readonly isSync: boolean;
}

/** A key that is to be fetched later. */
export interface WaitingKey {
  readonly key: ObjectKey;
  /** Since it was first put on the queue. */
  readonly ageMs: number;
}

export interface QueuePlace {
  readonly address: NodeAddress;
  readonly queue: string;
  readonly login: Login | undefined;
}

const ENCODING = 'vertebra1' as ByteString;
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Of one fetch: a single object may be larger than a lot. */
const REPLY_MAX_BYTES = 512 * 1024 * 1024;
/** A node sends 64 at most. */
const LOT_LIMITS = { fieldCountMax: 65_536 };
/** What the message can say. */
const AGE_MAX_MS = 2 ** 32 - 1;
const NO_VALUE = Buffer.alloc(0);

export class SourceQueue {
  readonly #connection: PinnedLine;
  readonly #queue: ByteString;

  constructor(dialler: Dialler, { address, queue, login }: QueuePlace) {
    this.#queue = queue as ByteString;
    this.#connection = dialler.pinned({
      address,
      login,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      replySizeMaxBytes: REPLY_MAX_BYTES,
    });
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  /** The next objects, none if the queue is empty; says that all those before are safe here. */
  async fetch(): Promise<readonly FetchedItem[]> {
    const reply = await this.#connection.call({
      request: RpbFetchReq,
      value: { queuename: this.#queue, encoding: ENCODING },
      reply: RpbFetchResp,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    return reply.queue_empty ? [] : itemsOf(reply);
  }

  /** Puts keys at the end of the queue; there is at least one. */
  async push(keys: readonly WaitingKey[]): Promise<void> {
    const age_ms = keys.map(({ ageMs }) => Math.min(AGE_MAX_MS, Math.round(ageMs)));
    await this.#push({
      ...pushOf(
        this.#queue,
        keys.map(({ key }) => key),
      ),
      age_ms,
    });
  }

  /** For a full-sync that begins: another mark means that the node has dropped keys. */
  async dropMark(): Promise<number | undefined> {
    const { drop_mark: mark } = await this.#push(pushOf(this.#queue, []));
    return mark;
  }

  /** A full-sync has gone through: all that the node had dropped at that mark has been found. */
  async noteCompared(mark: number): Promise<void> {
    await this.#push({ ...pushOf(this.#queue, []), compared_mark: mark });
  }

  close(): void {
    this.#connection.close();
  }

  async #push(
    value: ReturnType<typeof pushOf> & { compared_mark?: number; age_ms?: number[] },
  ): Promise<MessageOf<typeof RpbPushResp>> {
    const answer = await this.#connection.call({
      request: RpbPushReq,
      value,
      reply: RpbPushResp,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    if (answer.queue_exists) return answer;
    throw new Fault('peer-refused', `there is no queue ${this.#queue}`);
  }
}

export function pushOf(queuename: ByteString, keys: readonly ObjectKey[]) {
  const keys_value = keys.map(({ type, bucket, key }) => ({
    type: sentType(type),
    bucket,
    key,
    value: NO_VALUE,
  }));
  return { queuename, keys_value };
}

/** Riak leaves the default type out. */
export function sentType(type: ByteString): ByteString | undefined {
  return type === DEFAULT_BUCKET_TYPE ? undefined : type;
}

function itemsOf({ replencoded_object: lot, crc_check: crc }: MessageOf<typeof RpbFetchResp>) {
  if (lot === undefined || crc !== crc32(lot)) {
    throw new Fault('peer-malformed', 'what was fetched is not what was sent');
  }
  const { items } = decodeMessage(ReplicatedLot, lot, LOT_LIMITS);
  if (items.length === 0) throw new Fault('peer-malformed', 'a lot without an object');
  return items.map(({ type = DEFAULT_BUCKET_TYPE, bucket, key, record, age_ms, is_sync }) => ({
    key: { type, bucket, key },
    // A copy: a replica remembers small records, and would hold the whole lot in memory with each.
    record: Buffer.from(record),
    ageMs: age_ms,
    isSync: is_sync,
  }));
}
