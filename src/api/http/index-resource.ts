/**
 * Secondary index queries: `/buckets/B/index/FIELD/TERM` and `/…/FROM/TO`, whole or streamed.
 *
 * Entries come from the node in (term, key) order, which is also the order of paging; they are
 * filtered, counted and written as they come, so that memory does not grow with the matches.
 */

import { Fault, isFault } from '../../base/fault.ts';
import { continuationToText } from '../../query/index-continuation.ts';
import { matchingEntries } from '../../query/matching-entries.ts';
import { emptyAnswer, jsonAnswer } from './answer.ts';
import { parseIndexQuery } from './index-query.ts';
import { refuseJob } from './job-switch.ts';
import { joinItems, wholeListAnswer } from './json-listing.ts';
import { quoteName } from './json-text.ts';
import { JSON_OFFER } from './resource.ts';
import { newBoundary } from './transmission.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { IndexMatch } from '../../object/index-entries.ts';
import type { IndexPosition } from '../../query/match-scan.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { IndexQuery } from './index-query.ts';
import type { ItemTexts } from './json-listing.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';

interface IndexTarget {
  readonly field: ByteString;
  /** One for equality, two for a range. */
  readonly terms: readonly ByteString[];
}

export class IndexResource implements Resource {
  readonly route = 'index';
  readonly target: Target;
  readonly methods = ['GET', 'HEAD'];
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #target: IndexTarget;
  readonly #isStreamed: boolean;
  #query: IndexQuery | undefined;
  #resultCount = 0;
  #last: IndexPosition | undefined;

  constructor(exchange: Exchange, address: BucketAddress, target: IndexTarget) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
    this.#target = target;
    this.#isStreamed = exchange.query.get('stream') === 'true';
  }

  findFault(): Answer | undefined {
    const query = parseIndexQuery(this.#exchange.query, this.#target);
    if ('status' in query) return query;
    this.#query = query;
    return undefined;
  }

  refuse(): Answer | undefined {
    return refuseJob(
      this.#exchange,
      this.#isStreamed ? 'stream_secondary_index' : 'secondary_index',
    );
  }

  /** A stream is JSON in parts, and offered as JSON. */
  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    const properties = this.#exchange.context.service.bucketTypeProperties(this.#address.type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  act(): Answer | Promise<Answer> {
    const query = this.#query as IndexQuery;
    const name = query.returnsTerms ? 'results' : 'keys';
    if (this.#isStreamed) {
      const boundary = newBoundary(this.#exchange);
      const headers = ['Content-Type', `multipart/mixed;boundary=${boundary}`];
      if (this.#exchange.method === 'HEAD') return emptyAnswer(200, headers);
      return { status: 200, headers, body: this.#parts(query, name, boundary) };
    }
    if (this.#exchange.method === 'HEAD') {
      return emptyAnswer(200, ['Content-Type', 'application/json']);
    }
    if (query.lookup === undefined) return jsonAnswer(200, '{"keys":[]}');
    return wholeListAnswer(this.#items(query), `{"${name}":[`, () => {
      const continuation = this.#continuation(query);
      return continuation === undefined ? ']}' : `],"continuation":"${continuation}"}`;
    });
  }

  /** Batches of results as JSON, up to the page's size. */
  async *#items(query: IndexQuery): ItemTexts {
    const { lookup, maxResults } = query;
    if (lookup === undefined) return;
    const { type, bucket } = this.#address;
    const { field, from, to, after, regex } = lookup;
    // What a filter will leave is not known beforehand.
    const limit = regex === undefined ? maxResults : undefined;
    const scan = { type, bucket, field, from, to, after, limit };
    const { context, response } = this.#exchange;
    const { clock, metrics } = context.host;
    const options = { clock, metrics, isWanted: () => !response.closed };
    const batches = context.service.index(scan, { timeoutMs: query.timeoutMs });
    for await (const matching of matchingEntries(batches, regex, options)) {
      const pairs = this.#take(matching, query);
      if (pairs.length > 0) yield joinItems(pairs.map((pair) => pairJson(pair, query)));
      if (this.#resultCount === maxResults) return;
    }
  }

  /** What of a batch is still wanted. */
  #take(matching: readonly IndexMatch[], { maxResults }: IndexQuery): readonly IndexMatch[] {
    const wanted = (maxResults ?? Infinity) - this.#resultCount;
    const pairs = matching.length > wanted ? matching.slice(0, wanted) : matching;
    const last = pairs.at(-1);
    if (last !== undefined) this.#last = { term: last[0], key: last[1] };
    this.#resultCount += pairs.length;
    return pairs;
  }

  /** After a full page only; there may be nothing behind it. */
  #continuation({ maxResults }: IndexQuery): string | undefined {
    const isFull = maxResults !== undefined && this.#resultCount === maxResults;
    return isFull && this.#last !== undefined ? continuationToText(this.#last) : undefined;
  }

  async *#parts(query: IndexQuery, name: string, boundary: string): AsyncIterable<string> {
    const part = (json: string): string => {
      return `\r\n--${boundary}\r\nContent-Type: application/json\r\n\r\n${json}`;
    };
    try {
      for await (const items of this.#items(query)) {
        if (items === undefined) throw new Fault('malformed', 'a name in a list is not UTF-8');
        yield part(`{"${name}":[${items}]}`);
      }
      const continuation = this.#continuation(query);
      if (continuation !== undefined) yield part(`{"continuation":"${continuation}"}`);
    } catch (error) {
      if (!isFault(error)) throw error;
      yield part(`{"error":"${error.code === 'malformed' ? 'not_utf8' : error.code}"}`);
    }
    yield `\r\n--${boundary}--\r\n`;
  }
}

function pairJson([term, key]: IndexMatch, { returnsTerms }: IndexQuery): string | undefined {
  const keyText = quoteName(key);
  if (!returnsTerms) return keyText;
  const termText = quoteName(term);
  return keyText === undefined || termText === undefined ? undefined : `{${termText}:${keyText}}`;
}
