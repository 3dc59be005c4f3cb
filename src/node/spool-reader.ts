/**
 * Reading the files of a replication queue.
 *
 * A read that fails says little of the file: the process may have too many open, or the disk be away for a moment.
 * So it is tried again, and its keys are given up only after many attempts, for all that is behind them waits.
 */

import { isFault } from '../base/fault.ts';
import type { KeySpoolPorts } from './key-spool.ts';
import { decodeBlocks, type SpoolContents } from './spool-block.ts';
import type { Segment } from './spool-line.ts';

/** Attempts for one file. */
const READS_MAX = 12;
const RETRY_MS = 5_000;

export class SpoolReader {
  readonly #ports: Pick<KeySpoolPorts, 'folder' | 'host'>;
  readonly #queue: string;
  #againMs = 0;

  constructor(ports: Pick<KeySpoolPorts, 'folder' | 'host'>, queue: string) {
    this.#ports = ports;
    this.#queue = queue;
  }

  /** A read has failed a moment ago. */
  get isResting(): boolean {
    return this.#ports.host.clock.monotonicMs() < this.#againMs;
  }

  /** Undefined: it could not be read now. */
  async read(segment: Segment): Promise<SpoolContents | undefined> {
    const { folder, host } = this.#ports;
    const nothing = { keys: [], damagedBytes: segment.sizeBytes };
    try {
      const file = await folder.read(segment.name);
      return file === undefined ? nothing : decodeBlocks(file);
    } catch (error) {
      if (!isFault(error)) throw error;
      host.metrics.count('replication_queue_disk_errors_total');
      segment.failedReads += 1;
      if (segment.failedReads >= READS_MAX) return nothing;
      const told = { queue: this.#queue, file: segment.name, reason: error.message };
      if (segment.failedReads === 1) host.log.warn('replication.queue-unread', told);
      this.#againMs = host.clock.monotonicMs() + RETRY_MS;
      return undefined;
    }
  }
}
