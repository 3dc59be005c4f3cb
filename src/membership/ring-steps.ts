/**
 * Steps of the ring: from ring A to ring B, one agreed epoch for each change of phase.
 *
 * | epoch | state | writes go to, quorums hold in | reads hold in |
 * |---|---|---|---|
 * | before | no step | A | A |
 * | `openStep` | filling | A and B | A |
 * | the last `reportFilled` | turning | A and B | B |
 * | `closeStep` | no step | B | B |
 *
 * So nodes one epoch apart always share a ring in which both write and one of them reads. Whoever
 * makes the next change sees to it that no live node is further behind than that: a node reports that
 * it is full only of what was written after all had heard of the step, and a step is closed only when
 * all act on its turn.
 *
 * Pure, and made again on the newest state when another change comes first; a step is named by the
 * epoch that opened it, so that what was done for one step is not counted for another.
 *
 * Source: Ongaro and Ousterhout 2014, "In Search of an Understandable Consensus Algorithm", section 6
 * (joint consensus).
 */

import { assert } from '../base/fault.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import { Ring } from '../ring/ring.ts';
import type { ClusterState, Member, RingStep, StagedChange } from './cluster-state.ts';
import { replicaCountsInUse } from './effective-properties.ts';
import { successorOf } from './lineage.ts';

export type StepOutcome =
  | { readonly kind: 'changed'; readonly state: ClusterState }
  /** The state is already as asked. */
  | { readonly kind: 'unchanged' }
  /** The step that was meant is not under way any more. */
  | { readonly kind: 'other-step' }
  /** These have not reported that they are full. */
  | { readonly kind: 'unfilled'; readonly nodes: readonly NodeId[] }
  /** The ring is turning: the step can only be closed now. */
  | { readonly kind: 'turning' };

export interface StepRequest {
  /** Ring B: partition → owner, a member that is `valid` or `leaving`. */
  readonly owners: readonly NodeId[];
  /** Who is a member from now on, sorted by id; everyone who owns something in A among them. */
  readonly members: readonly Member[];
  /** What stays staged. */
  readonly staged: readonly StagedChange[];
}

/** Opens the step to `owners`, in place of one that is still filling; none if nothing moves. */
export function openStep(state: ClusterState, request: StepRequest): StepOutcome {
  if (state.step?.phase === 'turning') return { kind: 'turning' };
  const { members, staged } = request;
  const before = ownersOf(state);
  if (before.every((owner, partition) => owner === request.owners[partition])) {
    return settle(state, { owners: before, members, staged });
  }
  const target = indexesOf(request.owners, members);
  const ownerByPartition = indexesOf(before, members);
  const layout = { ...state, members, ownerByPartition };
  const unfilled = gainingNodes(layout, { ...layout, ownerByPartition: target });
  const since = (state.epoch + 1) as Epoch;
  const phase = unfilled.length === 0 ? 'turning' : 'filling';
  const step = { since, phase, target, unfilled } as const;
  return {
    kind: 'changed',
    state: successorOf(state, { members, ownerByPartition, staged, step }),
  };
}

/** `node` holds all the replicas it gains in the step opened in epoch `since`. */
export function reportFilled(
  state: ClusterState,
  { node, since }: { readonly node: NodeId; readonly since: Epoch },
): StepOutcome {
  const { step } = state;
  if (step?.since !== since) return { kind: 'other-step' };
  if (!step.unfilled.includes(node)) return { kind: 'unchanged' };
  const unfilled = step.unfilled.filter((each) => each !== node);
  const phase = unfilled.length === 0 ? 'turning' : 'filling';
  return { kind: 'changed', state: successorOf(state, { step: { ...step, phase, unfilled } }) };
}

/** Makes ring B the ring. The asker has seen that all live members act on the step's turn. */
export function closeStep(state: ClusterState, { since }: { readonly since: Epoch }): StepOutcome {
  const { step } = state;
  if (step?.since !== since) return { kind: 'other-step' };
  if (step.phase === 'filling') return { kind: 'unfilled', nodes: step.unfilled };
  const owners = targetOwnersOf(state, step);
  return settle(state, { owners, members: state.members, staged: state.staged });
}

/** Takes a member away that has handed over what it had left. */
export function finishExit(state: ClusterState, node: NodeId): StepOutcome {
  const member = state.members.find(({ id }) => id === node);
  if (member?.status !== 'exiting') return { kind: 'unchanged' };
  const members = state.members.filter(({ id }) => id !== node);
  const staged = state.staged.filter((change) => !nodesOf(change).includes(node));
  return { kind: 'changed', state: successorOf(state, { ...withMembers(state, members), staged }) };
}

/** The same rings over other members; every owner in A or B is among them. */
export function withMembers(
  state: ClusterState,
  members: readonly Member[],
): Pick<ClusterState, 'members' | 'ownerByPartition' | 'step'> {
  const { step } = state;
  return {
    members,
    ownerByPartition: indexesOf(ownersOf(state), members),
    step: step && { ...step, target: indexesOf(targetOwnersOf(state, step), members) },
  };
}

/** The nodes that hold a replica in the ring of `after` that they do not hold in that of `before`. */
export function gainingNodes(before: ClusterState, after: ClusterState): NodeId[] {
  const [ringBefore, ringAfter] = [new Ring(before), new Ring(after)];
  const gaining = new Set<NodeId>();
  for (const n of replicaCountsInUse(after)) {
    for (const node of ringAfter.nodes) {
      const held = new Set(ringBefore.partitionsHeldBy(node, n));
      if (ringAfter.partitionsHeldBy(node, n).some((partition) => !held.has(partition))) {
        gaining.add(node);
      }
    }
  }
  return [...gaining].sort();
}

/** partition → owner in ring A. */
export function ownersOf(state: ClusterState): NodeId[] {
  return state.ownerByPartition.map((index) => mustMember(state, index).id);
}

/** partition → owner in ring B. */
export function targetOwnersOf(state: ClusterState, step: RingStep): NodeId[] {
  return step.target.map((index) => mustMember(state, index).id);
}

/** The members that `change` names. */
export function nodesOf(change: StagedChange): NodeId[] {
  return 'successor' in change ? [change.node, change.successor] : [change.node];
}

/** The state without a step: who has given everything away leaves, who was removed is gone. */
function settle(state: ClusterState, request: StepRequest): StepOutcome {
  const owning = new Set(request.owners);
  const members = request.members
    .filter(({ id, status }) => status !== 'invalid' || owning.has(id))
    .map((member): Member =>
      member.status === 'leaving' && !owning.has(member.id)
        ? { ...member, status: 'exiting' }
        : member,
    );
  const next = successorOf(state, {
    members,
    ownerByPartition: indexesOf(request.owners, members),
    staged: request.staged.filter((change) =>
      nodesOf(change).every((node) => members.some(({ id }) => id === node)),
    ),
    step: undefined,
  });
  return { kind: 'changed', state: next };
}

function indexesOf(owners: readonly NodeId[], members: readonly Member[]): number[] {
  const indexById = new Map(members.map(({ id }, index) => [id, index]));
  return owners.map((owner) => {
    const index = indexById.get(owner);
    assert(index !== undefined, 'an owner is a member');
    return index;
  });
}

function mustMember(state: ClusterState, index: number): Member {
  const member = state.members[index];
  assert(member !== undefined, 'an owner is a member');
  return member;
}
