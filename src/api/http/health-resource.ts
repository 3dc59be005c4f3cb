/**
 * `/livez` and `/readyz`: for who restarts a node, and for who sends it clients.
 *
 * Alive is whoever answers: a node under load, with a full disk or without its peers is no better for
 * being restarted. Ready says whether clients may be sent here, and if not, why.
 */

import { textAnswer, type Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Offer, Resource } from './resource.ts';

const OFFER: Offer = { mediaTypes: ['text/plain'], encodings: ['identity'] };

export class HealthResource implements Resource {
  readonly methods = ['GET', 'HEAD'];
  readonly route: 'livez' | 'readyz';
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, route: 'livez' | 'readyz') {
    this.#exchange = exchange;
    this.route = route;
  }

  offer(): Offer {
    return OFFER;
  }

  act(): Answer {
    if (this.route === 'livez') return textAnswer(200, 'alive\n');
    const { isReady, reason } = this.#exchange.context.service.readiness();
    return textAnswer(isReady ? 200 : 503, `${reason}\n`);
  }
}
