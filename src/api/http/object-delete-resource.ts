/**
 * DELETE of an object: a tombstone over what the client had seen, or over what a read finds.
 */

import { emptyAnswer, textAnswer } from './answer.ts';
import { failureToAnswer, refuseUnknownType } from './failure-answer.ts';
import { readContext, readForConditions } from './object-condition.ts';
import { NO_PARAMETERS, parseObjectParameters } from './object-parameters.ts';
import { OBJECT_METHODS } from './object-read-resource.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { DeleteRequest } from '../../object/requests.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { ObjectParameters } from './object-parameters.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

/** Of what DELETE answers with; as with Riak an `Accept` that excludes it is refused. */
const OFFER: Offer = { mediaTypes: ['text/html'], encodings: ['identity', 'gzip'] };

export class ObjectDeleteResource implements Resource {
  readonly route = 'object';
  readonly target: Target;
  readonly key: ByteString;
  readonly methods = OBJECT_METHODS;
  readonly needsRoom = true;
  readonly #exchange: Exchange;
  readonly #key: ObjectKey;
  #parameters = NO_PARAMETERS;
  #context: VersionVector | undefined;

  constructor(exchange: Exchange, address: BucketAddress, key: ByteString) {
    this.#exchange = exchange;
    this.key = key;
    this.#key = { type: address.type, bucket: address.bucket, key };
    this.target = address;
  }

  findFault(): Answer | undefined {
    const parsed = parseObjectParameters(this.#exchange, this.#key);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;
    const given = readContext(this.#exchange, 'x-riak-vclock');
    if ('answer' in given) return given.answer;
    this.#context = given.context;
    return undefined;
  }

  refuse(): Answer | undefined {
    return refuseUnknownType(this.#exchange, this.#key.type);
  }

  offer(): Offer {
    return OFFER;
  }

  exists(): Promise<Existence> {
    return readForConditions(this.#exchange, this.#key, this.#parameters);
  }

  async act(): Promise<Answer> {
    const outcome = await this.#exchange.context.service.delete({
      key: this.#key,
      ...deleteOptions(this.#parameters),
      span: this.#exchange.span,
      ...(this.#context === undefined ? {} : { context: this.#context }),
    });
    if (outcome.kind === 'deleted') return emptyAnswer(204);
    if (outcome.kind === 'not-found') return textAnswer(404, 'not found\n');
    return failureToAnswer(outcome, 'DELETE', OFFER.mediaTypes[0]);
  }
}

/** Quorums and the time-out. All else that reads and writes can be asked counts for conditions only. */
function deleteOptions({ read, write, rw }: ObjectParameters): Omit<DeleteRequest, 'key'> {
  const { r, pr } = read;
  const { w, dw, pw, timeoutMs } = write;
  return {
    ...(r !== undefined && { r }),
    ...(pr !== undefined && { pr }),
    ...(w !== undefined && { w }),
    ...(dw !== undefined && { dw }),
    ...(pw !== undefined && { pw }),
    ...(rw !== undefined && { rw }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}
