/**
 * The alerts of `docs/alerts.yml` as functions of what a round has gathered, so that the dashboard
 * can say which would fire. A test holds names, severities and durations of both to each other.
 *
 * Where a rule of Prometheus looks back over hours, this one knows only what it has seen since it
 * was started.
 */

import type { Rise } from './rise-watch.ts';

export interface AlertFacts {
  readonly node: string;
  readonly isSilent: boolean;
  /** Of its metrics; absent where there is nothing to tell. */
  readonly value: (name: string) => number | undefined;
  /** Of series with labels, the one furthest from zero, without its sign. */
  readonly largest: (name: string) => number | undefined;
  readonly rise: (counter: string) => Rise | undefined;
  /** Over the last five minutes, a second; undefined: too early to tell. */
  readonly refusedRatio: number | undefined;
  /** The highest epoch that any node acts on. */
  readonly newestEpoch: number | undefined;
  readonly nowMs: number;
  readonly wallSeconds: number;
}

export interface AlertRule {
  readonly name: string;
  readonly severity: 'page' | 'ticket';
  /** For how long the condition must hold. */
  readonly forMs: number;
  readonly meaning: string;
  /** Whether it says something about a node that does not answer. */
  readonly isOfSilence?: true;
  readonly holds: (facts: AlertFacts) => boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const DAY_SECONDS = 86_400;
const CERTIFICATE_SECONDS = 21 * DAY_SECONDS;

function is(name: string, wanted: number): AlertRule['holds'] {
  return ({ value }) => value(name) === wanted;
}

function rose(withinMs: number, ...counters: readonly string[]): AlertRule['holds'] {
  return ({ rise, nowMs }) =>
    counters.some((counter) => nowMs - (rise(counter)?.lastMs ?? -Infinity) < withinMs);
}

function endsSoon(gauge: string, renewalsFailed: string): AlertRule['holds'] {
  const failed = rose(HOUR_MS, renewalsFailed);
  return (facts) =>
    (facts.value(gauge) ?? Infinity) - facts.wallSeconds < CERTIFICATE_SECONDS || failed(facts);
}

/** In the order in which they are shown where they are equally grave. */
export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: 'VertebraNodeNotReady',
    severity: 'page',
    forMs: 2 * MINUTE_MS,
    meaning: 'The node does not serve: /readyz and vertebra admin status say why.',
    isOfSilence: true,
    holds: ({ isSilent, value }) => isSilent || value('node_ready') === 0,
  },
  {
    name: 'VertebraMembersDisagree',
    severity: 'page',
    forMs: 2 * MINUTE_MS,
    meaning:
      'It acts on an older epoch than others: it is cut off from those that know the newer one.',
    holds: ({ value, newestEpoch = 0 }) => (value('membership_epoch') ?? newestEpoch) < newestEpoch,
  },
  {
    name: 'VertebraMemberUnreachable',
    severity: 'page',
    forMs: 5 * MINUTE_MS,
    meaning: 'The node does not see another: look at both, and at the network between them.',
    holds: ({ value }) => (value('members_up') ?? 0) < (value('members') ?? 0),
  },
  {
    name: 'VertebraStatesDiverged',
    severity: 'page',
    forMs: 0,
    meaning: 'Two states of one epoch: stop changing the cluster, keep all logs and data folders.',
    holds: rose(HOUR_MS, 'membership_diverged_total'),
  },
  {
    name: 'VertebraVoteLost',
    severity: 'ticket',
    forMs: 10 * MINUTE_MS,
    meaning: 'The node may have forgotten what it promised, and does not vote.',
    holds: is('membership_votes', 0),
  },
  {
    name: 'VertebraOlderCopyFound',
    severity: 'ticket',
    forMs: 0,
    meaning:
      'The node was started on an older copy of its disk: find out who put it back, and what it was asked since.',
    // It is counted at the start, so it does not rise.
    holds: ({ value, wallSeconds }) =>
      (value('older_copies_found_total') ?? 0) > 0 &&
      wallSeconds - (value('process_start_time_seconds') ?? 0) < DAY_SECONDS,
  },
  {
    name: 'VertebraStoreFenced',
    severity: 'page',
    forMs: 0,
    meaning: 'A write to disk failed: see to the disk, then start the node again.',
    holds: is('store_fenced', 1),
  },
  {
    name: 'VertebraDamageFound',
    severity: 'page',
    forMs: 0,
    meaning:
      'Checksums were wrong; copies are fetched again from other replicas. Look at the disk.',
    holds: rose(
      HOUR_MS,
      'store_corrupt_reads_total',
      'replica_corrupt_total',
      'scrub_damaged_total',
    ),
  },
  {
    name: 'VertebraDamageStays',
    severity: 'page',
    forMs: 0,
    meaning: 'No other replica had a copy to replace a damaged one.',
    holds: rose(DAY_MS, 'scrub_refused_total'),
  },
  {
    name: 'VertebraTableDamaged',
    severity: 'page',
    forMs: 0,
    meaning:
      'A table of the store is damaged: see to the disk, stop the node and run repair-store.',
    holds: ({ value }) => (value('store_damaged_tables') ?? 0) > 0,
  },
  {
    name: 'VertebraDiskFilling',
    severity: 'ticket',
    forMs: 10 * MINUTE_MS,
    meaning: 'Less than 15% of the disk is free: add room or nodes.',
    holds: ({ value }) =>
      (value('disk_free_bytes') ?? Infinity) / (value('disk_total_bytes') ?? 1) < 0.15,
  },
  {
    name: 'VertebraDiskFull',
    severity: 'page',
    forMs: 0,
    meaning: 'New data is refused for want of room; reads, deletes and repair go on.',
    holds: is('disk_full', 1),
  },
  {
    name: 'VertebraDiskFullSoon',
    severity: 'ticket',
    forMs: HOUR_MS,
    meaning:
      'At the rate of the last days the disk is full within a week: vertebra admin capacity.',
    holds: ({ value }) => {
      const growth = value('disk_growth_bytes_per_second') ?? 0;
      const room = (value('disk_free_bytes') ?? Infinity) - (value('disk_reserve_bytes') ?? 0);
      return growth > 0 && room / growth < 7 * DAY_SECONDS;
    },
  },
  {
    name: 'VertebraAuditFailing',
    severity: 'page',
    forMs: 0,
    meaning: 'Changes cannot be recorded, or somebody else has changed the audit log.',
    holds: (facts) =>
      facts.value('audit_failing') === 1 || rose(HOUR_MS, 'audit_files_touched_total')(facts),
  },
  {
    name: 'VertebraRequestsRefused',
    severity: 'ticket',
    forMs: 5 * MINUTE_MS,
    meaning:
      'More than one request in a thousand is refused: more is asked than can be done in time.',
    holds: ({ refusedRatio = 0 }) => refusedRatio > 0.001,
  },
  {
    name: 'VertebraEventLoopSlow',
    severity: 'ticket',
    forMs: 5 * MINUTE_MS,
    meaning: 'The node has no processor time to spare, or something computes for long.',
    holds: ({ value }) => (value('event_loop_delay_ms 0.99') ?? 0) > 100,
  },
  {
    name: 'VertebraHintsStay',
    severity: 'ticket',
    forMs: HOUR_MS,
    meaning: 'What is owed to others is not taken though all are up: vertebra admin hints.',
    holds: ({ value }) =>
      (value('handoff_hints') ?? 0) > 0 && value('members_up') === value('members'),
  },
  {
    name: 'VertebraClockOff',
    severity: 'ticket',
    forMs: MINUTE_MS,
    meaning: 'Its clock and another member’s differ by more than half a second: see to NTP.',
    holds: ({ largest }) => (largest('peer_clock_offset_seconds') ?? 0) > 0.5,
  },
  {
    name: 'VertebraPartitionsUnsafe',
    severity: 'ticket',
    forMs: 10 * MINUTE_MS,
    meaning: 'Keys have fewer places than their n_val: do not stop another node.',
    holds: ({ value }) => (value('ring_unsafe_partitions') ?? 0) > 0,
  },
  {
    name: 'VertebraTransfersStalled',
    severity: 'ticket',
    forMs: 0,
    meaning: 'Moving replicas comes no nearer to its end: vertebra admin transfers says which.',
    holds: ({ value }) => (value('transfers_stalled') ?? 0) > 0,
  },
  {
    name: 'VertebraFilesRunOut',
    severity: 'ticket',
    forMs: 5 * MINUTE_MS,
    meaning: 'More than 80% of the file descriptors are open: raise LimitNOFILE.',
    holds: ({ value }) =>
      (value('process_open_fds') ?? 0) / (value('process_max_fds') ?? Infinity) > 0.8,
  },
  {
    name: 'VertebraTombstonesStay',
    severity: 'ticket',
    forMs: DAY_MS,
    meaning:
      'A member is away, and until it is back or taken out nothing that was deleted is reaped.',
    holds: ({ value }) => (value('reaper_members_awaited') ?? 0) > 0,
  },
  {
    name: 'VertebraAntiEntropyStalled',
    severity: 'ticket',
    forMs: 0,
    meaning: 'No round has ended for a day: vertebra admin repair status.',
    holds: ({ rise, nowMs }) => {
      const rounds = rise('anti_entropy_rounds_total');
      return rounds !== undefined && nowMs - (rounds.lastMs ?? rounds.sinceMs) >= DAY_MS;
    },
  },
  {
    name: 'VertebraCertificateEnds',
    severity: 'ticket',
    forMs: 0,
    meaning:
      'The certificate of tls.peer ends in less than 21 days, or its new files cannot be used.',
    holds: endsSoon('tls_certificate_expiry_timestamp_seconds', 'tls_renewals_failed_total'),
  },
  {
    name: 'VertebraClientCertificateEnds',
    severity: 'ticket',
    forMs: 0,
    meaning:
      'The certificate of tls.client ends in less than 21 days, or its new files cannot be used.',
    holds: endsSoon(
      'client_tls_certificate_expiry_timestamp_seconds',
      'client_tls_renewals_failed_total',
    ),
  },
  {
    name: 'VertebraRevocationsEnd',
    severity: 'page',
    forMs: 0,
    meaning:
      'A list of revoked certificates ends within a day, and nobody is let in then: replace it.',
    holds: ({ value, wallSeconds }) =>
      ['tls_crl_expiry_timestamp_seconds', 'client_tls_crl_expiry_timestamp_seconds'].some(
        (name) => (value(name) ?? Infinity) - wallSeconds < DAY_SECONDS,
      ),
  },
  {
    name: 'VertebraBackupOld',
    severity: 'ticket',
    forMs: 0,
    meaning: 'No backup has succeeded for two days.',
    holds: ({ value, wallSeconds }) =>
      wallSeconds - (value('backup_last_success_timestamp_seconds') ?? Infinity) > 2 * DAY_SECONDS,
  },
  {
    name: 'VertebraBackupDamaged',
    severity: 'ticket',
    forMs: 0,
    meaning: 'An older backup is damaged: the newest one is not, but verify all that are kept.',
    holds: rose(DAY_MS, 'backup_base_damaged_total'),
  },
  {
    name: 'VertebraReplicationBehind',
    severity: 'page',
    forMs: 5 * MINUTE_MS,
    meaning: 'What was written elsewhere more than a minute ago is not here.',
    holds: ({ largest }) => (largest('replication_lag_seconds') ?? 0) > 60,
  },
  {
    name: 'VertebraReplicationQueueFull',
    severity: 'ticket',
    forMs: 0,
    meaning: 'Keys were dropped from a replication queue: only a full-sync finds them.',
    holds: ({ largest }) => (largest('replication_queue_overflowed') ?? 0) > 0,
  },
  {
    name: 'VertebraReplicationQueueDisk',
    severity: 'ticket',
    forMs: 0,
    meaning: 'Files of a replication queue are damaged or cannot be written: the log says why.',
    holds: rose(HOUR_MS, 'replication_queue_damaged_total', 'replication_queue_disk_errors_total'),
  },
  {
    name: 'VertebraReplicationRefused',
    severity: 'ticket',
    forMs: 0,
    meaning: 'Objects of another cluster cannot be taken: the log says why and of which bucket.',
    holds: rose(HOUR_MS, 'replication_refused_total'),
  },
  {
    name: 'VertebraFullSyncOld',
    severity: 'ticket',
    forMs: 0,
    meaning: 'Nothing has been compared with another cluster for a day.',
    holds: ({ largest }) => (largest('replication_full_sync_age_seconds') ?? 0) > DAY_SECONDS,
  },
  {
    name: 'VertebraMetricsRefused',
    severity: 'ticket',
    forMs: 0,
    meaning: 'There are more series than a node keeps: figures are missing.',
    holds: rose(HOUR_MS, 'metrics_series_refused_total'),
  },
];
