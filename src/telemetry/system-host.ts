/**
 * The real host: this machine's time and chance.
 *
 * The monotonic clock never goes back; the wall clock is stamped to the microsecond by adding what
 * the monotonic clock has run since the two were last compared, and is compared again whenever they
 * have come apart (someone set the time). Random numbers come from the operating system's generator,
 * fetched a pool at a time, because one call into it costs more than a thousand small numbers.
 */

import { randomBytes } from 'node:crypto';
import type { Clock, Host, Log, Metrics, Random } from '../base/host.ts';
import { assert } from '../base/fault.ts';

/** Further away than this, `setTimeout` would fire at once. */
const TIMER_MAX_MS = 0x7fff_ffff;

/** The wall may differ this much from its stamp before they are brought together again. */
const WALL_DRIFT_MAX_MICROS = 2_000;

const POOL_SIZE_BYTES = 4_096;
const POOLED_REQUEST_MAX_BYTES = 256;

export interface SystemClockOptions {
  /** Whether a timer that is still to come keeps the process alive. Default false. */
  readonly isHoldingProcess?: boolean;
}

export class SystemClock implements Clock {
  readonly #isHoldingProcess: boolean;
  /** Wall minus monotonic time. */
  #offsetMicros = 0;

  constructor(options: SystemClockOptions = {}) {
    this.#isHoldingProcess = options.isHoldingProcess ?? false;
  }

  wallMicros(): number {
    const monotonicMicros = performance.now() * 1_000;
    const wallMicros = Date.now() * 1_000;
    const stamp = monotonicMicros + this.#offsetMicros;
    // `Date.now()` is cut off to the millisecond: up to 1,000 apart is how they always are.
    if (Math.abs(stamp - wallMicros) <= WALL_DRIFT_MAX_MICROS) return Math.floor(stamp);
    this.#offsetMicros = wallMicros - monotonicMicros;
    return wallMicros;
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): () => void {
    const dueMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (restMs: number): void => {
      timer = setTimeout(
        () => {
          // Node's timers may fire a fraction early, and not at all later than TIMER_MAX_MS.
          const leftMs = dueMs - performance.now();
          if (leftMs > 0) arm(leftMs);
          else run();
        },
        Math.min(Math.ceil(restMs), TIMER_MAX_MS),
      );
      if (!this.#isHoldingProcess) timer.unref();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  }
}

export class SystemRandom implements Random {
  #pool: Buffer = Buffer.alloc(0);
  #used = 0;

  bytes(size: number): Buffer {
    if (size > POOLED_REQUEST_MAX_BYTES) return randomBytes(size);
    const start = this.#take(size);
    // A copy: 16 bytes that live long must not keep the pool alive.
    return Buffer.from(this.#pool.subarray(start, start + size));
  }

  integer(below: number): number {
    assert(below >= 1 && below <= 0x1_0000_0000, 'integer: below is 1 to 2^32');
    // Values past the last whole multiple would make the low results likelier: draw again.
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % below);
    let drawn: number;
    do {
      drawn = this.#drawUint32();
    } while (drawn >= limit);
    return drawn % below;
  }

  #drawUint32(): number {
    // Taken first: it may replace the pool.
    const start = this.#take(4);
    return this.#pool.readUInt32LE(start);
  }

  /** Where the next `size` unused bytes of the pool start. */
  #take(size: number): number {
    if (this.#used + size > this.#pool.length) {
      this.#pool = randomBytes(POOL_SIZE_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += size;
    return start;
  }
}

/** The host of a real node. */
export function systemHost(log: Log, metrics: Metrics): Host {
  return { clock: new SystemClock(), random: new SystemRandom(), log, metrics };
}
