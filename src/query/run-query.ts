/**
 * Running a query: from ranges of an index to the accumulation that was asked for.
 *
 * Ranges are read in (term, key) order. What can be told from that order alone is passed on as it
 * comes, however much it is: `raw_keys`, `raw_terms`, `raw_count`, `terms` and counts by the index term,
 * and `keys` and `count` of one single term, whose keys come sorted and once each. The rest holds keys,
 * and counts them against the hold.
 */

import {
  collectPage,
  collectPairs,
  countByTerm,
  countKeysByTerm,
  countMatches,
} from './held-matches.ts';
import { collectKeys, combineKeys } from './key-sets.ts';
import { scanMatches } from './match-scan.ts';
import { QueryTime } from './query-time.ts';
import { sortInTurns } from './sorted-runs.ts';
import type { ByteString } from '../base/bytes.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { Page } from './held-matches.ts';
import type { KeySet } from './key-sets.ts';
import type { IndexPosition, MatchScan, QueryPorts, TimedPorts } from './match-scan.ts';
import type { HoldRefusal } from './query-holds.ts';
import type { QueryRequest } from './query-request.ts';

/** How often a term was met. */
export type TermCount = readonly [term: ByteString, count: number];

type Batches<T> = AsyncIterableIterator<readonly T[]>;

/**
 * Batches may still be read while they are taken: they throw the faults of the index, `timeout` and
 * `closed`. `last`: where a next page goes on, after a full one.
 */
export type QueryOutcome =
  | {
      readonly kind: 'keys';
      readonly batches: Batches<ByteString>;
      readonly last: IndexPosition | undefined;
    }
  | {
      readonly kind: 'terms';
      readonly batches: Batches<IndexMatch>;
      readonly last: IndexPosition | undefined;
    }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'term-counts'; readonly batches: Batches<TermCount> }
  /** It would have to hold more than the query, or the node, may. */
  | { readonly kind: HoldRefusal };

/** Rejects with the faults of the index, `timeout` and `closed`. */
export async function runQuery(
  request: QueryRequest,
  after: IndexPosition | undefined,
  ports: QueryPorts,
): Promise<QueryOutcome> {
  const timed = { ...ports, time: new QueryTime(ports.clock, request.timeoutMs) };
  const { source, accumulation } = request;
  if (source.kind === 'range') return runSingle(request, { range: source.range, after }, timed);
  const isCount = accumulation === 'count' || accumulation === 'raw_count';
  return ofKeys(await combineKeys(source, timed), timed, isCount);
}

async function runSingle(
  request: QueryRequest,
  scan: MatchScan,
  ports: TimedPorts,
): Promise<QueryOutcome> {
  const { accumulation, attribute, maxResults } = request;
  const { matcher, from, to } = scan.range;
  // Keys of one term come sorted, and each once.
  const isOneTerm = from === to;
  const toKey = (_term: ByteString, key: ByteString): ByteString => key;
  const toTerm = (): ByteString | undefined => matcher.group();
  const toPair = (_term: ByteString, key: ByteString): IndexMatch | undefined => {
    const term = matcher.group();
    return term === undefined ? undefined : [term, key];
  };
  switch (accumulation) {
    case 'raw_keys':
      return maxResults === undefined
        ? streamed('keys', scanMatches(scan, ports, toKey))
        : ofPage('keys', await collectPage({ ...scan, limit: maxResults }, ports, toKey));
    case 'keys':
      return isOneTerm
        ? streamed('keys', scanMatches(scan, ports, toKey))
        : ofKeys(await collectKeys(scan, ports), ports);
    case 'raw_terms':
      return streamed('terms', scanMatches(scan, ports, toPair));
    case 'terms':
      if (maxResults !== undefined) {
        return ofPage('terms', await collectPage({ ...scan, limit: maxResults }, ports, toPair));
      }
      return attribute === undefined
        ? streamed('terms', scanMatches(scan, ports, toPair))
        : ofPairs(await collectPairs(scan, ports, toPair), ports);
    case 'raw_count':
      return { kind: 'count', count: await countMatches(scan, ports) };
    case 'count':
      return isOneTerm
        ? { kind: 'count', count: await countMatches(scan, ports) }
        : ofKeys(await collectKeys(scan, ports), ports, true);
    case 'term_with_count':
    case 'term_with_rawcount':
      // A key has a term of the index once, so that both are the same.
      if (attribute === undefined) {
        return { kind: 'term-counts', batches: countRuns(scanMatches(scan, ports, toTerm)) };
      }
      return ofCounts(
        accumulation === 'term_with_count'
          ? await countKeysByTerm(scan, ports, toPair)
          : await countByTerm(scan, ports, toTerm),
        ports,
      );
  }
}

function streamed<Kind extends 'keys' | 'terms', T>(
  kind: Kind,
  batches: Batches<T>,
): { readonly kind: Kind; readonly batches: Batches<T>; readonly last: undefined } {
  return { kind, batches, last: undefined };
}

function ofPage<Kind extends 'keys' | 'terms', T>(
  kind: Kind,
  page: Page<T> | HoldRefusal,
):
  | { readonly kind: HoldRefusal }
  | {
      readonly kind: Kind;
      readonly batches: Batches<T>;
      readonly last: IndexPosition | undefined;
    } {
  if (typeof page === 'string') return { kind: page };
  return { kind, batches: inBatches(page.items), last: page.last };
}

async function ofKeys(
  keys: KeySet | HoldRefusal,
  { time }: TimedPorts,
  isCount = false,
): Promise<QueryOutcome> {
  if (typeof keys === 'string') return { kind: keys };
  if (isCount) return { kind: 'count', count: keys.size };
  return streamed('keys', await sortInTurns(keys, compareBytes, time));
}

async function ofPairs(
  pairs: readonly IndexMatch[] | HoldRefusal,
  { time }: TimedPorts,
): Promise<QueryOutcome> {
  if (typeof pairs === 'string') return { kind: pairs };
  return streamed('terms', await sortInTurns(pairs, comparePairs, time));
}

async function ofCounts(
  countByTerm: ReadonlyMap<ByteString, number> | HoldRefusal,
  { time }: TimedPorts,
): Promise<QueryOutcome> {
  if (typeof countByTerm === 'string') return { kind: countByTerm };
  const batches = await sortInTurns(countByTerm, compareCounts, time);
  return { kind: 'term-counts', batches };
}

function comparePairs(left: IndexMatch, right: IndexMatch): number {
  return compareBytes(left[0], right[0]) || compareBytes(left[1], right[1]);
}

function compareCounts(left: TermCount, right: TermCount): number {
  return compareBytes(left[0], right[0]);
}

/** Bytewise, since each character is one byte. */
function compareBytes(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Equal terms stand side by side; each is given once, with its number. */
async function* countRuns(terms: Batches<ByteString>): Batches<TermCount> {
  let term: ByteString | undefined;
  let count = 0;
  for await (const batch of terms) {
    const ended: TermCount[] = [];
    for (const next of batch) {
      if (next === term) count += 1;
      else {
        if (term !== undefined) ended.push([term, count]);
        term = next;
        count = 1;
      }
    }
    if (ended.length > 0) yield ended;
  }
  if (term !== undefined) yield [[term, count]];
}

const BATCH_LENGTH = 1_000;

async function* inBatches<T>(items: readonly T[]): Batches<T> {
  for (let start = 0; start < items.length; start += BATCH_LENGTH) {
    yield items.slice(start, start + BATCH_LENGTH);
  }
}
