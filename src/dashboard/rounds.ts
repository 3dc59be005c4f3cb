/**
 * The rounds of gathering: one at a time, shared by all who look, and few while nobody does. Each
 * makes a snapshot; some make a sample too, which is kept for fifteen minutes.
 */

import type { Gatherer } from './gatherer.ts';
import type { History, Sample, Snapshot } from './page/snapshot.ts';
import { SampleRing } from './sample-ring.ts';

export interface RoundsOptions {
  /** Between the beginnings of two rounds while somebody looks. */
  readonly watchedMs: number;
  /** While nobody does: for the samples. */
  readonly restMs: number;
}

export const ROUNDS_DEFAULTS: RoundsOptions = { watchedMs: 2_000, restMs: 10_000 };

export interface RoundListener {
  readonly snapshot: (snapshot: Snapshot) => void;
  readonly sample: (sample: Sample) => void;
}

export class Rounds {
  readonly #gatherer: Gatherer;
  readonly #options: RoundsOptions;
  readonly #failed: (reason: string) => void;
  readonly #samples = new SampleRing();
  readonly #listeners = new Set<RoundListener>();
  #last: Snapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isClosed = false;
  #lastFailure: string | undefined;

  /** `failed`: told why a round came to nothing, once until one succeeds or fails otherwise. */
  constructor(gatherer: Gatherer, options: RoundsOptions, failed: (reason: string) => void) {
    this.#gatherer = gatherer;
    this.#options = options;
    this.#failed = failed;
  }

  start(): void {
    this.#schedule(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  get last(): Snapshot | undefined {
    return this.#last;
  }

  history(): History {
    return this.#samples.history(Date.now());
  }

  /** The next round is at once; the function takes the listener away. */
  listen(listener: RoundListener): () => void {
    this.#listeners.add(listener);
    if (!this.#isRunning) this.#schedule(0);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), delayMs);
  }

  async #run(): Promise<void> {
    const begunMs = performance.now();
    this.#isRunning = true;
    try {
      this.#show(await this.#gatherer.round());
      this.#lastFailure = undefined;
    } catch (error) {
      // A bug, here or in what a node tells: the next round may come to more.
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#lastFailure) this.#failed(reason);
      this.#lastFailure = reason;
    } finally {
      this.#isRunning = false;
      const { watchedMs, restMs } = this.#options;
      const everyMs = this.#listeners.size > 0 ? watchedMs : restMs;
      // A slow round is followed by a rest too, so that slow nodes are not asked without end.
      this.#schedule(Math.max(watchedMs / 4, everyMs - (performance.now() - begunMs)));
    }
  }

  #show(snapshot: Snapshot): void {
    this.#last = snapshot;
    const sample = this.#samples.add(snapshot.atMs, snapshot.nodes);
    let failure: { readonly cause: unknown } | undefined;
    for (const listener of this.#listeners) {
      try {
        listener.snapshot(snapshot);
        if (sample !== undefined) listener.sample(sample);
      } catch (cause) {
        failure ??= { cause };
      }
    }
    if (failure !== undefined) throw failure.cause;
  }
}
