/**
 * GET and HEAD of an object.
 *
 * As with Riak the object is fetched where permission is asked, so that 'not found' and failures come
 * before negotiation. One value is offered as the media type it was stored with; siblings as a list of
 * vtags or as multipart; `vtag` picks one of them.
 */

import { textAnswer } from './answer.ts';
import { failureToAnswer } from './failure-answer.ts';
import { contextHeader, objectValidators, siblingAnswer, siblingsAnswer } from './object-answer.ts';
import { mediaTypeOf } from './object-headers.ts';
import { NO_PARAMETERS, parseObjectParameters } from './object-parameters.ts';
import { escapeControls } from './address.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { Sibling, StoredObject } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Form, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

export const OBJECT_METHODS = ['HEAD', 'GET', 'POST', 'PUT', 'DELETE'] as const;

const PLAIN_ENCODINGS = ['identity', 'gzip'] as const;
const SIBLINGS_OFFER: Offer = {
  mediaTypes: ['text/plain', 'multipart/mixed'],
  encodings: PLAIN_ENCODINGS,
};

export class ObjectReadResource implements Resource {
  readonly route = 'object';
  readonly target: Target;
  readonly key: ByteString;
  readonly methods = OBJECT_METHODS;
  readonly needsRoom = true;
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #key: ObjectKey;
  #parameters = NO_PARAMETERS;
  #object: StoredObject | undefined;
  /** The one to show; undefined: all of them, or none by that vtag. */
  #sibling: Sibling | undefined;

  constructor(exchange: Exchange, address: BucketAddress, key: ByteString) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
    this.key = key;
    this.#key = { type: address.type, bucket: address.bucket, key };
  }

  findFault(): Answer | undefined {
    const parsed = parseObjectParameters(this.#exchange, this.#address);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;
    return undefined;
  }

  async refuse(): Promise<Answer | undefined> {
    const { method, context, span } = this.#exchange;
    const { read, vtag } = this.#parameters;
    const headOnly = method === 'HEAD' && !this.#isValueNeeded();
    const outcome = await context.service.get({ key: this.#key, ...read, headOnly, span });
    if (outcome.kind === 'not-found') return notFoundAnswer(outcome.tombstone?.context);
    if (outcome.kind !== 'found') return failureToAnswer(outcome, method);
    const { siblings } = outcome.object;
    this.#object = outcome.object;
    this.#exchange.siblings = siblings.length;
    if (vtag !== undefined) this.#sibling = siblings.find((one) => one.vtag === vtag);
    else if (siblings.length === 1) this.#sibling = siblings[0];
    return undefined;
  }

  /** Whether HEAD may need the value, to tell how long it is when coded or cut. */
  #isValueNeeded(): boolean {
    const { headers } = this.#exchange;
    return headers['accept-encoding'] !== undefined || headers.range !== undefined;
  }

  /** Also where no sibling has the vtag that was asked for: Riak negotiates before it looks. */
  offer(): Offer {
    const siblings = this.#object?.siblings ?? [];
    const { metadata } = this.#sibling ?? (siblings.length === 1 ? siblings[0] : undefined) ?? {};
    if (metadata === undefined) return SIBLINGS_OFFER;
    const coding = metadata.contentEncoding;
    return {
      mediaTypes: [mediaTypeOf(metadata)],
      encodings: coding === undefined ? PLAIN_ENCODINGS : [escapeControls(coding)],
      charset: metadata.charset,
    };
  }

  exists(): Existence {
    if (this.#object === undefined) return { kind: 'missing' };
    if (this.#sibling === undefined && this.#parameters.vtag !== undefined) {
      return { kind: 'missing' };
    }
    return { kind: 'present', validators: objectValidators(this.#object, this.#sibling) };
  }

  act(form: Form): Answer {
    const object = this.#object as StoredObject;
    const address = this.#address;
    const isHead = this.#exchange.method === 'HEAD' && !this.#isValueNeeded();
    const sibling = this.#sibling;
    if (sibling === undefined) {
      const { mediaType } = form;
      return siblingsAnswer(this.#exchange, object, { status: 300, address, mediaType, isHead });
    }
    return siblingAnswer(object, sibling, { status: 200, address, isHead });
  }
}

/** A tombstone shows its context, with which it can be written over. */
function notFoundAnswer(tombstoneContext: VersionVector | undefined): Answer {
  if (tombstoneContext === undefined) return textAnswer(404, 'not found\n');
  const context = contextHeader(tombstoneContext);
  return textAnswer(404, 'not found\n', ['X-Riak-Deleted', 'true', 'X-Riak-Vclock', context]);
}
