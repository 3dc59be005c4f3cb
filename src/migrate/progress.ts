/**
 * How far a migration is, on stderr: every second where somebody looks, else every ten.
 *
 * What is left is reckoned from the pace of the last minute and from how many objects are expected:
 * by the pass before, or as the operator says.
 */

import type { Tally } from './tally.ts';

export interface ProgressOptions {
  readonly tally: Tally;
  /** Objects in all; undefined: not known. Read anew each time. */
  readonly expected: () => number | undefined;
  readonly isQuiet: boolean;
}

const TERMINAL_INTERVAL_MS = 1_000;
const PLAIN_INTERVAL_MS = 10_000;
const WINDOW_MS = 60_000;

export class Progress {
  readonly #options: ProgressOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #marks: { readonly atMs: number; readonly objects: number; readonly bytes: number }[] =
    [];

  constructor(options: ProgressOptions) {
    this.#options = options;
    if (options.isQuiet) return;
    const intervalMs = process.stderr.isTTY ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
    this.#mark();
    this.#timer = setInterval(() => {
      const text = this.#line();
      process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    }, intervalMs);
    this.#timer.unref();
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }

  #mark(): void {
    const { objects, bytes } = this.#options.tally;
    const atMs = performance.now();
    this.#marks.push({ atMs, objects, bytes });
    while ((this.#marks[0]?.atMs ?? atMs) < atMs - WINDOW_MS) this.#marks.shift();
  }

  #line(): string {
    this.#mark();
    const { tally, expected } = this.#options;
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    const seconds = ((last?.atMs ?? 0) - (first?.atMs ?? 0)) / 1000;
    const rate = seconds > 0 ? ((last?.objects ?? 0) - (first?.objects ?? 0)) / seconds : 0;
    const byteRate = seconds > 0 ? ((last?.bytes ?? 0) - (first?.bytes ?? 0)) / seconds : 0;
    return [
      `${tally.objects} objects`,
      `${rate.toFixed(0)}/s`,
      `${(byteRate / 1024 ** 2).toFixed(1)} MiB/s`,
      ...etaText(expected(), tally.objects, rate),
      ...['failed', 'conflict'].flatMap((name) => {
        return tally.count(name) > 0 ? [`${tally.count(name)} ${name}`] : [];
      }),
    ].join(', ');
  }
}

function etaText(expected: number | undefined, objects: number, rate: number): readonly string[] {
  if (expected === undefined || expected <= objects || rate <= 0) return [];
  const share = ((objects / expected) * 100).toFixed(1);
  const left = Math.round((expected - objects) / rate);
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  const time =
    hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${left} s`;
  return [`${share} %`, `about ${time} left`];
}
