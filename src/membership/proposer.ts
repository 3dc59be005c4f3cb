/**
 * The proposer: carries a change through the epoch agreement.
 *
 * A change is a pure function of a state. It is made on the newest state, the result is proposed for
 * the next epoch, and when another state wins that epoch the change is made again on the winner. It
 * takes effect once: before it is made again the newest state must show, by its ancestors, that the
 * earlier result lost. Proposals of one node wait for each other; those of different nodes outbid each
 * other, and a random pause, longer after each failure, lets one of them through.
 *
 * That a change is none (`unchanged`) is taken for success by whoever asked for it, so it must be true of
 * the newest state of all: a majority promises first, as for a change, and nothing is put to the vote.
 */

import { assert, Fault } from '../base/fault.ts';
import { sleep, type Host } from '../base/host.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { AgreementRequest, Ballot } from './agreement.ts';
import { BallotRound, type RoundStep } from './ballot-round.ts';
import type { ClusterState } from './cluster-state.ts';
import { descent, succeeds } from './lineage.ts';
import { hashState, mustBeReadable } from './state-document.ts';
import type { StateKeeper } from './state-keeper.ts';

export interface Changed {
  readonly kind: 'changed';
  readonly state: ClusterState;
}

/**
 * Made more than once if need be; anything but `changed` ends the proposal and is its outcome. Only
 * `unchanged` is sure to be of the newest state: the rest refuses, and may be of one that is behind. What takes
 * long resolves later; if there is a newer state by then, it is made again on that.
 */
export type StateChange<Refusal> = (
  state: ClusterState,
) => Changed | Refusal | Promise<Changed | Refusal>;

export type ProposalOutcome<Refusal> =
  /** Agreed, and this node acts on it; `state` is the newest, and may hold later changes too. */
  | Changed
  | Refusal
  /** No majority in time. With `mayTakeEffect` the change may yet be agreed through others. */
  | { readonly kind: 'timeout'; readonly mayTakeEffect: boolean };

export interface ProposerOptions {
  /** The first pause after a failed ballot is up to this. Default 20. */
  readonly backoffMs?: number;
  /** No pause is longer. Default 1,000. */
  readonly backoffMaxMs?: number;
}

/** A result that was proposed and whose fate is open. */
interface Attempt {
  readonly base: ClusterState;
  readonly state: ClusterState;
  mayTakeEffect: boolean;
}

interface BallotResult {
  /** The highest ballot that was preferred to it, if any. */
  readonly seen: Ballot | undefined;
  /** A majority promised that there is nothing after the base yet. */
  readonly isNewest: boolean;
}

/** Proposals that wait for their turn at most. */
const WAITING_MAX = 64;

