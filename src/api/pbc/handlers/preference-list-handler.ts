/**
 * Who holds a key: the positions of its preference list, by partition number.
 */

import { utf8ToByteString } from '../../../base/bytes.ts';
import { noSuchTypeText } from '../error-text.ts';
import { errorReply, reply } from '../handler.ts';
import { RpbGetBucketKeyPreflistResp } from '../messages/index-messages.ts';
import { bucketTypeOf } from '../request-values.ts';
import { findEmptyName } from './object-handlers.ts';
import type { Reply, Session } from '../handler.ts';
import type { RpbGetBucketKeyPreflistReq } from '../messages/index-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

export function getPreferenceList(
  message: MessageOf<typeof RpbGetBucketKeyPreflistReq>,
  session: Session,
): Reply {
  const refusal = findEmptyName(message);
  if (refusal !== undefined) return refusal;
  const { bucket, key } = message;
  const type = bucketTypeOf(message.type);
  const entries = session.node.preferenceList({ type, bucket, key });
  if (entries === undefined) return errorReply(noSuchTypeText(type));
  return reply(RpbGetBucketKeyPreflistResp, {
    preflist: entries.map(({ partition, node, isPrimary }) => ({
      partition: BigInt(partition),
      node: utf8ToByteString(node),
      primary: isPrimary,
    })),
  });
}
