/**
 * Which lines of a log are written, and until when.
 *
 * A line's subsystem is the first word of its event: `repair.handoff.broken-off` is of `repair`. One level
 * holds for all, and a subsystem may have its own. An operator changes either while the node runs, for a
 * time if that is wished; then it is as it was configured again. So a level that was turned up to look at
 * something cannot fill the disk for ever because nobody turned it down.
 */

import type { Clock } from './host.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The first words of all events; a test compares them with what the code says. */
export const LOG_SUBSYSTEMS = [
  'audit',
  'backup',
  'client',
  'disk',
  'hook',
  'http',
  'job',
  'membership',
  'node',
  'peer',
  'repair',
  'replica',
  'replication',
  'request',
  'security',
  'store',
  'tracing',
] as const;
export type LogSubsystem = (typeof LOG_SUBSYSTEMS)[number];

export interface LevelChange {
  /** Undefined: all that have no level of their own. */
  readonly subsystem?: LogSubsystem;
  readonly level: LogLevel;
  /** Until it is taken back; undefined: until the node stops. */
  readonly forMs?: number;
}

export interface ShownLevel {
  readonly level: LogLevel;
  /** Until it is as configured; undefined: it does not end. */
  readonly leftMs: number | undefined;
}

export interface LevelReport extends ShownLevel {
  /** As the node was started with. */
  readonly configured: LogLevel;
  readonly subsystems: readonly (ShownLevel & { readonly subsystem: LogSubsystem })[];
}

interface Override {
  readonly level: LogLevel;
  readonly untilMs: number | undefined;
  readonly cancel: () => void;
}

const EVERYTHING = '';
const SUBSYSTEM = /^[a-z]+/;

export class LogLevels {
  readonly #clock: Clock;
  readonly #configured: LogLevel;
  /** By subsystem, or `EVERYTHING`. */
  readonly #overrides = new Map<string, Override>();
  /** The rank of the least line that anyone writes. */
  #leastRank: number;
  /** Told whatever changes, by an operator or by time: `all` or a subsystem, and its level from now on. */
  changed: (what: LogSubsystem | 'all', level: LogLevel) => void = () => undefined;

  constructor(clock: Clock, configured: LogLevel) {
    this.#clock = clock;
    this.#configured = configured;
    this.#leastRank = rankOf(configured);
  }

  /** One comparison for what nobody writes. */
  admits(level: LogLevel, event: string): boolean {
    const rank = rankOf(level);
    if (rank < this.#leastRank) return false;
    if (this.#overrides.size === 0) return true;
    return rank >= rankOf(this.#levelOf(SUBSYSTEM.exec(event)?.[0] ?? EVERYTHING));
  }

  set({ subsystem, level, forMs }: LevelChange): void {
    const name = subsystem ?? EVERYTHING;
    this.#overrides.get(name)?.cancel();
    this.#overrides.set(name, {
      level,
      untilMs: forMs === undefined ? undefined : this.#clock.monotonicMs() + forMs,
      cancel:
        forMs === undefined ? () => undefined : this.#clock.after(forMs, () => this.#end(name)),
    });
    this.#tell(name);
  }

  /** As configured again: one subsystem, or everything. */
  reset(subsystem?: LogSubsystem): void {
    for (const name of subsystem === undefined ? [...this.#overrides.keys()] : [subsystem]) {
      this.#end(name);
    }
  }

  report(): LevelReport {
    return {
      configured: this.#configured,
      ...this.#shown(EVERYTHING),
      subsystems: LOG_SUBSYSTEMS.filter((subsystem) => this.#overrides.has(subsystem)).map(
        (subsystem) => ({ subsystem, ...this.#shown(subsystem) }),
      ),
    };
  }

  #shown(name: string): ShownLevel {
    const untilMs = this.#overrides.get(name)?.untilMs;
    const leftMs = untilMs && Math.max(0, Math.round(untilMs - this.#clock.monotonicMs()));
    return { level: this.#levelOf(name), leftMs };
  }

  #levelOf(name: string): LogLevel {
    const own = this.#overrides.get(name) ?? this.#overrides.get(EVERYTHING);
    return own?.level ?? this.#configured;
  }

  #end(name: string): void {
    const override = this.#overrides.get(name);
    if (override === undefined) return;
    override.cancel();
    this.#overrides.delete(name);
    this.#tell(name);
  }

  #tell(name: string): void {
    const names = [EVERYTHING, ...this.#overrides.keys()];
    this.#leastRank = Math.min(...names.map((each) => rankOf(this.#levelOf(each))));
    const subsystem = LOG_SUBSYSTEMS.find((each) => each === name);
    this.changed(subsystem ?? 'all', this.#levelOf(name));
  }
}

function rankOf(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}
