/**
 * What one node says, as rows of a table of all nodes: by command.
 */

import type { HotKeyReport } from '../admin/hot-key-commands.ts';
import type { SlowLogReport } from '../admin/slow-log-commands.ts';
import type { NodeStatus } from '../admin/status-commands.ts';
import type { LevelReport } from '../base/log-levels.ts';
import type { HintStatus } from '../repair/hinted-handoff.ts';
import type { ShownRate } from '../node/rates.ts';
import { slowRequestColumns, slowRequestRow } from './admin-load-command.ts';
import { RATE_COLUMNS, rateRow } from './admin-rate-command.ts';
import { levelsText } from './admin-log-command.ts';
import { backupStatusColumns, backupStatusRow, type BackupStatus } from './backup-text.ts';
import type { ToldTransfers } from './admin-transfers-command.ts';

/** Value by name and labels, as in `/metrics`. */
export type Series = ReadonlyMap<string, number>;

type Rows = readonly (readonly string[])[];

interface AllNodesTable<Answer> {
  /** After the node. */
  readonly columns: readonly string[];
  readonly rowsOf: (answer: Answer) => Rows;
  /** Of a node whose socket is on another machine; absent: its metrics do not tell. */
  readonly rowsOfSeries?: (series: Series) => Rows;
}

const MIB = 1024 * 1024;

/** A node of the release before says less. */
type ToldStatus = Omit<NodeStatus, 'unsafePartitions' | 'transfersStalled'> &
  Partial<Pick<NodeStatus, 'unsafePartitions' | 'transfersStalled'>>;

const status: AllNodesTable<ToldStatus> = {
  columns: ['serves', 'epoch', 'up', 'clocks', 'unsafe partitions', 'stalled'],
  rowsOf: ({ isReady, epoch, members, unsafePartitions, transfersStalled }) => {
    const offsets = members.flatMap(({ clockOffsetMs }) => clockOffsetMs ?? []);
    const upCount = members.filter(({ isUp }) => isUp).length;
    return [
      [
        isReady ? 'yes' : 'NO',
        `${epoch}`,
        `${upCount} of ${members.length}`,
        clocksText(offsets),
        unsafePartitions === undefined ? '?' : `${Math.max(...Object.values(unsafePartitions))}`,
        `${transfersStalled ?? '?'}`,
      ],
    ];
  },
  rowsOfSeries: (series) => [
    [
      series.get('node_ready') === 1 ? 'yes' : 'NO',
      told(series, 'membership_epoch'),
      `${told(series, 'members_up')} of ${told(series, 'members')}`,
      clocksText(labelled(series, 'peer_clock_offset_seconds').map((seconds) => seconds * 1_000)),
      `${Math.max(0, ...labelled(series, 'ring_unsafe_partitions'))}`,
      told(series, 'transfers_stalled'),
    ],
  ],
};

const hints: AllNodesTable<{ readonly targets: readonly HintStatus[] }> = {
  columns: ['owes to', 'objects', 'is'],
  rowsOf: ({ targets }) =>
    targets.length === 0
      ? [['nobody', '0', '']]
      : targets.map(({ target, count, isUp }) => [target, `${count}`, isUp ? 'up' : 'down']),
  rowsOfSeries: (series) => [['all together', told(series, 'handoff_hints', '0'), '']],
};

const transfers: AllNodesTable<ToldTransfers> = {
  columns: ['ring', 'filled', 'under way', 'keys/s', 'MiB/s', 'stalled', 'last failure'],
  rowsOf: ({ step, isFilled, active, stalled, lastFailure, ...rates }) => [
    [
      step?.phase ?? 'still',
      isFilled ? 'yes' : 'NO',
      `${active.length}`,
      `${Math.round(rates.keysPerSecond)}`,
      (rates.bytesPerSecond / MIB).toFixed(1),
      stalled?.map(({ work }) => work).join(' ') || '-',
      lastFailure === undefined ? '-' : `${lastFailure.code} with ${lastFailure.peer}`,
    ],
  ],
  rowsOfSeries: (series) => [
    ['?', '?', '?', '?', '?', told(series, 'transfers_stalled', '?'), '?'],
  ],
};

const slowlog: AllNodesTable<SlowLogReport> = {
  columns: slowRequestColumns,
  rowsOf: ({ entries }) => (entries.length === 0 ? [['none']] : entries.map(slowRequestRow)),
};

const hotkeys: AllNodesTable<HotKeyReport> = {
  columns: ['what', 'a second', 'of all', 'key'],
  rowsOf: ({ reads, writes }) => {
    const rows = [
      ...reads.keys.map((key) => ['reads', key] as const),
      ...writes.keys.map((key) => ['writes', key] as const),
    ].map(([what, { perSecond, share, type, bucket, keyFingerprint, key }]) => [
      what,
      perSecond.toFixed(1),
      `${(share * 100).toFixed(1)} %`,
      [type, bucket, `#${keyFingerprint}`, ...(key === undefined ? [] : [key])].join(' / '),
    ]);
    return rows.length === 0 ? [['no key stands out']] : rows;
  },
};

const logShow: AllNodesTable<LevelReport> = {
  columns: ['level'],
  rowsOf: (report) => [[levelsText(report).replaceAll(/\n */g, ' ')]],
};

const backup: AllNodesTable<BackupStatus> = {
  columns: backupStatusColumns,
  rowsOf: (status) => [backupStatusRow(status)],
};

const rates: AllNodesTable<readonly ShownRate[]> = {
  columns: RATE_COLUMNS,
  rowsOf: (report) => report.map(rateRow),
};

export const ALL_NODES_TABLES: Readonly<Record<string, AllNodesTable<never>>> = {
  status,
  'log show': logShow,
  'rate show': rates,
  'rate set': rates,
  'rate reset': rates,
  slowlog,
  hotkeys,
  transfers,
  hints,
  'backup status': backup,
  'backup cancel': backup,
};

/** The clock that is furthest off. */
function clocksText(offsetsMs: readonly number[]): string {
  if (offsetsMs.length === 0) return '-';
  return `±${Math.max(...offsetsMs.map(Math.abs)).toFixed(1)} ms`;
}

function told(series: Series, name: string, otherwise = '-'): string {
  const value = series.get(name);
  return value === undefined ? otherwise : `${value}`;
}

function labelled(series: Series, name: string): number[] {
  return [...series].filter(([each]) => each.startsWith(`${name}{`)).map(([, value]) => value);
}
