/**
 * Turns: how many pages the folds on this node read at once, whoever asks for them.
 *
 * What a page holds is judged as soon as it is read, so this bounds what folds compute in one turn of the
 * event loop, however many run. First come, first served: folds get on side by side.
 */

export class FoldTurns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(pagesMax: number) {
    this.#free = pagesMax;
  }

  async take<T>(read: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
