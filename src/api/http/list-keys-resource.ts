/**
 * Lists of keys: `?keys=true` whole, `?keys=stream` as they come; over the old URL with the bucket's
 * properties before them, unless `props=false`.
 */

import { isFault } from '../../base/fault.ts';
import { emptyAnswer, jsonAnswer } from './answer.ts';
import { unwritableNameAnswer } from './failure-answer.ts';
import { refuseJob } from './job-switch.ts';
import { quoteNames, streamedList, timedOut, wholeListAnswer } from './json-listing.ts';
import { parseTimeout } from './object-parameters.ts';
import { propertiesJson } from './properties-json.ts';
import { JSON_OFFER } from './resource.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { ItemTexts } from './json-listing.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

const WHOLE_TIMEOUT_MS = 480_000;
const STREAM_TIMEOUT_MS = 60_000;

export class ListKeysResource implements Resource {
  readonly route = 'keys';
  readonly target: Target;
  readonly methods = ['GET', 'HEAD'];
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #mode: string | undefined;
  #timeoutMs: number;

  constructor(exchange: Exchange, address: BucketAddress) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
    this.#mode = exchange.query.get('keys');
    this.#timeoutMs = this.#mode === 'stream' ? STREAM_TIMEOUT_MS : WHOLE_TIMEOUT_MS;
  }

  findFault(): Answer | undefined {
    const timeoutMs = parseTimeout(this.#exchange.query);
    if (typeof timeoutMs === 'object') return timeoutMs;
    this.#timeoutMs = timeoutMs ?? this.#timeoutMs;
    return undefined;
  }

  refuse(): Answer | undefined {
    return refuseJob(this.#exchange, this.#mode === 'stream' ? 'stream_list_keys' : 'list_keys');
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    const properties = this.#exchange.context.service.bucketTypeProperties(this.#address.type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  act(): Answer | Promise<Answer> {
    if (this.#exchange.method === 'HEAD') {
      return emptyAnswer(200, ['Content-Type', 'application/json']);
    }
    if (this.#mode !== 'true' && this.#mode !== 'stream') return jsonAnswer(200, '{}');
    const preamble = this.#preamble();
    if (preamble === undefined) return unwritableNameAnswer();
    const { type, bucket } = this.#address;
    const { service } = this.#exchange.context;
    const timeoutMs = this.#timeoutMs;
    const items = quoteNames(
      timeoutMs > 0 ? service.listKeys(type, bucket, { timeoutMs }) : timedOut(),
    );
    if (this.#mode === 'true') return this.#whole(items, preamble);
    const headers = ['Content-Type', 'application/json'];
    return { status: 200, headers, body: this.#stream(items, preamble) };
  }

  /** `"props":{…}` where the URL asks for it, or undefined where the bucket's name has no JSON form. */
  #preamble(): string | undefined {
    const isAsked = this.#address.form === 'riak' && this.#exchange.query.get('props') !== 'false';
    if (!isAsked) return '';
    const { service } = this.#exchange.context;
    const properties = service.bucketProperties(this.#address.type, this.#address.bucket);
    if (properties === undefined) return '';
    const json = propertiesJson(service, properties, this.#address);
    return json === undefined ? undefined : `"props":${json}`;
  }

  async #whole(items: ItemTexts, preamble: string): Promise<Answer> {
    const opening = preamble === '' ? '{"keys":[' : `{${preamble},"keys":[`;
    try {
      return await wholeListAnswer(items, opening, () => ']}');
    } catch (error) {
      if (!isFault(error, 'timeout')) throw error;
      return jsonAnswer(200, '{"error":"timeout"}');
    }
  }

  async *#stream(items: ItemTexts, preamble: string): AsyncIterable<string> {
    try {
      if (this.#address.form === 'riak') yield `{${preamble}}`;
      yield* streamedList('keys', items);
    } finally {
      // The client may leave at the preamble, when nothing else ends the items.
      await items.return?.();
    }
  }
}
