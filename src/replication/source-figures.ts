/**
 * What came of one source's objects, counted; and how far this cluster is behind it.
 *
 * The lag is the age of the last client's write that was absorbed here, 0 while there is nothing to fetch, at
 * least that of what is fetched and cannot be absorbed now, and never less than the time since any node of the
 * source was last asked in vain: who cannot ask does not know what there is.
 */

import type { Host } from '../base/host.ts';

const TOLD_MAX = 256;

export interface SourceCounts {
  readonly absorbed: number;
  /** Tombstones of which nothing is here. */
  readonly unchanged: number;
  /** By reason: what can never be taken. */
  readonly refused: Readonly<Record<string, number>>;
  readonly retried: number;
  /** Put back on the queue because the cluster could not take them for a while. */
  readonly givenBack: number;
}

export class SourceFigures {
  readonly #host: Host;
  readonly #source: string;
  readonly #refused: Record<string, number> = {};
  #absorbed = 0;
  #unchanged = 0;
  #retried = 0;
  #givenBack = 0;
  #lagMs = 0;
  /** What was tried in vain; as many as the lots in hand have at most. */
  readonly #waiting = new Set<{ readonly sinceMs: number }>();
  /** What was refused lately, so that a whole bucket is not told key by key. */
  readonly #told = new Set<string>();

  constructor(host: Host, source: string) {
    this.#host = host;
    this.#source = source;
  }

  counts(): SourceCounts {
    return {
      absorbed: this.#absorbed,
      unchanged: this.#unchanged,
      refused: { ...this.#refused },
      retried: this.#retried,
      givenBack: this.#givenBack,
    };
  }

  /** Of the last write that was absorbed, or of what cannot be absorbed now. */
  get lagMs(): number {
    const nowMs = this.#host.clock.monotonicMs();
    return Math.max(this.#lagMs, ...[...this.#waiting].map(({ sinceMs }) => nowMs - sinceMs));
  }

  /** An object of that age cannot be absorbed for now; to be called when it is tried no more. */
  noteWaiting(ageMs: number): () => void {
    const waiting = { sinceMs: this.#host.clock.monotonicMs() - ageMs };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  noteAbsorbed(): void {
    this.#absorbed += 1;
    const source = this.#source;
    this.#host.metrics.count(`replication_absorbed_total{source="${source}"}`);
  }

  noteUnchanged(): void {
    this.#unchanged += 1;
    const source = this.#source;
    this.#host.metrics.count(`replication_unchanged_total{source="${source}"}`);
  }

  noteRefused(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    this.#host.metrics.count(`replication_refused_total{reason="${reason}"}`);
  }

  /** Whether `what` was not told for a while. */
  isNews(what: string): boolean {
    if (this.#told.has(what)) return false;
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.add(what);
    return true;
  }

  noteRetried(): void {
    this.#retried += 1;
    const source = this.#source;
    this.#host.metrics.count(`replication_retried_total{source="${source}"}`);
  }

  noteGivenBack(count: number): void {
    this.#givenBack += count;
    const source = this.#source;
    this.#host.metrics.count(`replication_given_back_total{source="${source}"}`, count);
  }

  /** From a client's write there to its being safe here. */
  noteLag(lagMs: number): void {
    this.#lagMs = lagMs;
    const source = this.#source;
    this.#host.metrics.observe(`replication_lag_ms{source="${source}"}`, lagMs);
  }

  /** There is nothing to fetch. */
  noteEmpty(): void {
    this.#lagMs = 0;
  }
}
