/**
 * The query API: `POST /buckets/B/query`.
 *
 * The body says which ranges of indexes are read, which of their entries match and what is made of the
 * matches; `src/query` knows how. The answer has one member, named by the accumulation, and where entries
 * were left out because they could not be judged a second one, `unjudged`, which counts them. Where a page
 * is full, the header `X-Riak-Continuation` says where the next one begins.
 */

import { Fault, isFault } from '../../base/fault.ts';
import type { IndexMatch } from '../../object/index-entries.ts';
import { parseQueryRequest } from '../../query/query-request.ts';
import { describeRefusal, refusal } from '../../query/refusal.ts';
import { runQuery } from '../../query/run-query.ts';
import { jsonAnswer } from './answer.ts';
import { continuationToText, textToContinuation } from '../../query/index-continuation.ts';
import { refuseJob } from './job-switch.ts';
import { joinItems, wholeListAnswer } from './json-listing.ts';
import { encodeJson, parseJson, quoteName } from './json-text.ts';
import { JSON_OFFER } from './resource.ts';
import type { Accumulation } from '../../query/accumulation.ts';
import type { IndexPosition, QueryPorts } from '../../query/match-scan.ts';
import type { HoldRefusal, QueryHold } from '../../query/query-holds.ts';
import type { QueryRequest } from '../../query/query-request.ts';
import type { QueryOutcome, TermCount } from '../../query/run-query.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { ItemTexts } from './json-listing.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

const QUERY_SIZE_MAX = 256 * 1024;

export class QueryResource implements Resource {
  readonly route = 'query';
  readonly target: Target;
  readonly methods = ['POST'];
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  #request: QueryRequest | undefined;
  #after: IndexPosition | undefined;
  /** Entries that were too dear to judge, or too long. */
  #unjudgedCount = 0;

  constructor(exchange: Exchange, address: BucketAddress) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
  }

  findBodyFault(): Answer | undefined {
    const { body } = this.#exchange;
    if (body.length > QUERY_SIZE_MAX) {
      return errorAnswer(400, `The query is longer than ${QUERY_SIZE_MAX} bytes`);
    }
    const document = parseJson(body);
    if (document === undefined) return errorAnswer(400, 'Malformed json request');
    const request = parseQueryRequest(document);
    if ('stage' in request) return errorAnswer(400, describeRefusal(request));
    this.#request = request;
    if (request.continuation === undefined) return undefined;
    this.#after = textToContinuation(request.continuation);
    return this.#after === undefined
      ? errorAnswer(400, describeRefusal(refusal('apply_continuation', 'Invalid continuation')))
      : undefined;
  }

  refuse(): Answer | undefined {
    return refuseJob(this.#exchange, 'secondary_index');
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    const properties = this.#exchange.context.service.bucketTypeProperties(this.#address.type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  async act(): Promise<Answer> {
    const request = this.#request as QueryRequest;
    const { response, context } = this.#exchange;
    const { metrics, clock } = context.host;
    const hold = context.queries.open();
    if (hold === undefined) return errorAnswer(503, 'Too many queries are under way');
    const startedMs = clock.monotonicMs();
    // The last of the answer may be read from what is held.
    response.once('close', () => {
      hold.release();
      metrics.count('queries_total');
      metrics.observe('query_ms', clock.monotonicMs() - startedMs);
    });
    if (response.closed) throw new Fault('closed', 'the client closed the connection');
    try {
      const outcome = await runQuery(request, this.#after, this.#ports(hold, request));
      return await this.#answer(outcome, request, hold);
    } catch (error) {
      if (!isFault(error) || error.code === 'closed') throw error;
      if (error.code !== 'timeout') {
        return errorAnswer(503, `Query with option ${request.accumulation} failed - ${error.code}`);
      }
      metrics.count('query_timeouts_total');
      return errorAnswer(503, 'timeout');
    }
  }

  #ports(hold: QueryHold, { timeoutMs }: QueryRequest): QueryPorts {
    const { service, host } = this.#exchange.context;
    const { type, bucket } = this.#address;
    return {
      source: (range) => service.index({ type, bucket, ...range }, { timeoutMs }),
      hold,
      clock: host.clock,
      onScanned: ({ entries, matches, overruns }) => {
        host.metrics.count('query_entries_total', entries);
        host.metrics.count('query_matches_total', matches);
        if (overruns === 0) return;
        host.metrics.count('expression_overruns_total', overruns);
        this.#unjudgedCount += overruns;
      },
    };
  }

  async #answer(
    outcome: QueryOutcome,
    { accumulation }: QueryRequest,
    hold: QueryHold,
  ): Promise<Answer> {
    switch (outcome.kind) {
      case 'count':
        return jsonAnswer(200, `{"${accumulation}":${outcome.count}${this.#ending()}`);
      case 'term-counts': {
        const items = itemTexts(outcome.batches, countJson);
        return wholeListAnswer(items, `{"${accumulation}":{`, () => `}${this.#ending()}`);
      }
      case 'keys': {
        const items = itemTexts(outcome.batches, quoteName);
        return this.#listAnswer(items, accumulation, outcome.last);
      }
      case 'terms': {
        const items = itemTexts(outcome.batches, pairJson);
        return this.#listAnswer(items, accumulation, outcome.last);
      }
      case 'too-large':
      case 'overload':
        return holdAnswer(outcome.kind, hold);
    }
  }

  async #listAnswer(
    items: ItemTexts,
    accumulation: Accumulation,
    last: IndexPosition | undefined,
  ): Promise<Answer> {
    const ending = (): string => `]${this.#ending()}`;
    const answer = await wholeListAnswer(items, `{"${accumulation}":[`, ending);
    if (last !== undefined) answer.headers.push('X-Riak-Continuation', continuationToText(last));
    return answer;
  }

  /** What the answer leaves out may be what its reader looks for. */
  #ending(): string {
    return this.#unjudgedCount === 0 ? '}' : `,"unjudged":${this.#unjudgedCount}}`;
  }
}

function errorAnswer(status: number, error: string): Answer {
  return jsonAnswer(status, encodeJson({ error }));
}

function holdAnswer(kind: HoldRefusal, { limits }: QueryHold): Answer {
  if (kind === 'overload') {
    return errorAnswer(503, 'The queries under way hold as much memory as they may');
  }
  return errorAnswer(
    400,
    `The query would hold more than ${limits.heldMaxBytes} bytes of keys and terms; narrow its ` +
      'range or its filter, or use raw_keys, raw_terms or raw_count, which hold none',
  );
}

async function* itemTexts<T>(
  batches: AsyncIterableIterator<readonly T[]>,
  itemJson: (item: T) => string | undefined,
): ItemTexts {
  for await (const batch of batches) yield joinItems(batch.map(itemJson));
}

function pairJson([term, key]: IndexMatch): string | undefined {
  const termText = quoteName(term);
  const keyText = quoteName(key);
  return termText === undefined || keyText === undefined ? undefined : `{${termText}:${keyText}}`;
}

function countJson([term, count]: TermCount): string | undefined {
  const termText = quoteName(term);
  return termText === undefined ? undefined : `${termText}:${count}`;
}
