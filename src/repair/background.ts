/**
 * Background work: one round after another, with a rest between them, until it is stopped.
 *
 * A round may be asked for out of turn (`wake`). A fault ends its round, is counted, and costs no
 * more than that round; a bug stops the node.
 */

import { assert, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { Halt } from './halt.ts';

export interface BackgroundOptions {
  /** For the log, and the counter `NAME_rounds_failed`. */
  readonly name: string;
  /** From the end of a round to the start of the next. */
  readonly restMs: number;
}

export class Background {
  readonly #host: Host;
  readonly #options: BackgroundOptions;
  readonly #round: (halt: Halt) => Promise<unknown>;
  readonly #halt = new Halt();
  /** Ends the present rest. */
  #rest = new Halt();
  #isWoken = false;
  #running: Promise<void> | undefined;

  constructor(host: Host, options: BackgroundOptions, round: (halt: Halt) => Promise<unknown>) {
    this.#host = host;
    this.#options = options;
    this.#round = round;
  }

  /** The first round comes after a rest. */
  start(): void {
    assert(this.#running === undefined, 'background work is started once');
    this.#running = this.#run();
  }

  /** The first round comes at once, and rests come between the later ones; or as `wake`. */
  startOrWake(): void {
    this.wake();
    this.#running ??= this.#run();
  }

  /** The next round comes now, or right after the present one. */
  wake(): void {
    this.#isWoken = true;
    this.#rest.set();
  }

  /** Ends the rest, or the round at its next step; resolves when that is done. Idempotent. */
  async stop(): Promise<void> {
    this.#halt.set();
    this.#rest.set();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#halt.isSet) {
      if (!this.#isWoken) await this.#rest.wait(this.#host.clock, this.#options.restMs);
      this.#rest = new Halt();
      this.#isWoken = false;
      if (this.#halt.isSet) return;
      try {
        await this.#round(this.#halt);
      } catch (error) {
        if (!isFault(error)) throw error;
        const { name } = this.#options;
        this.#host.metrics.count(`${name}_rounds_failed`);
        this.#host.log.warn('repair.round-failed', { name, code: error.code });
      }
    }
  }
}
