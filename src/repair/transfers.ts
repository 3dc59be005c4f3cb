/**
 * Transfers: everything that moves replicas between nodes, under one limit and with one account.
 */

import type { ClusterState } from '../membership/cluster-state.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import { Exchanges } from './exchange.ts';
import { Leftovers, type LeftoversOptions } from './leftovers.ts';
import type { TransferPorts } from './ports.ts';
import { Recounts } from './recounts.ts';
import { Refill, type RefillNote } from './refill.ts';
import { ReplicaCountChanges } from './replica-count-changes.ts';
import { StepTransfer, type StepTransferOptions } from './step-transfer.ts';
import { TransferProgress, type TransferStatus } from './transfer-progress.ts';

export interface TransferOptions extends StepTransferOptions, LeftoversOptions {
  /** Of all records that this node fetches, and gives away, to move replicas. */
  readonly bytesPerSecond: number;
  /** Hash trees, one for each partition and n_val, that are filled at once. */
  readonly treesMax: number;
  /** Of a stream without a sign of life. */
  readonly idleTimeoutMs: number;
  /** Between two looks at whether an n_val has changed. */
  readonly countsRestMs: number;
  /** Objects that an exchange heals together. */
  readonly batchMax: number;
  /** Between two looks at hash trees that differ. */
  readonly settleMs: number;
  /** Work that has come no nearer to its end for so long stands still. */
  readonly stallMs: number;
}

export const TRANSFER_DEFAULTS: TransferOptions = {
  bytesPerSecond: 32 * 1024 * 1024,
  treesMax: 2,
  idleTimeoutMs: 30_000,
  settleMs: 500,
  stallMs: 15 * 60_000,
  objectsMax: 16,
  batchMax: 256,
  requestTimeoutMs: 10_000,
  stepRestMs: 1_000,
  closeTurnMs: 2_000,
  leftoversRestMs: 30_000,
  countsRestMs: 5_000,
};

export class Transfers {
  readonly rateLimit: ByteRateLimit;
  readonly #ports: TransferPorts;
  readonly #progress: TransferProgress;
  readonly #step: StepTransfer;
  readonly #refill: Refill;
  readonly #leftovers: Leftovers;
  readonly #counts: ReplicaCountChanges;

  /** `refill`: what was found of this node's disk at its start. */
  constructor(ports: TransferPorts, options: TransferOptions, refill: RefillNote | undefined) {
    this.#ports = ports;
    this.#progress = new TransferProgress(ports.host.clock, options.stallMs);
    this.rateLimit = new ByteRateLimit(ports.host.clock, options.bytesPerSecond);
    const { rateLimit } = this;
    const progress = this.#progress;
    const exchanges = new Exchanges(ports, rateLimit, options);
    const recounts = new Recounts(ports);
    const means = { options, rateLimit, progress, exchanges, recounts };
    this.#step = new StepTransfer(ports, options, {
      ...means,
      closed: () => {
        this.#leftovers.wake();
      },
    });
    this.#refill = new Refill(ports, means, { note: refill, restMs: options.stepRestMs });
    this.#leftovers = new Leftovers(ports, options, means);
    this.#counts = new ReplicaCountChanges(ports, {
      restMs: options.countsRestMs,
      recounts,
      changed: () => {
        this.#leftovers.wake();
      },
    });
  }

  status(): TransferStatus {
    return this.#progress.status((node) => this.#ports.view.isUp(node));
  }

  /** As `TransferProgress.fillBytesPerSecond`. */
  get fillBytesPerSecond(): number | undefined {
    return this.#progress.fillBytesPerSecond;
  }

  /** As `ReplicaCountChanges.stateAdopted`. */
  stateAdopted(state: ClusterState): void {
    this.#counts.stateAdopted(state);
  }

  /** As `Refill.runAfter`. */
  refillAfter(move: () => Promise<void>): Promise<void> {
    return this.#refill.runAfter(move);
  }

  start(): void {
    this.#step.start();
    this.#refill.start();
    this.#leftovers.start();
    this.#counts.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const rounds = [this.#step, this.#refill, this.#leftovers, this.#counts];
    await Promise.all(rounds.map((each) => each.stop()));
  }
}
