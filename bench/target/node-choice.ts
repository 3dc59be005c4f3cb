/**
 * Which node a client talks to: its own, and while that cannot be reached the next.
 */

/** After this long away a client tries its own node again. */
const RETURN_AFTER_MS = 1_000;

export class NodeChoice {
  readonly #preferred: number;
  readonly #count: number;
  #current: number;
  #leftAtMs = 0;
  /** Whether the candidates began with its own node. */
  #triesOwn = false;

  constructor(preferred: number, count: number) {
    this.#preferred = preferred % count;
    this.#count = count;
    this.#current = this.#preferred;
  }

  get node(): number {
    return this.#current;
  }

  /** Nodes to try, the best first. */
  candidates(nowMs: number): number[] {
    this.#triesOwn = !this.#isAway(nowMs);
    const first = this.#triesOwn ? this.#preferred : this.#current;
    return Array.from({ length: this.#count }, (_, step) => (first + step) % this.#count);
  }

  /** Whether a client that was driven away should look whether its own node is back. */
  shouldReturn(nowMs: number): boolean {
    return this.#current !== this.#preferred && !this.#isAway(nowMs);
  }

  /** `node` was reached, of the last candidates. */
  settle(node: number, nowMs: number): void {
    // While it stays away it does not leave again.
    if (node !== this.#preferred && this.#triesOwn) this.#leftAtMs = nowMs;
    this.#current = node;
  }

  #isAway(nowMs: number): boolean {
    return this.#current !== this.#preferred && nowMs - this.#leftAtMs < RETURN_AFTER_MS;
  }
}
