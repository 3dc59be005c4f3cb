/**
 * The matches of one range, as they come from the index.
 *
 * Batches stay batches, without the entries that do not match. Other work gets its turn between entries,
 * by what was looked at: a range may be long, its terms too, and evaluating is nothing but computing.
 */

import { Fault } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Clock } from '../base/host.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { QueryHold } from './query-holds.ts';
import type { QueryRange } from './query-request.ts';
import type { QueryTime } from './query-time.ts';

export interface IndexPosition {
  readonly term: ByteString;
  readonly key: ByteString;
}

/** A range of an index, to be read in (term, key) order; both ends inclusive. */
export interface IndexRange {
  readonly field: ByteString;
  readonly from: ByteString;
  readonly to: ByteString;
  /** Resume strictly after it. */
  readonly after: IndexPosition | undefined;
  /** Entries that are wanted at most. */
  readonly limit: number | undefined;
}

export type IndexSource = (range: IndexRange) => AsyncIterableIterator<readonly IndexMatch[]>;

/** Of a batch. */
export interface ScannedCounts {
  readonly entries: number;
  readonly matches: number;
  /** Left out because judging them would have cost too much. */
  readonly overruns: number;
}

/** What a running query has to do with. */
export interface QueryPorts {
  readonly source: IndexSource;
  readonly hold: QueryHold;
  readonly clock: Clock;
  readonly onScanned: (counts: ScannedCounts) => void;
}

export interface TimedPorts extends QueryPorts {
  readonly time: QueryTime;
}

/** What is made of a match; undefined: it is passed over. */
export type Pick<T> = (term: ByteString, key: ByteString) => T | undefined;

export interface MatchScan {
  readonly range: QueryRange;
  readonly after?: IndexPosition | undefined;
  readonly limit?: number | undefined;
}

/**
 * Batches of what `pick` makes of each match; undefined: nothing. Throws the faults of the index,
 * `timeout`, and `closed` once the hold is released.
 */
export async function* scanMatches<T>(
  { range, after, limit }: MatchScan,
  ports: TimedPorts,
  pick: Pick<T>,
): AsyncIterableIterator<readonly T[]> {
  const { field, from, to, matcher } = range;
  const { hold, time, onScanned } = ports;
  // What a filter will leave is not known beforehand.
  const wanted = matcher.matchesAll ? limit : undefined;
  for await (const batch of ports.source({ field, from, to, after, limit: wanted })) {
    if (hold.isReleased) throw new Fault('closed', 'no one waits for the query any more');
    const picked: T[] = [];
    let matches = 0;
    let overruns = 0;
    for (const [term, key] of batch) {
      const isMatch = matcher.matches(term, key);
      if (matcher.isOverrun) overruns += 1;
      if (time.spend(matcher.spentUnits)) await time.pass();
      if (!isMatch) continue;
      matches += 1;
      const one = pick(term, key);
      if (one !== undefined) picked.push(one);
    }
    onScanned({ entries: batch.length, matches, overruns });
    await time.pass();
    if (picked.length === 0) continue;
    const resume = time.pause();
    yield picked;
    resume();
  }
}
