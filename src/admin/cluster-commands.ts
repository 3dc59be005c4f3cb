/**
 * Changes of the cluster by an operator: `riak admin cluster …` in Riak's words.
 *
 * A command that stages something says so in the sentence that Riak says; one that cannot be carried
 * out is refused with one sentence, and the exit code is 1. What a plan or a status consists of goes
 * back as it is, for the command line to show as text or as JSON.
 */

import type { NodeId } from '../base/names.ts';
import {
  clearStaged,
  stageForceRemove,
  stageLeave,
  stageLocation,
  stageReplace,
  type StagingRefusal,
} from '../membership/staging.ts';
import type { PlanRefusal } from '../membership/plan.ts';
import type { ClusterChangeOutcome, ClusterChanges, ShownPlan } from '../node/cluster-changes.ts';
import type { Joining, JoinOutcome } from '../node/joining.ts';
import type { NodeService } from '../node/node-service.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import {
  clusterStatus,
  partitionsOf,
  type ClusterReport,
  type PeerReport,
} from './cluster-status.ts';
import { noAgreementText } from './no-agreement.ts';

type Options = Readonly<Record<string, unknown>>;

/** The part of a node that these commands need. */
export interface ClusterNode extends Pick<NodeService, 'id' | 'state' | 'liveMembers'> {
  cluster(): { readonly clusterChanges: ClusterChanges; readonly joining: Joining };
}

export interface Done {
  readonly message: string;
}

export type PlannedChanges = Extract<ShownPlan, { kind: 'planned' }>;

export function clusterCommands(
  node: ClusterNode,
  peers: () => readonly PeerReport[] = () => [],
): Map<string, AdminCommand> {
  const changes = (): ClusterChanges => node.cluster().clusterChanges;
  return new Map<string, AdminCommand>([
    ['cluster join', (options) => join(node, options)],
    ['cluster leave', (options) => leave(node, options)],
    ['cluster force-remove', (options) => forceRemove(node, options)],
    ['cluster replace', (options) => replace(node, options, 'replace')],
    ['cluster force-replace', (options) => replace(node, options, 'force-replace')],
    ['cluster down', (options) => down(node, options)],
    ['cluster location', (options) => locate(node, options)],
    ['cluster plan', () => plan(changes())],
    ['cluster commit', (options) => commit(changes(), options)],
    ['cluster clear', () => clear(changes())],
    ['cluster status', async (options) => status(clusterStatus(node, peers()), options)],
    [
      'cluster partitions',
      async (options) => partitionsOf(node, named(options, 'node') ?? node.id),
    ],
  ]);
}

async function join(node: ClusterNode, options: Options): Promise<Done> {
  const text = named(options, 'address') ?? '';
  const [, host, port] = /^(?:\[(?=.*\]))?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined) {
    throw new AdminRefusal('the address of a member is needed: HOST:PEERPORT');
  }
  const outcome = await node.cluster().joining.join({ host, port: Number(port) });
  if (outcome.kind !== 'joined') throw new AdminRefusal(joinFailure(outcome, text));
  return { message: `Success: staged join request for '${node.id}' to '${text}'` };
}

async function leave(node: ClusterNode, options: Options): Promise<Done> {
  const id = named(options, 'node') ?? node.id;
  const outcome = await node.cluster().clusterChanges.stage((state) => stageLeave(state, id));
  mustBeDone(outcome, id);
  return { message: `Success: staged leave request for '${id}'` };
}

async function forceRemove(node: ClusterNode, options: Options): Promise<Done> {
  const id = mustName(options, 'node');
  const outcome = await node.cluster().clusterChanges.stage((state) => stageForceRemove(state, id));
  mustBeDone(outcome, id);
  return { message: `Success: staged remove request for '${id}'` };
}

async function replace(
  node: ClusterNode,
  options: Options,
  kind: 'replace' | 'force-replace',
): Promise<Done> {
  const [id, successor] = [mustName(options, 'node'), mustName(options, 'successor')];
  const change = { kind, node: id, successor };
  const outcome = await node.cluster().clusterChanges.stage((state) => stageReplace(state, change));
  mustBeDone(outcome, id, successor);
  const what = kind === 'replace' ? 'replacement' : 'forced replacement';
  return { message: `Success: staged ${what} of '${id}' with '${successor}'` };
}

async function down(node: ClusterNode, options: Options): Promise<Done> {
  const id = mustName(options, 'node');
  mustBeDone(await node.cluster().clusterChanges.markDown(id), id);
  return { message: `Success: '${id}' marked as down` };
}

