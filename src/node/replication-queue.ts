/**
 * One queue that other clusters fetch from: its keys in memory and on disk, and whose objects it takes.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import { KeyQueue } from './key-queue.ts';
import type { KeyPriority, OutKey } from './key-queue.ts';
import { KeySpool, type SpoolFolder } from './key-spool.ts';

export interface ReplicationQueueOptions {
  readonly name: string;
  readonly buckets: 'any' | readonly BucketPattern[];
}

interface BucketPattern {
  readonly type: ByteString;
  /** Undefined: every bucket of the type. */
  readonly bucket: ByteString | undefined;
}

export interface ReplicationOptions {
  readonly queueMaxBytes: number;
  /** Of a queue's files; default 0: keys are in memory only. */
  readonly queueDiskMaxBytes?: number;
  /** Where the files of a queue are; absent: nowhere. */
  readonly folderOf?: (queue: string) => SpoolFolder;
  readonly queues: readonly ReplicationQueueOptions[];
}

export interface QueueStatus {
  readonly name: string;
  /** Keys that wait: written by clients, and put there by a full-sync or a fold. */
  readonly realTime: number;
  readonly sync: number;
  /** Keys that were given out and not acknowledged. */
  readonly out: number;
  /** How long the oldest key has waited; undefined: none waits. */
  readonly oldestAgeMs: number | undefined;
  readonly heldBytes: number;
  /** Of its files: keys without room in memory, and those in memory that have waited for a moment. */
  readonly diskBytes: number;
  /** Why nothing is written to them; undefined: nothing is wrong. */
  readonly diskTrouble: string | undefined;
  /** Keys for which there was no room, since the start. */
  readonly dropped: number;
  /** Keys were dropped that no full-sync has found yet. */
  readonly isOverflowed: boolean;
  /** Connections that have fetched from it and are open. */
  readonly consumers: number;
  /** Nothing is given out. */
  readonly isPaused: boolean;
}

export type QueueHost = Pick<Host, 'clock' | 'random' | 'metrics' | 'log'>;

interface QueuePorts {
  readonly host: QueueHost;
  readonly isDiskFull?: () => boolean;
}

/** Of one fetch. */
export const LOT_BYTES = 1024 * 1024;
/** Of an object, while nothing is known. */
const RECENT_BYTES = 64 * 1024;

export function openQueue(
  { host, isDiskFull = () => false }: QueuePorts,
  { queueMaxBytes, queueDiskMaxBytes = 0, folderOf }: ReplicationOptions,
  queue: ReplicationQueueOptions,
): ReplicationQueue {
  const folder = queueDiskMaxBytes > 0 ? folderOf?.(queue.name) : undefined;
  const spool =
    folder &&
    new KeySpool(
      { host, folder, isDiskFull },
      { queue: queue.name, diskMaxBytes: queueDiskMaxBytes, memoryMaxBytes: queueMaxBytes },
    );
  const keys = new KeyQueue(queueMaxBytes, spool, host.random.integer(2 ** 32));
  spool?.attach(keys);
  return new ReplicationQueue(host, queue, { keys, spool });
}

export class ReplicationQueue {
  readonly keys: KeyQueue;
  readonly spool: KeySpool | undefined;
  readonly #host: QueueHost;
  readonly #options: ReplicationQueueOptions;
  isPaused = false;
  consumers = 0;
  /** Of the objects fetched last, the largest: how many are read at once goes by it. */
  recentBytes = RECENT_BYTES;
  #dropped = 0;

  constructor(
    host: QueueHost,
    options: ReplicationQueueOptions,
    { keys, spool }: Pick<ReplicationQueue, 'keys' | 'spool'>,
  ) {
    this.#host = host;
    this.#options = options;
    this.keys = keys;
    this.spool = spool;
  }

  /** The first of those that wait, on disk if need be. */
  async take(max: number): Promise<OutKey[]> {
    const { keys, spool } = this;
    const taken = keys.take(max, this.#host.clock.monotonicMs());
    if (taken.length > 0 || !isWaiting(spool)) return taken;
    await spool?.refill();
    return keys.take(max, this.#host.clock.monotonicMs());
  }

  /** It has room again. */
  refill(): void {
    if (isWaiting(this.spool)) void this.spool?.refill();
  }

  /** Something is known of what was dropped. */
  settle(note: (keys: KeyQueue) => void): void {
    note(this.keys);
    this.spool?.noteOverflow();
  }

  /** Whether the queue is for it. */
  offer(key: ObjectKey, id: ByteString, priority: KeyPriority, ageMs = 0): boolean {
    if (!this.#takes(key)) return false;
    const host = this.#host;
    const wasOverflowed = this.keys.isOverflowed;
    const offer = this.keys.offer(id, priority, host.clock.monotonicMs() - ageMs);
    if (offer === 'queued') host.metrics.count('replication_offered_total');
    if (offer !== 'dropped') return true;
    this.#dropped += 1;
    host.metrics.count('replication_dropped_total');
    if (!wasOverflowed) host.log.warn('replication.queue-full', { queue: this.#options.name });
    return true;
  }

  status(): QueueStatus {
    const { keys, spool, isPaused, consumers } = this;
    const oldestMs = keys.oldestMs();
    return {
      name: this.#options.name,
      realTime: keys.count('real-time'),
      sync: keys.count('sync'),
      out: keys.outCount,
      oldestAgeMs: oldestMs === undefined ? undefined : this.#host.clock.monotonicMs() - oldestMs,
      heldBytes: keys.heldBytes,
      diskBytes: spool?.fileBytes ?? 0,
      diskTrouble: spool?.trouble,
      dropped: this.#dropped,
      isOverflowed: keys.isOverflowed,
      consumers,
      isPaused,
    };
  }

  #takes({ type, bucket }: ObjectKey): boolean {
    const { buckets } = this.#options;
    if (buckets === 'any') return true;
    return buckets.some(
      (each) => each.type === type && (each.bucket === undefined || each.bucket === bucket),
    );
  }
}

/** Keys are on disk that are not in memory. */
function isWaiting(spool: KeySpool | undefined): boolean {
  return spool !== undefined && (spool.hasWaiting('real-time') || spool.hasWaiting('sync'));
}
