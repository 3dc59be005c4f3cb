/**
 * PUT and POST of an object, and POST to a bucket, where the server makes up the key.
 *
 * A write replaces value, metadata, links and index entries as a whole. The only form on offer is the
 * request's own media type, so an `Accept` that excludes it is refused before anything is stored.
 */

import { emptyAnswer, htmlAnswer, textAnswer } from './answer.ts';
import { failureToAnswer, refuseUnknownType } from './failure-answer.ts';
import { chooseMediaType } from './negotiation.ts';
import { siblingAnswer, siblingsAnswer } from './object-answer.ts';
import { readContext, readForConditions } from './object-condition.ts';
import { contentTypeOf, mediaTypeOf } from './object-headers.ts';
import { readMetadata } from './object-metadata.ts';
import { NO_PARAMETERS, parseObjectParameters } from './object-parameters.ts';
import { OBJECT_METHODS } from './object-read-resource.ts';
import { targetKeyOf, withLocation } from './target-key.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { PutRequest, WriteCondition } from '../../object/requests.ts';
import type { Metadata, StoredObject } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';
import type { TargetKey } from './target-key.ts';

export class ObjectWriteResource implements Resource {
  readonly route = 'object';
  readonly target: Target;
  readonly key: ByteString;
  readonly methods = OBJECT_METHODS;
  readonly needsRoom = true;
  readonly isMadeByPost = true;
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #target: TargetKey;
  #parameters = NO_PARAMETERS;
  #metadata: Metadata = {};
  #context: VersionVector | undefined;
  #condition: WriteCondition | undefined;

  /** Without a key one is made. */
  constructor(exchange: Exchange, address: BucketAddress, key: ByteString | undefined) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
    this.#target = targetKeyOf(exchange, address, key);
    this.key = this.#target.key.key;
  }

  findFault(): Answer | undefined {
    if (this.#exchange.headers['content-type'] === undefined) {
      return textAnswer(400, 'Missing Content-Type request header');
    }
    const parsed = parseObjectParameters(this.#exchange, this.#address);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;

    const metadata = readMetadata(this.#exchange, this.#address);
    if ('status' in metadata) return metadata;
    this.#metadata = metadata.metadata;
    return this.#findContextFault();
  }

  #findContextFault(): Answer | undefined {
    const seen = readContext(this.#exchange, 'x-riak-vclock');
    if ('answer' in seen) return seen.answer;
    this.#context = seen.context;
    const expected = readContext(this.#exchange, 'x-riak-if-not-modified');
    if ('answer' in expected) return expected.answer;
    // Riak looks at it for PUT only.
    if (expected.context !== undefined && this.#exchange.method === 'PUT') {
      this.#condition = { kind: 'not-modified', context: expected.context };
    }
    return undefined;
  }

  refuse(): Answer | undefined {
    return refuseUnknownType(this.#exchange, this.#address.type);
  }

  offer(): Offer {
    const { charset, contentEncoding } = this.#metadata;
    // What is returned is coded for the client unless the value came coded: to name another coding would be wrong.
    const isOther = contentEncoding !== undefined && contentEncoding !== 'gzip';
    const encodings = isOther && this.#isBodyReturned() ? ['identity'] : ['identity', 'gzip'];
    const isCoded = contentEncoding !== undefined;
    return { mediaTypes: [mediaTypeOf(this.#metadata)], encodings, charset, isCoded };
  }

  exists(): Existence | Promise<Existence> {
    if (this.#target.isMade) return { kind: 'missing' };
    // What is there is told before a media type that is refused, so it must be read first then.
    const isLeft = this.#condition === undefined && this.#isCreateOnly();
    if (isLeft && this.#refuseMediaType() === undefined) {
      this.#condition = { kind: 'none-match' };
      return { kind: 'unasked' };
    }
    return readForConditions(this.#exchange, this.#target.key, this.#parameters);
  }

  /** Whether `If-None-Match: *` is the only condition, which the coordinator checks itself. */
  #isCreateOnly(): boolean {
    const { headers } = this.#exchange;
    return (
      headers['if-none-match'] === '*' &&
      this.#parameters.vtag === undefined &&
      headers['if-match'] === undefined &&
      headers['if-modified-since'] === undefined &&
      headers['if-unmodified-since'] === undefined
    );
  }

  async act(): Promise<Answer> {
    return withLocation(
      this.#refuseMediaType() ?? (await this.#put()),
      this.#address,
      this.#target,
    );
  }

  /** A POST to a key takes any: Riak asks only where it makes or replaces a resource. */
  #refuseMediaType(): Answer | undefined {
    if (this.#exchange.method === 'POST' && !this.#target.isMade) return undefined;
    const [mediaType = ''] = (this.#exchange.headers['content-type'] ?? '').split(';');
    if (mediaType.split('/').filter((piece) => piece !== '').length !== 2) {
      const text = `"${mediaType}" is not a valid media type for the Content-type header.\n`;
      return textAnswer(415, text);
    }
    return mediaType === mediaType.trim().toLowerCase() ? undefined : htmlAnswer(415);
  }

  async #put(): Promise<Answer> {
    const { context, method } = this.#exchange;
    const outcome = await context.service.put(this.#request());
    if (outcome.kind !== 'stored') {
      return failureToAnswer(outcome, method, contentTypeOf(this.#metadata));
    }
    this.#exchange.siblings = outcome.object?.siblings.length ?? outcome.siblings ?? 0;
    const status = this.#target.isMade ? 201 : outcome.object === undefined ? 204 : 200;
    return outcome.object === undefined ? emptyAnswer(status) : this.#show(outcome.object, status);
  }

  #request(): PutRequest {
    return {
      key: this.#target.key,
      ...this.#parameters.write,
      content: { metadata: this.#metadata, value: this.#exchange.body, isTombstone: false },
      returning: this.#isBodyReturned() ? 'body' : 'nothing',
      span: this.#exchange.span,
      ...(this.#context === undefined ? {} : { context: this.#context }),
      ...(this.#condition === undefined ? {} : { condition: this.#condition }),
    };
  }

  /** A write-once bucket does not read, so it has nothing to return. */
  #isBodyReturned(): boolean {
    if (!this.#parameters.isBodyReturned) return false;
    const { type, bucket } = this.#address;
    return this.#exchange.context.service.bucketProperties(type, bucket)?.write_once !== true;
  }

  #show(object: StoredObject, status: number): Answer {
    const address = this.#address;
    const { siblings } = object;
    const { vtag } = this.#parameters;
    const sibling = siblings.length === 1 ? siblings[0] : siblings.find((one) => one.vtag === vtag);
    if (sibling !== undefined) {
      // An empty value is no body, and so no 200.
      const shown = status === 200 && sibling.valueSizeBytes === 0 ? 204 : status;
      return siblingAnswer(object, sibling, { status: shown, address, isHead: false });
    }
    const { accept } = this.#exchange.headers;
    const mediaType =
      accept === undefined ? undefined : chooseMediaType(accept, ['multipart/mixed', 'text/plain']);
    return siblingsAnswer(this.#exchange, object, {
      status: status === 201 ? 201 : 300,
      address,
      mediaType: mediaType ?? 'text/plain',
      isHead: false,
    });
  }
}
