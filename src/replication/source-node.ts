/**
 * One node of a source, and how it has answered.
 *
 * A node that cannot be asked is left alone for a pause that doubles, and then one worker tries it while
 * the others pass it by: a node that is down, or holds its connections and is silent, costs one attempt at a time.
 */

import type { Clock } from '../base/host.ts';
import type { NodeAddress } from '../client/connection.ts';

const PAUSE_FIRST_MS = 250;
const PAUSE_MAX_MS = 10_000;

export interface SourceNodeStatus {
  readonly address: string;
  /** Since its last answer, or since this node began to ask. */
  readonly silentMs: number;
  /** Why it could not be asked last; undefined: it answered. */
  readonly trouble: string | undefined;
}

export class SourceNode {
  readonly address: NodeAddress;
  readonly #clock: Clock;
  #answeredMs: number;
  #pauseMs = 0;
  #pausedUntilMs = 0;
  #trouble: string | undefined;
  /** A worker looks whether it can be asked again. */
  #isTried = false;

  constructor(address: NodeAddress, clock: Clock) {
    this.address = address;
    this.#clock = clock;
    this.#answeredMs = clock.monotonicMs();
  }

  get name(): string {
    const { host, port } = this.address;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get #isPaused(): boolean {
    return this.#clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** To be called when it has been asked; undefined: it is not to be asked now. */
  enter(): (() => void) | undefined {
    if (this.#isPaused) return undefined;
    if (this.#trouble === undefined) return () => undefined;
    if (this.#isTried) return undefined;
    this.#isTried = true;
    return () => {
      this.#isTried = false;
    };
  }

  /** Why it could not be asked last. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Since its last answer, or since this node began to ask. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#answeredMs;
  }

  noteAnswer(): void {
    this.#answeredMs = this.#clock.monotonicMs();
    this.#pauseMs = 0;
    this.#pausedUntilMs = 0;
    this.#trouble = undefined;
  }

  /** Those that fail together are one failure. */
  noteFailure(trouble: string): void {
    this.#trouble = trouble;
    if (this.#isPaused) return;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_FIRST_MS, 2 * this.#pauseMs));
    this.#pausedUntilMs = this.#clock.monotonicMs() + this.#pauseMs;
  }

  status(): SourceNodeStatus {
    return { address: this.name, silentMs: this.silentMs, trouble: this.#trouble };
  }
}
