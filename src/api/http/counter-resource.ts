/**
 * The counters of Riak 1.4: `/buckets/B/counters/K`, in buckets of the default type that keep siblings.
 *
 * Amounts and values are bare decimal integers, whatever the media type says.
 */

import { htmlAnswer, emptyAnswer, textAnswer } from './answer.ts';
import { parseIncrement } from './datatype-json.ts';
import { failureToAnswer } from './failure-answer.ts';
import { NO_PARAMETERS, parseCounterParameters } from './object-parameters.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { ShownDatatype } from '../../object/datatype-requests.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

const OFFER: Offer = { mediaTypes: ['text/plain'], encodings: ['identity'] };
const TIMEOUT_MS = 60_000;

export class CounterResource implements Resource {
  readonly route = 'counter';
  readonly target: Target;
  readonly key: ByteString;
  readonly methods = ['GET', 'POST'];
  readonly needsRoom = true;
  readonly isMadeByPost = true;
  readonly #exchange: Exchange;
  readonly #key: ObjectKey;
  #parameters: Exclude<ReturnType<typeof parseCounterParameters>, Answer> = NO_PARAMETERS;
  #increment = 0n;
  #shown: ShownDatatype | undefined;

  constructor(exchange: Exchange, key: ObjectKey) {
    this.#exchange = exchange;
    this.key = key.key;
    this.#key = key;
    this.target = key;
  }

  /** Of a POST the amount is judged first. */
  findFault(): Answer | undefined {
    return this.#exchange.method === 'POST' ? undefined : this.#findParameterFault();
  }

  findBodyFault(): Answer | undefined {
    const increment = parseIncrement(this.#exchange.body.toString('latin1'));
    if (increment === undefined) return htmlAnswer(400);
    this.#increment = increment;
    return this.#findParameterFault();
  }

  #findParameterFault(): Answer | undefined {
    const parsed = parseCounterParameters(this.#exchange, this.#key);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;
    return undefined;
  }

  /** A counter that is not there is told before what is wrong with the wish to see it. */
  async refuse(): Promise<Answer | undefined> {
    if (this.#exchange.method === 'POST') return undefined;
    const { context, span } = this.#exchange;
    const outcome = await context.service.fetchDatatype({
      key: this.#key,
      ...this.#parameters.read,
      timeoutMs: TIMEOUT_MS,
      span,
    });
    const { kind } = outcome;
    if (kind === 'found') {
      this.#shown = outcome.shown;
      return undefined;
    }
    return kind === 'not-found' || kind === 'siblings-off' || kind === 'no-datatype'
      ? textAnswer(404, 'not found\n')
      : failureToAnswer(outcome, 'GET');
  }

  offer(): Offer {
    return OFFER;
  }

  act(): Answer | Promise<Answer> {
    return this.#shown === undefined ? this.#change() : valueAnswer(this.#shown);
  }

  async #change(): Promise<Answer> {
    const { context, span } = this.#exchange;
    const outcome = await context.service.updateDatatype({
      key: this.#key,
      ...this.#parameters.write,
      timeoutMs: TIMEOUT_MS,
      span,
      operation: { kind: 'counter', increment: this.#increment },
      returning: this.#exchange.query.get('returnvalue') === 'true' ? 'value' : 'nothing',
    });
    const { kind } = outcome;
    if (kind === 'updated') {
      return outcome.shown === undefined ? emptyAnswer(204) : valueAnswer(outcome.shown);
    }
    if (kind === 'siblings-off' || kind === 'no-datatype') {
      return textAnswer(409, "Counters require bucket property 'allow_mult=true'");
    }
    return kind === 'wrong-type' || kind === 'operation-too-large'
      ? htmlAnswer(400)
      : failureToAnswer(outcome, 'POST');
  }
}

function valueAnswer({ value }: ShownDatatype): Answer {
  return textAnswer(200, value.kind === 'counter' ? value.value.toString() : '0');
}
