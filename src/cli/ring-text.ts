/**
 * Readiness and status of the ring as text, as operators know them from `riak admin`.
 */

import type { ClusterReport, MemberReport } from '../admin/cluster-status.ts';
import type { RingReadiness, RingReport } from '../admin/ring-commands.ts';
import { heading, memberCounts, share } from './cluster-text.ts';
import { textTable } from './text-table.ts';

export function ringReadyText(readiness: RingReadiness): string {
  const { isReady, nodes, down, behind, unreadable } = readiness;
  if (unreadable !== undefined) return `FALSE ${unreadable}`;
  if (isReady) return `TRUE All nodes agree on the ring ${list(nodes)}`;
  if (down.length > 0) return `FALSE ${list(down)} down.  All nodes need to be up to check.`;
  return `FALSE ${list(behind)} do not act on the newest ring yet`;
}

export function ringStatusText(report: RingReport): string {
  const { moves, waitingOn, down, unreadable, linkFailures } = report;
  return [
    heading('Claimant'),
    'Claimant:   none, the members agree by majority',
    `Epoch:      ${report.epoch}`,
    `Ring Ready: ${report.isReady}`,
    ...(unreadable === undefined ? [] : [`Stays behind: ${unreadable}`]),
    '',
    heading('Ownership Handoff'),
    ...(moves.length === 0 ? ['No pending changes.'] : []),
    ...moves.flatMap(({ owner, nextOwner, partitions }) => [
      `Owner:      ${owner}`,
      `Next Owner: ${nextOwner}`,
      `Partitions: ${partitions.join(' ')}`,
      '',
    ]),
    ...(waitingOn.length === 0 ? [] : [`Waiting on: ${list(waitingOn)}`]),
    '',
    heading('Unreachable Nodes'),
    down.length === 0
      ? 'All nodes are up and reachable'
      : `The following nodes are unreachable: ${list(down)}`,
    ...linkFailures.map(({ node, linkFailure }) => `No link to '${node}': ${linkFailure}`),
  ].join('\n');
}

export function memberStatusText({ members, ringSize }: ClusterReport): string {
  const rows = members.map(({ node, status, partitions, pendingPartitions, location }) => [
    status,
    share(partitions, ringSize),
    pendingPartitions === undefined ? '--' : share(pendingPartitions, ringSize),
    location === '' ? node : `${node} (${location})`,
  ]);
  return [
    heading('Membership'),
    textTable(['Status', 'Ring', 'Pending', 'Node'], rows),
    '',
    memberCounts(members),
    ...releaseLines(members),
  ].join('\n');
}

/** One line for each release that is running, and one for each member that cannot be talked to. */
function releaseLines(members: readonly MemberReport[]): string[] {
  const nodesByRelease = new Map<string, string[]>();
  const failures: string[] = [];
  for (const { node, release, protocol, linkFailure } of members) {
    if (linkFailure !== undefined) failures.push(`No link to '${node}': ${linkFailure}`);
    if (release === undefined || protocol === undefined) continue;
    const [from, to] = protocol;
    const range = from === to ? String(from) : `${from} to ${to}`;
    const title = `Release ${release} (protocol ${range})`;
    nodesByRelease.set(title, [...(nodesByRelease.get(title) ?? []), node]);
  }
  return [...[...nodesByRelease].map(([title, nodes]) => `${title}: ${list(nodes)}`), ...failures];
}

/** As Erlang prints a list of names. */
function list(nodes: readonly string[]): string {
  return `[${nodes.map((node) => `'${node}'`).join(',')}]`;
}
