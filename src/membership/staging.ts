/**
 * Staging: what operators want of the cluster, noted in its state for all to see and not done yet.
 *
 * `plan.ts` shows what the staged changes come to, and commits them. A node is the subject of one
 * staged change at a time, the last one asked for; its location apart. A staged join makes the node a
 * member that owns nothing and has no vote, so that links to it are opened.
 */

import type { NodeId } from '../base/names.ts';
import type { ClusterState, Member, StagedChange } from './cluster-state.ts';
import { NAME_LENGTH_MAX } from './document-values.ts';
import { MEMBERS_MAX } from './layout-document.ts';
import { successorOf } from './lineage.ts';
import { nodesOf, withMembers } from './ring-steps.ts';

export type StagingRefusal =
  | 'not-member'
  /** Nobody would be left. */
  | 'only-member'
  | 'already-leaving'
  /** The one to take another's place must be joining. */
  | 'not-joining'
  | 'already-replacement'
  /** A node that answers is not down. */
  | 'is-up'
  /** A node that is down cannot hand anything over: it is removed by force. */
  | 'is-down'
  /** Only a valid member can be marked as down. */
  | 'not-valid'
  | 'too-many-members'
  | 'location-too-long';

export type StagingOutcome =
  | { readonly kind: 'changed'; readonly state: ClusterState }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-staged'; readonly reason: StagingRefusal };

/** What a node says of itself when it asks to be taken in. */
export type Newcomer = Omit<Member, 'status'>;

/** Takes in a node that asks for it; `unchanged` for a member, which is only lost and found. */
export function stageJoin(state: ClusterState, newcomer: Newcomer): StagingOutcome {
  if (findMember(state, newcomer.id) !== undefined) return { kind: 'unchanged' };
  if (state.members.length >= MEMBERS_MAX) return refused('too-many-members');
  const members = [...state.members, { ...newcomer, status: 'joining' } as const].sort(
    (left, right) => (left.id < right.id ? -1 : 1),
  );
  const staged = [...state.staged, { kind: 'join', node: newcomer.id } as const];
  return { kind: 'changed', state: successorOf(state, { ...withMembers(state, members), staged }) };
}

/** The node gives its partitions away; one whose own join is staged just goes. */
export function stageLeave(state: ClusterState, node: NodeId): StagingOutcome {
  const refusal = refusalToGo(state, node);
  if (refusal !== undefined) return refused(refusal);
  if (findMember(state, node)?.status === 'joining') return withdrawJoin(state, node);
  return stage(state, { kind: 'leave', node });
}

/** The node is taken out without being asked; what only it has is lost. */
export function stageForceRemove(state: ClusterState, node: NodeId): StagingOutcome {
  const member = findMember(state, node);
  if (member === undefined) return refused('not-member');
  if (member.status === 'joining') return withdrawJoin(state, node);
  if (isLast(state, node)) return refused('only-member');
  return stage(state, { kind: 'force-remove', node });
}

/** `successor`, which is joining, gets what `node` has. */
export function stageReplace(
  state: ClusterState,
  change: Extract<StagedChange, { kind: 'replace' | 'force-replace' }>,
): StagingOutcome {
  const { node, successor, kind } = change;
  const member = findMember(state, node);
  if (member === undefined || member.status === 'joining') return refused('not-member');
  if (kind === 'replace' && isGoing(member)) return refused('already-leaving');
  if (findMember(state, successor)?.status !== 'joining') return refused('not-joining');
  const isTaken = state.staged.some(
    (each) => 'successor' in each && each.successor === successor && each.node !== node,
  );
  if (isTaken) return refused('already-replacement');
  return stage(state, change);
}

export function stageLocation(
  state: ClusterState,
  { node, location }: { readonly node: NodeId; readonly location: string },
): StagingOutcome {
  const member = findMember(state, node);
  if (member === undefined) return refused('not-member');
  if (location.length > NAME_LENGTH_MAX) return refused('location-too-long');
  const others = state.staged.filter((each) => each.kind !== 'location' || each.node !== node);
  const staged =
    member.location === location
      ? others
      : [...others, { kind: 'location', node, location } as const];
  return nextStaged(state, staged);
}

