/**
 * The typed client: Protocol Buffers, pooled connections, failover between nodes.
 *
 * Names are text (UTF-8), values bytes, contexts opaque. A read that met a dead node is asked of the
 * next; a write only when it cannot have been carried out (the node was not reached), unless
 * `retryWrites` says that doing it twice does no harm.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import {
  RpbGetBucketReq,
  RpbGetBucketResp,
  RpbListBucketsReq,
  RpbListBucketsResp,
  RpbListKeysReq,
  RpbListKeysResp,
  RpbSetBucketReq,
  RpbSetBucketResp,
} from '../api/pbc/messages/bucket-messages.ts';
import { RpbDelReq, RpbDelResp } from '../api/pbc/messages/delete-messages.ts';
import { RpbGetReq, RpbGetResp } from '../api/pbc/messages/get-messages.ts';
import { RpbIndexReq, RpbIndexResp } from '../api/pbc/messages/index-messages.ts';
import type {
  Fields,
  Message,
  MessageInput,
  MessageType,
} from '../api/pbc/messages/message-type.ts';
import { RpbPutReq, RpbPutResp } from '../api/pbc/messages/put-messages.ts';
import {
  RpbGetServerInfoReq,
  RpbGetServerInfoResp,
  RpbPingReq,
  RpbPingResp,
} from '../api/pbc/messages/server-messages.ts';
import type { Address, Connection } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { contentToSibling, optionsOf, siblingToContent } from './translation.ts';
import type {
  FoundObject,
  IndexQuery,
  IndexResult,
  Location,
  ReadChoices,
  StoreChoices,
  StoredReply,
} from './types.ts';

export interface ClientOptions {
  readonly nodes: readonly Address[];
  /** To each node. Default 8. */
  readonly connectionsPerNode?: number;
  /** For each request, from its beginning. Default 60,000. */
  readonly timeoutMs?: number;
  /** Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** A node that could not be reached is passed over for this long. Default 1,000. */
  readonly downMs?: number;
  /** Whether a write whose connection broke is done again on another node. Default false. */
  readonly retryWrites?: boolean;
}

export type BucketProps = Message<typeof RpbGetBucketResp.fields>['props'];

export class VertebraClient {
  readonly #pools: readonly ConnectionPool[];
  readonly #timeoutMs: number;
  readonly #retryWrites: boolean;
  #next = 0;
  #isClosed = false;

  constructor(options: ClientOptions) {
    const pool = {
      connectionsMax: options.connectionsPerNode ?? 8,
      connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
      downMs: options.downMs ?? 1_000,
    };
    this.#pools = options.nodes.map((address) => new ConnectionPool(address, pool));
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#retryWrites = options.retryWrites ?? false;
    if (this.#pools.length === 0) throw new Fault('config', 'a client needs at least one node');
  }

  async ping(): Promise<void> {
    await this.#ask(RpbPingReq, {}, RpbPingResp, true);
  }

  async serverInfo(): Promise<{ readonly node: string; readonly version: string }> {
    const { node, server_version } = await this.#ask(
      RpbGetServerInfoReq,
      {},
      RpbGetServerInfoResp,
      true,
    );
    return { node: node?.toString() ?? '', version: server_version?.toString() ?? '' };
  }

