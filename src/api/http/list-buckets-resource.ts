/**
 * Lists of buckets: `?buckets=true` whole, `?buckets=stream` as they come.
 */

import { emptyAnswer, jsonAnswer } from './answer.ts';
import { refuseJob } from './job-switch.ts';
import { quoteNames, streamedList, timedOut, wholeListAnswer } from './json-listing.ts';
import { parseTimeout } from './object-parameters.ts';
import { JSON_OFFER } from './resource.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

const DEFAULT_TIMEOUT_MS = 300_000;

export class ListBucketsResource implements Resource {
  readonly route = 'buckets';
  readonly target: Target;
  readonly methods = ['GET', 'HEAD'];
  readonly #exchange: Exchange;
  readonly #type: ByteString;
  readonly #mode: string | undefined;
  #timeoutMs = DEFAULT_TIMEOUT_MS;

  constructor(exchange: Exchange, type: ByteString) {
    this.#exchange = exchange;
    this.#type = type;
    this.target = { type };
    this.#mode = exchange.query.get('buckets');
  }

  findFault(): Answer | undefined {
    const timeoutMs = parseTimeout(this.#exchange.query);
    if (typeof timeoutMs === 'object') return timeoutMs;
    this.#timeoutMs = timeoutMs ?? this.#timeoutMs;
    return undefined;
  }

  refuse(): Answer | undefined {
    const isStreamed = this.#mode === 'stream';
    return refuseJob(this.#exchange, isStreamed ? 'stream_list_buckets' : 'list_buckets');
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    const properties = this.#exchange.context.service.bucketTypeProperties(this.#type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  act(): Answer | Promise<Answer> {
    const headers = ['Content-Type', 'application/json'];
    if (this.#exchange.method === 'HEAD') return emptyAnswer(200, headers);
    if (this.#mode !== 'true' && this.#mode !== 'stream') return jsonAnswer(200, '{"buckets":[]}');
    const { service } = this.#exchange.context;
    const items = quoteNames(
      this.#timeoutMs > 0
        ? service.listBuckets(this.#type, { timeoutMs: this.#timeoutMs })
        : timedOut(),
    );
    return this.#mode === 'stream'
      ? { status: 200, headers, body: streamedList('buckets', items) }
      : wholeListAnswer(items, '{"buckets":[', () => ']}');
  }
}
