/**
 * The progress of transfers, for people: what is under way, how fast, how long still, what went wrong.
 *
 * In memory only; a restart goes on from the fill log and counts from nothing.
 */

import type { Clock } from '../base/host.ts';
import type { FaultCode } from '../base/fault.ts';
import type { NodeId, Partition } from '../base/names.ts';
import type { TreeName } from './replica-sets.ts';
import { Standstills, type Standstill, type WatchedWork } from './standstill.ts';

export type TransferKind =
  /** Replicas gained by a step of the ring. */
  | 'fill'
  /** Replicas that this node held and has lost with its disk. */
  | 'refill'
  /** Copies of partitions that are others' now. */
  | 'hand-over';

export interface ActiveTransfer {
  readonly kind: TransferKind;
  readonly partition: Partition;
  readonly nVal: number;
  /** From whom, or to whom. */
  readonly peers: readonly NodeId[];
  readonly startedMs: number;
  readonly keys: number;
  readonly bytes: number;
}

export interface TransferFailure {
  readonly kind: TransferKind;
  readonly partition: Partition;
  readonly peer: NodeId;
  readonly code: FaultCode;
  /** By the clock of `ActiveTransfer.startedMs`. */
  readonly atMs: number;
}

export interface TransferTotals {
  readonly kind: TransferKind;
  /** Trees of the work in hand, and those that are through. */
  readonly trees: number;
  readonly treesDone: number;
  readonly keys: number;
  readonly bytes: number;
  /** Undefined: nothing is through yet to tell by, or nothing is left. */
  readonly remainingMs: number | undefined;
}

export interface TransferStatus {
  /** What the times of this status are relative to. */
  readonly nowMs: number;
  readonly active: readonly ActiveTransfer[];
  /** Of each kind of work that is in hand, or was last. */
  readonly totals: readonly TransferTotals[];
  /** Over the last seconds. */
  readonly keysPerSecond: number;
  readonly bytesPerSecond: number;
  readonly lastFailure: TransferFailure | undefined;
  readonly stalled: readonly Standstill[];
}

/** One tree on its way, as its mover sees it. */
export interface TransferNote {
  add(keys: number, bytes: number): void;
  end(): void;
}

interface Totals {
  trees: number;
  treesDone: number;
  keys: number;
  bytes: number;
  startedMs: number;
}

/** Seconds over which the rate is taken. */
const RATE_SECONDS = 10;

const WORK_OF_KIND: Readonly<Record<TransferKind, WatchedWork>> = {
  fill: 'step',
  refill: 'refill',
  'hand-over': 'hand-over',
};

/** What must have moved for the rate of a whole work to mean something. */
const MEASURED_BYTES_MIN = 1024 * 1024;

export class TransferProgress {
  readonly standstills: Standstills;
  readonly #clock: Clock;
  readonly #active = new Set<{ -readonly [F in keyof ActiveTransfer]: ActiveTransfer[F] }>();
  readonly #totals = new Map<TransferKind, Totals>();
  /** What was moved in each of the last seconds, by the second. */
  readonly #recent = new Map<number, { keys: number; bytes: number }>();
  #lastFailure: TransferFailure | undefined;
  #fillBytesPerSecond: number | undefined;

  /** `stallMs`: as of `Standstills`. */
  constructor(clock: Clock, stallMs: number) {
    this.#clock = clock;
    this.standstills = new Standstills(clock, stallMs);
  }

  /** A piece of work over so many trees begins. */
  beginWork(kind: TransferKind, trees: number): void {
    const startedMs = this.#clock.monotonicMs();
    this.#totals.set(kind, { trees, treesDone: 0, keys: 0, bytes: 0, startedMs });
  }

  treeDone(kind: TransferKind): void {
    const totals = this.#totals.get(kind);
    if (totals === undefined) return;
    totals.treesDone += 1;
    this.standstills.reached(WORK_OF_KIND[kind], totals.treesDone);
  }

  begin(kind: TransferKind, { partition, nVal }: TreeName, peers: readonly NodeId[]): TransferNote {
    const startedMs = this.#clock.monotonicMs();
    const transfer = { kind, partition, nVal, peers, startedMs, keys: 0, bytes: 0 };
    this.#active.add(transfer);
    return {
      add: (keys, bytes) => {
        transfer.keys += keys;
        transfer.bytes += bytes;
        this.#note(kind, keys, bytes);
      },
      end: () => {
        this.#active.delete(transfer);
        if (kind !== 'hand-over') this.#measure(kind);
      },
    };
  }

  /** What this node last filled in a second, over a whole work; undefined: never enough to tell. */
  get fillBytesPerSecond(): number | undefined {
    return this.#fillBytesPerSecond;
  }

  failed(failure: Omit<TransferFailure, 'atMs'>): void {
    this.#lastFailure = { ...failure, atMs: this.#clock.monotonicMs() };
  }

  status(isUp: (node: NodeId) => boolean): TransferStatus {
    const nowMs = this.#clock.monotonicMs();
    this.#forgetOld(nowMs);
    let [keys, bytes] = [0, 0];
    for (const moved of this.#recent.values()) {
      keys += moved.keys;
      bytes += moved.bytes;
    }
    return {
      nowMs,
      active: [...this.#active].map((transfer) => ({ ...transfer })),
      totals: [...this.#totals].map(([kind, totals]) => ({
        kind,
        trees: totals.trees,
        treesDone: totals.treesDone,
        keys: totals.keys,
        bytes: totals.bytes,
        remainingMs: remainingMs(totals, nowMs),
      })),
      keysPerSecond: keys / RATE_SECONDS,
      bytesPerSecond: bytes / RATE_SECONDS,
      lastFailure: this.#lastFailure,
      stalled: this.standstills.stalled(isUp),
    };
  }

  #measure(kind: TransferKind): void {
    const totals = this.#totals.get(kind);
    if (totals === undefined || totals.bytes < MEASURED_BYTES_MIN) return;
    const tookMs = this.#clock.monotonicMs() - totals.startedMs;
    if (tookMs > 0) this.#fillBytesPerSecond = Math.round((totals.bytes * 1_000) / tookMs);
  }

  #note(kind: TransferKind, keys: number, bytes: number): void {
    const totals = this.#totals.get(kind);
    if (totals !== undefined) {
      totals.keys += keys;
      totals.bytes += bytes;
    }
    // What an exchange pulls, of which only keys are told, may be new writes at every try.
    if (bytes > 0 || kind === 'hand-over') this.standstills.moved(WORK_OF_KIND[kind]);
    const nowMs = this.#clock.monotonicMs();
    this.#forgetOld(nowMs);
    const second = Math.floor(nowMs / 1_000);
    const moved = this.#recent.get(second);
    if (moved === undefined) this.#recent.set(second, { keys, bytes });
    else {
      moved.keys += keys;
      moved.bytes += bytes;
    }
  }

  #forgetOld(nowMs: number): void {
    const oldest = Math.floor(nowMs / 1_000) - RATE_SECONDS;
    for (const second of this.#recent.keys()) if (second <= oldest) this.#recent.delete(second);
  }
}

/** As if the trees that are left took as long as those that are through. */
function remainingMs({ trees, treesDone, startedMs }: Totals, nowMs: number): number | undefined {
  if (treesDone === 0 || treesDone >= trees) return undefined;
  return ((nowMs - startedMs) * (trees - treesDone)) / treesDone;
}
