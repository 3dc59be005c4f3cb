/**
 * What a node offers to its operator, beside what it offers to clients.
 *
 * Everything here looks, or starts, ends and reports background work; but for the erasure of a key nothing
 * changes what clients have stored.
 */

import type { Clock } from '../base/host.ts';
import { assert } from '../base/fault.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { RingStep } from '../membership/cluster-state.ts';
import type { StateKeeper } from '../membership/state-keeper.ts';
import type { Peer } from '../peer/peer.ts';
import type { RoundScope } from '../repair/anti-entropy.ts';
import type { HintStatus } from '../repair/hinted-handoff.ts';
import type { JobStatus } from '../repair/job.ts';
import type { Rates } from './rates.ts';
import type { ReapProgress } from '../repair/reaper.ts';
import type { TransferStatus } from '../repair/transfer-progress.ts';
import { effectiveTypeProperties } from '../membership/effective-properties.ts';
import { unsafePartitions, type UnsafePartitions } from '../ring/unsafe-partitions.ts';
import { holdingsOf, type Holdings } from './capacity.ts';
import { eraseKey, type ErasureOptions, type KeyErasure } from './key-erasure.ts';
import { seenOfKey, traceKey, type KeyTrace } from './key-trace.ts';
import type { PeerClock, PeerClocks } from './peer-clocks.ts';
import type { RepairRounds, RepairStatus, TombstoneCount } from './repair-rounds.ts';
import type { Topology } from './topology.ts';

export interface OperatorService {
  /** Undefined: the bucket type is unknown. */
  locate(key: ObjectKey): Promise<KeyTrace | undefined>;
  /** Undefined: the bucket type is unknown. */
  erase(key: ObjectKey, options: ErasureOptions): Promise<KeyErasure | undefined>;
  /** The members that are up and have not said that they act on this node's epoch. */
  behind(): readonly NodeId[];
  /** Why this node cannot act on the newest state, in a sentence: a later release has written it. */
  unreadableState(): string | undefined;
  /** How far the members that are up are away, and their clocks. */
  peerClocks(): readonly PeerClock[];
  /** For the n_val of the default type. O(ring size): not for each request. */
  unsafePartitions(): UnsafePartitions;
  /** What this node moves, and the step of the ring that it is for. */
  transfers(): TransferReport;
  /** How much the cluster holds, and what the loss of a member would ask of the others. */
  holdings(): Promise<Holdings>;

  repairStatus(): RepairStatus;
  /** Compares this node with the others now. False: one that was asked for is under way. */
  runRepair(scope: RoundScope): boolean;
  /** And the index repair. Resolves when they have ended. */
  cancelRepair(): Promise<void>;
  /**
   * Looks beside every copy of these partitions for what derives from it, and makes that right; seen in
   * `repairStatus`, and gone on with after a restart. False: one is under way.
   */
  runIndexRepair(partitions: readonly Partition[] | 'all'): Promise<boolean>;
  /** Begins to check every copy on this node; seen in `repairStatus`. */
  runScrub(): void;

  hints(): readonly HintStatus[];

  /** How fast this node's background work may go, and how fast it was configured to. */
  rates(): Rates;

  /** Walks over the notes of all tombstones here. */
  tombstones(): Promise<TombstoneCount>;
  /** Reaps what may go now, whatever the delete mode. False: a reap is under way. */
  runReap(): boolean;
  reapStatus(): JobStatus<ReapProgress>;
  cancelReap(): Promise<void>;
}

export interface TransferReport extends TransferStatus {
  readonly step: RingStep | undefined;
  /** Whether this node holds all that it should in the ring as it is. */
  readonly isFilled: boolean;
}

export interface OperationsPorts {
  readonly clock: Clock;
  readonly peer: Peer;
  readonly topology: Topology;
  readonly repair: RepairRounds;
  readonly keeper: Pick<StateKeeper, 'unreadable'>;
  readonly peerClocks: Pick<PeerClocks, 'readings'>;
}

/** For a member to say what it holds. */
const TRACE_TIMEOUT_MS = 5_000;

export class Operations implements OperatorService {
  readonly #ports: OperationsPorts;

  constructor(ports: OperationsPorts) {
    this.#ports = ports;
  }

  locate(key: ObjectKey): Promise<KeyTrace | undefined> {
    return traceKey({ ...this.#ports, timeoutMs: TRACE_TIMEOUT_MS }, key);
  }

  erase(key: ObjectKey, options: ErasureOptions): Promise<KeyErasure | undefined> {
    const { clock, repair } = this.#ports;
    const tracing = { ...this.#ports, timeoutMs: TRACE_TIMEOUT_MS };
    const ports = {
      clock,
      trace: () => traceKey(tracing, key),
      seen: () => seenOfKey(tracing, key),
      reap: () => repair.reap(key),
    };
    return eraseKey(ports, key, options);
  }

  holdings(): Promise<Holdings> {
    return holdingsOf(this.#ports);
  }

  repairStatus(): RepairStatus {
    return this.#ports.repair.repairStatus();
  }

  runRepair(scope: RoundScope): boolean {
    return this.#ports.repair.runRepair(scope);
  }

  cancelRepair(): Promise<void> {
    return this.#ports.repair.cancelRepair();
  }

  runIndexRepair(partitions: readonly Partition[] | 'all'): Promise<boolean> {
    return this.#ports.repair.runIndexRepair(partitions);
  }

  runScrub(): void {
    this.#ports.repair.runScrub();
  }

  hints(): readonly HintStatus[] {
    return this.#ports.repair.hints();
  }

  rates(): Rates {
    return this.#ports.repair.rates;
  }

  tombstones(): Promise<TombstoneCount> {
    return this.#ports.repair.tombstones();
  }

  runReap(): boolean {
    return this.#ports.repair.runReap();
  }

  reapStatus(): JobStatus<ReapProgress> {
    return this.#ports.repair.reapStatus();
  }

  cancelReap(): Promise<void> {
    return this.#ports.repair.cancelReap();
  }

  behind(): readonly NodeId[] {
    const { topology } = this.#ports;
    return topology.behind(topology.epoch);
  }

  unreadableState(): string | undefined {
    return this.#ports.keeper.unreadable;
  }

  peerClocks(): readonly PeerClock[] {
    return this.#ports.peerClocks.readings();
  }

  unsafePartitions(): UnsafePartitions {
    const { topology } = this.#ports;
    const properties = effectiveTypeProperties(topology.state(), DEFAULT_BUCKET_TYPE);
    assert(properties !== undefined, 'the default type is always there');
    return unsafePartitions(topology.ring(), properties.n_val, (id) => topology.mayCover(id));
  }

  transfers(): TransferReport {
    const { repair, topology } = this.#ports;
    const { step } = topology.state();
    return { ...repair.transferStatus(), step, isFilled: topology.isFilled };
  }
}
