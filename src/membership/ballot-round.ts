/**
 * One ballot, seen by its proposer: replies go in, what to do next comes out.
 *
 * First a majority must promise; then the proposer asks them to accept the state of the highest
 * ballot any of them had accepted before, and its own only if there is none; when a majority has
 * accepted, that state is chosen. A voter counts once in each half, however often its reply comes.
 *
 * Source: Lamport 2001, "Paxos Made Simple", section 2.
 */

import type { NodeId } from '../base/names.ts';
import {
  isBallotBelow,
  majorityOf,
  votersOf,
  type AcceptedState,
  type AgreementReply,
  type Ballot,
} from './agreement.ts';
import type { ClusterState } from './cluster-state.ts';

export type RoundStep =
  | { readonly kind: 'wait' }
  /** Ask every voter to accept this. */
  | { readonly kind: 'accept'; readonly state: ClusterState }
  | { readonly kind: 'chosen'; readonly state: ClusterState }
  /** No majority can be had with this ballot any more. */
  | { readonly kind: 'lost' }
  /** `node` knows a newer state. */
  | { readonly kind: 'behind'; readonly node: NodeId };

const WAIT: RoundStep = { kind: 'wait' };

export class BallotRound {
  readonly voters: readonly NodeId[];
  readonly #majority: number;
  readonly #own: ClusterState;
  /** Voters that have not answered in this half. */
  readonly #awaited: Set<NodeId>;
  readonly #laggards = new Set<NodeId>();
  #half: 'prepare' | 'accept' = 'prepare';
  #inFavour = 0;
  #highestAccepted: AcceptedState | undefined;
  #highestRefusal: Ballot | undefined;
  #hasDiverged = false;
  #proposed: ClusterState;

  /** A ballot among the voters of `base`; `own` succeeds `base`. */
  constructor(base: ClusterState, own: ClusterState) {
    this.voters = votersOf(base);
    this.#majority = majorityOf(this.voters.length);
    this.#own = own;
    this.#proposed = own;
    this.#awaited = new Set(this.voters);
  }

  /** The highest ballot that was preferred to this one. */
  get highestRefusal(): Ballot | undefined {
    return this.#highestRefusal;
  }

  /** Voters that do not know the base yet. */
  get laggards(): ReadonlySet<NodeId> {
    return this.#laggards;
  }

  /** Whether a voter holds another state of the base's epoch. */
  get hasDiverged(): boolean {
    return this.#hasDiverged;
  }

  /** Whether the own state was put to the vote, so that it may yet be chosen by others. */
  get mayTakeEffect(): boolean {
    return this.#half === 'accept' && this.#proposed === this.#own;
  }

  /** `reply` is undefined for a voter that cannot be reached or did not answer in time. */
  onReply(voter: NodeId, half: 'prepare' | 'accept', reply: AgreementReply | undefined): RoundStep {
    if (half !== this.#half || !this.#awaited.delete(voter)) return WAIT;
    switch (reply?.kind) {
      case 'promised':
        if (half !== 'prepare') break;
        this.#noteAccepted(reply.accepted);
        this.#inFavour += 1;
        break;
      case 'accepted':
        if (half === 'accept') this.#inFavour += 1;
        break;
      case 'refused':
        this.#noteRefusal(reply.promised);
        break;
      case 'behind':
        return { kind: 'behind', node: voter };
      case 'lagging':
        this.#laggards.add(voter);
        break;
      case 'diverged':
        this.#hasDiverged = true;
        break;
      case 'abstained':
      case 'learnt':
      case 'surveyed':
      case undefined:
        break;
    }
    return this.#next();
  }

  #next(): RoundStep {
    if (this.#inFavour < this.#majority) {
      return this.#inFavour + this.#awaited.size < this.#majority ? { kind: 'lost' } : WAIT;
    }
    if (this.#half === 'accept') return { kind: 'chosen', state: this.#proposed };
    this.#half = 'accept';
    this.#inFavour = 0;
    for (const voter of this.voters) this.#awaited.add(voter);
    this.#proposed = this.#highestAccepted?.state ?? this.#own;
    return { kind: 'accept', state: this.#proposed };
  }

  #noteAccepted(accepted: AcceptedState | undefined): void {
    if (accepted === undefined) return;
    const highest = this.#highestAccepted;
    if (highest === undefined || isBallotBelow(highest.ballot, accepted.ballot)) {
      this.#highestAccepted = accepted;
    }
  }

  #noteRefusal(promised: Ballot): void {
    const highest = this.#highestRefusal;
    if (highest === undefined || isBallotBelow(highest, promised)) this.#highestRefusal = promised;
  }
}
