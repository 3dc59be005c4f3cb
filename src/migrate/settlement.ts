/**
 * Settles one key after the other, of whatever source: at the pace that is allowed, counted, noted in
 * the ledger, and named in the file of keys where it needs a look.
 */

import type { ObjectKey } from '../base/names.ts';
import { isUnknownType } from './cluster-end.ts';
import type { ClusterEnd } from './cluster-end.ts';
import type { Entry } from './decide.ts';
import type { KeyFile } from './key-file.ts';
import type { Ledger } from './ledger.ts';
import { ObjectCarrier } from './object-carrier.ts';
import type { CarrierOptions, Done, Errand, Origin } from './object-carrier.ts';
import { ObjectRateLimit } from './object-rate-limit.ts';
import { isUnsettled, reasonOf } from './tally.ts';
import type { Outcome, Tally } from './tally.ts';
import type { Place } from './walk.ts';

export interface SettlementOptions extends Pick<CarrierOptions, 'onConflict'> {
  /** What is gone from the source goes from the target, if that still has what was copied. */
  readonly carriesDeletes: boolean;
  /** Objects that may be deleted before the pass is given up: a source may have lost its data. */
  readonly deletesMax: number;
  /** Objects at a time. */
  readonly concurrency: number;
  /** Objects a second at most. */
  readonly rate: number | undefined;
  /** Objects that may fail before the pass is given up. */
  readonly failuresMax: number;
}

export interface SettlementEnds {
  readonly target: ClusterEnd;
  /** Undefined: nothing is remembered. */
  readonly ledger: Ledger | undefined;
  readonly keyFile: KeyFile;
}

/** A bucket at both ends, and why nothing of it can be carried, if that is so. */
export type Lane =
  | { readonly source: Place; readonly target: Place; readonly refusal?: undefined }
  | { readonly source: Place; readonly refusal: string };

/** What a pass has come to. */
export interface Settled {
  /** The pass came to its end. */
  readonly isWhole: boolean;
  /** Why it did not, where something else than its limits ended it. */
  readonly brokenOff: string | undefined;
  /** Nothing is left that has to be looked at. */
  readonly isSettled: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  /** Deletions that stood among siblings: they are not carried. */
  readonly tombstoneSiblings: number;
  readonly seconds: number;
}

export class Settlement {
  readonly #ends: SettlementEnds;
  readonly #options: SettlementOptions;
  readonly #tally: Tally;
  readonly #carrier: ObjectCarrier;
  readonly #rateLimit: ObjectRateLimit;
  /** Deletions that were allowed, those under way too. */
  #deletions = 0;
  /** Objects of the pass that have to be looked at. */
  unsettled: number;

  /** `unsettledBefore`: of what the pass met before it was broken off, and does not meet again. */
  constructor(
    ends: SettlementEnds,
    options: SettlementOptions,
    { tally, unsettledBefore = 0 }: { readonly tally: Tally; readonly unsettledBefore?: number },
  ) {
    this.#ends = ends;
    this.#options = options;
    this.#tally = tally;
    this.#rateLimit = new ObjectRateLimit(options.rate);
    this.unsettled = unsettledBefore;
    const { ledger, target } = ends;
    const { carriesDeletes, deletesMax, onConflict } = options;
    this.#carrier = new ObjectCarrier(target, {
      pass: ledger?.pass ?? 0,
      mayDelete: () => {
        const isAllowed = carriesDeletes && this.#deletions < deletesMax;
        if (isAllowed) this.#deletions += 1;
        return isAllowed;
      },
      onConflict,
      note: async (key, entry) => ledger?.put(key, entry),
    });
  }

  /** Too much has failed, or would be deleted, for more to be tried. */
  get isOver(): boolean {
    const { failuresMax, carriesDeletes } = this.#options;
    const [failed, left] = [this.#tally.count('failed'), this.#tally.count('left')];
    return failed > failuresMax || (carriesDeletes && left > 0);
  }

  async settle(
    key: ObjectKey,
    entry: Entry | undefined,
    { lane, origin }: { readonly lane: Lane; readonly origin: Origin },
  ): Promise<void> {
    if (this.isOver) return;
    const isMet = entry?.pass === this.#ends.ledger?.pass && entry?.state === 'same';
    if (isMet && entry.isOpen !== true) {
      this.#tally.add('done-before');
      return;
    }
    await this.#rateLimit.turn();
    const { outcome, reason } = await this.#outcomeOf(lane, { key, entry, origin });
    this.#tally.add(outcome, reason);
    if (!isUnsettled(outcome)) return;
    this.unsettled += 1;
    await this.#ends.keyFile.add(key, outcome, reason);
  }

  summary(hasEnded: boolean, brokenOff?: string): Settled {
    const tally = this.#tally;
    const isWhole = hasEnded && brokenOff === undefined;
    return {
      isWhole,
      brokenOff,
      isSettled: isWhole && this.unsettled === 0,
      objects: tally.objects,
      bytes: tally.bytes,
      outcomes: tally.counts,
      reasons: tally.reasons,
      tombstoneSiblings: tally.tombstoneSiblings,
      seconds: tally.seconds,
    };
  }

  async #outcomeOf(
    lane: Lane,
    object: Pick<Errand, 'key' | 'entry' | 'origin'>,
  ): Promise<{ readonly outcome: Outcome; readonly reason?: string | undefined }> {
    if (lane.refusal !== undefined) return { outcome: 'not-carried', reason: lane.refusal };
    const errand = { ...object, sourcePlace: lane.source, targetPlace: lane.target };
    const { outcome, reason, bytes, tombstones } = await this.#carrier
      .carry(errand)
      .catch((error: unknown) => failure(error));
    this.#tally.bytes += bytes;
    this.#tally.tombstoneSiblings += tombstones;
    const { ledger } = this.#ends;
    if (ledger !== undefined && errand.entry !== undefined && isUnsettled(outcome)) {
      await ledger.put(errand.key, { ...errand.entry, pass: ledger.pass, isOpen: true });
    }
    return { outcome, reason };
  }
}

export async function findLane(source: Place, end: ClusterEnd): Promise<Lane> {
  try {
    const target = await end.place(source.type, source.bucket);
    if (source.datatype === target.datatype) return { source, target };
    const name = (place: Place): string => place.datatype ?? 'no data type';
    const refusal = `the bucket type is of ${name(source)} here and of ${name(target)} there`;
    return { source, refusal };
  } catch (error) {
    if (!isUnknownType(error)) throw error;
    return { source, refusal: `the target has no such bucket type: ${reasonOf(error)}` };
  }
}

function failure(error: unknown): Done {
  return { outcome: 'failed', reason: reasonOf(error), bytes: 0, tombstones: 0 };
}
