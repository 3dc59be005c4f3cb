/**
 * A copy: one pass over the source's keys, each carried to the target and noted in the ledger.
 *
 * A pass that was broken off goes on where it was; one that came to its end is followed by another,
 * which carries what has changed at the source since. With `carriesDeletes` a pass ends with the keys
 * that the ledger knows and the source no longer lists.
 */

import { isFault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import type { ClusterEnd } from './cluster-end.ts';
import type { Entry } from './decide.ts';
import type { KeyFile } from './key-file.ts';
import type { Ledger } from './ledger.ts';
import { ABSENT } from './carried-object.ts';
import { ObjectCarrier, findPlaceRefusal } from './object-carrier.ts';
import type { CarrierOptions, Done } from './object-carrier.ts';
import { Pace, eachAtOnce } from './pace.ts';
import { Progress } from './progress.ts';
import { Tally, isUnsettled, reasonOf } from './tally.ts';
import type { Outcome } from './tally.ts';
import { ahead, scopeText, walk } from './walk.ts';
import type { Page, Place, Scope } from './walk.ts';

export interface CopyOptions extends Pick<CarrierOptions, 'carriesDeletes' | 'onConflict'> {
  readonly scope: Scope;
  readonly concurrency: number;
  /** Objects a second at most. */
  readonly rate: number | undefined;
  /** Objects that may fail before the pass is given up. */
  readonly failuresMax: number;
  /** Objects expected, for the time that is left. */
  readonly expected: number | undefined;
  readonly isQuiet: boolean;
}

export interface CopySummary {
  readonly pass: number;
  readonly isResumed: boolean;
  /** The pass came to its end. */
  readonly isWhole: boolean;
  /** Nothing is left that has to be looked at. */
  readonly isSettled: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  /** Deletions that stood among siblings: they are not carried. */
  readonly tombstoneSiblings: number;
  readonly retries: number;
  readonly seconds: number;
}

export interface CopyEnds {
  readonly source: ClusterEnd;
  readonly target: ClusterEnd;
  readonly ledger: Ledger;
  readonly keyFile: KeyFile;
}

export async function copy(ends: CopyEnds, options: CopyOptions): Promise<CopySummary> {
  const { source, target, ledger } = ends;
  const { cursor, isResumed, objectsExpected } = await ledger.begin(scopeText(options.scope));
  const tally = new Tally();
  const expected = options.expected ?? objectsExpected;
  const progress = new Progress({ tally, expected: () => expected, isQuiet: options.isQuiet });
  const pass = new CopyPass(ends, options, tally);
  let isWhole = false;
  try {
    for await (const page of ahead(walk(source, options.scope, cursor))) {
      await pass.carryPage(page);
      if (pass.isOver) break;
      if (page.next !== undefined) await ledger.checkpoint(page.next);
    }
    if (options.carriesDeletes && !pass.isOver) await pass.carryUnmet();
    isWhole = !pass.isOver;
    if (isWhole) await ledger.finish(tally.objects);
  } finally {
    progress.end();
  }
  return {
    pass: ledger.pass,
    isResumed,
    isWhole,
    isSettled: isWhole && !pass.hasUnsettled,
    objects: tally.objects,
    bytes: tally.bytes,
    outcomes: tally.counts,
    reasons: tally.reasons,
    tombstoneSiblings: tally.tombstoneSiblings,
    retries: source.patience.retries + target.patience.retries,
    seconds: tally.seconds,
  };
}

class CopyPass {
  readonly #ends: CopyEnds;
  readonly #options: CopyOptions;
  readonly #tally: Tally;
  readonly #carrier: ObjectCarrier;
  readonly #pace: Pace;
  #lane: Lane | undefined;
  hasUnsettled = false;

  constructor(ends: CopyEnds, options: CopyOptions, tally: Tally) {
    this.#ends = ends;
    this.#options = options;
    this.#tally = tally;
    this.#pace = new Pace(options.rate);
    const { ledger, source, target } = ends;
    const { carriesDeletes, onConflict } = options;
    this.#carrier = new ObjectCarrier(source, target, {
      pass: ledger.pass,
      carriesDeletes,
      onConflict,
      note: (key, entry) => ledger.put(key, entry),
    });
  }

  /** Too much has failed for more to be tried. */
  get isOver(): boolean {
    return this.#tally.count('failed') > this.#options.failuresMax;
  }

  async carryPage({ place, keys }: Pick<Page, 'place' | 'keys'>): Promise<void> {
    const lane = await this.#laneOf(place);
    const named = keys.map((key) => ({ type: place.type, bucket: place.bucket, key }));
    const entries = await this.#ends.ledger.getMany(named);
    await eachAtOnce(named.entries(), this.#options.concurrency, ([index, key]) => {
      return this.#carry(lane, key, entries[index]);
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

  async #carry(lane: Lane, key: ObjectKey, entry: Entry | undefined): Promise<void> {
    if (this.isOver) return;
    const isDone = entry?.pass === this.#ends.ledger.pass && entry.state === 'same';
    if (isDone && entry.isOpen !== true) {
      this.#tally.add('done-before');
      return;
    }
    await this.#pace.turn();
    const { outcome, reason } = await this.#settle(lane, key, entry);
    this.#tally.add(outcome, reason);
    if (!isUnsettled(outcome)) return;
    this.hasUnsettled = true;
    await this.#ends.keyFile.add(key, outcome, reason);
  }

  async #settle(
    lane: Lane,
    key: ObjectKey,
    before: Entry | undefined,
  ): Promise<{ readonly outcome: Outcome; readonly reason?: string | undefined }> {
    if (lane.refusal !== undefined) return { outcome: 'not-carried', reason: lane.refusal };
    const { source: sourcePlace, target: targetPlace } = lane;
    const errand = { key, entry: before, sourcePlace, targetPlace };
    const { outcome, reason, bytes, tombstones } = await this.#carrier
      .carry(errand)
      .catch((error: unknown) => failure(error));
    this.#tally.bytes += bytes;
    this.#tally.tombstoneSiblings += tombstones;
    const { entry } = errand;
    if (entry !== undefined && isUnsettled(outcome)) {
      const { ledger } = this.#ends;
      await ledger.put(key, { ...entry, pass: ledger.pass, isOpen: true });
    }
    return { outcome, reason };
  }
}

function failure(error: unknown): Done {
  return { outcome: 'failed', reason: reasonOf(error), bytes: 0, tombstones: 0 };
}

/** A bucket at both ends, and why nothing of it can be carried, if that is so. */
type Lane =
  | { readonly source: Place; readonly target: Place; readonly refusal?: undefined }
  | { readonly source: Place; readonly refusal: string };

async function findLane(source: Place, end: ClusterEnd): Promise<Lane> {
  try {
    const target = await end.place(source.type, source.bucket);
    const refusal = findPlaceRefusal(source, target);
    return refusal === undefined ? { source, target } : { source, refusal };
  } catch (error) {
    if (!isFault(error, 'peer-refused')) throw error;
    return { source, refusal: `the target has no such bucket type: ${reasonOf(error)}` };
  }
}
