/**
 * What `vertebra migrate` says to people.
 */

import type { CompareSummary } from '../migrate/compare.ts';
import type { CopySummary } from '../migrate/copy.ts';
import type { ExportSummary } from '../migrate/export-objects.ts';
import type { ImportSummary } from '../migrate/import-objects.ts';
import type { Plan, PlanItem } from '../migrate/plan.ts';
import type { Settled } from '../migrate/settlement.ts';
import { OUTCOMES } from '../migrate/tally.ts';
import type { Outcome } from '../migrate/tally.ts';
import { amountText } from './amount-text.ts';
import { textTable } from './text-table.ts';

const GOES_ON = 'the same command goes on with it';
const GIVEN_UP = `given up, because too many failed or would have been deleted; ${GOES_ON}`;

/** Who takes it for the last pass before a cut would leave writes behind. */
const BEHIND =
  'it went on where it was broken off: what the source has changed behind it since is carried by the next pass';

const MEANINGS: Readonly<Record<Outcome, string>> = {
  copied: 'written to the target',
  completed: 'siblings added that a broken-off copy had left out',
  deleted: 'deleted at the target, gone from the source',
  same: 'both ends held the same',
  unchanged: 'the source has not changed since it was copied',
  'done-before': 'done in this pass before it was broken off',
  gone: 'neither end has it any more',
  left: 'gone from the source, left at the target (see --deletes)',
  conflict: 'both ends hold their own; the target was left as it is',
  'deleted-at-target': 'deleted at the target, and left so',
  'not-carried': 'cannot be carried; see below',
  failed: 'an end refused or did not answer; see below',
};

export function copyText(summary: CopySummary): string {
  const { pass, isResumed, unsettledBefore } = summary;
  const before = `${unsettledBefore} objects that the pass met before it was broken off`;
  return [
    settledText(`pass ${pass}${isResumed ? ', gone on with' : ''}: `, summary),
    ...(unsettledBefore > 0
      ? [`${before} have to be looked at too; the next pass meets them again`]
      : []),
    ...(isResumed && summary.isWhole ? [BEHIND] : []),
  ].join('\n');
}

export function importText(summary: ImportSummary): string {
  const { damage } = summary;
  return settledText(summary.isResumed ? 'gone on with: ' : '', summary, damage);
}

export function exportText(summary: ExportSummary): string {
  const { isResumed, isWhole, objects, failed, fileBytes, seconds, reasons } = summary;
  return [
    `${objects} objects${isResumed ? ', some of them before it was broken off' : ''}, ` +
      `${amountText(summary.bytes)} read in ${seconds.toFixed(1)} s`,
    ...(fileBytes === undefined ? [] : [`the file has ${amountText(fileBytes)}`]),
    ...(failed > 0 ? [`${failed} objects could not be read and are not in the file`] : []),
    ...reasonLines(reasons),
    ...tombstoneLines(summary),
    ...endLines(isWhole, summary.brokenOff),
  ].join('\n');
}

function settledText(head: string, summary: Settled, damage?: string): string {
  const { outcomes, reasons, bytes, seconds, objects } = summary;
  const rows = OUTCOMES.flatMap((name) => {
    const count = outcomes[name] ?? 0;
    return count === 0 ? [] : [[String(count), name, MEANINGS[name]]];
  });
  return [
    `${head}${objects} objects, ${amountText(bytes)} in ${seconds.toFixed(1)} s ` +
      `(${(objects / seconds).toFixed(0)}/s)`,
    ...(rows.length > 0 ? [textTable(['objects', 'outcome', 'meaning'], rows)] : []),
    ...reasonLines(reasons),
    ...tombstoneLines(summary),
    ...(damage === undefined ? [] : [damage]),
    ...(damage !== undefined ? [] : endLines(summary.isWhole, summary.brokenOff)),
  ].join('\n');
}

function endLines(isWhole: boolean, brokenOff: string | undefined): readonly string[] {
  if (isWhole) return [];
  return [brokenOff === undefined ? GIVEN_UP : `broken off: ${brokenOff}; ${GOES_ON}`];
}

function tombstoneLines(summary: { readonly tombstoneSiblings: number }): readonly string[] {
  const count = summary.tombstoneSiblings;
  return count > 0 ? [`${count} deletions among siblings were left out`] : [];
}

export function compareText(summary: CompareSummary): string {
  const { objects, seconds, isSame, reasons, brokenOff } = summary;
  const verdict = isSame ? 'the ends hold the same' : 'the ends differ';
  const rows = (['equal', 'missing', 'differing', 'extra', 'failed'] as const)
    .filter((name) => name === 'equal' || summary[name] > 0)
    .map((name) => [String(summary[name]), name]);
  return [
    `${objects} objects compared in ${seconds.toFixed(1)} s`,
    textTable(['objects', 'finding'], rows),
    ...reasonLines(reasons),
    brokenOff === undefined ? verdict : `broken off: ${brokenOff}`,
  ].join('\n');
}

export function planText({ types, buckets, items }: Plan): string {
  return [
    `${types} bucket types and ${buckets} buckets compared`,
    ...items.flatMap(itemLines),
    ...(items.length === 0 ? ['nothing is missing and nothing differs'] : []),
  ].join('\n');
}

function itemLines(item: PlanItem): readonly string[] {
  switch (item.kind) {
    case 'type-missing': {
      const props = JSON.stringify({ props: item.properties });
      return [
        `type ${item.type} is missing at the target:`,
        `  vertebra admin bucket-type create ${item.type} '${props}'`,
        `  vertebra admin bucket-type activate ${item.type}`,
      ];
    }
    case 'type-differs':
      return [`type ${item.type} differs:`, ...item.differences.map(differenceLine)];
    case 'bucket-differs': {
      const name = `${item.type}/${item.bucket}`;
      const what = item.isSet ? 'differed, and was set' : 'differs';
      return [`bucket ${name} ${what}:`, ...item.differences.map(differenceLine)];
    }
  }
}

function differenceLine(difference: {
  readonly name: string;
  readonly source: unknown;
  readonly target: unknown;
}): string {
  const { name, source, target } = difference;
  return `  ${name}: ${JSON.stringify(source) ?? '-'} at the source, ${JSON.stringify(target) ?? '-'} at the target`;
}

function reasonLines(reasons: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(reasons)
    .sort(([, left], [, right]) => right - left)
    .map(([reason, count]) => `${count} ×  ${reason}`);
}
