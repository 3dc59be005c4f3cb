/**
 * Plans and status of a cluster as text, in the layout that operators know from `riak admin cluster`.
 */

import type { PlannedChanges } from '../admin/cluster-commands.ts';
import type { ClusterReport, MemberReport, PartitionReport } from '../admin/cluster-status.ts';
import { formatDuration } from '../config/units.ts';
import type { StagedChange } from '../membership/cluster-state.ts';
import type { ClaimWarning } from '../ring/claim-warnings.ts';
import { textTable } from './text-table.ts';

export function planText(shown: PlannedChanges): string {
  const { plan } = shown;
  const sections = [
    heading('Staged Changes'),
    textTable(['Action', 'Details(s)'], changeRows(plan.changes)),
    heading('Membership'),
    membershipTable(shown),
    ...warningLines(shown),
    transferText(shown),
    copiesText(shown),
    `Plan ${plan.hash}. To carry it out: vertebra admin cluster commit ${plan.hash}`,
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

export function statusText(report: ClusterReport): string {
  const { members, ringSize, step, staged } = report;
  const rows = members.map((member) => [
    member.node,
    member.status,
    availability(member),
    share(member.partitions, ringSize),
    member.pendingPartitions === undefined ? '--' : share(member.pendingPartitions, ringSize),
    member.location,
  ]);
  const lines = [
    '---- Cluster Status ----',
    `Cluster: ${report.cluster}, epoch ${report.epoch}`,
    `Ring ready: ${step === undefined}`,
    '',
    textTable(['node', 'status', 'avail', 'ring', 'pending', 'location'], rows),
    '',
    "Key: availability marked with '!' is unexpected",
  ];
  if (step !== undefined) {
    const waited = step.unfilled.length === 0 ? '' : `, waits for ${step.unfilled.join(', ')}`;
    lines.push(`The ring is ${step.phase}${waited}`);
  }
  if (staged.length > 0)
    lines.push(`Staged changes: ${staged.length} (vertebra admin cluster plan)`);
  return lines.join('\n');
}

export function partitionsText({ node, primary, secondary, pending }: PartitionReport): string {
  const row = (name: string, partitions: readonly number[]): string[] => [
    name,
    String(partitions.length),
    partitions.join(' '),
  ];
  return [
    `Partitions of ${node}`,
    textTable(
      ['Partition Type', 'Count', 'Partitions'],
      [row('Primary', primary), row('Secondary', secondary), row('Pending', pending)],
    ),
  ].join('\n');
}

export function heading(title: string): string {
  const sides = Math.max(4, Math.floor((78 - title.length) / 2));
  return `${'='.repeat(sides)} ${title} ${'='.repeat(sides)}`;
}

/** A join is not shown beside the replacement that it is for. */
function changeRows(changes: readonly StagedChange[]): string[][] {
  const successors = new Set(
    changes.flatMap((each) => ('successor' in each ? [each.successor] : [])),
  );
  return changes
    .filter((change) => change.kind !== 'join' || !successors.has(change.node))
    .map((change) => {
      switch (change.kind) {
        case 'replace':
        case 'force-replace':
          return [change.kind, `'${change.node}' with '${change.successor}'`];
        case 'location':
          return [change.kind, `'${change.node}' to ${change.location}`];
        case 'join':
        case 'leave':
        case 'force-remove':
          return [change.kind, `'${change.node}'`];
      }
    });
}

function membershipTable({ plan }: PlannedChanges): string {
  const { members, owners, nextOwners } = plan;
  const ringSize = owners.length;
  const rows = members.map(({ id, status, location }) => {
    const [now, then] = [owners, nextOwners].map(
      (ring) => ring.filter((owner) => owner === id).length,
    );
    return [status, share(now ?? 0, ringSize), share(then ?? 0, ringSize), `'${id}'`, location];
  });
  const table = textTable(['Status', 'Ring', 'Pending', 'Node', 'Location'], rows);
  return `${table}\n\n${memberCounts(members)}`;
}

export function memberCounts(members: readonly Pick<MemberReport, 'status'>[]): string {
  const counts = (['valid', 'leaving', 'exiting', 'joining', 'down'] as const).map((status) => {
    const title = `${status.charAt(0).toUpperCase()}${status.slice(1)}`;
    return `${title}:${members.filter((member) => member.status === status).length}`;
  });
  return counts.join(' / ');
}

function warningLines({ plan, effect, silent }: PlannedChanges): string[] {
  const lines = plan.warnings.map(warningText);
  for (const { nVal, after, sharingLocation } of effect.copies) {
    if (after < nVal) {
      lines.push(`WARNING: n_val ${nVal} is not satisfied: some keys have ${after} live copies`);
    }
    if (sharingLocation > 0) {
      lines.push(
        `WARNING: with n_val ${nVal} replicas of ${sharingLocation} partitions share a location`,
      );
    }
  }
  if (effect.replicas.some(({ source }) => source === undefined)) {
    lines.push('WARNING: some partitions have no live copy to be filled from: they will be empty');
  }
  if (silent.length > 0) {
    lines.push(`WARNING: the estimates leave out what ${silent.join(', ')} did not say in time`);
  }
  return lines;
}

function warningText(warning: ClaimWarning): string {
  switch (warning.kind) {
    case 'fewer-nodes-than-target':
      return `WARNING: Not all replicas will be on distinct nodes (${warning.nodes} nodes)`;
    case 'nodes-too-close':
      return 'WARNING: Not all replicas will be on distinct nodes if one is down';
    case 'locations-too-close':
      return 'WARNING: Not all replicas will be on distinct locations';
    case 'nodes-without-partitions':
      return `WARNING: ${warning.nodes.join(', ')} will own no partition`;
  }
}

function transferText({ effect, fills, rate }: PlannedChanges): string {
  const total = effect.ownership.reduce((sum, { partitions }) => sum + partitions, 0);
  const lines = [
    `Transfers resulting from cluster changes: ${total}`,
    ...effect.ownership.map(
      ({ source, target, partitions }) =>
        `  ${partitions} transfers from '${source}' to '${target}'`,
    ),
  ];
  for (const { node, partitions, keys, sizeBytes, durationMs } of fills) {
    lines.push(
      `  '${node}' fills ${partitions} replicas: about ${keys} keys, ` +
        [sizeText(sizeBytes), durationText(durationMs)].join(', '),
    );
  }
  if (fills.length > 0) lines.push(rateText(rate));
  return lines.join('\n');
}

function rateText({ bytesPerSecond, measuredBy }: PlannedChanges['rate']): string {
  const rate = `${sizeText(bytesPerSecond)}/s`;
  return measuredBy.length === 0
    ? `  Times assume ${rate}: no node has filled enough since its start to tell`
    : `  Times are at ${rate}, as last measured by ${measuredBy.join(', ')}`;
}

function copiesText({ effect }: PlannedChanges): string {
  return effect.copies
    .map(
      ({ nVal, before, lowest, after }) =>
        `Live copies of each key with n_val ${nVal}: ${before} now, ` +
        `${lowest} at the lowest moment, ${after} afterwards`,
    )
    .join('\n');
}

function availability({ status, isUp }: MemberReport): string {
  const isExpected = (status !== 'down' && status !== 'invalid') === isUp;
  return `${isUp ? 'up' : 'down'}${isExpected ? '' : '!'}`;
}

export function share(partitions: number, ringSize: number): string {
  return `${((100 * partitions) / ringSize).toFixed(1)}%`;
}

function sizeText(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [sizeBytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

function durationText(durationMs: number): string {
  return durationMs < 1_000
    ? 'under a second'
    : formatDuration(Math.round(durationMs / 1_000) * 1_000);
}
