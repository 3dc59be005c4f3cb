/**
 * What a full-sync asks of the source's cluster: its buckets, hash trees and contexts, and to put keys on
 * the queue. Any node of it may answer; all of it may be asked again.
 */

import { inflateSync } from 'node:zlib';
import { Fault, isFault } from '../base/fault.ts';
import { DEFAULT_BUCKET_TYPE, LAST_KEY, type ObjectKey } from '../base/names.ts';
import type { ByteString } from '../base/bytes.ts';
import {
  RpbAaeFoldFetchClocksRangeReq,
  RpbAaeFoldFindTombsReq,
  RpbAaeFoldKeyValueResp,
  RpbAaeFoldListBucketsReq,
  RpbAaeFoldListBucketsResp,
  RpbAaeFoldMergeTreesRangeReq,
  RpbAaeFoldTreeResp,
} from '../api/pbc/messages/aae-fold-messages.ts';
import { FOUND_TOO_MUCH } from '../api/pbc/fold-request.ts';
import { RpbPushReq, RpbPushResp } from '../api/pbc/messages/replication-messages.ts';
import { VertebraClient } from '../client/client.ts';
import type { RequesterOptions } from '../client/requester.ts';
import type { BucketName } from '../node/fold-requests.ts';
import type { FoldRange } from '../node/node-service.ts';
import { branchCount, type TreeSize } from '../object/tictac-tree.ts';
import type { Dialler, PooledLine } from './dialler.ts';
import type { Source } from './ports.ts';
import { pushOf, sentType } from './source-queue.ts';

/** A hash tree of the source; its branches are still packed. */
export interface RemoteTree {
  readonly root: Buffer;
  readonly packedBranches: ReadonlyMap<number, Buffer>;
}

export interface KeyContext {
  readonly key: ByteString;
  readonly context: Buffer;
}

export interface Pushed {
  /** Keys that wait on the queue of the node that took them. */
  readonly queued: number;
  /** Of those pushed, how many the queue is for; undefined: an older release does not say. */
  readonly taken: number | undefined;
}

/** There is more than one answer may hold: the range is to be narrowed. */
export const TOO_MANY = 'too-many';

/** Folds over a large bucket take their time. */
const FOLD_TIMEOUT_MS = 3_600_000;
const PUSH_TIMEOUT_MS = 30_000;
const REPLY_MAX_BYTES = 256 * 1024 * 1024;
const HASH_SIZE_BYTES = 4;
const BRANCH_SIZE_BYTES = 1_024;

export class RemoteFolds {
  readonly #requester: PooledLine;
  readonly #options: RequesterOptions;
  readonly #queue: ByteString;
  /** For what few full-syncs need. */
  #client: VertebraClient | undefined;
  #isClosed = false;

