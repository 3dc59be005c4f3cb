/**
 * The judges of data types, which know what clients did and what is there at the end, and no state.
 *
 * Each returns its findings in words. An operation that was not acknowledged may have been carried
 * out or not; one that was, was carried out once.
 */

import type { NodeService } from '../../src/node/node-service.ts';
import type { Addition, DatatypeHistory, Removal } from './datatype-history.ts';
import { seenIn } from './datatype-parts.ts';

/** By what a client of the node is shown. */
export async function judgeDatatype(
  node: Pick<NodeService, 'fetchDatatype'>,
  history: DatatypeHistory,
): Promise<string[]> {
  const { key, datatype, additions, increments } = history;
  const outcome = await node.fetchDatatype({ key, r: 'all' });
  if (outcome.kind === 'not-found') {
    const isLost = [...additions, ...increments].some(({ isAcked }) => isAcked);
    return isLost ? ['all of it is lost'] : [];
  }
  if (outcome.kind !== 'found') return [`cannot be fetched: ${outcome.kind}`];
  const { parts, count } = seenIn(outcome.shown.value);
  if (datatype === 'hll') return judgeEstimate(history, Number(count));
  return [...judgeCount(history, count), ...judgeParts(history, parts)];
}

/** A count is the sum of its increments. */
export function judgeCount({ increments }: DatatypeHistory, value: bigint): string[] {
  const findings: string[] = [];
  let rest = value;
  for (const [place, { isAcked }] of increments.entries()) {
    const times = rest % 4n;
    rest /= 4n;
    if (times !== 0n && times !== 1n) {
      findings.push(`increment ${place} was counted ${times} times`);
    }
    if (times === 0n && isAcked) findings.push(`increment ${place} was acknowledged and is lost`);
  }
  if (rest !== 0n) findings.push(`a count of ${value} is not made of increments`);
  return findings;
}

/**
 * A part is there if it was added, and nothing that had seen it took it away. Between two additions
 * of one part only those are told apart that began after what was seen.
 */
export function judgeParts(
  { additions, removals }: DatatypeHistory,
  parts: ReadonlySet<string>,
): string[] {
  const findings: string[] = [];
  const additionsByPart = groupByPart(additions);
  const removalsByPart = groupByPart(removals);
  for (const part of parts) {
    if (!additionsByPart.has(part)) findings.push(`${part} was never added`);
  }
  for (const [part, added] of additionsByPart) {
    const removed = removalsByPart.get(part) ?? [];
    const isThere = parts.has(part);
    const [only, ...others] = added;
    const mustStay = added.some(
      (addition) => addition.isAcked && !removed.some((removal) => maySee(removal, addition)),
    );
    // What shows a part that was added once has seen that addition.
    const mustGo =
      only !== undefined &&
      others.length === 0 &&
      removed.some(({ isAcked, view }) => isAcked && view.parts.has(part));
    if (mustStay && !isThere) findings.push(`${part} is lost though nothing removed it`);
    if (mustGo && isThere) findings.push(`${part} is back though it was seen and removed`);
  }
  return findings;
}

function maySee({ view, part }: Removal, addition: Addition): boolean {
  return view.parts.has(part) && view.atMs >= addition.startedMs;
}

/** At so few elements two of them hardly ever share a register, and the estimate is a count. */
const ESTIMATE_SLACK = 2;

/** An estimate is that of the elements added. */
export function judgeEstimate({ additions }: DatatypeHistory, count: number): string[] {
  const acked = new Set(additions.filter(({ isAcked }) => isAcked).map(({ part }) => part));
  const all = new Set(additions.map(({ part }) => part));
  const isRight = count >= acked.size - ESTIMATE_SLACK && count <= all.size + ESTIMATE_SLACK;
  return isRight ? [] : [`estimated at ${count}, with ${acked.size} to ${all.size} elements added`];
}

function groupByPart<T extends { readonly part: string }>(records: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const record of records)
    groups.set(record.part, [...(groups.get(record.part) ?? []), record]);
  return groups;
}
