/**
 * When the operations of an open loop are due.
 *
 * The rate is a chain of straight pieces. Arrivals are found in counts, not in time: the n-th is due
 * when the integral of the rate reaches n, or with chance, a sum of exponential steps of mean one; so
 * ramps and Poisson arrivals are the same few lines.
 */

import { exponential } from '../workload/values.ts';
import type { SeededRandom } from '../../src/cli/demo/patient-records.ts';

export interface RatePiece {
  readonly fromPerSecond: number;
  readonly toPerSecond: number;
  readonly durationMs: number;
}

export interface ArrivalOptions {
  readonly arrivals: 'even' | 'poisson';
  /** Where between two arrivals the first is, so that several processes take turns; 0 to 1. */
  readonly offset: number;
}

/** Sums of pieces are not exact, and no operation is due in what is left over. */
const ROUNDING = 1e-6;

export class Arrivals {
  readonly #pieces: readonly RatePiece[];
  readonly #random: SeededRandom;
  readonly #isPoisson: boolean;
  #piece = 0;
  #pieceStartMs = 0;
  /** Operations due since the start of the piece, up to the arrival that is next. */
  #count: number;

  constructor(pieces: readonly RatePiece[], random: SeededRandom, options: ArrivalOptions) {
    this.#pieces = pieces;
    this.#random = random;
    this.#isPoisson = options.arrivals === 'poisson';
    this.#count = this.#isPoisson ? exponential(random, 1) : options.offset;
  }

  /** Milliseconds from the start to the next arrival; undefined: there is none any more. */
  next(): number | undefined {
    for (;;) {
      const piece = this.#pieces[this.#piece];
      if (piece === undefined) return undefined;
      const total = totalOf(piece);
      if (this.#count < total) break;
      this.#count -= total;
      this.#pieceStartMs += piece.durationMs;
      this.#piece += 1;
    }
    const dueMs = this.#pieceStartMs + timeOf(this.#count, this.#pieces[this.#piece] as RatePiece);
    this.#count += this.#isPoisson ? exponential(this.#random, 1) : 1;
    return dueMs;
  }

  /** How many there still are; with chance, so many as are likely. They are not drawn. */
  rest(): number {
    const total = this.#pieces.slice(this.#piece).reduce((sum, piece) => sum + totalOf(piece), 0);
    if (this.#count >= total) return 0;
    // The next lies within, and with chance so many more behind it.
    const left = total - this.#count;
    return this.#isPoisson ? 1 + Math.round(left) : Math.ceil(left - ROUNDING);
  }
}

/** Operations of a piece. */
function totalOf({ fromPerSecond, toPerSecond, durationMs }: RatePiece): number {
  return (durationMs / 2_000) * (fromPerSecond + toPerSecond);
}

/** When so many operations are due: the root of rate · t + slope · t² / 2 = count. */
function timeOf(count: number, { fromPerSecond, toPerSecond, durationMs }: RatePiece): number {
  const seconds = durationMs / 1_000;
  const slope = (toPerSecond - fromPerSecond) / seconds;
  if (Math.abs(slope) < 1e-9) return (1_000 * count) / fromPerSecond;
  const root = Math.sqrt(Math.max(0, fromPerSecond * fromPerSecond + 2 * slope * count));
  return (1_000 * (root - fromPerSecond)) / slope;
}

/** The pieces between two rates: a ramp for one step, else so many level ones. */
export function ratePieces(
  rates: { readonly fromPerSecond: number; readonly toPerSecond: number },
  steps: number,
  durationMs: number,
): RatePiece[] {
  const { fromPerSecond, toPerSecond } = rates;
  if (steps === 1) return [{ fromPerSecond, toPerSecond, durationMs }];
  return Array.from({ length: steps }, (_, index) => {
    const perSecond = fromPerSecond + ((toPerSecond - fromPerSecond) * index) / (steps - 1);
    return {
      fromPerSecond: perSecond,
      toPerSecond: perSecond,
      durationMs: durationMs / steps,
    };
  });
}
