/**
 * Ctrl-C (or SIGTERM) during a run: it ends in order, with a report of what was measured.
 *
 * Who asks again is told that this is under way; the third time everything ends at once, and nodes that
 * the run has started follow, because their parent is gone.
 */

import { Fault } from '../../src/base/fault.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** As shells name what Ctrl-C has ended. */
const EXIT_CODE = 130;

export class StopAsked {
  readonly #controller = new AbortController();
  readonly #onSignal = (): void => this.#hear();
  #count = 0;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Signals have their usual meaning again. */
  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #hear(): void {
    this.#count += 1;
    if (this.#count === 1) this.#controller.abort();
    else if (this.#count === 2) console.error('\nstopping in order; once more ends it at once');
    else process.exit(EXIT_CODE);
  }
}

export function interrupted(): Fault {
  return new Fault('closed', 'the run was interrupted');
}

/** What `work` gives, or a `closed` fault as soon as it is to stop; the work itself goes on then. */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  if (signal.aborted) throw interrupted();
  let onAbort = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(interrupted());
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
