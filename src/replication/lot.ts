/**
 * One lot of another cluster's objects, taken over by this one.
 *
 * All of them are tried at once. What the cluster cannot take now is tried again with growing pauses; what
 * it cannot take for a while longer is to be given back, so that a partition without a quorum holds up
 * nothing but its own keys. What it can never take is counted, logged by its bucket, and passed over.
 */

import { byteStringToUtf8 } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { AbsorbOutcome } from '../coordinator/absorb.ts';
import { Halt } from '../repair/halt.ts';
import { Lanes } from '../repair/lanes.ts';
import { jittered, type ReplicationPorts } from './ports.ts';
import type { SourceFigures } from './source-figures.ts';
import type { FetchedItem, WaitingKey } from './source-queue.ts';

export interface SinkTimings {
  readonly absorbTimeoutMs: number;
  readonly pauseFirstMs: number;
  readonly pauseMaxMs: number;
  /** After that an object is given back. */
  readonly patienceMs: number;
  /** Workers come round within this time: a node that is silent for longer cannot be asked. */
  readonly roundMs: number;
}

export const SINK_TIMINGS: SinkTimings = {
  absorbTimeoutMs: 10_000,
  pauseFirstMs: 100,
  pauseMaxMs: 5_000,
  patienceMs: 30_000,
  roundMs: 5_000,
};

/** A lot is of 64 at most; whoever sends more does not get more. */
const LANES_MAX = 64;

/** What can never be taken, whenever it is tried. */
const REFUSED: ReadonlySet<AbsorbOutcome['kind']> = new Set<AbsorbOutcome['kind']>([
  'damaged',
  'unknown-bucket-type',
  'n-val-violation',
  'too-large',
  'too-many-siblings',
]);

export class Lot {
  readonly #ports: ReplicationPorts;
  readonly #figures: SourceFigures;
  readonly #halt: Halt;
  readonly #timings: SinkTimings;
  readonly #startMs: number;
  readonly #left: WaitingKey[] = [];

  constructor(
    ports: ReplicationPorts,
    figures: SourceFigures,
    halt: Halt,
    timings: SinkTimings = SINK_TIMINGS,
  ) {
    this.#ports = ports;
    this.#figures = figures;
    this.#halt = halt;
    this.#timings = timings;
    this.#startMs = ports.host.clock.monotonicMs();
  }

  /** The keys that are to be given back; undefined: it was ended before all was done. */
  async absorb(items: readonly FetchedItem[]): Promise<readonly WaitingKey[] | undefined> {
    const lanes = new Lanes(LANES_MAX);
    for (const item of items) await lanes.start(() => this.#take(item));
    await lanes.end();
    return this.#halt.isSet ? undefined : this.#left;
  }

  async #take(item: FetchedItem): Promise<void> {
    if (await this.#tryOnce(item)) return;
    const ended = this.#figures.noteWaiting(item.ageMs + this.#elapsedMs());
    await this.#retry(item);
    ended();
  }

  /** Whether nothing more is to be done with the object. */
  async #tryOnce(item: FetchedItem): Promise<boolean> {
    if (this.#halt.isSet) return true;
    const outcome = await this.#try(item);
    return outcome !== undefined && this.#settles(outcome, item);
  }

  async #retry(item: FetchedItem): Promise<void> {
    const { host } = this.#ports;
    let pauseMs = this.#timings.pauseFirstMs;
    while (!this.#halt.isSet) {
      if (this.#elapsedMs() + pauseMs > this.#timings.patienceMs) {
        this.#left.push({ key: item.key, ageMs: item.ageMs + this.#elapsedMs() });
        return;
      }
      this.#figures.noteRetried();
      await this.#halt.wait(host.clock, jittered(host, pauseMs));
      pauseMs = Math.min(this.#timings.pauseMaxMs, 2 * pauseMs);
      if (await this.#tryOnce(item)) return;
    }
  }

  /** Undefined: a fault of the world. */
  async #try({ key, record, isSync }: FetchedItem): Promise<AbsorbOutcome | undefined> {
    const { node } = this.#ports;
    const { absorbTimeoutMs: timeoutMs } = this.#timings;
    try {
      return await node.absorb({ key, record, timeoutMs, keepsTombstone: !isSync });
    } catch (error) {
      if (!isFault(error)) throw error;
      return undefined;
    }
  }

  /** Whether nothing more is to be done with the object. */
  #settles(outcome: AbsorbOutcome, item: FetchedItem): boolean {
    const { kind } = outcome;
    if (kind === 'merged') this.#figures.noteAbsorbed();
    else if (kind === 'unchanged-tombstone') this.#figures.noteUnchanged();
    else if (REFUSED.has(kind)) this.#refuse(kind, item);
    else return false;
    if (!item.isSync) this.#figures.noteLag(item.ageMs + this.#elapsedMs());
    return true;
  }

  #refuse(reason: string, { key }: FetchedItem): void {
    this.#figures.noteRefused(reason);
    if (!this.#figures.isNews(`${reason} ${key.type}/${key.bucket}`)) return;
    this.#ports.host.log.warn('replication.refused', {
      reason,
      type: byteStringToUtf8(key.type),
      bucket: byteStringToUtf8(key.bucket),
    });
  }

  #elapsedMs(): number {
    return this.#ports.host.clock.monotonicMs() - this.#startMs;
  }
}
