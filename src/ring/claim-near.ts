/**
 * How many equal values stand close to each place of a circle.
 *
 * Kept for every value and every place, whatever stands there now: what a value would meet at another
 * place is looked up rather than counted. The search for a ring asks that a million times, and changes
 * a value some thousand times.
 */

export interface NearRules {
  /** Values are from 0 and below this. */
  readonly valueCount: number;
  /** Closer than this is near; no more than the circle's length. */
  readonly spacing: number;
}

export class NearCounts {
  readonly #length: number;
  readonly #spacing: number;
  /** value * length + place → others of that value less than `spacing` away, ahead and behind. */
  readonly #counts: Uint16Array;

  constructor(circle: readonly number[], { valueCount, spacing }: NearRules) {
    this.#length = circle.length;
    this.#spacing = spacing;
    this.#counts = new Uint16Array(valueCount * circle.length);
    for (const [place, value] of circle.entries()) this.#add(value, place, 1);
  }

  /** Those near `place`, not counting `place` itself. */
  count(value: number, place: number): number {
    return this.#counts[value * this.#length + place] as number;
  }

  /** How often `left` counts for `right`: twice where they are close both ways round. */
  between(left: number, right: number): number {
    const distance = Math.abs(left - right);
    return (distance < this.#spacing ? 1 : 0) + (this.#length - distance < this.#spacing ? 1 : 0);
  }

  replace(place: number, before: number, after: number): void {
    this.#add(before, place, -1);
    this.#add(after, place, 1);
  }

  #add(value: number, place: number, by: number): void {
    const first = value * this.#length;
    for (let distance = 1; distance < this.#spacing; distance += 1) {
      const ahead = place + distance;
      const behind = place - distance;
      const aheadAt = first + (ahead < this.#length ? ahead : ahead - this.#length);
      const behindAt = first + (behind < 0 ? behind + this.#length : behind);
      this.#counts[aheadAt] = (this.#counts[aheadAt] as number) + by;
      this.#counts[behindAt] = (this.#counts[behindAt] as number) + by;
    }
  }
}