  constructor(dialler: Dialler, { queue, nodes, credentials }: Source) {
    this.#queue = queue as ByteString;
    this.#options = {
      nodes,
      credentials: credentials?.(),
      connectionsPerNode: 1,
      timeoutMs: FOLD_TIMEOUT_MS,
      attemptTimeoutMs: FOLD_TIMEOUT_MS,
      replySizeMaxBytes: REPLY_MAX_BYTES,
    };
    this.#requester = dialler.pooled(this.#options);
  }

  /** What is under way fails with `closed`. */
  close(): void {
    this.#isClosed = true;
    this.#requester.close();
    this.#client?.close();
  }

  async buckets(): Promise<readonly BucketName[]> {
    const { bucket_list } = await this.#requester.call({
      request: RpbAaeFoldListBucketsReq,
      value: {},
      reply: RpbAaeFoldListBucketsResp,
      isRepeatable: true,
    });
    return bucket_list.map(({ type = DEFAULT_BUCKET_TYPE, bucket }) => ({ type, bucket }));
  }

  async tree({ type, bucket }: BucketName, size: TreeSize): Promise<RemoteTree> {
    const reply = await this.#requester.call({
      request: RpbAaeFoldMergeTreesRangeReq,
      value: {
        type: sentType(type),
        bucket,
        key_range: false,
        tree_size: size,
        segment_filter: false,
        modified_range: false,
        use_prehash: true,
      },
      reply: RpbAaeFoldTreeResp,
      isRepeatable: true,
    });
    const { level_one: root = Buffer.alloc(0), level_two } = reply;
    if (reply.size !== size || root.length !== branchCount(size) * HASH_SIZE_BYTES) {
      throw new Fault('peer-malformed', 'a hash tree of another size');
    }
    const numbered = level_two.map((each) => {
      if (each.length < HASH_SIZE_BYTES) throw new Fault('peer-malformed', 'no branch of a tree');
      return [each.readUInt32BE(0), each.subarray(HASH_SIZE_BYTES)] as const;
    });
    return { root, packedBranches: new Map(numbered) };
  }

  contexts(range: FoldRange): Promise<readonly KeyContext[] | typeof TOO_MANY> {
    return this.#found(RpbAaeFoldFetchClocksRangeReq, range);
  }

  tombstones(range: FoldRange): Promise<readonly KeyContext[] | typeof TOO_MANY> {
    return this.#found(RpbAaeFoldFindTombsReq, range);
  }

  /** The last of the next `count` keys that are not deleted; undefined: there are no more. */
  async lastOfNext(
    { type, bucket }: BucketName,
    from: ByteString,
    count: number,
  ): Promise<ByteString | undefined> {
    if (this.#isClosed) throw new Fault('closed', 'the client was closed');
    this.#client ??= new VertebraClient(this.#options);
    const { matches } = await this.#client.indexPage(
      { type, bucket, field: '$key' as ByteString, from, to: LAST_KEY },
      { maxResults: count },
    );
    return matches.length < count ? undefined : matches.at(-1)?.key;
  }

  async push(keys: readonly ObjectKey[]): Promise<Pushed> {
    const reply = await this.#requester.call({
      request: RpbPushReq,
      value: pushOf(this.#queue, keys),
      reply: RpbPushResp,
      isRepeatable: true,
      timeoutMs: PUSH_TIMEOUT_MS,
    });
    if (!reply.queue_exists) throw new Fault('peer-refused', `there is no queue ${this.#queue}`);
    const queued = (reply.fsync_length ?? 0) + (reply.foldq_length ?? 0);
    return { queued, taken: reply.taken_count };
  }

  async #found(
    request: typeof RpbAaeFoldFetchClocksRangeReq | typeof RpbAaeFoldFindTombsReq,
    { type, bucket, keys, segments }: FoldRange,
  ): Promise<readonly KeyContext[] | typeof TOO_MANY> {
    try {
      const { keys_value } = await this.#requester.call({
        request,
        value: {
          type: sentType(type),
          bucket,
          key_range: keys !== undefined,
          start_key: keys?.from,
          end_key: keys?.to,
          segment_filter: segments !== undefined,
          id_filter: [...(segments?.segments ?? [])],
          filter_tree_size: segments?.size,
          modified_range: false,
        },
        reply: RpbAaeFoldKeyValueResp,
        isRepeatable: true,
      });
      return keys_value.map(({ key, value }) => ({ key, context: value }));
    } catch (error) {
      if (isFault(error, 'peer-refused') && error.message.includes(FOUND_TOO_MUCH)) return TOO_MANY;
      throw error;
    }
  }
}

/** Hashes of a branch; one that is not there, or is one zero, has no key. */
export function unpackBranch(packed: Buffer | undefined): Buffer {
  const empty = Buffer.alloc(BRANCH_SIZE_BYTES);
  if (packed === undefined) return empty;
  let branch: Buffer;
  try {
    branch = inflateSync(packed, { maxOutputLength: BRANCH_SIZE_BYTES });
  } catch (cause) {
    throw new Fault('peer-malformed', 'a branch of a tree cannot be read', { cause });
  }
  if (branch.length === BRANCH_SIZE_BYTES) return branch;
  if (branch.length === 1) return empty;
  throw new Fault('peer-malformed', 'a branch of another size');
}
