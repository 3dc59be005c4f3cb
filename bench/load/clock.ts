/**
 * The time of the load as a parameter, so that its tests need none.
 */

import { setTimeout as pause } from 'node:timers/promises';

export interface LoadClock {
  /** Milliseconds from an arbitrary start; never goes back. */
  nowMs(): number;
  wait(milliseconds: number): Promise<void>;
}

export const REAL_CLOCK: LoadClock = {
  nowMs: () => performance.now(),
  wait: (milliseconds) => pause(milliseconds),
};
