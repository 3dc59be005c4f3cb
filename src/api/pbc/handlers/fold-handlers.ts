/**
 * Folds: operators' queries over all keys of a bucket, or of the cluster. Each is answered by one message
 * when it has ended.
 */

import { unreachable } from '../../../base/fault.ts';
import { mapInSlices } from '../../../base/sliced-lists.ts';
import { runInSlices } from '../../../base/sliced.ts';
import { DEFAULT_BUCKET_TYPE } from '../../../base/names.ts';
import { printString } from '../../../object/erlang-text.ts';
import {
  FOUND_TOO_MUCH,
  foldRangeOf,
  modifiedRangeOf,
  SEGMENTS_MAX,
  segmentFilterOf,
} from '../fold-request.ts';
import { noSuchTypeText } from '../error-text.ts';
import { errorReply, largeReply, reply } from '../handler.ts';
import {
  RpbAaeFoldKeyCountResp,
  RpbAaeFoldKeyValueResp,
  RpbAaeFoldListBucketsResp,
  RpbAaeFoldTreeResp,
} from '../messages/aae-fold-messages.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { FoldOutcome, FoldRequest } from '../../../node/fold-requests.ts';
import type { FoldRange, ObjectStatistics } from '../../../node/node-service.ts';
import type { TictacTree } from '../../../object/tictac-tree.ts';
import type { RangeFields } from '../fold-request.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type {
  RpbAaeFoldEraseKeysReq,
  RpbAaeFoldFetchClocksNValReq,
  RpbAaeFoldFetchClocksRangeReq,
  RpbAaeFoldFindKeysReq,
  RpbAaeFoldFindTombsReq,
  RpbAaeFoldListBucketsReq,
  RpbAaeFoldMergeBranchNValReq,
  RpbAaeFoldMergeRootNValReq,
  RpbAaeFoldMergeTreesRangeReq,
  RpbAaeFoldObjectStatsReq,
  RpbAaeFoldReapTombsReq,
  RpbAaeFoldRepairKeysReq,
  RpbAaeFoldReplKeysReq,
} from '../messages/aae-fold-messages.ts';
import type {
  Fields,
  InputOf,
  MessageInput,
  MessageOf,
  MessageType,
} from '../messages/message-type.ts';

/** As in Riak: folds of large clusters take their time. */
const FOLD_TIMEOUT_MS = 3_600_000;
/** A larger reply is encoded in slices. */
const SMALL_BYTES_MAX = 24_000;
/** What an entry takes beside its bytes, as fields. */
const ENTRY_BYTES = 24;
/** Riak keeps trees of all buckets in this size only. */
const KEPT_TREE_SIZE = 'large';

const INVALID = errorReply(printString('Invalid AAE fold definition'));
const NO_QUEUE = errorReply(printString('There is no queue of that name'));
const TOO_LARGE = errorReply(printString(FOUND_TOO_MUCH));

type KeyCounts = InputOf<typeof RpbAaeFoldKeyCountResp>;

export function findKeys(
  message: MessageOf<typeof RpbAaeFoldFindKeysReq>,
  session: Session,
): Answer {
  const by = message.finder === 'sibling_count' ? 'siblings' : 'sizes';
  const above = message.find_limit;
  return ofRange(message, session, (range) => ({ kind: 'find-keys', range, by, above }));
}

export function findTombstones(
  message: MessageOf<typeof RpbAaeFoldFindTombsReq>,
  session: Session,
): Answer {
  const copies = 'tombstones';
  return ofRange(message, session, (range) => ({ kind: 'contexts', range, copies }));
}

export function objectStatistics(
  message: MessageOf<typeof RpbAaeFoldObjectStatsReq>,
  session: Session,
): Answer {
  return ofRange(message, session, (range) => ({ kind: 'statistics', range }));
}

/** The n_val that a client may name is known here. */
export function listFoldBuckets(
  _message: MessageOf<typeof RpbAaeFoldListBucketsReq>,
  session: Session,
): Answer {
  return run({ kind: 'buckets' }, session);
}

export function reapTombstones(
  message: MessageOf<typeof RpbAaeFoldReapTombsReq>,
  session: Session,
): Answer {
  const isCountOnly = message.change_method === 'count';
  return ofRange(message, session, (range) => ({ kind: 'reap', range, isCountOnly }));
}

