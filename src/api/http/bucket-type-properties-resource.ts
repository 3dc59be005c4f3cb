/**
 * The properties of a bucket type: `/types/T/props`. Types are made by the operator, not here.
 */

import { emptyAnswer, htmlAnswer, jsonAnswer } from './answer.ts';
import {
  badPropertiesAnswer,
  isJsonType,
  parseProperties,
  propertiesJson,
  propertiesOutcomeAnswer,
} from './properties-json.ts';
import { JSON_OFFER } from './resource.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { PartialProperties } from '../../object/bucket-properties.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';

export class BucketTypePropertiesResource implements Resource {
  readonly methods = ['HEAD', 'GET', 'PUT'];
  readonly #exchange: Exchange;
  readonly #type: ByteString;
  #changes: PartialProperties = {};

  constructor(exchange: Exchange, type: ByteString) {
    this.#exchange = exchange;
    this.#type = type;
  }

  findBodyFault(): Answer | undefined {
    const changes = parseProperties(this.#exchange.body);
    if (changes === undefined) return badPropertiesAnswer('bucket type');
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
    const properties = this.#exchange.context.service.bucketTypeProperties(this.#type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  async act(): Promise<Answer> {
    const { service } = this.#exchange.context;
    if (this.#exchange.method === 'PUT') {
      const outcome = await service.setBucketTypeProperties(this.#type, this.#changes);
      return propertiesOutcomeAnswer(outcome, 'not_active');
    }
    const properties = service.bucketTypeProperties(this.#type);
    if (properties === undefined) return emptyAnswer(404);
    const json = propertiesJson(service, properties, { type: this.#type });
    return jsonAnswer(200, `{"props":${json}}`);
  }
}
