/**
 * The typed client: objects, listings, indexes and properties over the Protocol Buffers API.
 *
 * Names are byte strings, contexts are opaque bytes that go back with the next write. What a caller
 * must reckon with is a value (`not-found`, `match-found`, …); everything else is a fault: `timeout`,
 * `overload`, `peer-unreachable`, `peer-closed`, or `peer-refused` with the server's text. A client
 * keeps the process alive until it is closed.
 */

import { byteStringToUtf8 } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import { contentToSibling } from '../api/pbc/content-values.ts';
import { RpbDelReq, RpbDelResp } from '../api/pbc/messages/delete-messages.ts';
import { RpbGetReq, RpbGetResp } from '../api/pbc/messages/get-messages.ts';
import {
  RpbGetBucketKeyPreflistReq,
  RpbGetBucketKeyPreflistResp,
  RpbIndexReq,
  RpbIndexResp,
} from '../api/pbc/messages/index-messages.ts';
import { RpbPutReq, RpbPutResp } from '../api/pbc/messages/put-messages.ts';
import {
  RpbListBucketsReq,
  RpbListBucketsResp,
  RpbListKeysReq,
  RpbListKeysResp,
} from '../api/pbc/messages/bucket-messages.ts';
import {
  RpbGetServerInfoReq,
  RpbGetServerInfoResp,
  RpbPingReq,
  RpbPingResp,
} from '../api/pbc/messages/server-messages.ts';
import { BucketClient } from './bucket-client.ts';
import { DatatypeClient } from './datatype-client.ts';
import { deleteFields, getFields, indexFields, putFields } from './request-fields.ts';
import { Requester } from './requester.ts';
import type { ByteString } from '../base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { MessageOf } from '../api/pbc/messages/message-type.ts';
import type {
  DeleteOptions,
  GetOptions,
  GetResult,
  HeldPosition,
  IndexMatch,
  IndexPage,
  IndexQuery,
  PutContent,
  PutOptions,
  PutResult,
  PutTarget,
  ReceivedObject,
} from './client-types.ts';
import type { NodeAddress } from './connection.ts';
import type { RequesterOptions } from './requester.ts';

export type ClientOptions = RequesterOptions;
export type { NodeAddress };

export class VertebraClient {
  /** Properties of buckets and bucket types. */
  readonly buckets: BucketClient;
  readonly datatypes: DatatypeClient;
  readonly #requester: Requester;

