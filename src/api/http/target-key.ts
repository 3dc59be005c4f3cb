/**
 * The key that a write is about: named by the client, or made up because the URL ends at its bucket.
 *
 * A made-up key is told in `Location`, also where the write then fails, as Riak does.
 */

import { randomKey } from '../../object/vtag.ts';
import { createdLocation } from './address.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';

export interface TargetKey {
  readonly key: ObjectKey;
  /** The client named none. */
  readonly isMade: boolean;
}

/** Without `key` one is made. */
export function targetKeyOf(
  exchange: Exchange,
  { type, bucket }: BucketAddress,
  key: ByteString | undefined,
): TargetKey {
  const named = key ?? (randomKey(exchange.context.host.random) as ByteString);
  return { key: { type, bucket, key: named }, isMade: key === undefined };
}

/** The answer to a write, with the place of a key that was made for it. */
export function withLocation(answer: Answer, address: BucketAddress, target: TargetKey): Answer {
  if (target.isMade) {
    answer.headers.push('Location', createdLocation(address, target.key.key));
  }
  return answer;
}
