/**
 * The properties of a bucket: `/buckets/B/props`, `/types/T/buckets/B/props`, `/riak/B`.
 */

import { emptyAnswer, htmlAnswer, jsonAnswer } from './answer.ts';
import { unwritableNameAnswer } from './failure-answer.ts';
import {
  badPropertiesAnswer,
  isJsonType,
  parseProperties,
  propertiesJson,
  propertiesOutcomeAnswer,
} from './properties-json.ts';
import { JSON_OFFER } from './resource.ts';
import type { BucketProperties, PartialProperties } from '../../object/bucket-properties.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';

export class BucketPropertiesResource implements Resource {
  readonly methods: readonly string[];
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  #changes: PartialProperties = {};

  constructor(exchange: Exchange, address: BucketAddress) {
    this.#exchange = exchange;
    this.#address = address;
    this.methods =
      address.form === 'riak' ? ['HEAD', 'GET', 'PUT'] : ['HEAD', 'GET', 'PUT', 'DELETE'];
  }

  findBodyFault(): Answer | undefined {
    const changes = parseProperties(this.#exchange.body);
    if (changes === undefined) return badPropertiesAnswer('bucket');
    this.#changes = changes;
    return undefined;
  }

  refuseMediaType(): Answer | undefined {
    return isJsonType(this.#exchange.headers['content-type']) ? undefined : htmlAnswer(415);
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    // The old URL names the key list and the properties alike; without either there is nothing.
    const isHidden = this.#address.form === 'riak' && this.#exchange.query.get('props') === 'false';
    return isHidden || this.#properties() === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  act(): Answer | Promise<Answer> {
    switch (this.#exchange.method) {
      case 'PUT':
        return this.#change();
      case 'DELETE':
        return this.#reset();
      default:
        return this.#show();
    }
  }

  #properties(): BucketProperties | undefined {
    const { type, bucket } = this.#address;
    return this.#exchange.context.service.bucketProperties(type, bucket);
  }

  async #change(): Promise<Answer> {
    const { type, bucket } = this.#address;
    const { service } = this.#exchange.context;
    const outcome = await service.setBucketProperties(type, bucket, this.#changes);
    return propertiesOutcomeAnswer(outcome, 'no_type');
  }

  async #reset(): Promise<Answer> {
    const { type, bucket } = this.#address;
    const outcome = await this.#exchange.context.service.resetBucketProperties(type, bucket);
    return propertiesOutcomeAnswer(outcome, 'no_type');
  }

  #show(): Answer {
    const properties = this.#properties();
    if (properties === undefined) return emptyAnswer(404);
    const json = propertiesJson(this.#exchange.context.service, properties, this.#address);
    return json === undefined ? unwritableNameAnswer() : jsonAnswer(200, `{"props":${json}}`);
  }
}
