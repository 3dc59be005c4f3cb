/**
 * Lanes: a bounded number of tasks at once, the next one started as soon as one ends.
 */

export class Lanes {
  readonly #laneCount: number;
  #running = 0;
  #hasFailed = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(laneCount: number) {
    this.#laneCount = laneCount;
  }

  /**
   * Resolves when the task has been started, which is when a lane was free. Rejects with the first
   * error of an earlier task. One caller at a time.
   */
  async start(task: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#laneCount) await this.#change();
    this.#throwFailure();
    this.#running += 1;
    task().then(
      () => this.#end(),
      (error: unknown) => {
        if (!this.#hasFailed) this.#error = error;
        this.#hasFailed = true;
        this.#end();
      },
    );
  }

  /** Resolves when all tasks have ended. Rejects with the first error of one. */
  async end(): Promise<void> {
    while (this.#running > 0) await this.#change();
    this.#throwFailure();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #end(): void {
    this.#running -= 1;
    this.#wake?.();
    this.#wake = undefined;
  }

  #throwFailure(): void {
    if (this.#hasFailed) throw this.#error;
  }
}
