/**
 * What time heals: the background rounds of a node, started and stopped together.
 */

import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  AntiEntropy,
  ANTI_ENTROPY_DEFAULTS,
  type AntiEntropyOptions,
  type AntiEntropyStatus,
  type RoundProgress,
  type RoundScope,
} from '../repair/anti-entropy.ts';
import {
  HANDOFF_DEFAULTS,
  HintedHandoff,
  type HandoffOptions,
  type HintStatus,
} from '../repair/hinted-handoff.ts';
import {
  INDEX_REPAIR_DEFAULTS,
  IndexRepair,
  type IndexRepairNote,
  type IndexRepairOptions,
  type IndexRepairStatus,
} from '../repair/index-repair.ts';
import { Job, type JobStatus } from '../repair/job.ts';
import type { TransferPorts } from '../repair/ports.ts';
import { Rates } from './rates.ts';
import {
  Reaper,
  REAPER_DEFAULTS,
  type ReapProgress,
  type ReaperOptions,
} from '../repair/reaper.ts';
import { Scrub, SCRUB_DEFAULTS, type ScrubOptions, type ScrubStatus } from '../repair/scrub.ts';
import type { RefillNote } from '../repair/refill.ts';
import type { TransferStatus } from '../repair/transfer-progress.ts';
import { TRANSFER_DEFAULTS, Transfers, type TransferOptions } from '../repair/transfers.ts';

export interface RepairOptions {
  readonly handoff?: Partial<HandoffOptions>;
  readonly antiEntropy?: Partial<AntiEntropyOptions>;
  readonly reaper?: Partial<ReaperOptions>;
  readonly transfers?: Partial<TransferOptions>;
  readonly scrub?: Partial<ScrubOptions>;
  readonly indexRepair?: Partial<IndexRepairOptions>;
}

/** What this node found of its disk. */
export interface FoundDisk {
  readonly refill: RefillNote | undefined;
  readonly indexRepair: IndexRepairNote | undefined;
}

export interface RepairRoundsPorts extends Omit<TransferPorts, 'filled'> {
  /** Whether this node holds all that lists and queries are answered from. */
  readonly setFilled: (isFilled: boolean) => void;
}

export interface TombstoneCount {
  /** Copies on this node that are tombstones. */
  readonly total: number;
  /** Those of the partitions that it owns: summed over all nodes, each tombstone once. */
  readonly owned: number;
  /** Those that wait for their time to be reaped. */
  readonly waiting: number;
  /** Members that are away: until they are back or removed no tombstone goes. */
  readonly awaited: readonly NodeId[];
}

export interface RepairStatus {
  readonly antiEntropy: AntiEntropyStatus;
  readonly scrub: ScrubStatus;
  /** What an operator asked for last. */
  readonly job: JobStatus<RoundProgress>;
  readonly indexes: IndexRepairStatus;
}

export class RepairRounds {
  /** How fast it all may go. */
  readonly rates: Rates;
  readonly #handoff: HintedHandoff;
  readonly #antiEntropy: AntiEntropy;
  readonly #reaper: Reaper;
  readonly #scrub: Scrub;
  readonly #repairJob: Job<RoundProgress>;
  readonly #reapJob: Job<ReapProgress>;
  readonly #transfers: Transfers;
  readonly #indexRepair: IndexRepair;
  readonly #setFilled: RepairRoundsPorts['setFilled'];
  #isRefilled: boolean;

