/**
 * The entries of an index whose terms a regular expression is found in, batch by batch.
 *
 * A term may be as long as an object, so others get their turn by how much was looked at, not by how
 * many terms.
 */

import { Fault } from '../base/fault.ts';
import { Allowance, Turns } from '../base/turns.ts';
import type { Host } from '../base/host.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { TermRegex } from './term-regex.ts';

export interface MatchingOptions extends Pick<Host, 'clock' | 'metrics'> {
  /** Whether someone still waits: where nothing matches, nothing else tells that the client has gone. */
  readonly isWanted: () => boolean;
}

/** Without an expression all of them. Throws `closed` once nobody waits. */
export async function* matchingEntries(
  batches: AsyncIterable<readonly IndexMatch[]>,
  regex: TermRegex | undefined,
  { clock, metrics, isWanted }: MatchingOptions,
): AsyncGenerator<readonly IndexMatch[]> {
  if (regex === undefined) return yield* batches;
  const turns = new Turns(clock);
  const allowance = new Allowance();
  for await (const batch of batches) {
    if (!isWanted()) throw new Fault('closed', 'nobody waits for the query');
    const matching: IndexMatch[] = [];
    for (const entry of batch) {
      allowance.renew();
      if (regex.isIn(entry[0], allowance)) matching.push(entry);
      if (allowance.isOverrun) metrics.count('expression_overruns_total');
      if (turns.spend(allowance.spentUnits)) await turns.pass();
    }
    if (matching.length > 0) yield matching;
  }
}
