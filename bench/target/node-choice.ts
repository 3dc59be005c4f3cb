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
    const isBack = nowMs - this.#leftAtMs >= RETURN_AFTER_MS;
    const first = isBack ? this.#preferred : this.#current;
    return Array.from({ length: this.#count }, (_, step) => (first + step) % this.#count);
  }

  /** Whether a client that was driven away should look whether its own node is back. */
  shouldReturn(nowMs: number): boolean {
    return this.#current !== this.#preferred && nowMs - this.#leftAtMs >= RETURN_AFTER_MS;
  }

  /** `node` was reached. */
  settle(node: number, nowMs: number): void {
    if (node !== this.#preferred) this.#leftAtMs = nowMs;
    this.#current = node;
  }
}
