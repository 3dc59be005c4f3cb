/**
 * What a running node says of itself and of its cluster, judged. Pure, as `machine-judge.ts`.
 */

import type { ClusterReport } from '../../admin/cluster-status.ts';
import type { NodeStatus } from '../../admin/status-commands.ts';
import type { RingReadiness } from '../../admin/ring-commands.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import type { ClockFacts } from './machine-judge.ts';

/** A node of the release before says less. */
type ToldStatus = Partial<NodeStatus> & Pick<NodeStatus, 'isReady' | 'reason'>;

export interface NodeAnswers {
  readonly status: ToldStatus;
  readonly readiness: RingReadiness;
  readonly cluster: ClusterReport;
  readonly hints: { readonly total: number };
  /** Everything that it counts, as OpenMetrics text. */
  readonly metrics: string;
}

const BACKUP_AGE_MAX_DAYS = 7;

export function judgeNode(answers: NodeAnswers, nowMs: number): Finding[] {
  const { status, readiness, cluster, hints } = answers;
  return [
    status.isReady
      ? ok('node', status.reason)
      : fail('node', status.reason, 'it takes no clients until this has an end; see its log'),
    judgeMembers(readiness),
    judgePartitions(status),
    judgeTransfers(status),
    judgeReleases(cluster),
    hints.total === 0
      ? ok('hints', 'nothing owed')
      : warn('hints', `${hints.total} copies owed`, 'vertebra admin hints says to whom'),
    judgeBackup(answers.metrics, nowMs),
  ];
}

/** `reason`: as `askNode` gives it. One that hangs cannot be started: its data folder is in use. */
export function judgeAbsence(reason: string): Finding {
  const remedy = reason.startsWith('the node is not running')
    ? 'start it, and ask again'
    : reason.startsWith('only the user')
      ? 'ask as that user'
      : 'look at its process, its log and its disk, and ask again';
  return fail('node', reason, `${remedy}: what it would say was left out`);
}

function judgeMembers({ nodes, down, behind, unreadable }: RingReadiness): Finding {
  if (unreadable !== undefined) {
    return fail('members', unreadable, 'upgrade this node (docs/upgrade.md)');
  }
  if (down.length > 0) {
    const advice = 'start them, or see `vertebra admin ring-status` for why there is no link';
    return fail('members', `${down.join(', ')} down`, advice);
  }
  if (behind.length > 0) {
    return warn('members', `${behind.join(', ')} act on an older epoch`, 'ask again in a moment');
  }
  return ok('members', `${nodes.length} up, and agreed on the ring`);
}

function judgePartitions({ unsafePartitions, ringSize }: ToldStatus): Finding {
  const check = 'partitions';
  if (unsafePartitions === undefined) return ok(check, 'the node does not say');
  const { nodes, down, locations } = unsafePartitions;
  const of = `of ${ringSize}`;
  if (nodes > 0) {
    const found = `${nodes} ${of} have replicas that share a node`;
    return warn(check, found, 'add nodes: the n_val of the default type asks for more');
  }
  if (down > 0) {
    const found = `${down} ${of} have a replica on a node that is down or being refilled`;
    return warn(check, found, 'see to the members; do not stop another one meanwhile');
  }
  if (locations > 0) {
    const found = `${locations} ${of} have replicas that share a location needlessly`;
    return warn(check, found, '`vertebra admin cluster plan` shows what a change would make of it');
  }
  return ok(check, `all ${ringSize} have their replicas apart and up`);
}

function judgeTransfers({ transfersStalled = 0 }: ToldStatus): Finding {
  if (transfersStalled === 0) return ok('transfers', 'none stands still');
  const advice = '`vertebra admin transfers` says for how long, and what failed last';
  return warn('transfers', `${transfersStalled} come no nearer to their end`, advice);
}

/** What the node itself has measured of the others that are up. */
export function clocksOfStatus({ members = [] }: ToldStatus): ClockFacts[] {
  return members.flatMap(({ id, clockOffsetMs, clockUncertainMs = 0 }) =>
    clockOffsetMs === undefined
      ? []
      : [{ node: id, offsetMs: clockOffsetMs, uncertainMs: clockUncertainMs }],
  );
}

function judgeReleases({ members }: ClusterReport): Finding {
  const releases = new Set(members.flatMap(({ release }) => release ?? []));
  const found = [...releases].sort().join(', ');
  if (releases.size <= 1) return ok('releases', found);
  return warn(
    'releases',
    found,
    'end the upgrade: `vertebra admin member-status` says who runs what',
  );
}

function judgeBackup(metrics: string, nowMs: number): Finding {
  const [, seconds] =
    /^vertebra_backup_last_success_timestamp_seconds(?:\{[^}]*\})? (\S+)/m.exec(metrics) ?? [];
  const advice = 'vertebra admin backup create, by a timer';
  if (seconds === undefined || !(Number(seconds) > 0)) {
    return warn('backup', 'none yet, or none that was noted', advice);
  }
  const days = (nowMs / 1_000 - Number(seconds)) / 86_400;
  const found = `${days.toFixed(1)} days old`;
  return days > BACKUP_AGE_MAX_DAYS ? warn('backup', found, advice) : ok('backup', found);
}
