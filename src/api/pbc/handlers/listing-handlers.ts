/**
 * Listing: the buckets of a type, the keys of a bucket. Keys always come as a stream, buckets when
 * that is asked for.
 */

import { noSuchTypeText } from '../error-text.ts';
import { errorReply, findJobRefusal, reply } from '../handler.ts';
import { RpbListBucketsResp, RpbListKeysResp } from '../messages/bucket-messages.ts';
import { bucketTypeOf, idleTimeoutOf } from '../request-values.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { JobClass } from '../../../object/job-class.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type { RpbListBucketsReq, RpbListKeysReq } from '../messages/bucket-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

/** What a name takes beside its bytes, as a field and in memory. */
const NAME_OVERHEAD_BYTES = 32;

type Names = AsyncIterable<readonly ByteString[]>;

export function listKeys(message: MessageOf<typeof RpbListKeysReq>, session: Session): Answer {
  const refusal = findListingRefusal(message, session, 'stream_list_keys');
  if (refusal !== undefined) return refusal;
  const { bucket, timeout } = message;
  const type = bucketTypeOf(message.type);
  return keysReplies(session.node.listKeys(type, bucket, { timeoutMs: idleTimeoutOf(timeout) }));
}

export function listBuckets(
  message: MessageOf<typeof RpbListBucketsReq>,
  session: Session,
): Answer {
  const isStream = message.stream === true;
  const job = isStream ? 'stream_list_buckets' : 'list_buckets';
  const refusal = findListingRefusal(message, session, job);
  if (refusal !== undefined) return refusal;
  const type = bucketTypeOf(message.type);
  const names = session.node.listBuckets(type, { timeoutMs: idleTimeoutOf(message.timeout) });
  return isStream ? bucketsReplies(names) : bucketsReply(names, session);
}

function findListingRefusal(
  message: { readonly type: ByteString | undefined; readonly timeout: number | undefined },
  session: Session,
  job: JobClass,
): Reply | undefined {
  const refusal = findJobRefusal(session, job);
  if (refusal !== undefined) return refusal;
  const type = bucketTypeOf(message.type);
  if (session.node.bucketTypeProperties(type) === undefined) {
    return errorReply(noSuchTypeText(type));
  }
  return message.timeout === 0 ? errorReply('timeout') : undefined;
}

async function* keysReplies(names: Names): AsyncGenerator<Reply> {
  for await (const keys of names) if (keys.length > 0) yield reply(RpbListKeysResp, { keys });
  yield reply(RpbListKeysResp, { done: true });
}

async function* bucketsReplies(names: Names): AsyncGenerator<Reply> {
  for await (const buckets of names) {
    if (buckets.length > 0) yield reply(RpbListBucketsResp, { buckets });
  }
  yield reply(RpbListBucketsResp, { done: true });
}

/** One reply with all of them, and without `done`. */
async function bucketsReply(names: Names, { replySizeMaxBytes }: Session): Promise<Reply> {
  const collected: ByteString[] = [];
  let sizeBytes = 0;
  for await (const buckets of names) {
    for (const bucket of buckets) {
      sizeBytes += NAME_OVERHEAD_BYTES + bucket.length;
      collected.push(bucket);
    }
    if (sizeBytes > replySizeMaxBytes) {
      return errorReply('Too many buckets for one message, ask for a stream');
    }
  }
  return reply(RpbListBucketsResp, { buckets: collected });
}
