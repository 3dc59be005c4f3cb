/**
 * The dashboard's alerts are those of docs/alerts.yml, and fire when their condition has held for
 * long enough.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { parseDurationMs } from '../../src/config/units.ts';
import { ALERT_RULES, type AlertFacts } from '../../src/dashboard/alert-rules.ts';
import { AlertWatch } from '../../src/dashboard/alert-watch.ts';
import { WATCHED_COUNTERS } from '../../src/dashboard/refusal-counters.ts';
import type { Rise } from '../../src/dashboard/rise-watch.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
}

const PATH = join(import.meta.dirname, '../../../docs/alerts.yml');
const { groups } = parse(readFileSync(PATH, 'utf8')) as { groups: { rules: Rule[] }[] };
const written = groups.flatMap(({ rules }) => rules);

t.test('names, severities and times are those of the rules for Prometheus, in their order', (t) => {
  const expected = written.map(({ alert, expr, labels, for: time }) => {
    const [, over = '0s'] = /min_over_time\(\S+\[(\w+)\]\)/.exec(expr) ?? [];
    return { name: alert, severity: labels.severity, forMs: parseDurationMs(time ?? over) };
  });
  t.same(
    ALERT_RULES.map(({ name, severity, forMs }) => ({ name, severity, forMs })),
    expected,
  );
  t.end();
});

t.test('what a rule looks at over time is watched', (t) => {
  const looked = written.flatMap(({ expr }) =>
    [...expr.matchAll(/increase\(vertebra_(\w+)\[/g)].map(([, counter]) => counter ?? ''),
  );
  t.same(
    looked.filter((counter) => !WATCHED_COUNTERS.includes(counter)),
    [],
  );
  t.end();
});

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function factsOf(
  values: Readonly<Record<string, number>>,
  said: Partial<AlertFacts> = {},
): AlertFacts {
  return {
    node: 'a',
    isSilent: false,
    value: (name) => values[name],
    largest: (name) => values[name],
    rise: () => undefined,
    refusedRatio: 0,
    newestEpoch: 7,
    nowMs: 3 * DAY_MS,
    wallSeconds: 1_000_000_000,
    ...said,
  };
}

function risen(counter: string, rise: Partial<Rise>): Partial<AlertFacts> {
  const whole = { total: 1, risen: 1, lastMs: undefined, sinceMs: 0, ...rise };
  return { rise: (name) => (name === counter ? whole : undefined) };
}

const WELL = {
  node_ready: 1,
  members: 3,
  members_up: 3,
  membership_votes: 1,
  store_fenced: 0,
  membership_epoch: 7,
};

t.test('a node that is well raises nothing, and each trouble its own alert', (t) => {
  const raised = (facts: AlertFacts): string[] =>
    ALERT_RULES.filter(({ holds }) => holds(facts)).map(({ name }) => name.replace('Vertebra', ''));
  t.same(raised(factsOf(WELL)), []);
  const troubles: [name: string, facts: AlertFacts][] = [
    ['NodeNotReady', factsOf({ ...WELL, node_ready: 0 })],
    ['MembersDisagree', factsOf({ ...WELL, membership_epoch: 6 })],
    ['MemberUnreachable', factsOf({ ...WELL, members_up: 2 })],
    [
      'StatesDiverged',
      factsOf(WELL, risen('membership_diverged_total', { lastMs: 3 * DAY_MS - 5 })),
    ],
    ['VoteLost', factsOf({ ...WELL, membership_votes: 0 })],
    [
      'OlderCopyFound',
      factsOf({
        ...WELL,
        older_copies_found_total: 1,
        process_start_time_seconds: 1_000_000_000 - 86_399,
      }),
    ],
    ['StoreFenced', factsOf({ ...WELL, store_fenced: 1 })],
    ['DamageFound', factsOf(WELL, risen('replica_corrupt_total', { lastMs: 3 * DAY_MS - 5 }))],
    ['DamageStays', factsOf(WELL, risen('scrub_refused_total', { lastMs: 2 * DAY_MS + 5 }))],
    ['TableDamaged', factsOf({ ...WELL, store_damaged_tables: 1 })],
    ['DiskFilling', factsOf({ ...WELL, disk_free_bytes: 14, disk_total_bytes: 100 })],
    ['DiskFull', factsOf({ ...WELL, disk_full: 1 })],
    [
      'DiskFullSoon',
      factsOf({ ...WELL, disk_growth_bytes_per_second: 1, disk_free_bytes: 600_000 }),
    ],
    ['AuditFailing', factsOf({ ...WELL, audit_failing: 1 })],
    ['RequestsRefused', factsOf(WELL, { refusedRatio: 0.01 })],
    ['EventLoopSlow', factsOf({ ...WELL, 'event_loop_delay_ms 0.99': 101 })],
    ['HintsStay', factsOf({ ...WELL, handoff_hints: 1 })],
    ['ClockOff', factsOf({ ...WELL, peer_clock_offset_seconds: 0.6 })],
    ['PartitionsUnsafe', factsOf({ ...WELL, ring_unsafe_partitions: 8 })],
    ['TransfersStalled', factsOf({ ...WELL, transfers_stalled: 1 })],
    ['FilesRunOut', factsOf({ ...WELL, process_open_fds: 900, process_max_fds: 1_024 })],
    ['TombstonesStay', factsOf({ ...WELL, reaper_members_awaited: 1 })],
    [
      'AntiEntropyStalled',
      factsOf(WELL, risen('anti_entropy_rounds_total', { lastMs: 2 * DAY_MS })),
    ],
    [
      'CertificateEnds',
      factsOf({ ...WELL, tls_certificate_expiry_timestamp_seconds: 1_000_086_400 }),
    ],
    [
      'ClientCertificateEnds',
      factsOf(WELL, risen('client_tls_renewals_failed_total', { lastMs: 3 * DAY_MS })),
    ],
    [
      'RevocationsEnd',
      factsOf({ ...WELL, client_tls_crl_expiry_timestamp_seconds: 1_000_080_000 }),
    ],
    ['BackupOld', factsOf({ ...WELL, backup_last_success_timestamp_seconds: 999_800_000 })],
    [
      'BackupDamaged',
      factsOf(WELL, risen('backup_base_damaged_total', { lastMs: 2 * DAY_MS + 5 })),
    ],
    ['ReplicationBehind', factsOf({ ...WELL, replication_lag_seconds: 61 })],
    ['ReplicationQueueFull', factsOf({ ...WELL, replication_queue_overflowed: 1 })],
    [
      'ReplicationQueueDisk',
      factsOf(WELL, risen('replication_queue_damaged_total', { lastMs: 3 * DAY_MS })),
    ],
    [
      'ReplicationRefused',
      factsOf(WELL, risen('replication_refused_total', { lastMs: 3 * DAY_MS })),
    ],
    ['FullSyncOld', factsOf({ ...WELL, replication_full_sync_age_seconds: 86_401 })],
    [
      'MetricsRefused',
      factsOf(WELL, risen('metrics_series_refused_total', { lastMs: 3 * DAY_MS })),
    ],
  ];
  t.same(
    troubles.map(([name]) => `Vertebra${name}`),
    ALERT_RULES.map(({ name }) => name),
  );
  for (const [name, facts] of troubles) t.same(raised(facts), [name]);
  const old = risen('membership_diverged_total', { lastMs: 3 * DAY_MS - HOUR_MS });
  t.same(raised(factsOf(WELL, old)), [], 'what rose an hour ago is over');
  const yesterday = { older_copies_found_total: 1, process_start_time_seconds: 999_913_600 };
  t.same(raised(factsOf({ ...WELL, ...yesterday })), [], 'and what was found a day ago');
  t.end();
});

t.test(
  'an alert is on the way until its condition has held for its time, and begins anew after a pause',
  (t) => {
    const watch = new AlertWatch();
    const at = (nowMs: number, isSilent: boolean) =>
      watch.judge([factsOf(isSilent ? {} : WELL, { isSilent, nowMs, newestEpoch: undefined })]);
    t.match(at(0, true), [{ name: 'VertebraNodeNotReady', isFiring: false, holdsForMs: 0 }]);
    t.match(at(119_999, true), [{ isFiring: false }]);
    t.match(at(120_000, true), [{ isFiring: true, holdsForMs: 120_000 }]);
    t.same(at(121_000, false), []);
    t.match(at(122_000, true), [{ isFiring: false, holdsForMs: 0 }]);
    t.end();
  },
);
