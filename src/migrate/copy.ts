/**
 * A copy: one pass over the source's keys, each carried to the target and noted in the ledger.
 *
 * A pass that was broken off goes on where it was; one that came to its end is followed by another,
 * which carries what has changed at the source since. With `carriesDeletes` a pass ends with the keys
 * that the ledger knows and the source no longer lists.
 */

import { ABSENT } from './carried-object.ts';
import type { ClusterEnd } from './cluster-end.ts';
import { eachAtOnce } from './each-at-once.ts';
import type { KeyFile } from './key-file.ts';
import type { Ledger } from './ledger.ts';
import { Progress } from './progress.ts';
import { Settlement, findLane } from './settlement.ts';
import type { Lane, Settled, SettlementOptions } from './settlement.ts';
import { Tally, breakOf } from './tally.ts';
import { ahead, scopeText, walk } from './walk.ts';
import type { Page, Place, Scope } from './walk.ts';

export interface CopyOptions extends SettlementOptions {
  readonly scope: Scope;
  /** Objects expected, for the time that is left. */
  readonly expected: number | undefined;
  readonly isQuiet: boolean;
}

export interface CopySummary extends Settled {
  readonly pass: number;
  readonly isResumed: boolean;
  /** Objects that have to be looked at too: the pass met them before it was broken off. */
  readonly unsettledBefore: number;
  readonly retries: number;
}

export interface CopyEnds {
  readonly source: ClusterEnd;
  readonly target: ClusterEnd;
  readonly ledger: Ledger;
  readonly keyFile: KeyFile;
}

/** Of one bucket, as long as they are cut off: what has been carried is passed over. */
const LISTINGS_MAX = 5;

export async function copy(ends: CopyEnds, options: CopyOptions): Promise<CopySummary> {
  const { source, target, ledger, keyFile } = ends;
  const start = await ledger.begin(scopeText(options.scope));
  const { cursor, isResumed, objectsExpected, unsettledBefore } = start;
  // What the pass named before stays to be looked at.
  if (!isResumed) await keyFile.clear();
  const tally = new Tally();
  const expected = options.expected ?? objectsExpected;
  const progress = new Progress({ tally, expected: () => expected, isQuiet: options.isQuiet });
  const settlement = new Settlement(ends, options, { tally, unsettledBefore });
  const pass = new CopyPass(ends, options, settlement);
  let brokenOff: string | undefined;
  try {
    const pages = walk(source, options.scope, { from: cursor, listingsMax: LISTINGS_MAX });
    for await (const page of ahead(pages)) {
      await pass.carryPage(page);
      if (settlement.isOver) break;
      if (page.next !== undefined) await ledger.checkpoint(page.next, settlement.unsettled);
    }
    if (options.carriesDeletes && !settlement.isOver) await pass.carryUnmet();
    if (!settlement.isOver) await ledger.finish(tally.objects);
  } catch (error) {
    brokenOff = breakOf(error);
  } finally {
    progress.end();
  }
  return {
    pass: ledger.pass,
    isResumed,
    unsettledBefore,
    ...settlement.summary(!settlement.isOver, brokenOff),
    retries: source.patience.retries + target.patience.retries,
  };
}

class CopyPass {
  readonly #ends: CopyEnds;
  readonly #options: CopyOptions;
  readonly #settlement: Settlement;
  #lane: Lane | undefined;

  constructor(ends: CopyEnds, options: CopyOptions, settlement: Settlement) {
    this.#ends = ends;
    this.#options = options;
    this.#settlement = settlement;
  }

  async carryPage({ place, keys }: Pick<Page, 'place' | 'keys'>): Promise<void> {
    const { ledger, source: origin } = this.#ends;
    const lane = await this.#laneOf(place);
    const named = keys.map((key) => ({ type: place.type, bucket: place.bucket, key }));
    const entries = await ledger.getMany(named);
    await eachAtOnce(named.entries(), this.#options.concurrency, ([index, key]) => {
      return this.#settlement.settle(key, entries[index], { lane, origin });
    });
  }

  /** What the ledger knows and the source did not list: it is asked for by name. */
  async carryUnmet(): Promise<void> {
    const { types, buckets } = this.#options.scope;
    for (const type of types) {
      for await (const batch of this.#ends.ledger.unmet(type)) {
        const ours = batch.filter(([{ bucket }, { source, target }]) => {
          const isKnownGone = source === ABSENT && target === ABSENT;
          return !isKnownGone && (buckets?.includes(bucket) ?? true);
        });
        for (const bucket of new Set(ours.map(([key]) => key.bucket))) {
          const place = await this.#ends.source.place(type, bucket);
          const unmet = ours.filter(([key]) => key.bucket === bucket);
          await this.carryPage({ place, keys: unmet.map(([{ key }]) => key) });
          await this.#ends.ledger.noteUnsettled(this.#settlement.unsettled);
        }
      }
    }
  }

  async #laneOf(source: Place): Promise<Lane> {
    const { type, bucket } = source;
    const last = this.#lane;
    if (last?.source.type === type && last.source.bucket === bucket) return last;
    this.#lane = await findLane(source, this.#ends.target);
    return this.#lane;
  }
}