async function locate(node: ClusterNode, options: Options): Promise<Done> {
  const id = named(options, 'node') ?? node.id;
  const { location } = options;
  if (typeof location !== 'string') throw new AdminRefusal('a location is needed');
  const change = { node: id, location };
  const outcome = await node
    .cluster()
    .clusterChanges.stage((state) => stageLocation(state, change));
  mustBeDone(outcome, id);
  return { message: `Success: staged changing location of node '${id}' to ${location}` };
}

async function plan(changes: ClusterChanges): Promise<PlannedChanges> {
  const shown = await changes.plan();
  if (shown.kind === 'planned') return shown;
  throw new AdminRefusal(PLAN_REFUSALS[shown.reason]);
}

async function commit(changes: ClusterChanges, options: Options): Promise<Done> {
  const { hash, isSure } = options;
  if (typeof hash !== 'string' && isSure !== true) {
    throw new AdminRefusal(
      'You must verify the plan with `vertebra admin cluster plan` and commit its hash',
    );
  }
  const outcome = await changes.commit(typeof hash === 'string' ? hash : undefined);
  mustBeDone(outcome, 'the cluster');
  return { message: 'Cluster changes committed' };
}

async function clear(changes: ClusterChanges): Promise<Done> {
  mustBeDone(await changes.stage(clearStaged), 'the cluster');
  return { message: 'Cleared staged cluster changes' };
}

function status(report: ClusterReport, options: Options): ClusterReport {
  if (options['mustBeSettled'] !== true || report.unsettled.length === 0) return report;
  throw new AdminRefusal(`The cluster is not settled: ${report.unsettled.join('; ')}`);
}

const PLAN_REFUSALS: Readonly<Record<PlanRefusal, string>> = {
  'nothing-staged': 'There are no staged changes',
  turning: 'The transfers before are about to end: try again in a moment',
  'no-nodes': 'Cannot plan: no node would be left to own the partitions',
  'no-voters':
    'Cannot plan: only nodes marked as down would be left, and they could agree on nothing',
  'more-nodes-than-partitions':
    'Cannot plan: there would be more nodes than partitions, and one could not own any',
  'stale-plan':
    'The plan has changed since it was shown: verify it with `vertebra admin cluster plan` first',
};

function stagingFailure(reason: StagingRefusal, node: string, successor: string): string {
  switch (reason) {
    case 'not-member':
      return `Failed: '${node}' is not a member of the cluster.`;
    case 'only-member':
      return `Failed: '${node}' is the only member.`;
    case 'already-leaving':
      return `'${node}' is already in the process of leaving the cluster.`;
    case 'not-joining':
      return `Failed: '${successor}' is not joining the cluster.`;
    case 'already-replacement':
      return `Failed: '${successor}' is already staged to replace another node.`;
    case 'is-up':
      return `Failed: '${node}' is up`;
    case 'is-down':
      return `Failed: '${node}' is down: it can only be removed by force`;
    case 'not-valid':
      return `Failed: '${node}' is joining or leaving`;
    case 'too-many-members':
      return 'Failed: the cluster has as many members as it can';
    case 'location-too-long':
      return 'Failed: a location has 1024 characters at most';
  }
}

function joinFailure(outcome: Exclude<JoinOutcome, { kind: 'joined' }>, address: string): string {
  if (outcome.kind === 'refused') return `Failed: ${outcome.text}`;
  if (outcome.kind === 'unreachable') return `Node ${address} is not reachable! ${outcome.text}`;
  switch (outcome.reason) {
    case 'not-alone':
      return 'Failed: This node is already a member of a cluster';
    case 'not-empty':
      return 'Failed: This node holds objects: only an empty one can join a cluster';
    case 'itself':
      return 'Failed: This node cannot join itself in a cluster';
    case 'no-port':
      return 'Failed: This node cannot reach others';
  }
}

function mustBeDone(outcome: ClusterChangeOutcome, node: string, successor = ''): void {
  switch (outcome.kind) {
    case 'changed':
    case 'unchanged':
      return;
    case 'not-staged':
      throw new AdminRefusal(stagingFailure(outcome.reason, node, successor));
    case 'not-planned':
      throw new AdminRefusal(PLAN_REFUSALS[outcome.reason]);
    case 'timeout':
      throw new AdminRefusal(noAgreementText(outcome));
  }
}

function mustName(options: Options, option: string): NodeId {
  const id = named(options, option);
  if (id === undefined) throw new AdminRefusal(`the name of a ${option} is needed`);
  return id;
}

function named(options: Options, option: string): NodeId | undefined {
  const value = options[option];
  return typeof value === 'string' && value !== '' ? (value as NodeId) : undefined;
}