  constructor(given: RepairRoundsPorts, options: RepairOptions, found: FoundDisk) {
    this.#setFilled = given.setFilled;
    this.#isRefilled = found.refill === undefined;
    const ports = {
      ...given,
      filled: () => {
        this.#isRefilled = true;
        this.#tellFilled();
      },
    };
    this.#handoff = new HintedHandoff(ports, { ...HANDOFF_DEFAULTS, ...options.handoff });
    this.#antiEntropy = new AntiEntropy(ports, {
      ...ANTI_ENTROPY_DEFAULTS,
      ...options.antiEntropy,
    });
    this.#reaper = new Reaper(ports, { ...REAPER_DEFAULTS, ...options.reaper });
    const transfers = { ...TRANSFER_DEFAULTS, ...options.transfers };
    this.#transfers = new Transfers(ports, transfers, found.refill);
    this.#indexRepair = new IndexRepair(
      { ...ports, changed: () => this.#tellFilled() },
      { ...INDEX_REPAIR_DEFAULTS, ...options.indexRepair },
      found.indexRepair,
    );
    const scrubPorts = {
      ...ports,
      doubtDerived: (partitions: readonly Partition[]) => this.#indexRepair.doubt(partitions),
    };
    const scrub = { ...SCRUB_DEFAULTS, ...options.scrub };
    this.#scrub = new Scrub(scrubPorts, scrub, (partition, halt) => {
      return this.#antiEntropy.runRound(halt, { partitions: new Set([partition]), isFull: true });
    });
    this.rates = new Rates(ports.host.clock, {
      transfers: this.#transfers.rateLimit,
      handoff: this.#handoff.rateLimit,
      'anti-entropy': this.#antiEntropy.rateLimit,
      scrub: this.#scrub.rateLimit,
      'index-repair': this.#indexRepair.rateLimit,
    });
    this.#repairJob = new Job(ports.host, 'repair');
    this.#reapJob = new Job(ports.host, 'reap');
    this.#tellFilled();
  }

  /** Lists and queries go round a node that is being filled, and one that damage took index entries from. */
  #tellFilled(): void {
    this.#setFilled(this.#isRefilled && !this.#indexRepair.isDoubted);
  }

  start(): void {
    this.#handoff.start();
    this.#antiEntropy.start();
    this.#reaper.start();
    this.#scrub.start();
    this.#transfers.start();
    this.#indexRepair.start();
  }

  /** A member is up again: it is given at once what it is owed. */
  nodeReturned(node: NodeId): void {
    this.#handoff.nodeReturned(node);
  }

  /** As `Refill.runAfter`; until it is through, lists and queries go round this node. */
  async refillAfter(move: () => Promise<void>): Promise<void> {
    this.#isRefilled = false;
    this.#tellFilled();
    await this.#transfers.refillAfter(move);
  }

  /** The node acts on `state` from now on. */
  stateAdopted(state: ClusterState): void {
    this.#transfers.stateAdopted(state);
  }

  /** A tombstone was met. */
  considerReap(key: ObjectKey): void {
    this.#reaper.considerReap(key);
  }

  repairStatus(): RepairStatus {
    return {
      antiEntropy: this.#antiEntropy.status(),
      scrub: this.#scrub.status(),
      job: this.#repairJob.status(),
      indexes: this.#indexRepair.status(),
    };
  }

  /** As `IndexRepair.ask`. */
  runIndexRepair(partitions: readonly Partition[] | 'all'): Promise<boolean> {
    return this.#indexRepair.ask(partitions);
  }

  /** A round over `scope` now. False: one that was asked for is under way. */
  runRepair(scope: RoundScope): boolean {
    return this.#repairJob.start((halt, report) => {
      return this.#antiEntropy.runRound(halt, scope, report);
    });
  }

  async cancelRepair(): Promise<void> {
    await Promise.all([this.#repairJob.cancel(), this.#indexRepair.cancel()]);
  }

  /** Checks every copy of this node, now. */
  runScrub(): void {
    this.#scrub.wake();
  }

  hints(): readonly HintStatus[] {
    return this.#handoff.status();
  }

  async tombstones(): Promise<TombstoneCount> {
    const { waitingCount: waiting } = this.#reaper;
    return { ...(await this.#reaper.count()), waiting, awaited: this.#reaper.awaited() };
  }

  /** False: a reap is under way. */
  runReap(): boolean {
    return this.#reapJob.start((halt, report) => this.#reaper.reapAll(halt, report));
  }

  reapStatus(): JobStatus<ReapProgress> {
    return this.#reapJob.status();
  }

  cancelReap(): Promise<void> {
    return this.#reapJob.cancel();
  }

  /** Whether the tombstone of this key has gone; whatever the delete mode. */
  reap(key: ObjectKey): Promise<boolean> {
    return this.#reaper.reap(key);
  }

  /** Members that are away: while there are any no tombstone goes. */
  reapAwaits(): readonly NodeId[] {
    return this.#reaper.awaited();
  }

  transferStatus(): TransferStatus {
    return this.#transfers.status();
  }

  /** What this node last filled in a second; undefined: never enough to tell. */
  get fillBytesPerSecond(): number | undefined {
    return this.#transfers.fillBytesPerSecond;
  }

  /** Ends each round at its next step. Idempotent. */
  async stop(): Promise<void> {
    this.rates.reset();
    await Promise.all([
      this.#repairJob.cancel(),
      this.#reapJob.cancel(),
      this.#handoff.stop(),
      this.#antiEntropy.stop(),
      this.#reaper.stop(),
      this.#scrub.stop(),
      this.#transfers.stop(),
      this.#indexRepair.stop(),
    ]);
  }
}