/** Forgets what is staged; who was about to join is no member any more. */
export function clearStaged(state: ClusterState): StagingOutcome {
  if (state.staged.length === 0) return { kind: 'unchanged' };
  const members = state.members.filter(({ status }) => status !== 'joining');
  const parts = { ...withMembers(state, members), staged: [] };
  return { kind: 'changed', state: successorOf(state, parts) };
}

/** Takes a valid member's vote until it is back. */
export function markDown(state: ClusterState, node: NodeId): StagingOutcome {
  const member = findMember(state, node);
  if (member === undefined) return refused('not-member');
  if (member.status === 'down') return { kind: 'unchanged' };
  if (member.status !== 'valid') return refused('not-valid');
  if (state.members.filter(({ status }) => status === 'valid').length === 1) {
    return refused('only-member');
  }
  return withMember(state, { ...member, status: 'down' });
}

/** A member says that it is there, which ends its being marked as down, and where it is reached now. */
export function present(state: ClusterState, self: Newcomer): StagingOutcome {
  const member = findMember(state, self.id);
  if (member === undefined || member.status === 'invalid') return { kind: 'unchanged' };
  const { host, peerPort, httpPort, pbcPort } = self;
  const isAsKnown =
    member.status !== 'down' &&
    member.host === host &&
    member.peerPort === peerPort &&
    member.httpPort === httpPort &&
    member.pbcPort === pbcPort;
  if (isAsKnown) return { kind: 'unchanged' };
  const status = member.status === 'down' ? 'valid' : member.status;
  return withMember(state, { ...member, host, peerPort, httpPort, pbcPort, status });
}

export function findMember(state: ClusterState, node: NodeId): Member | undefined {
  return state.members.find(({ id }) => id === node);
}

function stage(state: ClusterState, change: StagedChange): StagingOutcome {
  const others = state.staged.filter(
    (each) => each.node !== change.node || each.kind === 'location' || each.kind === 'join',
  );
  return nextStaged(state, [...others, change]);
}

function nextStaged(state: ClusterState, staged: readonly StagedChange[]): StagingOutcome {
  if (JSON.stringify(staged) === JSON.stringify(state.staged)) return { kind: 'unchanged' };
  return { kind: 'changed', state: successorOf(state, { staged }) };
}

function withdrawJoin(state: ClusterState, node: NodeId): StagingOutcome {
  const members = state.members.filter(({ id }) => id !== node);
  const staged = state.staged.filter((each) => !nodesOf(each).includes(node));
  return { kind: 'changed', state: successorOf(state, { ...withMembers(state, members), staged }) };
}

function withMember(state: ClusterState, changed: Member): StagingOutcome {
  const members = state.members.map((member) => (member.id === changed.id ? changed : member));
  return { kind: 'changed', state: successorOf(state, { members }) };
}

function refusalToGo(state: ClusterState, node: NodeId): StagingRefusal | undefined {
  const member = findMember(state, node);
  if (member === undefined) return 'not-member';
  if (isGoing(member)) return 'already-leaving';
  if (member.status === 'down') return 'is-down';
  return isLast(state, node) ? 'only-member' : undefined;
}

function isGoing({ status }: Member): boolean {
  return status === 'leaving' || status === 'exiting' || status === 'invalid';
}

/** Whether nobody else is or will be there to own anything. */
function isLast(state: ClusterState, node: NodeId): boolean {
  return state.members.every((member) => member.id === node || isGoing(member));
}

function refused(reason: StagingRefusal): StagingOutcome {
  return { kind: 'not-staged', reason };
}

/** Whose answers count: all members but those removed by force. */
export function awaitedMembers(state: ClusterState): NodeId[] {
  return state.members.filter(({ status }) => status !== 'invalid').map(({ id }) => id);
}