export function eraseKeys(
  message: MessageOf<typeof RpbAaeFoldEraseKeysReq>,
  session: Session,
): Answer {
  const isCountOnly = message.change_method === 'count';
  return ofRange(message, session, (range) => ({ kind: 'erase', range, isCountOnly }));
}

export function repairKeys(
  message: MessageOf<typeof RpbAaeFoldRepairKeysReq>,
  session: Session,
): Answer {
  return ofRange(message, session, (range) => ({ kind: 'repair', range }));
}

export function replicateKeys(
  message: MessageOf<typeof RpbAaeFoldReplKeysReq>,
  session: Session,
): Answer {
  const { queuename: queue } = message;
  return ofRange(message, session, (range) => ({ kind: 'replicate', range, queue }));
}

export function fetchClocks(
  message: MessageOf<typeof RpbAaeFoldFetchClocksRangeReq>,
  session: Session,
): Answer {
  return ofRange(message, session, (range) => ({ kind: 'contexts', range, copies: 'all' }));
}

export function mergeTree(
  message: MessageOf<typeof RpbAaeFoldMergeTreesRangeReq>,
  session: Session,
): Answer {
  const { tree_size: size, use_prehash: isPlain, init_vector: seed } = message;
  if (!isPlain && seed === undefined) return INVALID;
  return ofRange(message, session, (range) => {
    return { kind: 'tree', range, size, seed: isPlain ? undefined : seed };
  });
}

export function mergeRoot(
  { n_val: nVal }: MessageOf<typeof RpbAaeFoldMergeRootNValReq>,
  session: Session,
): Answer {
  if (nVal === 0) return INVALID;
  return run({ kind: 'n-val-tree', nVal, size: KEPT_TREE_SIZE }, session, rootOnly);
}

export function mergeBranches(
  { n_val: nVal, id_filter: ids }: MessageOf<typeof RpbAaeFoldMergeBranchNValReq>,
  session: Session,
): Answer {
  if (nVal === 0 || ids.length > SEGMENTS_MAX) return INVALID;
  const request: FoldRequest = { kind: 'n-val-tree', nVal, size: KEPT_TREE_SIZE };
  return run(request, session, () => ({ level_one: Buffer.alloc(0), branches: ids }));
}

export function fetchClocksOfAll(
  message: MessageOf<typeof RpbAaeFoldFetchClocksNValReq>,
  session: Session,
): Answer {
  const { n_val: nVal, id_filter: ids } = message;
  const segments = segmentFilterOf(ids, KEPT_TREE_SIZE);
  const modified = modifiedRangeOf(message);
  if (nVal === 0 || segments === 'invalid' || modified === 'invalid') return INVALID;
  return run({ kind: 'n-val-contexts', nVal, segments, modified }, session);
}

function ofRange(
  fields: RangeFields,
  session: Session,
  requestOf: (range: FoldRange) => FoldRequest,
): Answer {
  const range = foldRangeOf(fields);
  return range === undefined ? INVALID : run(requestOf(range), session);
}

async function run(
  request: FoldRequest,
  session: Session,
  treeMessage: (tree: TictacTree) => TreeMessage = wholeTree,
): Promise<Reply> {
  const outcome = await session.node.fold(request, {
    timeoutMs: FOLD_TIMEOUT_MS,
    isWanted: session.isWanted,
  });
  if (outcome.kind !== 'tree') return outcomeReply(outcome, request, session);
  const { size } = outcome.tree;
  const { level_one, branches } = treeMessage(outcome.tree);
  const packed = await runInSlices(outcome.tree.pack(branches), session.clock);
  const sizeBytes = packed.reduce((sum, { length }) => sum + length + ENTRY_BYTES, 0);
  if (sizeBytes > session.replySizeMaxBytes) return TOO_LARGE;
  const level_two = packed.map((branch, index) => numbered(branch, branches[index] ?? 0));
  return reply(RpbAaeFoldTreeResp, { size, level_one, level_two });
}

