/**
 * A job: background work that an operator asked for, one of its kind at a time.
 *
 * It reports as it goes, can be cancelled, and its last outcome stays to be looked at.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { Halt } from './halt.ts';

export interface JobStatus<Progress> {
  readonly state: 'none' | 'running' | 'done' | 'cancelled' | 'failed';
  readonly progress: Progress | undefined;
  readonly tookMs: number;
  /** Why it failed. */
  readonly reason: string | undefined;
}

export class Job<Progress> {
  readonly #host: Host;
  readonly #name: string;
  #state: JobStatus<Progress>['state'] = 'none';
  #progress: Progress | undefined;
  #reason: string | undefined;
  #startedMs = 0;
  #tookMs = 0;
  #halt = new Halt();
  #running: Promise<void> = Promise.resolve();

  constructor(host: Host, name: string) {
    this.#host = host;
    this.#name = name;
  }

  status(): JobStatus<Progress> {
    const isRunning = this.#state === 'running';
    const tookMs = isRunning ? this.#host.clock.monotonicMs() - this.#startedMs : this.#tookMs;
    return { state: this.#state, progress: this.#progress, tookMs, reason: this.#reason };
  }

  /** False: one is under way. `run` ends at its next step when the halt is set. */
  start(run: (halt: Halt, report: (progress: Progress) => void) => Promise<unknown>): boolean {
    if (this.#state === 'running') return false;
    this.#state = 'running';
    this.#progress = undefined;
    this.#reason = undefined;
    this.#startedMs = this.#host.clock.monotonicMs();
    this.#halt = new Halt();
    this.#host.log.info('job.started', { job: this.#name });
    this.#running = this.#run(
      run(this.#halt, (progress) => {
        this.#progress = progress;
      }),
    );
    return true;
  }

  /** Resolves when the job under way, if there is one, has ended. Idempotent. */
  async cancel(): Promise<void> {
    this.#halt.set();
    await this.#running;
  }

  async #run(work: Promise<unknown>): Promise<void> {
    try {
      await work;
      this.#state = this.#halt.isSet ? 'cancelled' : 'done';
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#state = 'failed';
      this.#reason = error.message;
    }
    this.#tookMs = this.#host.clock.monotonicMs() - this.#startedMs;
    const { state, tookMs, reason } = this.status();
    this.#host.log.info('job.ended', { job: this.#name, state, tookMs, reason });
  }
}
