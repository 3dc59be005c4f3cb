/**
 * What a worker process notes of each operation, until it is sent on.
 *
 * Three numbers for each: what and where and how it ended, microseconds from the intended start, and
 * from the real one. The parent makes histograms of them, so that they are made in one place and any
 * number of processes comes to the same as one. The room for a batch is bounded: a full batch leaves
 * early.
 */

import { REAL_CLOCK } from './clock.ts';
import type { LoadClock } from './clock.ts';

/** How an operation ended. `conflict`: its condition was not met, which is no error. */
export const OUTCOMES = ['ok', 'error', 'conflict'] as const;
export type OutcomeName = (typeof OUTCOMES)[number];

export interface Batch {
  /** Four numbers a sample: series | node << 8 | outcome << 20, intended, service, age. */
  readonly samples: Uint32Array;
  /** Errors by series and reason. */
  readonly errors: readonly (readonly [series: number, reason: string, count: number])[];
}

export interface Sample {
  readonly series: number;
  readonly node: number;
  readonly outcome: OutcomeName;
  /** From when it was due. */
  readonly intendedMicros: number;
  /** From when it was sent. */
  readonly serviceMicros: number;
  /** How long ago it ended when the batch was taken: clocks of processes have nothing in common. */
  readonly ageMicros: number;
}

const SAMPLES_MAX = 65_536;
const NUMBERS = 4;
const MICROS_MAX = 2 ** 32 - 1;
/** Texts of errors come from servers. */
const REASONS_MAX = 64;
const REASON_MAX_CHARACTERS = 200;

export class Recorder {
  readonly #onFull: () => void;
  readonly #clock: LoadClock;
  #beganMs: number;
  #numbers = new Uint32Array(NUMBERS * SAMPLES_MAX);
  #count = 0;
  readonly #errors = new Map<string, [series: number, reason: string, count: number]>();

  /** `onFull` must take the batch. */
  constructor(onFull: () => void, clock: LoadClock = REAL_CLOCK) {
    this.#onFull = onFull;
    this.#clock = clock;
    this.#beganMs = clock.nowMs();
  }

  /** `endMs`: of the clock, when it ended. */
  record(sample: Omit<Sample, 'ageMicros'>, endMs = this.#clock.nowMs()): void {
    const at = NUMBERS * this.#count;
    const outcome = OUTCOMES.indexOf(sample.outcome);
    this.#numbers[at] = sample.series | (sample.node << 8) | (outcome << 20);
    this.#numbers[at + 1] = Math.min(MICROS_MAX, Math.max(0, sample.intendedMicros));
    this.#numbers[at + 2] = Math.min(MICROS_MAX, Math.max(0, sample.serviceMicros));
    this.#numbers[at + 3] = Math.min(MICROS_MAX, Math.max(0, 1_000 * (endMs - this.#beganMs)));
    this.#count += 1;
    if (this.#count === SAMPLES_MAX) this.#onFull();
  }

  countError(series: number, reason: string): void {
    const known = this.#errors.get(`${series} ${reason}`);
    if (known !== undefined) known[2] += 1;
    else if (this.#errors.size < REASONS_MAX) {
      const text = reason.slice(0, REASON_MAX_CHARACTERS);
      this.#errors.set(`${series} ${reason}`, [series, text, 1]);
    }
  }

  takeBatch(): Batch {
    const samples = this.#numbers.slice(0, NUMBERS * this.#count);
    const nowMs = this.#clock.nowMs();
    const lengthMicros = Math.min(MICROS_MAX, Math.round(1_000 * (nowMs - this.#beganMs)));
    for (let at = 3; at < samples.length; at += NUMBERS) {
      samples[at] = Math.max(0, lengthMicros - (samples[at] as number));
    }
    this.#beganMs = nowMs;
    const errors = [...this.#errors.values()];
    this.#count = 0;
    this.#errors.clear();
    return { samples, errors };
  }
}

export function* samplesOf({ samples }: Batch): Generator<Sample> {
  for (let at = 0; at < samples.length; at += NUMBERS) {
    const head = samples[at] as number;
    yield {
      series: head & 0xff,
      node: (head >>> 8) & 0xfff,
      outcome: OUTCOMES[head >>> 20] ?? 'error',
      intendedMicros: samples[at + 1] as number,
      serviceMicros: samples[at + 2] as number,
      ageMicros: samples[at + 3] as number,
    };
  }
}
