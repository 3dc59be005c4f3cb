/**
 * Properties of buckets and bucket types: get, set, reset.
 */

import { DEFAULT_BUCKET_TYPE } from '../../../base/names.ts';
import { unreachable } from '../../../base/fault.ts';
import { noSuchTypeText, propertiesErrorText } from '../error-text.ts';
import { printBinary } from '../../../object/erlang-text.ts';
import { errorReply, reply } from '../handler.ts';
import {
  RpbGetBucketResp,
  RpbResetBucketResp,
  RpbSetBucketResp,
} from '../messages/bucket-messages.ts';
import { messageToChanges, propertiesToMessage } from '../properties-values.ts';
import { bucketTypeOf } from '../request-values.ts';
import type { PropertiesOutcome } from '../../../node/node-service.ts';
import type { Reply, Session } from '../handler.ts';
import type {
  RpbGetBucketReq,
  RpbGetBucketTypeReq,
  RpbResetBucketReq,
  RpbSetBucketReq,
  RpbSetBucketTypeReq,
} from '../messages/bucket-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

const SET = reply(RpbSetBucketResp, {});
const RESET = reply(RpbResetBucketResp, {});

export function getBucket(
  { type, bucket }: MessageOf<typeof RpbGetBucketReq>,
  { node }: Session,
): Reply {
  const bucketType = bucketTypeOf(type);
  const properties = node.bucketProperties(bucketType, bucket);
  if (properties === undefined) return errorReply(noSuchTypeText(bucketType));
  const isUntyped = bucketType === DEFAULT_BUCKET_TYPE;
  return reply(RpbGetBucketResp, { props: propertiesToMessage(properties, isUntyped) });
}

export async function setBucket(
  { type, bucket, props }: MessageOf<typeof RpbSetBucketReq>,
  { node }: Session,
): Promise<Reply> {
  const bucketType = bucketTypeOf(type);
  const outcome = await node.setBucketProperties(bucketType, bucket, messageToChanges(props));
  return changeReply(outcome, noSuchTypeText(bucketType));
}

/** Succeeds whether or not there was anything to drop, and where the type is unknown. */
export async function resetBucket(
  { type, bucket }: MessageOf<typeof RpbResetBucketReq>,
  { node }: Session,
): Promise<Reply> {
  const outcome = await node.resetBucketProperties(bucketTypeOf(type), bucket);
  if (outcome.kind === 'changed' || outcome.kind === 'unknown-bucket-type') return RESET;
  return changeReply(outcome, noSuchTypeText(bucketTypeOf(type)));
}

export function getBucketType(
  { type }: MessageOf<typeof RpbGetBucketTypeReq>,
  { node }: Session,
): Reply {
  const properties = node.bucketTypeProperties(type);
  if (properties === undefined) return errorReply(`Invalid bucket type: ${printBinary(type)}`);
  const isDefault = type === DEFAULT_BUCKET_TYPE;
  return reply(RpbGetBucketResp, { props: propertiesToMessage(properties, isDefault) });
}

export async function setBucketType(
  { type, props }: MessageOf<typeof RpbSetBucketTypeReq>,
  { node }: Session,
): Promise<Reply> {
  const outcome = await node.setBucketTypeProperties(type, messageToChanges(props));
  return changeReply(outcome, 'Invalid bucket properties: not_active');
}

function changeReply(outcome: PropertiesOutcome, unknownTypeText: string): Reply {
  switch (outcome.kind) {
    case 'changed':
      return SET;
    case 'refused':
      return errorReply(propertiesErrorText(outcome.refusals));
    case 'unknown-bucket-type':
      return errorReply(unknownTypeText);
    case 'no-default-update':
      return errorReply('Invalid bucket properties: no_default_update');
    case 'exists':
      return errorReply('Invalid bucket properties: already_active');
    case 'timeout':
      return errorReply('timeout');
    default:
      return unreachable(outcome);
  }
}