function outcomeReply(
  outcome: Exclude<FoldOutcome, { kind: 'tree' }>,
  request: FoldRequest,
  session: Session,
): Reply | Promise<Reply> {
  switch (outcome.kind) {
    case 'amounts':
      return listReply(
        {
          type: RpbAaeFoldKeyCountResp,
          items: outcome.amounts,
          lengthOf: ([key]) => key.length,
          entryOf: ([tag, count]) => ({ tag, count }),
          messageOf: (keys_count) => ({ response_type: name('find_keys'), keys_count }),
        },
        session,
      );
    case 'contexts':
      return listReply(
        {
          type: RpbAaeFoldKeyValueResp,
          items: outcome.contexts,
          lengthOf: ({ type, bucket, key, context }) =>
            type.length + bucket.length + key.length + context.length,
          entryOf: ({ type, bucket, key, context: value }) => ({
            type: shownType(type),
            bucket,
            key,
            value,
          }),
          messageOf: (keys_value) => ({ response_type: name('clock'), keys_value }),
        },
        session,
      );
    case 'buckets':
      return listReply(
        {
          type: RpbAaeFoldListBucketsResp,
          items: outcome.buckets,
          lengthOf: ({ type, bucket }) => type.length + bucket.length,
          entryOf: ({ type, bucket }) => ({ type: shownType(type), bucket }),
          messageOf: (bucket_list) => ({ bucket_list }),
        },
        session,
      );
    case 'statistics':
      return reply(RpbAaeFoldKeyCountResp, statisticsMessage(outcome.statistics));
    case 'count':
      return reply(RpbAaeFoldKeyCountResp, {
        response_type: name(COUNT_TYPES[request.kind] ?? ''),
        keys_count: [{ tag: name('dispatched_count'), count: outcome.count }],
      });
    case 'unknown-queue':
      return NO_QUEUE;
    case 'unknown-bucket-type':
      return errorReply(noSuchTypeText(outcome.type));
    case 'too-many':
      return TOO_LARGE;
    default:
      return unreachable(outcome);
  }
}

const COUNT_TYPES: Readonly<Partial<Record<FoldRequest['kind'], string>>> = {
  reap: 'reap_tombs',
  erase: 'erase_keys',
  repair: 'repair_keys',
  replicate: 'repl_keys',
};

function statisticsMessage({ count, sizeBytes, sizes, siblings }: ObjectStatistics): KeyCounts {
  return {
    response_type: name('stats'),
    keys_count: [
      { tag: name('total_count'), count },
      { tag: name('total_size'), count: sizeBytes },
      ...sizes.map(([order, each]) => ({ tag: name('sizes'), order, count: each })),
      ...siblings.map(([order, each]) => ({ tag: name('siblings'), order, count: each })),
    ],
  };
}

/** Which parts of a tree are told. */
interface TreeMessage {
  readonly level_one: Buffer;
  readonly branches: readonly number[];
}

function wholeTree(tree: TictacTree): TreeMessage {
  return { level_one: tree.root(), branches: tree.branchNumbers() };
}

function rootOnly(tree: TictacTree): TreeMessage {
  return { level_one: tree.root(), branches: [] };
}

function numbered(packed: Buffer, branch: number): Buffer {
  const bytes = Buffer.allocUnsafe(4 + packed.length);
  bytes.writeUInt32BE(branch);
  packed.copy(bytes, 4);
  return bytes;
}

interface FoundList<F extends Fields, T, E> {
  readonly type: MessageType<F>;
  readonly items: readonly T[];
  /** Of its names and values. */
  readonly lengthOf: (item: T) => number;
  readonly entryOf: (item: T) => E;
  readonly messageOf: (entries: readonly E[]) => MessageInput<F>;
}

async function listReply<F extends Fields, T, E>(
  { type, items, lengthOf, entryOf, messageOf }: FoundList<F, T, E>,
  { clock, replySizeMaxBytes }: Session,
): Promise<Reply> {
  let sizeBytes = 0;
  const work = mapInSlices(items, (item) => {
    sizeBytes += lengthOf(item) + ENTRY_BYTES;
    return sizeBytes > replySizeMaxBytes ? undefined : entryOf(item);
  });
  const entries = await runInSlices(work, clock);
  if (entries === undefined) return TOO_LARGE;
  const message = messageOf(entries);
  return sizeBytes > SMALL_BYTES_MAX ? largeReply(type, message, clock) : reply(type, message);
}

/** Riak leaves the default type out. */
function shownType(type: ByteString): ByteString | undefined {
  return type === DEFAULT_BUCKET_TYPE ? undefined : type;
}

function name(text: string): ByteString {
  return text as ByteString;
}
