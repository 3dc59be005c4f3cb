/**
 * The properties of a bucket (`/buckets/B/props`, `/types/T/buckets/B/props`, `/riak/B`) and those of a
 * bucket type (`/types/T/props`). Types are made by the operator, not here.
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
import type { ByteString } from '../../base/bytes.ts';
import type { PropertiesOutcome } from '../../node/node-service.ts';
import type { BucketProperties, PartialProperties } from '../../object/bucket-properties.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

/** Whose properties they are, and what may be done with them. */
interface Owner {
  readonly kind: 'bucket' | 'bucket type';
  readonly name: Target;
  /** Riak's word for a type that is not there. */
  readonly unknownText: string;
  /** Undefined: there is no such type. */
  readonly get: () => BucketProperties | undefined;
  readonly set: (changes: PartialProperties) => Promise<PropertiesOutcome>;
  readonly reset?: () => Promise<PropertiesOutcome>;
}

export function bucketPropertiesResource(exchange: Exchange, address: BucketAddress): Resource {
  const { form, type, bucket } = address;
  const { service } = exchange.context;
  const isOldForm = form === 'riak';
  return new PropertiesResource(exchange, {
    kind: 'bucket',
    name: { type, bucket },
    unknownText: 'no_type',
    get: () => service.bucketProperties(type, bucket),
    set: (changes) => service.setBucketProperties(type, bucket, changes),
    ...(isOldForm ? {} : { reset: () => service.resetBucketProperties(type, bucket) }),
  });
}

export function typePropertiesResource(exchange: Exchange, type: ByteString): Resource {
  const { service } = exchange.context;
  return new PropertiesResource(exchange, {
    kind: 'bucket type',
    name: { type },
    unknownText: 'not_active',
    get: () => service.bucketTypeProperties(type),
    set: (changes) => service.setBucketTypeProperties(type, changes),
  });
}

class PropertiesResource implements Resource {
  readonly methods: readonly string[];
  readonly route: 'bucket properties' | 'type properties';
  readonly target: Target;
  readonly #exchange: Exchange;
  readonly #owner: Owner;
  #changes: PartialProperties = {};

  constructor(exchange: Exchange, owner: Owner) {
    this.#exchange = exchange;
    this.#owner = owner;
    this.route = owner.kind === 'bucket' ? 'bucket properties' : 'type properties';
    this.target = owner.name;
    const methods = ['HEAD', 'GET', 'PUT'];
    this.methods = owner.reset === undefined ? methods : [...methods, 'DELETE'];
  }

  findBodyFault(): Answer | undefined {
    const changes = parseProperties(this.#exchange.body);
    if (changes === undefined) return badPropertiesAnswer(this.#owner.kind);
    this.#changes = changes;
    return undefined;
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    return this.#owner.get() === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  act(): Answer | Promise<Answer> {
    const { method, headers } = this.#exchange;
    const { reset } = this.#owner;
    if (method === 'DELETE' && reset !== undefined) return this.#tell(reset());
    if (method !== 'PUT') return this.#show();
    return isJsonType(headers['content-type'])
      ? this.#tell(this.#owner.set(this.#changes))
      : htmlAnswer(415);
  }

  async #tell(outcome: Promise<PropertiesOutcome>): Promise<Answer> {
    return propertiesOutcomeAnswer(await outcome, this.#owner.unknownText);
  }

  #show(): Answer {
    const properties = this.#owner.get();
    if (properties === undefined) return emptyAnswer(404);
    const { service } = this.#exchange.context;
    const json = propertiesJson(service, properties, this.#owner.name);
    return json === undefined ? unwritableNameAnswer() : jsonAnswer(200, `{"props":${json}}`);
  }
}
