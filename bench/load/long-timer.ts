/**
 * Timers of any length: Node's own end at once where they are set to more than 2^31 milliseconds.
 */

const TIMER_MAX_MS = 2 ** 31 - 1;

export interface LongTimer {
  cancel(): void;
}

export function callAfter(delayMs: number, work: () => void): LongTimer {
  const endMs = performance.now() + delayMs;
  let timer: NodeJS.Timeout;
  const wait = (restMs: number): void => {
    timer = setTimeout(
      () => {
        const leftMs = endMs - performance.now();
        if (restMs > TIMER_MAX_MS && leftMs > 0) wait(leftMs);
        else work();
      },
      Math.min(restMs, TIMER_MAX_MS),
    );
  };
  wait(delayMs);
  return { cancel: () => clearTimeout(timer) };
}
