/**
 * `/metrics`: all that the node counts, as OpenMetrics text. Riak has no such page.
 */

import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Form, Offer, Resource } from './resource.ts';

const OFFER: Offer = {
  mediaTypes: [
    'application/openmetrics-text;version=1.0.0',
    'text/plain;version=0.0.4',
    'text/plain',
  ],
  encodings: ['identity', 'gzip'],
};

export class MetricsResource implements Resource {
  readonly route = 'metrics';
  readonly methods = ['GET', 'HEAD'];
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  offer(): Offer {
    return OFFER;
  }

  act({ mediaType }: Form): Answer {
    return {
      status: 200,
      headers: ['Content-Type', `${mediaType};charset=utf-8`],
      body: Buffer.from(this.#exchange.context.options.metrics()),
    };
  }
}
