/**
 * The layout of a cluster in the state document: members, ring, staged changes and the open step.
 *
 * The forms are in the table of `state-document.ts`. What is read here is safe to act on: every index
 * names a member, every named node is one, and a step's phase fits who is still unfilled.
 */

import type { Epoch, NodeId } from '../base/names.ts';
import { isRingSize } from '../ring/partition.ts';
import type {
  ClusterState,
  Member,
  MemberStatus,
  RingStep,
  StagedChange,
} from './cluster-state.ts';
import { asArray, asEpoch, asInteger, asName, malformed, mustRise } from './document-values.ts';

export const MEMBERS_MAX = 1024;

type Layout = Pick<ClusterState, 'ringSize' | 'members' | 'ownerByPartition' | 'staged' | 'step'>;

interface LayoutShape {
  readonly epoch: Epoch;
  readonly ringSize: number;
  readonly ids: ReadonlySet<string>;
}

const STATUSES: ReadonlySet<string> = new Set<MemberStatus>([
  'joining',
  'valid',
  'leaving',
  'exiting',
  'down',
  'invalid',
]);

export function layoutToJson(state: Layout): Record<string, unknown> {
  const { ringSize, members, ownerByPartition, staged, step } = state;
  return {
    ringSize,
    members: members.map((member) => [
      member.id,
      member.host,
      member.peerPort,
      member.httpPort,
      member.pbcPort,
      member.location,
      member.status,
    ]),
    ownerByPartition,
    staged: staged.map(stagedToJson),
    step: step === undefined ? null : [step.since, step.phase, step.target, step.unfilled],
  };
}

function stagedToJson(change: StagedChange): readonly string[] {
  switch (change.kind) {
    case 'replace':
    case 'force-replace':
      return [change.kind, change.node, change.successor];
    case 'location':
      return [change.kind, change.node, change.location];
    case 'join':
    case 'leave':
    case 'force-remove':
      return [change.kind, change.node];
  }
}

/** The layout that `fields` of a document of `epoch` hold. Throws the fault `malformed`. */
export function asLayout(fields: Readonly<Record<string, unknown>>, epoch: Epoch): Layout {
  const ringSize = asInteger(fields['ringSize'], 'ringSize');
  if (!isRingSize(ringSize)) throw malformed('ringSize is no ring size');
  const members = asArray(fields['members'], 'members').map(asMember);
  if (members.length > MEMBERS_MAX) throw malformed('it has too many members');
  const ids = members.map(({ id }) => id);
  mustRise(ids, 'its nodes');
  const shape: LayoutShape = { epoch, ringSize, ids: new Set(ids) };
  return {
    ringSize,
    members,
    ownerByPartition: asOwners(fields['ownerByPartition'], shape),
    staged: asArray(fields['staged'], 'staged').map((each) => asStaged(each, shape)),
    step: fields['step'] === null ? undefined : asStep(fields['step'], shape),
  };
}

function asMember(value: unknown): Member {
  const fields = asArray(value, 'a member');
  const [id, host, peerPort, httpPort, pbcPort, location, status] = fields;
  if (fields.length !== 7) throw malformed('a member has seven fields');
  if (typeof status !== 'string' || !STATUSES.has(status)) throw malformed('a status is unknown');
  return {
    id: asName(id, 'a member id') as NodeId,
    host: asName(host, 'a host'),
    peerPort: asPort(peerPort),
    httpPort: asPort(httpPort),
    pbcPort: asPort(pbcPort),
    location: asName(location, 'a location'),
    status: status as MemberStatus,
  };
}

function asPort(value: unknown): number {
  const port = asInteger(value, 'a port');
  if (port < 0 || port > 65_535) throw malformed('a port is out of range');
  return port;
}

function asOwners(value: unknown, { ringSize, ids }: LayoutShape): number[] {
  const owners = asArray(value, 'a ring').map((owner) => asInteger(owner, 'an owner'));
  if (owners.length !== ringSize) throw malformed('a ring has not one owner for each partition');
  if (owners.some((owner) => owner < 0 || owner >= ids.size)) {
    throw malformed('an owner is no member');
  }
  return owners;
}

function asStaged(value: unknown, { ids }: LayoutShape): StagedChange {
  const [kind, first, second, ...more] = asArray(value, 'a staged change');
  if (more.length > 0) throw malformed('a staged change has too many fields');
  const node = asMemberId(first, ids);
  switch (kind) {
    case 'join':
    case 'leave':
    case 'force-remove':
      if (second !== undefined) throw malformed(`a ${kind} names one node`);
      return { kind, node };
    case 'replace':
    case 'force-replace':
      return { kind, node, successor: asMemberId(second, ids) };
    case 'location':
      return { kind, node, location: asName(second, 'a location') };
    default:
      throw malformed('a staged change is unknown');
  }
}

function asStep(value: unknown, shape: LayoutShape): RingStep {
  const [since, phase, target, unfilledJson, ...more] = asArray(value, 'step');
  if (more.length > 0) throw malformed('a step has four fields');
  if (phase !== 'filling' && phase !== 'turning') throw malformed('a phase is unknown');
  const unfilled = asArray(unfilledJson, 'unfilled').map((id) => asMemberId(id, shape.ids));
  mustRise(unfilled, 'its nodes');
  if (unfilled.length > 0 !== (phase === 'filling')) {
    throw malformed('the phase of its step is another');
  }
  if (asEpoch(since) > shape.epoch) throw malformed('its step is of a later epoch');
  return { since: asEpoch(since), phase, target: asOwners(target, shape), unfilled };
}

function asMemberId(value: unknown, ids: ReadonlySet<string>): NodeId {
  const id = asName(value, 'a node');
  if (!ids.has(id)) throw malformed('a node is no member');
  return id as NodeId;
}
