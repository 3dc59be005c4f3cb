/**
 * The fold over whole objects that Riak CS uses: keys in order, each with its object.
 *
 * The first key is included and the last is not, unless the request says otherwise. Keys come from
 * the `$key` index, objects from ordinary reads, a few at a time. A tombstone is an object too until it
 * is reaped. No class of jobs switches it off, as in Riak.
 */

import { LAST_KEY } from '../../../base/names.ts';
import { encodeContext } from '../../../clock/context.ts';
import { headsToContent, siblingsToContent } from '../content-values.ts';
import { decodeContinuation, encodeContinuation } from '../../../query/index-continuation.ts';
import { failureToErrorText, noSuchTypeText } from '../error-text.ts';
import { errorReply, reply } from '../handler.ts';
import { RpbCSBucketResp } from '../messages/index-messages.ts';
import { bucketTypeOf, idleTimeoutOf } from '../request-values.ts';
import { streamErrorReply, withFaultsInside } from '../stream-fault.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { Failure, NodeService } from '../../../node/node-service.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type { IndexPosition } from '../../../query/match-scan.ts';
import type { RpbCSBucketReq, RpbIndexObject } from '../messages/index-messages.ts';
import type { InputOf, MessageOf } from '../messages/message-type.ts';

type FoldMessage = MessageOf<typeof RpbCSBucketReq>;

/** Objects may be large, and all of one round are in memory. */
const READS_AT_ONCE = 4;
const KEY_FIELD = '$key' as ByteString;

export function foldObjects(message: FoldMessage, session: Session): Answer {
  const type = bucketTypeOf(message.type);
  if (session.node.bucketTypeProperties(type) === undefined) {
    return errorReply(noSuchTypeText(type));
  }
  const { continuation } = message;
  const after = continuation === undefined ? undefined : decodeContinuation(continuation);
  return continuation !== undefined && after === undefined
    ? errorReply('Invalid continuation')
    : withFaultsInside(replies(message, session.node, after), session);
}

async function* replies(
  message: FoldMessage,
  node: NodeService,
  after: IndexPosition | undefined,
): AsyncGenerator<Reply> {
  let left = message.max_results ?? Infinity;
  let last: ByteString | undefined;
  const type = bucketTypeOf(message.type);
  for await (const keys of keysOf(message, node, after)) {
    let start = 0;
    while (start < keys.length && left > 0) {
      const some = keys.slice(start, start + Math.min(READS_AT_ONCE, left));
      start += some.length;
      const read = await readObjects(some, { node, type, bucket: message.bucket });
      if (read.kind === 'failed') return yield streamErrorReply(failureToErrorText(read.failure));
      const { objects } = read;
      left -= objects.length;
      last = objects.at(-1)?.key ?? last;
      for (const some of bySize(objects)) yield reply(RpbCSBucketResp, { objects: some });
    }
    if (left === 0) break;
  }
  const continuation =
    left === 0 && last !== undefined ? encodeContinuation({ term: last, key: last }) : undefined;
  return yield reply(RpbCSBucketResp, { done: true, continuation });
}

async function* keysOf(
  message: FoldMessage,
  node: NodeService,
  after: IndexPosition | undefined,
): AsyncGenerator<readonly ByteString[]> {
  const { bucket, start_key, end_key, start_incl, end_incl, max_results, timeout } = message;
  if (max_results === 0) return;
  const scan = {
    type: bucketTypeOf(message.type),
    bucket,
    field: KEY_FIELD,
    from: start_key,
    to: end_key ?? LAST_KEY,
    after,
    // Excluded ends come too, so how many to read is not known beforehand.
    limit: undefined,
  };
  for await (const batch of node.index(scan, { timeoutMs: idleTimeoutOf(timeout) })) {
    yield batch
      .map(([, key]) => key)
      .filter(
        (key) =>
          (key !== start_key || start_incl !== false) && (key !== end_key || end_incl === true),
      );
  }
}

type IndexObject = InputOf<typeof RpbIndexObject>;

/** Of the objects of one reply; one object may pass it. A reply is encoded in one go. */
const REPLY_BYTES = 1024 * 1024;

function* bySize(objects: readonly IndexObject[]): Generator<readonly IndexObject[]> {
  let some: IndexObject[] = [];
  let sizeBytes = 0;
  for (const object of objects) {
    const content = object.object.content ?? [];
    some.push(object);
    sizeBytes += content.reduce((sum, { value }) => sum + value.length, 0);
    if (sizeBytes < REPLY_BYTES) continue;
    yield some;
    some = [];
    sizeBytes = 0;
  }
  if (some.length > 0) yield some;
}

type ReadOutcome =
  | { readonly kind: 'read'; readonly objects: readonly IndexObject[] }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The objects of those keys that have one. */
async function readObjects(
  keys: readonly ByteString[],
  { node, type, bucket }: { node: NodeService; type: ByteString; bucket: ByteString },
): Promise<ReadOutcome> {
  const outcomes = await Promise.all(keys.map((key) => node.get({ key: { type, bucket, key } })));
  const objects: IndexObject[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const key = keys[index] as ByteString;
    if (outcome.kind === 'found') {
      const { siblings, context } = outcome.object;
      const content = siblingsToContent(siblings);
      objects.push({ key, object: { content, vclock: encodeContext(context) } });
    } else if (outcome.kind !== 'not-found') {
      return { kind: 'failed', failure: outcome };
    } else if (outcome.tombstone !== undefined) {
      const { siblings, context } = outcome.tombstone;
      const content = headsToContent(siblings);
      objects.push({ key, object: { content, vclock: encodeContext(context) } });
    }
  }
  return { kind: 'read', objects };
}
