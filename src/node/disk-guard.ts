/**
 * The disk guard: writes are refused while there is still room, so that nothing worse happens.
 *
 * A store that meets the end of its disk in the middle of a write is fenced, and the machine around
 * it suffers too. So below a reserve the node takes no more data, while reads, deletes, repair of
 * others and everything that frees space go on. It takes data again only when there is clearly more
 * room than the reserve: otherwise it would flap at the edge.
 */

import type { Host } from '../base/host.ts';

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Undefined: it cannot be told now. */
export type ReadDiskSpace = () => Promise<DiskSpace | undefined>;

export interface DiskGuardOptions {
  /** Room that is never filled with data; of a small disk a quarter at most. */
  readonly reserveBytes: number;
  readonly intervalMs: number;
}

export const DISK_GUARD_DEFAULTS: DiskGuardOptions = {
  reserveBytes: 1024 * 1024 * 1024,
  intervalMs: 500,
};

/** `low`: less than twice the reserve is free. `full`: less than the reserve was, and still nearly. */
export type DiskState = 'ample' | 'low' | 'full';

/** As on a network file system whose server is gone. */
const UNANSWERED_MS = 5_000;
const RESERVE_PART_MAX = 0.25;
const LOW_FACTOR = 2;
/** From full back to low. */
const RESUME_FACTOR = 1.25;

export class DiskGuard {
  readonly #host: Host;
  readonly #read: ReadDiskSpace;
  readonly #options: DiskGuardOptions;
  #state: DiskState = 'ample';
  #cancelNext: (() => void) | undefined;
  #isStopped = false;
  /** Ends the wait of a start. */
  #goOn: () => void = () => {};

  constructor(host: Host, read: ReadDiskSpace, options: DiskGuardOptions) {
    this.#host = host;
    this.#read = read;
    this.#options = options;
  }

  get state(): DiskState {
    return this.#state;
  }

  get isFull(): boolean {
    return this.#state === 'full';
  }

  /**
   * Resolves when the disk has been looked at once, or does not answer; from then on it is looked at
   * regularly, with one question at a time.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
      void this.#look().then(resolve);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext?.();
    this.#goOn();
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#host;
    this.#cancelNext = clock.after(UNANSWERED_MS, () => {
      log.warn('disk.unanswered', { waitedMs: UNANSWERED_MS, state: this.#state });
      this.#goOn();
    });
    const space = await this.#read();
    if (this.#isStopped) return;
    this.#cancelNext();
    if (space !== undefined) this.#judge(space);
    this.#cancelNext = this.#host.clock.after(this.#options.intervalMs, () => void this.#look());
  }

  #judge({ freeBytes, totalBytes }: DiskSpace): void {
    const { metrics, log } = this.#host;
    const reserveBytes = reserveOf(totalBytes, this.#options);
    const before = this.#state;
    const resumeBytes = reserveBytes * (before === 'full' ? RESUME_FACTOR : 1);
    if (freeBytes < resumeBytes) this.#state = 'full';
    else this.#state = freeBytes < reserveBytes * LOW_FACTOR ? 'low' : 'ample';
    metrics.gauge('disk_free_bytes', freeBytes);
    metrics.gauge('disk_total_bytes', totalBytes);
    metrics.gauge('disk_reserve_bytes', reserveBytes);
    metrics.gauge('disk_full', this.isFull ? 1 : 0);
    if (before === this.#state) return;
    const fields = { freeBytes, totalBytes, reserveBytes };
    if (this.isFull) log.error('disk.full', { ...fields, consequence: 'no new data is taken' });
    else if (before === 'full') log.warn('disk.resumed', fields);
    else if (this.#state === 'low') log.warn('disk.low', fields);
    else log.info('disk.ample', fields);
  }
}

/** What stays free of a disk of this size. */
export function reserveOf(
  totalBytes: number,
  { reserveBytes }: Pick<DiskGuardOptions, 'reserveBytes'>,
): number {
  return Math.min(reserveBytes, totalBytes * RESERVE_PART_MAX);
}
