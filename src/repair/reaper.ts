/**
 * The reaper: tombstones go, and the deleted stays deleted.
 *
 * A tombstone may go when nothing is left that it holds down. So every member of the cluster is
 * asked, all of them must be up, every primary replica (while a step is open, of either ring) must
 * hold exactly this tombstone, and nobody else anything but it: a fallback's older copy, hinted or not,
 * would bring the object back. What is still on its way then is absorbed by the replicas, which
 * remember what they reaped (`replica/graveyard.ts`).
 *
 * A member that is marked as down is asked no less than any other: it may come back with an older
 * copy, its own or one that it stood in for. So while one is away nothing is reaped, and operators
 * see whom it waits for; once it has been removed by force, whatever it held counts no more.
 *
 * A delete is acknowledged while some replicas still write, so one that was met just now and is not everywhere yet
 * gets a few more looks (`reap-queue.ts`). Nothing depends on that: what was refused, or was not ready, is
 * found again among the tombstones that each node notes, by a sweep over the partitions it owns.
 */

import { isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import { isTombstone } from '../object/show.ts';
import { Background } from './background.ts';
import { compareKeys } from './differing-keys.ts';
import { Halt } from './halt.ts';
import { Lanes } from './lanes.ts';
import type { RepairPorts } from './ports.ts';
import { ReapQueue } from './reap-queue.ts';
import type { DueKey } from './reap-queue.ts';
import { replicasOf } from './replica-sets.ts';
import { RepairRequests } from './requests.ts';

/** As Riak's `delete_mode`: how long a tombstone stays, in milliseconds, or for ever. */
export type DeleteMode = 'immediate' | 'keep' | number;

export interface ReaperOptions {
  readonly deleteMode: DeleteMode;
  /** Tombstones that wait for their time. */
  readonly queueMax: number;
  /** Tombstones that are looked at at once. */
  readonly inFlightMax: number;
  /** From the end of a sweep to the start of the next. */
  readonly sweepRestMs: number;
  readonly requestTimeoutMs: number;
}

export const REAPER_DEFAULTS: ReaperOptions = {
  deleteMode: 3_000,
  queueMax: 10_000,
  inFlightMax: 16,
  sweepRestMs: 60_000,
  requestTimeoutMs: 5_000,
};

export interface ReapProgress {
  readonly looked: number;
  readonly reaped: number;
  /** Not every replica has confirmed them, or a member is away. */
  readonly kept: number;
}

/** Between two looks at whether all act on the newest epoch. */
const SPREAD_WAIT_MS = 250;

/** `ahead`: some hold the tombstone, others do not yet, or hold something else. */
type Verdict = 'reaped' | 'ahead' | 'kept';

interface Confirmed {
  readonly hash: Buffer;
  readonly holders: readonly NodeId[];
}

export class Reaper {
  readonly #ports: RepairPorts;
  readonly #options: ReaperOptions;
  readonly #requests: RepairRequests;
  readonly #sweeps: Background;
  readonly #queue: ReapQueue;
  /** The key that the last sweep had no room for. */
  #sweepFrom: { readonly partition: Partition; readonly key: ObjectKey } | undefined;
  #inFlight = 0;
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;
  #whenIdle: (() => void) | undefined;

  constructor(ports: RepairPorts, options: ReaperOptions = REAPER_DEFAULTS) {
    this.#ports = ports;
    this.#options = options;
    this.#requests = new RepairRequests(ports.peer, options.requestTimeoutMs);
    const { deleteMode } = options;
    this.#queue = new ReapQueue(typeof deleteMode === 'number' ? deleteMode : 0);
    const background = { name: 'reaper', restMs: options.sweepRestMs };
    this.#sweeps = new Background(ports.host, background, (halt) => this.sweep(halt));
  }

  /** Starts the sweeps. */
  start(): void {
    if (this.#options.deleteMode !== 'keep') this.#sweeps.start();
  }

  /** Resolves when nothing is under way any more. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#queue.clear();
    this.#cancelTimer?.();
    await this.#sweeps.stop();
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** A tombstone was met: it is looked at when its time has come. False: the queue is full. */
  considerReap(key: ObjectKey): boolean {
    return this.#consider(key, true);
  }

  #consider(key: ObjectKey, isFresh: boolean): boolean {
    const { deleteMode, queueMax } = this.#options;
    if (deleteMode === 'keep' || this.#isStopped) return true;
    if (this.#queue.has(key)) return true;
    if (this.#queue.size >= queueMax) {
      this.#ports.host.metrics.count('reaper_refused');
      return false;
    }
    this.#queue.add(key, this.#ports.host.clock.monotonicMs(), isFresh);
    this.#setTimer();
    return true;
  }

  /**
   * Takes in the tombstones that this node notes of the partitions it owns, from where the queue was full
   * the last time: those that must stay keep no others from being looked at.
   */
  async sweep(halt: Halt = new Halt()): Promise<void> {
    const { host, replica } = this.#ports;
    host.metrics.gauge('reaper_members_awaited', this.awaited().length);
    for (const { partition, from } of this.#sweepOrder()) {
      // With a member away none of them can go.
      if (halt.isSet || !this.#isEveryoneUp()) return;
      for await (const keys of replica.tombstones(partition)) {
        for (const key of keys) {
          if (from !== undefined && compareKeys(key, from) < 0) continue;
          if (this.#consider(key, false)) continue;
          this.#sweepFrom = { partition, key };
          return;
        }
        if (halt.isSet) return;
      }
    }
    this.#sweepFrom = undefined;
  }

  #sweepOrder(): { readonly partition: Partition; readonly from: ObjectKey | undefined }[] {
    const { self, view } = this.#ports;
    const whole = view
      .ring()
      .partitionsOf(self)
      .map((partition) => ({ partition, from: undefined }));
    const first = whole.findIndex(({ partition }) => partition === this.#sweepFrom?.partition);
    if (this.#sweepFrom === undefined || first < 0) return whole;
    const { partition, key } = this.#sweepFrom;
    const others = [...whole.slice(first + 1), ...whole.slice(0, first)];
    return [{ partition, from: key }, ...others, { partition, from: undefined }];
  }

  /** Members that are away; while there are any no tombstone goes. */
  awaited(): NodeId[] {
    const { view } = this.#ports;
    return view
      .state()
      .members.map(({ id }) => id)
      .filter((node) => !view.isUp(node));
  }

  /** Tombstones that wait for their time. */
  get waitingCount(): number {
    return this.#queue.size;
  }

  /** Copies on this node that are tombstones: all, and those of the partitions it owns. */
  async count(): Promise<{ readonly total: number; readonly owned: number }> {
    const { replica, self, view } = this.#ports;
    const owned = new Set(view.ring().partitionsOf(self));
    const counts = { total: 0, owned: 0 };
    for (let index = 0; index < view.state().ringSize; index += 1) {
      const partition = index as Partition;
      for await (const keys of replica.tombstones(partition)) {
        counts.total += keys.length;
        if (owned.has(partition)) counts.owned += keys.length;
      }
    }
    return counts;
  }

  /**
   * Reaps, whatever the delete mode and however young they are, the tombstones of the partitions
   * that this node owns; by the same rule as always, so those that must stay do.
   */
  async reapAll(halt: Halt, report: (progress: ReapProgress) => void): Promise<void> {
    const { replica, self, view } = this.#ports;
    const progress = { looked: 0, reaped: 0, kept: 0 };
    const lanes = new Lanes(this.#options.inFlightMax);
    for (const partition of view.ring().partitionsOf(self)) {
      for await (const keys of replica.tombstones(partition)) {
        for (const key of keys) {
          if (halt.isSet) break;
          progress.looked += 1;
          await lanes.start(async () => {
            progress[(await this.#attempt(key)) ? 'reaped' : 'kept'] += 1;
            report({ ...progress });
          });
        }
        if (halt.isSet) break;
      }
    }
    await lanes.end();
    report({ ...progress });
  }

  /** Whether the tombstone of this key has gone, by the same rule as always. */
  reap(key: ObjectKey): Promise<boolean> {
    return this.#isStopped ? Promise.resolve(false) : this.#attempt(key);
  }

  async #attempt(key: ObjectKey): Promise<boolean> {
    try {
      const isReaped = (await this.#reap(key)) === 'reaped';
      this.#ports.host.metrics.count(isReaped ? 'reaper_reaped' : 'reaper_kept');
      return isReaped;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#ports.host.metrics.count('reaper_failed');
      return false;
    }
  }

  /** Those that are due wait on while an epoch spreads: a moment, and until then nobody may reap. */
  #setTimer(leastMs = 0): void {
    if (this.#cancelTimer !== undefined || this.#inFlight >= this.#options.inFlightMax) return;
    const next = this.#queue.next();
    if (next === undefined) return;
    const { clock } = this.#ports.host;
    this.#cancelTimer = clock.after(Math.max(next.dueMs - clock.monotonicMs(), leastMs), () => {
      this.#cancelTimer = undefined;
      this.#startDue();
    });
  }

  #startDue(): void {
    const { host, view } = this.#ports;
    if (!view.hasSpread(view.state().epoch)) {
      this.#setTimer(SPREAD_WAIT_MS);
      return;
    }
    const nowMs = host.clock.monotonicMs();
    while (this.#inFlight < this.#options.inFlightMax) {
      const next = this.#queue.next();
      if (next === undefined || next.dueMs > nowMs) break;
      this.#queue.delete(next);
      this.#inFlight += 1;
      this.#look(next).then(
        () => this.#end(),
        (error: unknown) => {
          this.#end();
          if (!isFault(error)) throw error;
          this.#ports.host.metrics.count('reaper_failed');
        },
      );
    }
    this.#setTimer();
  }

  #end(): void {
    this.#inFlight -= 1;
    if (this.#isStopped && this.#inFlight === 0) this.#whenIdle?.();
    this.#setTimer();
  }

  async #look(due: DueKey): Promise<void> {
    const verdict = await this.#reap(due.key);
    const { clock, metrics } = this.#ports.host;
    if (verdict === 'reaped') metrics.count('reaper_reaped');
    else if (
      verdict === 'kept' ||
      this.#isStopped ||
      !this.#queue.again(due, clock.monotonicMs())
    ) {
      metrics.count('reaper_kept');
    }
  }

  async #reap(key: ObjectKey): Promise<Verdict> {
    const confirmed = await this.#confirm(key);
    if (typeof confirmed === 'string') return confirmed;
    const { hash, holders } = confirmed;
    const gone = await Promise.all(holders.map((node) => this.#requests.reap(node, key, hash)));
    return gone.every(Boolean) ? 'reaped' : 'kept';
  }

  /** Who holds the tombstone, if all do who must, and nobody holds anything else. */
  async #confirm(key: ObjectKey): Promise<Confirmed | 'ahead' | 'kept'> {
    const { view } = this.#ports;
    const placement = view.place(key);
    if (placement === undefined || !this.#isEveryoneUp()) return 'kept';
    const { partition, properties } = placement;
    const replicas = replicasOf(view, { partition, nVal: properties.n_val });
    const nodes = view.state().members.map(({ id }) => id);
    const heads = await Promise.all(nodes.map((node) => this.#requests.get(node, key, true)));

    const holders: NodeId[] = [];
    let hash: Buffer | undefined;
    let isEverywhere = true;
    for (const [index, node] of nodes.entries()) {
      const head = heads[index];
      if (head === undefined) {
        if (replicas.includes(node)) isEverywhere = false;
        continue;
      }
      const held = tombstoneHash(head);
      if (held === undefined || (hash !== undefined && !held.equals(hash))) isEverywhere = false;
      if (held === undefined) continue;
      hash = held;
      holders.push(node);
    }
    if (hash === undefined) return 'kept';
    return isEverywhere ? { hash, holders } : 'ahead';
  }

  /** And nobody acts on another epoch, which may have members that this node does not ask. */
  #isEveryoneUp(): boolean {
    const { view } = this.#ports;
    return this.awaited().length === 0 && view.hasSpread(view.state().epoch);
  }
}

/** The causal hash of a head that is nothing but a tombstone. */
function tombstoneHash(bytes: Buffer): Buffer | undefined {
  const head = decodeHead(bytes);
  return head !== undefined && isTombstone(head) ? recordCausalHash(bytes) : undefined;
}