  /** Undefined where there is no object; a tombstone alone is none. */
  async get(location: Location, choices: ReadChoices = {}): Promise<FoundObject | undefined> {
    const reply = await this.#ask(
      RpbGetReq,
      { ...namesOf(location), ...optionsOf(choices) },
      RpbGetResp,
      true,
    );
    if (reply.vclock === undefined || reply.content.length === 0) return undefined;
    return { context: reply.vclock, siblings: reply.content.map(contentToSibling) };
  }

  /** `key` may be left out of the location: the node makes one. */
  async put(
    location: Omit<Location, 'key'> & { readonly key?: string },
    value: Buffer,
    choices: StoreChoices = {},
  ): Promise<StoredReply> {
    const { context, metadata, ...options } = choices;
    const reply = await this.#ask(
      RpbPutReq,
      {
        ...namesOf(location),
        ...optionsOf(options),
        vclock: context,
        content: siblingToContent(value, metadata ?? {}),
      },
      RpbPutResp,
      this.#retryWrites,
    );
    return {
      key: reply.key === undefined ? location.key : byteStringToUtf8(reply.key),
      object:
        reply.vclock === undefined
          ? undefined
          : { context: reply.vclock, siblings: reply.content.map(contentToSibling) },
    };
  }

  async delete(location: Location, choices: { readonly context?: Buffer } = {}): Promise<void> {
    const request = { ...namesOf(location), vclock: choices.context };
    await this.#ask(RpbDelReq, request, RpbDelResp, this.#retryWrites);
  }

  async listBuckets(type = 'default'): Promise<string[]> {
    const request = { type: utf8ToByteString(type), stream: true };
    const replies = await this.#collect(RpbListBucketsReq, request, {
      type: RpbListBucketsResp,
      isLast: ({ done }) => done === true,
    });
    return replies.flatMap(({ buckets }) => buckets.map(byteStringToUtf8));
  }

  async listKeys(bucket: string, type = 'default'): Promise<string[]> {
    const request = { bucket: utf8ToByteString(bucket), type: utf8ToByteString(type) };
    const replies = await this.#collect(RpbListKeysReq, request, {
      type: RpbListKeysResp,
      isLast: ({ done }) => done === true,
    });
    return replies.flatMap(({ keys }) => keys.map(byteStringToUtf8));
  }

  /** One page of an index query. */
  async index(query: IndexQuery): Promise<IndexResult> {
    const isRange = query.to !== undefined;
    const reply = await this.#ask(
      RpbIndexReq,
      {
        type: utf8ToByteString(query.type ?? 'default'),
        bucket: utf8ToByteString(query.bucket),
        index: utf8ToByteString(query.field),
        qtype: isRange ? 'range' : 'eq',
        ...(isRange
          ? { range_min: utf8ToByteString(query.from), range_max: utf8ToByteString(query.to) }
          : { key: utf8ToByteString(query.from) }),
        return_terms: query.returnTerms,
        max_results: query.maxResults,
        continuation: query.continuation,
      },
      RpbIndexResp,
      true,
    );
    return {
      keys: reply.keys.map(byteStringToUtf8),
      terms: reply.results.map(({ key, value }) => [
        byteStringToUtf8(key),
        byteStringToUtf8(value ?? ('' as ByteString)),
      ]),
      continuation: reply.continuation,
    };
  }

  async bucketProps(bucket: string, type = 'default'): Promise<BucketProps> {
    const request = { bucket: utf8ToByteString(bucket), type: utf8ToByteString(type) };
    return (await this.#ask(RpbGetBucketReq, request, RpbGetBucketResp, true)).props;
  }

  async setBucketProps(
    bucket: string,
    props: MessageInput<typeof RpbSetBucketReq.fields>['props'],
    type = 'default',
  ): Promise<void> {
    const request = { bucket: utf8ToByteString(bucket), type: utf8ToByteString(type), props };
    await this.#ask(RpbSetBucketReq, request, RpbSetBucketResp, true);
  }

  /** Requests under way fail with `peer-closed`, later ones with `closed`. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const pool of this.#pools) pool.close();
  }

  #ask<Q extends Fields, R extends Fields>(
    request: MessageType<Q>,
    value: MessageInput<Q>,
    reply: MessageType<R>,
    mayRepeat: boolean,
  ): Promise<Message<R>> {
    const answer = { type: reply, timeoutMs: this.#timeoutMs };
    return this.#withFailover(mayRepeat, (connection) =>
      connection.request(request, value, answer),
    );
  }

  /** The messages of a streamed answer, all of them; a stream that breaks is begun again. */
  #collect<Q extends Fields, R extends Fields>(
    request: MessageType<Q>,
    value: MessageInput<Q>,
    answer: {
      readonly type: MessageType<R>;
      readonly isLast: (message: Message<R>) => boolean;
    },
  ): Promise<Message<R>[]> {
    return this.#withFailover(true, async (connection) => {
      const messages: Message<R>[] = [];
      await connection.stream(request, value, {
        ...answer,
        timeoutMs: this.#timeoutMs,
        onMessage: (message) => messages.push(message),
      });
      return messages;
    });
  }

  async #withFailover<Result>(
    mayRepeat: boolean,
    run: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      if (this.#isClosed) throw new Fault('closed', 'the client is closed');
      try {
        return await run(await this.#connect(attempt));
      } catch (error) {
        const isUnreached = isFault(error, 'peer-unreachable');
        const isCut = isFault(error, 'peer-closed') && mayRepeat && !this.#isClosed;
        if (!(isUnreached || isCut) || attempt + 1 >= 2 * this.#pools.length) throw error;
      }
    }
  }

  /** Round robin over the nodes; those that were not reached a moment ago only when all were not. */
  #connect(attempt: number): Connection | Promise<Connection> {
    this.#next = (this.#next + 1) % this.#pools.length;
    const inTurn = [...this.#pools.slice(this.#next), ...this.#pools.slice(0, this.#next)];
    const up = inTurn.find(({ isDown }) => !isDown);
    const pool = up ?? inTurn[attempt % inTurn.length];
    return (pool as ConnectionPool).take();
  }
}

interface Names {
  readonly type?: ByteString;
  readonly bucket: ByteString;
  readonly key: ByteString;
}

function namesOf(location: Omit<Location, 'key'> & { readonly key?: string }): Names {
  const names = {
    bucket: utf8ToByteString(location.bucket),
    // Absent for a key that the node makes; the codec leaves undefined out.
    key: (location.key === undefined ? undefined : utf8ToByteString(location.key)) as ByteString,
  };
  return location.type === undefined ? names : { ...names, type: utf8ToByteString(location.type) };
}
