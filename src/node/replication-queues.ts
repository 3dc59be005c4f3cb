/**
 * What other clusters fetch here: the queues of this node, and who is given what of them.
 *
 * A key comes onto a queue when a client's write of it may have happened here, when a sink asks for it, and by a
 * fold; what came by replication does not. What is fetched is the object as it is stored when it is fetched, read
 * with the bucket's quorum: every sibling, tombstones too. Where no majority of primaries answered, stand-ins may not
 * have known of the write: what was read is given all the same, and the key waits on. It arrives at least once: what a
 * connection was given is out until the same connection asks the same queue again, which
 * says that it has it, or ends, and then it is the next again. What has no room in memory waits on disk, and what
 * was queued is there after a stop (`KeySpool`); what a node that is lost had queued, a full-sync finds.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { keyFromString, keyToString } from '../base/names.ts';
import type { ObjectKey } from '../base/names.ts';
import { encodeRecord, joinRecord } from '../object/record.ts';
import { emptied } from '../object/show.ts';
import type { Failure, GetOutcome, GetRequest } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { OutKey } from './key-queue.ts';
import { LOT_BYTES, openQueue } from './replication-queue.ts';
import type {
  QueueHost,
  QueueStatus,
  ReplicationOptions,
  ReplicationQueue,
} from './replication-queue.ts';

export const NO_QUEUES: ReplicationOptions = { queueMaxBytes: 0, queues: [] };

/** An object that is to be merged at the other cluster. */
export interface FetchedItem {
  readonly key: ObjectKey;
  readonly record: Buffer;
  /** Since it was offered. */
  readonly ageMs: number;
  readonly isSync: boolean;
}

/** One connection that fetches: one fetch at a time. */
export interface QueueConsumer {
  /** Acknowledges what it was given of this queue before; nothing: there is nothing now. */
  fetch(queue: ByteString): Promise<readonly FetchedItem[]>;
  /** The connection has ended. */
  end(): void;
}

export interface PushOutcome extends QueueStatus {
  /** Of the keys pushed, those that the queue is for. */
  readonly taken: number;
}

export interface ReplicationService {
  consumer(): QueueConsumer;
  has(queue: ByteString): boolean;
  /**
   * Puts keys behind what clients have written, those that the queue takes. Undefined: there is no
   * such queue. `agesMs`: how long each has waited already; default: none has.
   */
  push(
    queue: ByteString,
    keys: readonly ObjectKey[],
    agesMs?: readonly number[],
  ): PushOutcome | undefined;
  /** Another number after each key that was dropped, below 2^32; undefined: there is no such queue. */
  dropMark(queue: ByteString): number | undefined;
  /** A full-sync has gone through that began at that mark. */
  noteCompared(queue: ByteString, dropMark: number): void;
  status(): readonly QueueStatus[];
  /** False: there is no such queue. */
  pause(queue: string): boolean;
  resume(queue: string): boolean;
  /** Takes it that nothing is missing. */
  clearOverflow(queue: string): boolean;
}

/** Of one fetch. */
const LOT_KEYS_MAX = 64;
/** Keys that one fetch looks at: many may be gone. */
const LOOKED_AT_MAX = 256;
/** Objects of one fetch that are read at once. */
const READS_MAX = 16;
const READ_TIMEOUT_MS = 5_000;
/** How long a key rests that could not be read, or not from a majority of primaries. */
const REST_MS = 500;
const CONSUMERS_MAX = 256;

/** By what a write certainly did nothing. */
const DID_NOTHING: ReadonlySet<Failure['kind'] | 'not-found'> = new Set([
  'not-found',
  'unknown-bucket-type',
  'n-val-violation',
  'precommit-failed',
  'match-found',
  'modified',
  'nothing-to-match',
] as const);

export interface ReplicationPorts {
  readonly host: QueueHost;
  /** With every sibling as it is stored. */
  readonly read: (request: GetRequest) => Promise<GetOutcome>;
  /** No file is to grow; default: never. */
  readonly isDiskFull?: () => boolean;
}

export class ReplicationQueues implements ReplicationService {
  readonly #ports: ReplicationPorts;
  readonly #queues: ReadonlyMap<ByteString, ReplicationQueue>;

