/**
 * Whom a read asks first: no more replicas than its quorums need.
 *
 * The nearest come first: this node's own copy, then primaries, those that are late now after the
 * others, then stand-ins; among equals those with the fewest requests under way, so that reads go
 * round a replica that is slow or has much to do. The rest are asked when anything but the same
 * object comes back, or nothing in time.
 */

import type { NodeId } from '../base/names.ts';
import type { AnswerTimes } from './answer-times.ts';
import type { Participant } from './participants.ts';
import type { ReadRequirement } from './requirement.ts';

export interface ReadWave {
  readonly asked: readonly Participant[];
  /** Not asked yet; in the order of the list. */
  readonly spare: readonly Participant[];
}

export interface Nearness {
  readonly self: NodeId;
  /** Requests under way to a node. */
  readonly underWay: (node: NodeId) => number;
  readonly answerTimes: Pick<AnswerTimes, 'isLate'>;
}

/** A difference in load below this is chance, and the order of the list spreads the reads. */
const LOAD_STEP = 32;

/** Distances: further than any load, and than any primary. */
const LATE = 1e6;
const STAND_IN_HERE = 1e7;
const STAND_IN = 2e7;

const NOBODY: readonly Participant[] = [];

/** `asked` can meet every quorum that all participants together can meet. */
export function firstWave(
  participants: readonly Participant[],
  required: ReadRequirement,
  nearness: Nearness,
): ReadWave {
  const asked: Participant[] = [];
  const left = [...participants];
  const missing = {
    positions: Math.max(1, required.r),
    primaries: Math.max(1, required.pr),
    nodes: required.nodeConfirms,
  };
  while (left.length > 0) {
    if (missing.positions <= 0 && missing.primaries <= 0 && missing.nodes <= 0) break;
    const nearest = takeNearest(left, nearness);
    asked.push(nearest);
    missing.positions -= nearest.positionCount;
    missing.primaries -= nearest.primaryCount;
    missing.nodes -= 1;
  }
  return { asked, spare: left };
}

/** Everyone at once. */
export function wholeWave(participants: readonly Participant[]): ReadWave {
  return { asked: participants, spare: NOBODY };
}

function takeNearest(left: Participant[], nearness: Nearness): Participant {
  let nearest = 0;
  let shortest = Infinity;
  for (const [index, participant] of left.entries()) {
    const distance = distanceOf(participant, nearness);
    if (distance >= shortest) continue;
    nearest = index;
    shortest = distance;
  }
  return left.splice(nearest, 1)[0] as Participant;
}

function distanceOf({ node, primaryCount }: Participant, nearness: Nearness): number {
  const { self, underWay, answerTimes } = nearness;
  // Without a primary's word "no copy" proves nothing, so a stand-in comes last.
  if (primaryCount === 0) return node === self ? STAND_IN_HERE : STAND_IN;
  if (node === self) return -1;
  return Math.floor(underWay(node) / LOAD_STEP) + (answerTimes.isLate(node) ? LATE : 0);
}
