/**
 * Accumulations that hold something until the last match is known, or a page is full.
 */

import { keyCostBytes, pairCostBytes } from './held-cost.ts';
import { scanMatches } from './match-scan.ts';
import type { ByteString } from '../base/bytes.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { IndexPosition, MatchScan, Pick, TimedPorts } from './match-scan.ts';
import type { HoldRefusal } from './query-holds.ts';

export interface Page<T> {
  readonly items: readonly T[];
  /** Of the last item of a full page; there may be nothing behind it. */
  readonly last: IndexPosition | undefined;
}

/** The first `limit` matches of which `pick` makes something, in index order. */
export async function collectPage<T>(
  scan: MatchScan & { readonly limit: number },
  ports: TimedPorts,
  pick: Pick<T>,
): Promise<Page<T> | HoldRefusal> {
  const items: T[] = [];
  const picked = scanMatches(scan, ports, (term, key) => {
    const item = pick(term, key);
    return item === undefined ? undefined : { item, term, key };
  });
  for await (const batch of picked) {
    for (const { item, term, key } of batch) {
      const refusal = ports.hold.take(pairCostBytes(term, key));
      if (refusal !== undefined) return refusal;
      items.push(item);
      if (items.length === scan.limit) return { items, last: { term, key } };
    }
  }
  return { items, last: undefined };
}

/** All pairs, in no order. */
export async function collectPairs(
  scan: MatchScan,
  ports: TimedPorts,
  pick: Pick<IndexMatch>,
): Promise<IndexMatch[] | HoldRefusal> {
  const pairs: IndexMatch[] = [];
  for await (const batch of scanMatches(scan, ports, pick)) {
    for (const pair of batch) {
      const refusal = ports.hold.take(pairCostBytes(pair[0], pair[1]));
      if (refusal !== undefined) return refusal;
      pairs.push(pair);
    }
  }
  return pairs;
}

/** How many matches each term has. */
export async function countByTerm(
  scan: MatchScan,
  ports: TimedPorts,
  pick: Pick<ByteString>,
): Promise<Map<ByteString, number> | HoldRefusal> {
  const countByTerm = new Map<ByteString, number>();
  for await (const batch of scanMatches(scan, ports, pick)) {
    for (const term of batch) {
      const count = countByTerm.get(term);
      const refusal = count === undefined ? ports.hold.take(keyCostBytes(term)) : undefined;
      if (refusal !== undefined) return refusal;
      countByTerm.set(term, (count ?? 0) + 1);
    }
  }
  return countByTerm;
}

/** How many keys each term has. */
export async function countKeysByTerm(
  scan: MatchScan,
  ports: TimedPorts,
  pick: Pick<IndexMatch>,
): Promise<Map<ByteString, number> | HoldRefusal> {
  const keysByTerm = new Map<ByteString, Set<ByteString>>();
  for await (const batch of scanMatches(scan, ports, pick)) {
    for (const [term, key] of batch) {
      let keys = keysByTerm.get(term);
      if (keys?.has(key) === true) continue;
      const refusal = ports.hold.take(
        keys === undefined ? pairCostBytes(term, key) : keyCostBytes(key),
      );
      if (refusal !== undefined) return refusal;
      if (keys === undefined) keysByTerm.set(term, (keys = new Set()));
      keys.add(key);
    }
  }
  return new Map([...keysByTerm].map(([term, keys]) => [term, keys.size]));
}

/** How many matches there are, holding none. */
export async function countMatches(scan: MatchScan, ports: TimedPorts): Promise<number> {
  let count = 0;
  for await (const batch of scanMatches(scan, ports, (_term, key) => key)) count += batch.length;
  return count;
}
