/**
 * Data types: what they hold, and operations on them.
 *
 * An operation is not repeatable: whether a counter was raised once or twice cannot be told. Removals
 * need the context of what they were read from.
 */

import {
  DtFetchReq,
  DtFetchResp,
  DtUpdateReq,
  DtUpdateResp,
} from '../api/pbc/messages/datatype-messages.ts';
import { quorumToNumber } from '../api/pbc/request-values.ts';
import type { ObjectKey } from '../base/names.ts';
import type { DatatypeName, DatatypeOperation, DatatypeValue } from '../datatype/operation.ts';
import type { Quorum } from '../object/bucket-properties.ts';
import { datatypeNameOf, messageToValue, operationToMessage } from './datatype-fields.ts';
import type { Requester } from './requester.ts';

export interface FetchedDatatype {
  /** The type of the bucket. */
  readonly datatype: DatatypeName;
  /** Undefined: there is none. */
  readonly value: DatatypeValue | undefined;
  /** Of sets and maps. */
  readonly context: Buffer | undefined;
}

export class DatatypeClient {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  async fetch(
    { type, bucket, key }: ObjectKey,
    { pr }: { readonly pr?: Quorum } = {},
  ): Promise<FetchedDatatype> {
    const reply = await this.#requester.call({
      request: DtFetchReq,
      value: { type, bucket, key, pr: pr === undefined ? undefined : quorumToNumber(pr) },
      reply: DtFetchResp,
      isRepeatable: true,
    });
    const datatype = datatypeNameOf(reply.type);
    const value = reply.value && messageToValue(datatype, reply.value);
    return { datatype, value, context: reply.context };
  }

  async update(
    { type, bucket, key }: ObjectKey,
    operation: DatatypeOperation,
    context?: Buffer,
  ): Promise<void> {
    await this.#requester.call({
      request: DtUpdateReq,
      value: { type, bucket, key, context, op: operationToMessage(operation) },
      reply: DtUpdateResp,
      isRepeatable: false,
    });
  }
}
