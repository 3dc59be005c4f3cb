/**
 * The counters of what is refused or fails: those that the dashboard lists, and those that alerts
 * look at.
 */

import { METRIC_DESCRIPTIONS } from '../telemetry/metric-catalogue.ts';
import { openMetricsName } from '../telemetry/metrics-text.ts';
import type { RefusalView } from './page/snapshot.ts';
import type { RiseWatch } from './rise-watch.ts';

/** In the words of the catalogue. */
const LISTED = [
  'requests_refused',
  'node_get_fsm_errors',
  'node_get_fsm_rejected',
  'node_put_fsm_rejected',
  'coverage_refused',
  'queries_refused_total',
  'queries_overloaded_total',
  'query_timeouts_total',
  'mapreduce_failures_total',
  'precommit_fail',
  'hooks_failed_total',
  'disk_refused_total',
  'replica_overload',
  'store_writes_refused_total',
  'store_reads_refused_total',
  'http_connections_refused_total',
  'http_bugs_total',
  'pbc_connections_refused_total',
  'pbc_faults_total',
  'pbc_bugs_total',
  'http_auth_failed_total',
  'pbc_auth_failed_total',
  'security_refused_total',
  'security_denied_total',
  'nodes_lost_total',
  'peer_links_lost',
  'peer_links_refused',
  'peer_requests_refused',
  'peer_requests_timed_out',
  'peer_served_expired',
  'peer_served_refused',
  'hints_failed_total',
  'handoff_broken_off',
  'handoff_refused',
  'transfer_broken_off',
  'transfer_refused',
  'anti_entropy_failed',
  'read_repairs_failed_total',
  'state_changes_failed_total',
  'backup_failures_total',
] as const;

const OF_ALERTS = [
  'membership.diverged',
  'store_corrupt_reads_total',
  'replica_corrupt',
  'scrub_damaged_total',
  'scrub_refused_total',
  'audit_files_touched_total',
  'anti_entropy_rounds',
  'tls_renewals_failed_total',
  'client_tls_renewals_failed_total',
  'backup_base_damaged_total',
  'replication_queue_damaged_total',
  'replication_queue_disk_errors_total',
  'replication_refused_total',
  'metrics_series_refused',
] as const;

/** These are no failures. */
const UNLISTED: ReadonlySet<string> = new Set(['anti_entropy_rounds']);

/** As samples are named in `/metrics`, without the prefix. */
export const WATCHED_COUNTERS: readonly string[] = [...LISTED, ...OF_ALERTS].map(sampleName);

/** Those that have counted; what rose last comes first. */
export function refusalsOf(
  rises: RiseWatch,
  nodes: readonly string[],
  nowMs: number,
): readonly RefusalView[] {
  const views = [...LISTED, ...OF_ALERTS].flatMap((name): RefusalView[] => {
    if (UNLISTED.has(name)) return [];
    const counter = sampleName(name);
    const byNode = nodes.flatMap((node) => {
      const rise = rises.riseOf(node, counter);
      if (rise === undefined || rise.total === 0) return [];
      const { total, risen, lastMs } = rise;
      return [{ node, total, risen, lastAgoMs: lastMs === undefined ? undefined : nowMs - lastMs }];
    });
    const meaning = METRIC_DESCRIPTIONS.get(name)?.help ?? name;
    return byNode.length === 0 ? [] : [{ counter: `vertebra_${counter}`, meaning, byNode }];
  });
  return views.sort((left, right) => newest(left) - newest(right));
}

function newest({ byNode }: RefusalView): number {
  return Math.min(...byNode.map(({ lastAgoMs }) => lastAgoMs ?? Number.MAX_SAFE_INTEGER));
}

function sampleName(name: string): string {
  return `${openMetricsName(name, 'counter').replace(/^vertebra_/, '')}_total`;
}
