/**
 * The plan: what the staged changes come to, and the step that carries them out.
 *
 * A function of the state alone: every node makes the same plan, and its hash names what was shown to
 * the operator. A commit brings that hash back; if anything that matters has changed since, it is
 * refused rather than something else done. All staged changes go into one step, for a step never takes
 * a readable copy away: reads hold in the old ring until the new one is full.
 *
 * A plan for a large ring takes a while, so it is made in slices, of one state: a state never changes,
 * and whoever has a newer one by the end makes the plan again.
 */

import { createHash } from 'node:crypto';
import type { NodeId } from '../base/names.ts';
import type { Sliced } from '../base/sliced.ts';
import { claimChange } from '../ring/claim-change.ts';
import type { ClaimWarning } from '../ring/claim-warnings.ts';
import type { ClusterState, Member, StagedChange } from './cluster-state.ts';
import { replicaCountsInUse } from './effective-properties.ts';
import { openStep, ownersOf, targetOwnersOf } from './ring-steps.ts';

export interface ClusterPlan {
  /** 16 hex digits. */
  readonly hash: string;
  readonly changes: readonly StagedChange[];
  /** Everyone who is a member before the step ends, as the commit leaves them. */
  readonly members: readonly Member[];
  /** partition → owner, in the ring in force and in the one planned. */
  readonly owners: readonly NodeId[];
  readonly nextOwners: readonly NodeId[];
  readonly warnings: readonly ClaimWarning[];
}

export type PlanRefusal =
  | 'nothing-staged'
  /** The step before is about to be closed. */
  | 'turning'
  /** Nobody would be left to own the partitions. */
  | 'no-nodes'
  /** Only members marked as down would be left: nothing could be agreed on, not even their return. */
  | 'no-voters'
  /** Some node could not own a single partition. */
  | 'more-nodes-than-partitions'
  /** The plan has changed since it was shown. */
  | 'stale-plan';

export type PlanOutcome =
  | { readonly kind: 'planned'; readonly plan: ClusterPlan }
  | { readonly kind: 'not-planned'; readonly reason: PlanRefusal };

export type CommitOutcome =
  | { readonly kind: 'changed'; readonly state: ClusterState }
  | { readonly kind: 'not-planned'; readonly reason: PlanRefusal };

/** What committing the staged changes would do. */
export function* planChanges(state: ClusterState): Sliced<PlanOutcome> {
  if (state.staged.length === 0) return refused('nothing-staged');
  if (state.step?.phase === 'turning') return refused('turning');
  const members = state.members.map((member) => changedMember(member, state.staged));
  const owners = ownersOf(state);
  // What an open step has brought over already counts as where it is.
  const settled = state.step === undefined ? owners : targetOwnersOf(state, state.step);
  const ring = yield* claimChange({
    owners: settled,
    members: members.filter(mayOwn),
    successors: successorsIn(state.staged),
    isRelocating: state.staged.some(({ kind }) => kind === 'location'),
    targetN: Math.max(...replicaCountsInUse(state)),
  });
  if (ring.kind !== 'claimed') return refused(ring.kind);
  if (!members.some(({ status }) => status === 'valid')) return refused('no-voters');
  const { owners: nextOwners, warnings } = ring;
  const hash = hashPlan(state, members, nextOwners);
  const changes = state.staged;
  return {
    kind: 'planned',
    plan: { hash, changes, members, owners, nextOwners, warnings },
  };
}

/** Carries the plan out that was shown under `hash`; whatever it is now if undefined. */
export function* commitPlan(state: ClusterState, hash: string | undefined): Sliced<CommitOutcome> {
  const outcome = yield* planChanges(state);
  if (outcome.kind === 'not-planned') return outcome;
  const { plan } = outcome;
  if (hash !== undefined && hash !== plan.hash) return refused('stale-plan');
  const { nextOwners: nextRing, members } = plan;
  const opened = openStep(state, { owners: nextRing, members, staged: [] });
  if (opened.kind !== 'changed') return refused('turning');
  return opened;
}

function changedMember(member: Member, staged: readonly StagedChange[]): Member {
  let changed = member;
  for (const change of staged) {
    const isSuccessor = 'successor' in change && change.successor === member.id;
    if (change.node !== member.id && !isSuccessor) continue;
    if (isSuccessor) changed = { ...changed, status: 'valid' };
    else if (change.kind === 'location') changed = { ...changed, location: change.location };
    else changed = { ...changed, status: STATUS_AFTER[change.kind] };
  }
  return changed;
}

const STATUS_AFTER = {
  join: 'valid',
  leave: 'leaving',
  replace: 'leaving',
  'force-remove': 'invalid',
  'force-replace': 'invalid',
} as const;

/** A member that is down keeps what it has: it is expected back. */
function mayOwn({ status }: Member): boolean {
  return status === 'valid' || status === 'down';
}

function successorsIn(staged: readonly StagedChange[]): Map<NodeId, NodeId> {
  const successors = new Map<NodeId, NodeId>();
  for (const change of staged) {
    if ('successor' in change) successors.set(change.node, change.successor);
  }
  return successors;
}

function hashPlan(
  state: ClusterState,
  members: readonly Member[],
  nextOwners: readonly NodeId[],
): string {
  const { lineages, ownerByPartition, staged, step } = state;
  const before = state.members.map(({ id, status, location }) => [id, status, location]);
  const after = members.map(({ id, status, location }) => [id, status, location]);
  const text = JSON.stringify([
    lineages,
    before,
    ownerByPartition,
    step?.target,
    staged,
    after,
    nextOwners,
  ]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function refused<R extends PlanRefusal>(
  reason: R,
): { readonly kind: 'not-planned'; readonly reason: R } {
  return { kind: 'not-planned', reason };
}
