/**
 * A progress bar on one line of a terminal; a few plain lines where there is none.
 */

const WIDTH = 32;

export class ProgressBar {
  readonly #label: string;
  readonly #total: number;
  readonly #startedMs = performance.now();
  #done = 0;
  #shownAtMs = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  advance(by = 1): void {
    this.#done += by;
    const nowMs = performance.now();
    const isDone = this.#done >= this.#total;
    if (!isDone && nowMs - this.#shownAtMs < 100) return;
    this.#shownAtMs = nowMs;
    if (process.stdout.isTTY) this.#draw(nowMs, isDone);
    else if (isDone) console.log(this.#text(nowMs));
  }

  #draw(nowMs: number, isDone: boolean): void {
    const filled = Math.round((WIDTH * this.#done) / this.#total);
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    process.stdout.write(`\r${bar} ${this.#text(nowMs)}   ${isDone ? '\n' : ''}`);
  }

  #text(nowMs: number): string {
    const rate = Math.round(this.#done / Math.max(0.001, (nowMs - this.#startedMs) / 1000));
    return `${this.#label}: ${this.#done} of ${this.#total}, ${rate}/s`;
  }
}
