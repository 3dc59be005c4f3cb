/**
 * The backups of a running node: one at a time, as a job that can be watched and cancelled.
 *
 * The snapshot is taken when the backup is asked for: what was acknowledged before is in it.
 */

import type { Host } from '../base/host.ts';
import { Job } from '../repair/job.ts';
import type { JobStatus } from '../repair/job.ts';
import type { StoreSnapshot } from '../storage/store-snapshot.ts';
import type { BackupOrigin } from './backup-manifest.ts';
import { readLastBackup, writeLastBackup } from './last-backup.ts';
import type { ReserveAt } from './backup-room.ts';
import { writeBackup } from './backup-writer.ts';
import type { BackupProgress, BackupRequest } from './backup-writer.ts';

export interface BackupsPorts {
  readonly snapshot: () => StoreSnapshot;
  /** The node as it is now. */
  readonly origin: () => BackupOrigin;
  /** Where it is noted when the last one was whole. */
  readonly notePath: string;
  /** Default: nothing. */
  readonly reserveAt?: ReserveAt;
}

const LAST_SUCCESS = 'backup_last_success_timestamp_seconds';

export class Backups {
  readonly #host: Host;
  readonly #ports: BackupsPorts;
  readonly #job: Job<BackupProgress>;

  constructor(host: Host, ports: BackupsPorts) {
    this.#host = host;
    this.#ports = ports;
    this.#job = new Job<BackupProgress>(host, 'backup');
  }

  /** Tells what is known from before the start. */
  async recall(): Promise<void> {
    const seconds = await readLastBackup(this.#ports.notePath);
    if (seconds !== undefined) this.#host.metrics.gauge(LAST_SUCCESS, seconds);
  }

  /** False: one is under way. */
  create(request: BackupRequest): boolean {
    const { metrics, clock } = this.#host;
    return this.#job.start(async (halt, report) => {
      const { origin, snapshot, reserveAt } = this.#ports;
      const room = reserveAt && { reserveAt };
      const work = { origin: origin(), snapshot: snapshot(), halt, report, ...room };
      try {
        await writeBackup(this.#host, request, work);
      } catch (error) {
        metrics.count('backup_failures_total');
        throw error;
      }
      if (halt.isSet) return;
      await this.#noteSuccess(Math.floor(clock.wallMicros() / 1_000_000));
    });
  }

  status(): JobStatus<BackupProgress> {
    return this.#job.status();
  }

  async #noteSuccess(seconds: number): Promise<void> {
    const { log, metrics } = this.#host;
    metrics.gauge(LAST_SUCCESS, seconds);
    try {
      await writeLastBackup(this.#ports.notePath, seconds);
    } catch (error) {
      // The backup is whole all the same.
      log.warn('backup.unnoted', { error });
    }
  }

  /** Resolves when the backup under way, if there is one, has ended and is gone. */
  cancel(): Promise<void> {
    return this.#job.cancel();
  }
}