  constructor(options: ClientOptions) {
    this.#requester = new Requester(options);
    this.buckets = new BucketClient(this.#requester);
    this.datatypes = new DatatypeClient(this.#requester);
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<GetResult> {
    const { content, vclock } = await this.#requester.call({
      request: RpbGetReq,
      value: getFields(key, options),
      reply: RpbGetResp,
      isRepeatable: true,
      timeoutMs: options.timeoutMs,
    });
    if (content.length === 0) return { kind: 'not-found', context: vclock };
    return { kind: 'found', ...objectOf({ content, vclock }) };
  }

  async put(target: PutTarget, content: PutContent, options: PutOptions = {}): Promise<PutResult> {
    const call = {
      request: RpbPutReq,
      value: putFields(target, content, options),
      reply: RpbPutResp,
      isRepeatable: options.isRepeatable ?? false,
      timeoutMs: options.timeoutMs,
    };
    try {
      const reply = await this.#requester.call(call);
      const object = reply.content.length === 0 ? undefined : objectOf(reply);
      return { kind: 'stored', key: reply.key ?? (target.key as ByteString), object };
    } catch (error) {
      const kind = options.condition === undefined ? undefined : conditionOutcome(error);
      if (kind === undefined) throw error;
      return { kind };
    }
  }

  /** What was not there is deleted too. */
  async delete(key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.#requester.call({
      request: RpbDelReq,
      value: deleteFields(key, options),
      reply: RpbDelResp,
      isRepeatable: options.isRepeatable ?? false,
      timeoutMs: options.timeoutMs,
    });
  }

  /** Batches in no order. */
  async *listKeys(
    type: ByteString,
    bucket: ByteString,
    options: { readonly timeoutMs?: number } = {},
  ): AsyncGenerator<readonly ByteString[]> {
    const { timeoutMs } = options;
    const value = { type, bucket, timeout: timeoutMs };
    const replies = this.#requester.stream(
      { request: RpbListKeysReq, value, reply: RpbListKeysResp, isRepeatable: true, timeoutMs },
      ({ done }) => done === true,
    );
    for await (const { keys } of replies) if (keys.length > 0) yield keys;
  }

  /** Batches in no order, of the buckets of a type that hold keys. */
  async *listBuckets(
    type: ByteString,
    options: { readonly timeoutMs?: number } = {},
  ): AsyncGenerator<readonly ByteString[]> {
    const { timeoutMs } = options;
    const value = { type, stream: true, timeout: timeoutMs };
    const replies = this.#requester.stream(
      {
        request: RpbListBucketsReq,
        value,
        reply: RpbListBucketsResp,
        isRepeatable: true,
        timeoutMs,
      },
      ({ done }) => done === true,
    );
    for await (const { buckets } of replies) if (buckets.length > 0) yield buckets;
  }

  /** All matches, as they come. */
  async *index(query: IndexQuery): AsyncGenerator<readonly IndexMatch[]> {
    const replies = this.#requester.stream(
      {
        request: RpbIndexReq,
        value: { ...indexFields(query), stream: true },
        reply: RpbIndexResp,
        isRepeatable: true,
        timeoutMs: query.timeoutMs,
      },
      ({ done }) => done === true,
    );
    for await (const reply of replies) {
      const matches = matchesOf(reply);
      if (matches.length > 0) yield matches;
    }
  }

  /** In the order of (term, key); `continuation` from the page before. */
  async indexPage(
    query: IndexQuery,
    page: { readonly maxResults: number; readonly continuation?: Buffer | undefined },
  ): Promise<IndexPage> {
    const reply = await this.#requester.call({
      request: RpbIndexReq,
      value: {
        ...indexFields(query),
        max_results: page.maxResults,
        continuation: page.continuation,
      },
      reply: RpbIndexResp,
      isRepeatable: true,
      timeoutMs: query.timeoutMs,
    });
    return { matches: matchesOf(reply), continuation: reply.continuation };
  }

  async preferenceList({ type, bucket, key }: ObjectKey): Promise<readonly HeldPosition[]> {
    const { preflist } = await this.#requester.call({
      request: RpbGetBucketKeyPreflistReq,
      value: { type, bucket, key },
      reply: RpbGetBucketKeyPreflistResp,
      isRepeatable: true,
    });
    return preflist.map(({ partition, node, primary }) => ({
      partition: Number(partition) as Partition,
      node: byteStringToUtf8(node) as NodeId,
      isPrimary: primary,
    }));
  }

  async ping(): Promise<void> {
    await this.#requester.call({
      request: RpbPingReq,
      value: {},
      reply: RpbPingResp,
      isRepeatable: true,
    });
  }

  /** Of the node that answers. */
  async serverInfo(): Promise<{ readonly node: string; readonly version: string }> {
    const { node, server_version } = await this.#requester.call({
      request: RpbGetServerInfoReq,
      value: {},
      reply: RpbGetServerInfoResp,
      isRepeatable: true,
    });
    return {
      node: byteStringToUtf8(node ?? ('' as ByteString)),
      version: byteStringToUtf8(server_version ?? ('' as ByteString)),
    };
  }

  /** Requests under way fail with `closed`; may be called again. */
  close(): void {
    this.#requester.close();
  }
}

const NO_CONTEXT = Buffer.alloc(0);

function objectOf(reply: Pick<MessageOf<typeof RpbGetResp>, 'content' | 'vclock'>): ReceivedObject {
  return { context: reply.vclock ?? NO_CONTEXT, siblings: reply.content.map(contentToSibling) };
}

/** What the server's text says about the condition, if it is about that. */
function conditionOutcome(error: unknown) {
  if (!isFault(error, 'peer-refused')) return undefined;
  switch (error.message) {
    case 'match_found':
      return 'match-found';
    case 'modified':
      return 'modified';
    case 'notfound':
      return 'nothing-to-match';
    default:
      return undefined;
  }
}

function matchesOf({ keys, results }: MessageOf<typeof RpbIndexResp>): readonly IndexMatch[] {
  if (results.length === 0) return keys.map((key) => ({ term: undefined, key }));
  return results.map(({ key: term, value }) => ({ term, key: value ?? ('' as ByteString) }));
}
