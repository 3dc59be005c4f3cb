/**
 * `/stats`: a flat JSON object of counters and figures; pretty printed where text is asked for.
 */

import { encodeJson, quoteText } from './json-text.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Form, Offer, Resource } from './resource.ts';

const OFFER: Offer = {
  mediaTypes: ['application/json', 'text/plain'],
  encodings: ['identity', 'gzip'],
};

export class StatsResource implements Resource {
  readonly route = 'stats';
  readonly methods = ['GET', 'HEAD'];
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  offer(): Offer {
    return OFFER;
  }

  act(form: Form): Answer {
    const stats = this.#exchange.context.options.stats();
    const body = form.mediaType === 'text/plain' ? prettyJson(stats) : encodeJson(stats);
    return { status: 200, headers: ['Content-Type', form.mediaType], body };
  }
}

/** One line for each member. */
function prettyJson(stats: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(stats).map(([name, value]) => {
    return `  ${quoteText(name)}: ${encodeJson(value)}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}
