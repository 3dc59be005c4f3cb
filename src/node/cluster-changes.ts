/**
 * Changes of the cluster by an operator: staged, planned, committed, each agreed by the members.
 *
 * A change that was agreed is told as done when every member that is up acts on it, so that the next
 * command may be given to any node. Commands never wait for data to move: a commit opens a step, and
 * the members carry it out.
 */

import { isFault } from '../base/fault.ts';
import type { Clock } from '../base/host.ts';
import type { NodeId, Partition } from '../base/names.ts';
import { runInSlices } from '../base/sliced.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { effectOf, type PlanEffect, type ReplicaMove } from '../membership/plan-effect.ts';
import { commitPlan, planChanges, type ClusterPlan, type PlanRefusal } from '../membership/plan.ts';
import type { Proposer, StateChange } from '../membership/proposer.ts';
import {
  markDown,
  present,
  type Newcomer,
  type StagingOutcome,
  type StagingRefusal,
} from '../membership/staging.ts';
import type { PartitionSize } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';
import type { Heartbeats } from './heartbeats.ts';
import { askSizes } from './partition-sizes.ts';
import type { Topology } from './topology.ts';

export type ClusterChangeOutcome =
  | { readonly kind: 'changed' }
  /** It was so already. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-staged'; readonly reason: StagingRefusal }
  | { readonly kind: 'not-planned'; readonly reason: PlanRefusal }
  /** No majority in time; with `mayTakeEffect` it may come yet. `because`: it broke off at this node. */
  | { readonly kind: 'timeout'; readonly mayTakeEffect: boolean; readonly because?: string };

/** About what a node has to bring over. */
export interface FillEstimate extends PartitionSize {
  readonly node: NodeId;
  readonly partitions: number;
  /** At the plan's rate. */
  readonly durationMs: number;
}

/** How fast a node is taken to fill. */
export interface FillRate {
  readonly bytesPerSecond: number;
  /** The nodes whose last fills came to that on average; none: it is assumed. */
  readonly measuredBy: readonly NodeId[];
}

export type ShownPlan =
  | {
      readonly kind: 'planned';
      readonly plan: ClusterPlan;
      readonly effect: PlanEffect;
      readonly fills: readonly FillEstimate[];
      readonly rate: FillRate;
      /** Nodes that did not say in time how much they hold. */
      readonly silent: readonly NodeId[];
    }
  | { readonly kind: 'not-planned'; readonly reason: PlanRefusal };

export interface ClusterChangePorts {
  readonly clock: Clock;
  readonly peer: Peer;
  readonly proposer: Proposer;
  readonly heartbeats: Heartbeats;
  readonly topology: Topology;
}

export interface ClusterChangeOptions {
  readonly agreeTimeoutMs: number;
  readonly spreadTimeoutMs: number;
}

type Refusal = Exclude<ClusterChangeOutcome, { readonly kind: 'changed' | 'timeout' }>;

/** For a member to say how much it holds. */
const SIZES_TIMEOUT_MS = 5_000;

/** What a node fills in a second as long as none has been seen to: less than was ever measured. */
const ASSUMED_BYTES_PER_SECOND = 5 * 1024 * 1024;

export class ClusterChanges {
  readonly #ports: ClusterChangePorts;
  readonly #options: ClusterChangeOptions;