  constructor(ports: ReplicationPorts, options: ReplicationOptions) {
    this.#ports = ports;
    this.#queues = new Map(
      options.queues.map((each) => [utf8ToByteString(each.name), openQueue(ports, options, each)]),
    );
  }

  /** Takes up what waited when the node was stopped. */
  async open(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(async ({ spool }) => spool?.open()));
  }

  /** Keeps what waits for the next start. Nothing is offered or fetched any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(async ({ spool }) => spool?.close()));
  }

  /** What is to be told of each write; undefined: nobody fetches any. */
  get listener(): ((key: ObjectKey, outcome: string | undefined) => void) | undefined {
    if (this.#queues.size === 0) return undefined;
    return (key, outcome) => this.#written(key, outcome);
  }

  has(queue: ByteString): boolean {
    return this.#queues.has(queue);
  }

  #written(key: ObjectKey, outcome: string | undefined): void {
    if (outcome !== undefined && (DID_NOTHING as ReadonlySet<string>).has(outcome)) return;
    const id = keyToString(key);
    for (const queue of this.#queues.values()) queue.offer(key, id, 'real-time');
  }

  /** Whether the queue is for it; where there is no room it is noted as dropped. */
  offerForSync(queue: ByteString, key: ObjectKey): boolean {
    return this.#queues.get(queue)?.offer(key, keyToString(key), 'sync') ?? false;
  }

  push(
    name: ByteString,
    keys: readonly ObjectKey[],
    agesMs: readonly number[] = [],
  ): PushOutcome | undefined {
    const queue = this.#queues.get(name);
    if (queue === undefined) return undefined;
    let taken = 0;
    for (const [index, key] of keys.entries()) {
      if (queue.offer(key, keyToString(key), 'sync', agesMs[index])) taken += 1;
    }
    return { ...queue.status(), taken };
  }

  dropMark(queue: ByteString): number | undefined {
    return this.#queues.get(queue)?.keys.dropMark;
  }

  noteCompared(name: ByteString, dropMark: number): void {
    this.#queues.get(name)?.settle((all) => all.synced(dropMark));
  }

  consumer(): QueueConsumer {
    return new Consumer(this.#ports, this.#queues);
  }

  status(): readonly QueueStatus[] {
    return [...this.#queues.values()].map((queue) => queue.status());
  }

  pause(name: string): boolean {
    return this.#setPaused(name, true);
  }

  resume(name: string): boolean {
    return this.#setPaused(name, false);
  }

  clearOverflow(name: string): boolean {
    const queue = this.#queues.get(utf8ToByteString(name));
    queue?.settle((all) => all.clearOverflow());
    return queue !== undefined;
  }

  #setPaused(name: string, isPaused: boolean): boolean {
    const queue = this.#queues.get(utf8ToByteString(name));
    if (queue !== undefined) queue.isPaused = isPaused;
    return queue !== undefined;
  }
}

class Consumer implements QueueConsumer {
  readonly #ports: ReplicationPorts;
  readonly #queues: ReadonlyMap<ByteString, ReplicationQueue>;
  /** What it was given and has not acknowledged. */
  readonly #out = new Map<ReplicationQueue, Set<OutKey>>();
  #hasEnded = false;

  constructor(ports: ReplicationPorts, queues: ReadonlyMap<ByteString, ReplicationQueue>) {
    this.#ports = ports;
    this.#queues = queues;
  }

  async fetch(name: ByteString): Promise<readonly FetchedItem[]> {
    const queue = this.#queues.get(name);
    if (queue === undefined || this.#hasEnded) return [];
    const out = this.#outOf(queue);
    this.#ports.host.metrics.count('replication_acknowledged_total', out.size);
    queue.keys.release([...out]);
    out.clear();
    queue.refill();
    if (queue.isPaused) return [];
    const lot = new Lot(this.#ports, queue, out);
    try {
      await lot.fill(() => this.#hasEnded);
    } catch (error) {
      // Or the next fetch would acknowledge what was never sent.
      this.#putBack(queue, out);
      throw error;
    }
    if (this.#hasEnded) return [];
    this.#ports.host.metrics.count('replication_fetched_total', lot.items.length);
    return lot.items;
  }

  end(): void {
    this.#hasEnded = true;
    for (const [queue, out] of this.#out) {
      queue.consumers -= 1;
      this.#putBack(queue, out);
    }
    this.#out.clear();
  }

  #outOf(queue: ReplicationQueue): Set<OutKey> {
    const known = this.#out.get(queue);
    if (known !== undefined) return known;
    if (queue.consumers >= CONSUMERS_MAX)
      throw new Fault('overload', 'too many fetch from the queue');
    queue.consumers += 1;
    const out = new Set<OutKey>();
    this.#out.set(queue, out);
    return out;
  }

  #putBack(queue: ReplicationQueue, out: Set<OutKey>): void {
    this.#ports.host.metrics.count('replication_returned_total', out.size);
    queue.keys.putBack([...out]);
    out.clear();
  }
}

interface Read {
  /** `gone`: there is nothing to send; `unread`: that is not known. */
  readonly object: StoredObject | 'gone' | 'unread';
  /** A majority of primaries was asked. */
  readonly isSure: boolean;
}

/** What one fetch gives. */
class Lot {
  readonly items: FetchedItem[] = [];
  readonly #ports: ReplicationPorts;
  readonly #queue: ReplicationQueue;
  /** Keys that are out for it; who has them puts them back if the connection ends meanwhile. */
  readonly #out: Set<OutKey>;
  /** Of these, what is among the items. */
  readonly #given = new Set<OutKey>();
  #sizeBytes = 0;
  #lookedAt = 0;

  constructor(ports: ReplicationPorts, queue: ReplicationQueue, out: Set<OutKey>) {
    this.#ports = ports;
    this.#queue = queue;
    this.#out = out;
  }

  async fill(hasEnded: () => boolean): Promise<void> {
    while (this.#hasRoom()) {
      const keys = await this.#queue.take(this.#readsAtOnce());
      if (hasEnded()) {
        this.#queue.keys.putBack(keys);
        return;
      }
      if (keys.length === 0) return;
      for (const key of keys) this.#out.add(key);
      this.#lookedAt += keys.length;
      const reads = await Promise.all(keys.map((key) => this.#read(key)));
      if (hasEnded() || !this.#addAll(keys, reads)) return;
    }
  }

  #hasRoom(): boolean {
    return (
      this.items.length < LOT_KEYS_MAX &&
      this.#sizeBytes < LOT_BYTES &&
      this.#lookedAt < LOOKED_AT_MAX
    );
  }

  #readsAtOnce(): number {
    const left = Math.floor((LOT_BYTES - this.#sizeBytes) / this.#queue.recentBytes);
    return Math.max(1, Math.min(READS_MAX, left, LOT_KEYS_MAX - this.items.length));
  }

  async #read({ id }: OutKey): Promise<Read> {
    const request = { key: keyFromString(id), timeoutMs: READ_TIMEOUT_MS };
    const object = objectIn(await this.#ports.read({ ...request, pr: 'quorum' }));
    if (object !== 'unread') return { object, isSure: true };
    const found = objectIn(await this.#ports.read(request));
    return { object: found === 'gone' ? 'unread' : found, isSure: false };
  }

  /** False: this is all for now. */
  #addAll(keys: readonly OutKey[], reads: readonly Read[]): boolean {
    let isFull = false;
    let hasUnread = false;
    let largestBytes = 0;
    for (const [index, key] of keys.entries()) {
      const { object, isSure } = reads[index] as Read;
      if (object === 'gone') {
        this.#leave(key);
        this.#queue.keys.release([key]);
        this.#ports.host.metrics.count('replication_absent_total');
      } else if (object === 'unread') {
        this.#rest(key);
        hasUnread = true;
      } else if (!isFull) {
        const record = joinRecord(encodeRecord(object));
        largestBytes = Math.max(largestBytes, record.length);
        isFull = !this.#add(key, record);
        if (!isFull && !isSure) this.#rest(key);
      }
    }
    this.#queue.recentBytes = Math.max(1, largestBytes);
    if (isFull) this.#putBackRest(keys);
    return !isFull && !hasUnread;
  }

  #rest(key: OutKey): void {
    this.#leave(key);
    this.#queue.keys.rest(key, this.#nowMs() + REST_MS);
    this.#ports.host.metrics.count('replication_unread_total');
  }

  /** False: there is no room for it. A large one goes by itself. */
  #add(key: OutKey, record: Buffer): boolean {
    const sizeBytes = this.#sizeBytes + record.length;
    if (this.items.length > 0 && sizeBytes > LOT_BYTES) return false;
    this.#sizeBytes = sizeBytes;
    this.items.push({
      key: keyFromString(key.id),
      record,
      ageMs: Math.max(0, Math.round(this.#nowMs() - key.offeredMs)),
      isSync: key.priority === 'sync',
    });
    this.#given.add(key);
    return true;
  }

  #putBackRest(keys: readonly OutKey[]): void {
    const rest = keys.filter((key) => this.#out.has(key) && !this.#given.has(key));
    for (const key of rest) this.#leave(key);
    this.#queue.keys.putBack(rest);
  }

  #leave(key: OutKey): void {
    this.#out.delete(key);
  }

  #nowMs(): number {
    return this.#ports.host.clock.monotonicMs();
  }
}

function objectIn(outcome: GetOutcome): Read['object'] {
  if (outcome.kind === 'found') return outcome.object;
  if (outcome.kind === 'unknown-bucket-type') return 'gone';
  if (outcome.kind !== 'not-found') return 'unread';
  const { tombstone } = outcome;
  if (tombstone === undefined) return 'gone';
  return emptied(tombstone);
}
