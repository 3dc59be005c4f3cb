/**
 * Group commit: writes join into the next batch while one is on its way.
 *
 * One fsync serves everyone who was waiting, so throughput grows with load and nothing needs tuning.
 * At most one batch is under way, so writes apply and resolve in the order of the calls. What waits is
 * bounded by its bytes; past the bound a write is refused at once. A batch that fails is not tried
 * again: it fences the group, and all that waits and all that comes is refused for good, because
 * after a failed fsync nobody knows what is on the disk (PostgreSQL's "fsyncgate", 2018).
 */

import { assert, Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { Put, StoreHealth, WriteOperation } from './store.ts';

/** An atomic batch of the disk's; the buffers are copied by each call. */
export interface CommitBatch {
  put(operation: Put): void;
  remove(key: Buffer): void;
  /** Called once; atomic and durable when it resolves. */
  write(): Promise<void>;
  /** It is not written, or its writing has failed: lets go of what it holds. Idempotent. */
  close(): void;
}

export interface GroupCommitOptions {
  /** Bytes of keys and values that may wait or be under way. One write may go past it. */
  readonly pendingBytesMax: number;
  /** Operations that may wait or be under way. One write may go past it. */
  readonly pendingOperationsMax: number;
  /** Runs soon, when everything that came in with this tick has been handled. */
  readonly defer: (run: () => void) => void;
}

/** Writes that share a batch, and one promise between them. */
interface Group {
  /**
   * Begun by the first operation, because the database keeps a batch until it is written; undefined
   * in a group of writes of nothing.
   */
  batch: CommitBatch | undefined;
  readonly settled: PromiseWithResolvers<void>;
  readonly startedMs: number;
  writeCount: number;
  operationCount: number;
  sizeBytes: number;
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Fault) => void;
}

export class GroupCommit {
  readonly #host: Host;
  readonly #begin: () => CommitBatch;
  readonly #options: GroupCommitOptions;
  #gathering: Group | undefined;
  #isCommitting = false;
  #pendingBytes = 0;
  #pendingOperations = 0;
  #fencedBy: Fault | undefined;
  #isStopped = false;
  readonly #idleWaiters: (() => void)[] = [];

  /** `begin` makes an empty batch. */
  constructor(host: Host, begin: () => CommitBatch, options: GroupCommitOptions) {
    this.#host = host;
    this.#begin = begin;
    this.#options = options;
  }

  /** As `Store.refusal`. */
  refusal(): Fault | undefined {
    if (this.#fencedBy !== undefined) return this.#fencedBy;
    if (this.#isStopped) return new Fault('store-closed', 'the store is closed');
    const { pendingBytesMax, pendingOperationsMax } = this.#options;
    const isFull =
      this.#pendingBytes >= pendingBytesMax || this.#pendingOperations >= pendingOperationsMax;
    return isFull ? new Fault('overload', 'too many writes wait for the disk') : undefined;
  }

  /** As `Store.write`. */
  write(operations: readonly WriteOperation[]): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      this.#host.metrics.count('store_writes_refused_total');
      return Promise.reject(refusal);
    }
    this.#gathering ??= this.#newGroup();
    const group = this.#gathering;
    const sizeBytes = this.#add(group, operations);
    group.writeCount += 1;
    group.operationCount += operations.length;
    group.sizeBytes += sizeBytes;
    this.#pendingBytes += sizeBytes;
    this.#pendingOperations += operations.length;
    return group.settled.promise;
  }

  health(): StoreHealth {
    if (this.#fencedBy === undefined) return { kind: 'ready' };
    return { kind: 'fenced', reason: this.#fencedBy.message };
  }

  /** Refuses what comes from now on; resolves when all that was taken has settled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (!this.#isCommitting && this.#gathering === undefined) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** The size of the operations. A write that breaks off, for want of memory, is in the batch by half. */
  #add(group: Group, operations: readonly WriteOperation[]): number {
    if (operations.length === 0) return 0;
    try {
      return add((group.batch ??= this.#begin()), operations);
    } catch (error) {
      // Perhaps nobody else waits for it.
      group.settled.promise.catch(() => {});
      this.#fence(group, error);
      throw error;
    }
  }

  #newGroup(): Group {
    // A batch under way takes the next one along when it is done.
    if (!this.#isCommitting) this.#options.defer(() => void this.#commit());
    return {
      batch: undefined,
      settled: promiseWithResolvers(),
      startedMs: this.#host.clock.monotonicMs(),
      writeCount: 0,
      operationCount: 0,
      sizeBytes: 0,
    };
  }

  async #commit(): Promise<void> {
    assert(!this.#isCommitting, 'one batch at a time');
    this.#isCommitting = true;
    while (this.#gathering !== undefined) {
      const group: Group = this.#gathering;
      this.#gathering = undefined;
      const startedMs = this.#host.clock.monotonicMs();
      try {
        await group.batch?.write();
      } catch (error) {
        this.#fence(group, error);
        break;
      }
      this.#pendingBytes -= group.sizeBytes;
      this.#pendingOperations -= group.operationCount;
      group.settled.resolve();
      this.#measure(group, startedMs);
    }
    this.#isCommitting = false;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #fence(failed: Group, cause: unknown): void {
    const reason = `a write to the disk failed: ${cause instanceof Error ? cause.message : 'unknown'}`;
    this.#fencedBy = new Fault('store-fenced', reason, { cause });
    this.#host.log.error('store.fenced', { reason });
    this.#host.metrics.gauge('store_fenced', 1);
    failed.batch?.close();
    this.#gathering?.batch?.close();
    failed.settled.reject(this.#fencedBy);
    this.#gathering?.settled.reject(this.#fencedBy);
    this.#gathering = undefined;
    this.#pendingBytes = 0;
    this.#pendingOperations = 0;
  }

  #measure(group: Group, startedMs: number): void {
    const { metrics, clock } = this.#host;
    const nowMs = clock.monotonicMs();
    metrics.count('store_writes_total', group.writeCount);
    metrics.observe('store_batch_writes', group.writeCount);
    metrics.observe('store_batch_bytes', group.sizeBytes);
    metrics.observe('store_commit_ms', nowMs - startedMs);
    metrics.observe('store_write_wait_ms', nowMs - group.startedMs);
    metrics.gauge('store_pending_bytes', this.#pendingBytes);
  }
}

/** Adds them all; their size. */
function add(batch: CommitBatch, operations: readonly WriteOperation[]): number {
  let sizeBytes = 0;
  for (const operation of operations) {
    assert(operation.key.length > 0, 'a key is not empty');
    sizeBytes += operation.key.length;
    if (operation.kind === 'remove') {
      batch.remove(operation.key);
      continue;
    }
    sizeBytes += operation.head.length + (operation.body?.length ?? 0);
    batch.put(operation);
  }
  return sizeBytes;
}

function promiseWithResolvers(): PromiseWithResolvers<void> {
  let resolve: (() => void) | undefined;
  let reject: ((reason: Fault) => void) | undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  assert(resolve !== undefined && reject !== undefined, 'a promise hands out its ends');
  return { promise, resolve, reject };
}
