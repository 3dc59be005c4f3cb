/**
 * Folds: operators' queries over all keys of a bucket, or of the cluster. Each is answered by one message
 * when it has ended.
 */

import { unreachable } from '../../../base/fault.ts';
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
/** Entries above which a reply is encoded in slices. */
const SMALL_COUNT_MAX = 1_000;
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
    case 'amounts': {
      const keys_count = outcome.amounts.map(([tag, count]) => ({ tag, count }));
      const sizeBytes = sizeOf(outcome.amounts, ([key]) => key.length);
      const message = { response_type: name('find_keys'), keys_count };
      return listReply(RpbAaeFoldKeyCountResp, message, { sizeBytes, session });
    }
    case 'contexts': {
      const { contexts } = outcome;
      const keys_value = contexts.map(({ type, bucket, key, context: value }) => {
        return { type: shownType(type), bucket, key, value };
      });
      const sizeBytes = sizeOf(contexts, ({ type, bucket, key, context }) => {
        return type.length + bucket.length + key.length + context.length;
      });
      const message = { response_type: name('clock'), keys_value };
      return listReply(RpbAaeFoldKeyValueResp, message, { sizeBytes, session });
    }
    case 'buckets': {
      const { buckets } = outcome;
      const bucket_list = buckets.map(({ type, bucket }) => ({ type: shownType(type), bucket }));
      const sizeBytes = sizeOf(buckets, ({ type, bucket }) => type.length + bucket.length);
      return listReply(RpbAaeFoldListBucketsResp, { bucket_list }, { sizeBytes, session });
    }
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

function listReply<F extends Fields>(
  type: MessageType<F>,
  message: MessageInput<F>,
  { sizeBytes, session }: { readonly sizeBytes: number; readonly session: Session },
): Reply | Promise<Reply> {
  if (sizeBytes > session.replySizeMaxBytes) return TOO_LARGE;
  return sizeBytes > SMALL_COUNT_MAX * ENTRY_BYTES
    ? largeReply(type, message, session.clock)
    : reply(type, message);
}

/** Texts of all items together would be garbage of tens of megabytes. */
function sizeOf<T>(items: readonly T[], lengthOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + lengthOf(item) + ENTRY_BYTES, 0);
}

/** Riak leaves the default type out. */
function shownType(type: ByteString): ByteString | undefined {
  return type === DEFAULT_BUCKET_TYPE ? undefined : type;
}

function name(text: string): ByteString {
  return text as ByteString;
}
