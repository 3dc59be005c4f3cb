/**
 * A capacity report as text: the cluster, its nodes, what it would be without each, and what to see to.
 */

import { amountText, shareText } from '../amount-text.ts';
import { textTable } from '../text-table.ts';
import type { CapacityReport, LossCapacity, NodeCapacity } from './capacity-judge.ts';

const DAY_SECONDS = 86_400;
const UNKNOWN = '?';

export function capacityText(report: CapacityReport): string {
  const { cluster, keys, nVal, storeBytes, storeGrowth, fullInDays, nodes } = report;
  const answered = nodes.filter(({ diskFreeBytes }) => diskFreeBytes !== undefined).length;
  const growth =
    storeGrowth === undefined
      ? 'too early to tell how it grows'
      : `growing ${amountText(storeGrowth * DAY_SECONDS)} a day`;
  const full =
    fullInDays === undefined ? '' : `, the first disk is full in ${daysText(fullInDays)}`;
  return [
    `${cluster}: ${answered} of ${nodes.length} nodes answered; about ${keys} keys, n_val ${nVal}`,
    `${amountText(storeBytes)} on their disks, ${growth}${full}`,
    '',
    textTable(NODE_HEADING, nodes.map(nodeRow)),
    '',
    textTable(['without', 'fits', 'copies', 'the others take (and have left)'], rowsOf(report)),
    ...(report.warnings.length > 0 ? ['', ...report.warnings.map((each) => `warn: ${each}`)] : []),
  ].join('\n');
}

const NODE_HEADING = [
  'node',
  'copies',
  'data',
  'a day',
  'disk free',
  'of',
  'a day',
  'full in',
  'memory left',
  'loop busy',
  'late',
];

function nodeRow(node: NodeCapacity): readonly string[] {
  const { storeGrowth, diskGrowth, growthSeconds = 0 } = node;
  const perDay = (growth: number | undefined): string =>
    growth === undefined ? UNKNOWN : amountText(growth * DAY_SECONDS);
  const isEarly = diskGrowth === undefined && node.fullInDays !== 0;
  const never = isEarly ? `? (${Math.floor(growthSeconds / 60)} min seen)` : 'never so';
  return [
    node.node,
    String(node.keys),
    amount(node.storeBytes),
    perDay(storeGrowth),
    amount(node.diskFreeBytes),
    amount(node.diskTotalBytes),
    perDay(diskGrowth),
    node.fullInDays === undefined ? never : daysText(node.fullInDays),
    amount(node.memoryHeadroomBytes),
    node.busyRatio === undefined ? UNKNOWN : shareText(node.busyRatio),
    node.delayMs === undefined ? UNKNOWN : `${node.delayMs.toFixed(1)} ms`,
  ];
}

function rowsOf({ losses }: CapacityReport): (readonly string[])[] {
  return losses.map(({ lost, fits, copies, gains }) => [
    lost,
    fits === undefined ? UNKNOWN : fits ? 'yes' : 'NO',
    String(copies),
    gains.length === 0 ? 'nothing: they hold it already' : gains.map(gainText).join(', '),
  ]);
}

function gainText({ node, bytes, leftBytes }: LossCapacity['gains'][number]): string {
  return `${node} ${amountText(bytes)} (${amount(leftBytes)})`;
}

function amount(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : amountText(bytes);
}

function daysText(days: number): string {
  if (days > 3_650) return 'over 10 years';
  return days >= 10 ? `${Math.floor(days)} days` : `${days.toFixed(1)} days`;
}