  constructor(ports: ClusterChangePorts, options: ClusterChangeOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Agrees on what `make` makes of the newest state. */
  stage(make: (state: ClusterState) => StagingOutcome): Promise<ClusterChangeOutcome> {
    return this.#agree(make);
  }

  /** Takes the vote of a member that does not answer. */
  async markDown(node: NodeId): Promise<ClusterChangeOutcome> {
    if (this.#ports.topology.isUp(node)) return { kind: 'not-staged', reason: 'is-up' };
    return this.#agree((state) => markDown(state, node));
  }

  /** Says that this node is there, and where. */
  async present(self: Newcomer): Promise<void> {
    await this.#agree((state) => present(state, self));
  }

  /** Commits the plan that was shown under `hash`, or the one that there is now. */
  commit(hash: string | undefined): Promise<ClusterChangeOutcome> {
    return this.#agree((state) => runInSlices(commitPlan(state, hash), this.#ports.clock));
  }

  /** What a commit would do now, with estimates by those who hold the data. */
  async plan(): Promise<ShownPlan> {
    const { clock, topology } = this.#ports;
    const state = topology.state();
    const outcome = await runInSlices(planChanges(state), clock);
    if (outcome.kind === 'not-planned') return outcome;
    const { plan } = outcome;
    const isUp = (node: NodeId): boolean => topology.isUp(node);
    const effect = await runInSlices(effectOf(state, plan, isUp), clock);
    const { sizes, rate, silent } = await this.#sizesOf(effect.replicas);
    const fills = fillEstimates(effect.replicas, sizes, rate);
    return { kind: 'planned', plan, effect, fills, rate, silent };
  }

  async #agree(make: StateChange<Refusal>): Promise<ClusterChangeOutcome> {
    const { proposer, heartbeats } = this.#ports;
    try {
      const outcome = await proposer.propose(make, this.#options.agreeTimeoutMs);
      if (outcome.kind !== 'changed') return outcome;
      await heartbeats.spread(outcome.state.epoch, this.#options.spreadTimeoutMs);
      return { kind: 'changed' };
    } catch (error) {
      if (!isFault(error)) throw error;
      // The proposal broke off in the middle, because this node's store failed or was overloaded: whether
      // the others agreed on it all the same is not known. What no document can hold nobody was asked about.
      const mayTakeEffect = error.code !== 'malformed';
      return { kind: 'timeout', mayTakeEffect, because: error.message };
    }
  }

  async #sizesOf(moves: readonly ReplicaMove[]): Promise<{
    readonly sizes: ReadonlyMap<Partition, PartitionSize>;
    readonly rate: FillRate;
    readonly silent: readonly NodeId[];
  }> {
    const { topology } = this.#ports;
    const up = topology.state().members.filter(({ id }) => topology.isUp(id));
    // Those that hold nothing of it are asked too: they may have filled something lately.
    const wantedOf = new Map(up.map(({ id }) => [id, new Set<Partition>()]));
    for (const { source, partition } of moves) {
      if (source === undefined) continue;
      const wanted = wantedOf.get(source) ?? new Set();
      wantedOf.set(source, wanted.add(partition));
    }
    const sizes = new Map<Partition, PartitionSize>();
    const rates = new Map<NodeId, number>();
    const silent: NodeId[] = [];
    await Promise.all(
      [...wantedOf].map(async ([node, wanted]) => {
        const partitions = [...wanted];
        const asked = { node, partitions, timeoutMs: SIZES_TIMEOUT_MS };
        const told = await askSizes(this.#ports.peer, asked);
        if (told === undefined && partitions.length > 0) silent.push(node);
        if (told?.fillBytesPerSecond !== undefined) rates.set(node, told.fillBytesPerSecond);
        for (const [partition, size] of told?.sizes ?? []) sizes.set(partition, size);
      }),
    );
    return { sizes, rate: meanRate(rates), silent: silent.sort() };
  }
}

function meanRate(rates: ReadonlyMap<NodeId, number>): FillRate {
  const measuredBy = [...rates.keys()].sort();
  if (measuredBy.length === 0) return { bytesPerSecond: ASSUMED_BYTES_PER_SECOND, measuredBy };
  const sum = [...rates.values()].reduce((total, rate) => total + rate, 0);
  return { bytesPerSecond: Math.max(1, Math.round(sum / rates.size)), measuredBy };
}

/** One for each node that gains replicas; a partition counts once, however many n_vals it has. */
function fillEstimates(
  moves: readonly ReplicaMove[],
  sizes: ReadonlyMap<Partition, PartitionSize>,
  { bytesPerSecond }: FillRate,
): FillEstimate[] {
  const gained = new Map<NodeId, Set<Partition>>();
  for (const { target, partition } of moves) {
    const partitions = gained.get(target) ?? new Set();
    gained.set(target, partitions.add(partition));
  }
  return [...gained]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([node, partitions]) => {
      let [keys, sizeBytes] = [0, 0];
      for (const partition of partitions) {
        keys += sizes.get(partition)?.keys ?? 0;
        sizeBytes += sizes.get(partition)?.sizeBytes ?? 0;
      }
      const durationMs = Math.ceil((sizeBytes / bytesPerSecond) * 1_000);
      return { node, partitions: partitions.size, keys, sizeBytes, durationMs };
    });
}
