/**
 * Properties of buckets and bucket types, as far as the Protocol Buffers API has fields for them.
 */

import { changesToMessage, messageToChanges } from '../api/pbc/properties-values.ts';
import {
  RpbGetBucketReq,
  RpbGetBucketResp,
  RpbGetBucketTypeReq,
  RpbResetBucketReq,
  RpbResetBucketResp,
  RpbSetBucketReq,
  RpbSetBucketResp,
  RpbSetBucketTypeReq,
} from '../api/pbc/messages/bucket-messages.ts';
import type { ByteString } from '../base/bytes.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import type { Requester } from './requester.ts';

export class BucketClient {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  async properties(type: ByteString, bucket: ByteString): Promise<PartialProperties> {
    const { props } = await this.#requester.call({
      request: RpbGetBucketReq,
      value: { type, bucket },
      reply: RpbGetBucketResp,
      isRepeatable: true,
    });
    return messageToChanges(props);
  }

  /** Those that are not named stay as they are. */
  async setProperties(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<void> {
    await this.#requester.call({
      request: RpbSetBucketReq,
      value: { type, bucket, props: changesToMessage(changes) },
      reply: RpbSetBucketResp,
      isRepeatable: true,
    });
  }

  async resetProperties(type: ByteString, bucket: ByteString): Promise<void> {
    await this.#requester.call({
      request: RpbResetBucketReq,
      value: { type, bucket },
      reply: RpbResetBucketResp,
      isRepeatable: true,
    });
  }

  async typeProperties(type: ByteString): Promise<PartialProperties> {
    const { props } = await this.#requester.call({
      request: RpbGetBucketTypeReq,
      value: { type },
      reply: RpbGetBucketResp,
      isRepeatable: true,
    });
    return messageToChanges(props);
  }

  async setTypeProperties(type: ByteString, changes: PartialProperties): Promise<void> {
    await this.#requester.call({
      request: RpbSetBucketTypeReq,
      value: { type, props: changesToMessage(changes) },
      reply: RpbSetBucketResp,
      isRepeatable: true,
    });
  }
}
