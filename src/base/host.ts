/**
 * The host: the world as parameters.
 *
 * Time, chance, the log and the metrics come in through these ports, so that the same code runs on a
 * real machine and, many nodes in one process, on the simulation's virtual time. Pure rooms take
 * nothing else from outside. Disk (`Store`) and network (`Peer`) are ports of rooms further up.
 */

export interface Clock {
  /** Microseconds since 1970 by the wall; may jump either way. Only for stamps that people see. */
  wallMicros(): number;
  /** Milliseconds from an arbitrary start; never goes back. For deadlines and intervals. */
  monotonicMs(): number;
  /** Runs `run` once, not before `delayMs`; the returned function cancels and may be called twice. */
  after(delayMs: number, run: () => void): () => void;
}

export interface Random {
  /** `size` random bytes. */
  bytes(size: number): Buffer;
  /** An integer, 0 <= result < `below`; `below` from 1 to 2^32. */
  integer(below: number): number;
}

export interface Log {
  /** `event` is a stable dotted name such as `store.fenced`; `fields` carry no patient data. */
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Counters only rise, gauges are set, histograms take values in the unit that ends the name. */
export interface Metrics {
  count(name: string, by?: number): void;
  gauge(name: string, value: number): void;
  observe(name: string, value: number): void;
}

export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Resolves after at least `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
