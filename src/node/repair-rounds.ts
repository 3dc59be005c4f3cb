/**
 * What time heals: the background rounds of a node, started and stopped together.
 */

import type { NodeId, ObjectKey } from '../base/names.ts';
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
import { Job, type JobStatus } from '../repair/job.ts';
import type { TransferPorts } from '../repair/ports.ts';
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
}

export class RepairRounds {
  readonly #handoff: HintedHandoff;
  readonly #antiEntropy: AntiEntropy;
  readonly #reaper: Reaper;
  readonly #scrub: Scrub;
  readonly #repairJob: Job<RoundProgress>;
  readonly #reapJob: Job<ReapProgress>;
  readonly #transfers: Transfers;

  /** `refill`: what this node found of its disk. */
  constructor(ports: TransferPorts, options: RepairOptions, refill: RefillNote | undefined) {
    this.#handoff = new HintedHandoff(ports, { ...HANDOFF_DEFAULTS, ...options.handoff });
    this.#antiEntropy = new AntiEntropy(ports, {
      ...ANTI_ENTROPY_DEFAULTS,
      ...options.antiEntropy,
    });
    this.#reaper = new Reaper(ports, { ...REAPER_DEFAULTS, ...options.reaper });
    this.#transfers = new Transfers(ports, { ...TRANSFER_DEFAULTS, ...options.transfers }, refill);
    this.#scrub = new Scrub(ports, { ...SCRUB_DEFAULTS, ...options.scrub }, (partition, halt) => {
      return this.#antiEntropy.runRound(halt, { partitions: new Set([partition]), isFull: true });
    });
    this.#repairJob = new Job(ports.host, 'repair');
    this.#reapJob = new Job(ports.host, 'reap');
  }

  start(): void {
    this.#handoff.start();
    this.#antiEntropy.start();
    this.#reaper.start();
    this.#scrub.start();
    this.#transfers.start();
  }

  /** A member is up again: it is given at once what it is owed. */
  nodeReturned(node: NodeId): void {
    this.#handoff.nodeReturned(node);
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
    };
  }

  /** A round over `scope` now. False: one that was asked for is under way. */
  runRepair(scope: RoundScope): boolean {
    return this.#repairJob.start((halt, report) => {
      return this.#antiEntropy.runRound(halt, scope, report);
    });
  }

  cancelRepair(): Promise<void> {
    return this.#repairJob.cancel();
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
    await Promise.all([
      this.#repairJob.cancel(),
      this.#reapJob.cancel(),
      this.#handoff.stop(),
      this.#antiEntropy.stop(),
      this.#reaper.stop(),
      this.#scrub.stop(),
      this.#transfers.stop(),
    ]);
  }
}