export class Proposer {
  readonly #host: Host;
  readonly #keeper: StateKeeper;
  readonly #backoffMs: number;
  readonly #backoffMaxMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(host: Host, keeper: StateKeeper, options: ProposerOptions = {}) {
    this.#host = host;
    this.#keeper = keeper;
    this.#backoffMs = options.backoffMs ?? 20;
    this.#backoffMaxMs = options.backoffMaxMs ?? 1_000;
  }

  /**
   * Rejects with `overload` when too many wait, with the store's fault, or with `malformed`, nothing being put
   * to the vote, when the change makes what no document can hold.
   */
  async propose<Refusal extends { readonly kind: string }>(
    change: StateChange<Refusal>,
    timeoutMs: number,
  ): Promise<ProposalOutcome<Refusal>> {
    if (this.#waiting >= WAITING_MAX) {
      this.#host.metrics.count('membership.overload');
      throw new Fault('overload', 'too many changes of the cluster state are waiting');
    }
    const deadlineMs = this.#host.clock.monotonicMs() + timeoutMs;
    this.#waiting += 1;
    const outcome = this.#turn.then(() => this.#carry(change, deadlineMs));
    this.#turn = outcome.catch(() => {});
    try {
      return await outcome;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #carry<Refusal extends { readonly kind: string }>(
    change: StateChange<Refusal>,
    deadlineMs: number,
  ): Promise<ProposalOutcome<Refusal>> {
    let attempt: Attempt | undefined;
    let seen: Ballot | undefined;
    let newestOfAll: ClusterState | undefined;
    for (let failures = 0; ; failures += 1) {
      const newest = this.#keeper.state();
      if (attempt !== undefined && attempt.base !== newest) {
        const fate = descent(newest, attempt.state);
        if (fate === 'yes') return { kind: 'changed', state: newest };
        if (fate === 'unknown' && attempt.mayTakeEffect)
          return { kind: 'timeout', mayTakeEffect: true };
        this.#host.metrics.count('membership.superseded');
        [attempt, seen, failures] = [undefined, undefined, 0];
      }
      if (this.#leftMs(deadlineMs) <= 0) {
        return { kind: 'timeout', mayTakeEffect: attempt?.mayTakeEffect ?? false };
      }
      if (attempt === undefined) {
        const made = change(newest);
        const outcome = made instanceof Promise ? await made : made;
        if (this.#keeper.state() !== newest) continue;
        if (isChanged(outcome)) {
          assert(succeeds(outcome.state, newest), 'a change makes the successor of its state');
          mustBeReadable(outcome.state);
          attempt = { base: newest, state: outcome.state, mayTakeEffect: false };
        } else if (outcome.kind !== 'unchanged' || newest === newestOfAll) return outcome;
      }
      if (failures > 0) await this.#backOff(failures, deadlineMs);
      if (this.#keeper.state() !== newest) continue;
      const ballot = await this.#ballot(newest, attempt, { seen, deadlineMs });
      seen = ballot.seen;
      if (ballot.isNewest) newestOfAll = newest;
    }
  }

  /** One ballot for `attempt`, or without one to see whether `base` is the newest state of all. */
  async #ballot(
    base: ClusterState,
    attempt: Attempt | undefined,
    limits: { readonly seen: Ballot | undefined; readonly deadlineMs: number },
  ): Promise<BallotResult> {
    const ballot = await this.#keeper.beginBallot(limits.seen);
    if (this.#keeper.state() !== base) return { seen: undefined, isNewest: false };
    this.#host.metrics.count('membership.ballot');
    const round = new BallotRound(base, attempt?.state ?? base);
    const epoch = (base.epoch + 1) as Epoch;
    const prepare = { kind: 'prepare', epoch, parent: hashState(base), ballot } as const;
    let step = await this.#ask(round, prepare, limits.deadlineMs);
    // What was chosen, a majority has accepted, and one of it would have said so.
    const isNewest = step.kind === 'accept' && step.state === base;
    if (step.kind === 'accept' && !isNewest) {
      if (attempt !== undefined) attempt.mayTakeEffect ||= round.mayTakeEffect;
      const accept = { kind: 'accept', ballot, state: step.state } as const;
      step = await this.#ask(round, accept, limits.deadlineMs);
    }
    if (step.kind === 'chosen') {
      await this.#keeper.learn(step.state);
      this.#tell(step.state, membersOf(base, step.state));
    } else if (step.kind === 'behind') {
      await this.#keeper.fetchFrom(step.node);
    } else {
      this.#tell(base, round.laggards);
    }
    if (round.hasDiverged) {
      this.#host.metrics.count('membership.diverged');
      this.#host.log.error('membership.diverged', { epoch: base.epoch });
    }
    return { seen: round.highestRefusal, isNewest };
  }

  /** Asks every voter and resolves with the first step that decides this half of the round. */
  #ask(
    round: BallotRound,
    request: Extract<AgreementRequest, { kind: 'prepare' | 'accept' }>,
    deadlineMs: number,
  ): Promise<RoundStep> {
    const timeoutMs = Math.max(1, this.#leftMs(deadlineMs));
    return new Promise((resolve, reject) => {
      if (round.voters.length === 0) resolve({ kind: 'lost' });
      for (const voter of round.voters) {
        this.#keeper.ask(voter, request, timeoutMs).then((reply) => {
          const step = round.onReply(voter, request.kind, reply);
          if (step.kind !== 'wait') resolve(step);
        }, reject);
      }
    });
  }

  /** Tells others a chosen state; who misses it finds out by its peers' epochs. */
  #tell(state: ClusterState, nodes: Iterable<NodeId>): void {
    for (const node of nodes) {
      if (node !== this.#keeper.id) void this.#keeper.ask(node, { kind: 'learn', state });
    }
  }

  async #backOff(failures: number, deadlineMs: number): Promise<void> {
    const longestMs = Math.min(this.#backoffMs * 2 ** Math.min(failures, 16), this.#backoffMaxMs);
    const pauseMs = 1 + this.#host.random.integer(Math.ceil(longestMs));
    await sleep(this.#host.clock, Math.max(1, Math.min(pauseMs, this.#leftMs(deadlineMs))));
  }

  #leftMs(deadlineMs: number): number {
    return deadlineMs - this.#host.clock.monotonicMs();
  }
}

function isChanged(outcome: { readonly kind: string }): outcome is Changed {
  return outcome.kind === 'changed';
}

/** Everyone who is a member before or after. */
function membersOf(before: ClusterState, after: ClusterState): Set<NodeId> {
  return new Set([...before.members, ...after.members].map(({ id }) => id));
}
