/**
 * Lineages: which state follows which.
 *
 * Each state carries the hashes of those before it. So a node that has missed some epochs can still
 * tell whether the state it proposed was one of them, and two histories that began differently
 * never mix, because a state is voted on only by those who hold the state it names as its parent.
 *
 * A lineage is one such history. Recovery without a majority begins a new one, which names those it
 * came from: whoever is still in one of them may follow, and nobody goes back.
 */

import type { Epoch } from '../base/names.ts';
import type { ClusterState } from './cluster-state.ts';
import { ANCESTORS_MAX, hashState } from './state-document.ts';

/** The parts of a state that a change may replace. */
export type StateParts = Partial<
  Omit<ClusterState, 'clusterName' | 'epoch' | 'ancestors' | 'lineages'>
>;

/** The state of the next epoch: `parts` over `state`. */
export function successorOf(state: ClusterState, parts: StateParts): ClusterState {
  return {
    ...state,
    ...parts,
    epoch: (state.epoch + 1) as Epoch,
    ancestors: [hashState(state).toString('hex'), ...state.ancestors].slice(0, ANCESTORS_MAX),
  };
}

/** Whether `next` is of the epoch after `state`'s and names it as its parent. */
export function succeeds(next: ClusterState, state: ClusterState): boolean {
  return (
    next.epoch === state.epoch + 1 &&
    next.clusterName === state.clusterName &&
    next.lineages[0]?.id === state.lineages[0]?.id &&
    next.ancestors[0] === hashState(state).toString('hex')
  );
}

/** Whether `earlier` is `state` or what it came from; `unknown` if that is too long ago to tell. */
export function descent(state: ClusterState, earlier: ClusterState): 'yes' | 'no' | 'unknown' {
  const lineage = earlier.lineages[0]?.id;
  if (lineage !== state.lineages[0]?.id) {
    return state.lineages.some(({ id }) => id === lineage) ? 'unknown' : 'no';
  }
  if (earlier.epoch > state.epoch) return 'no';
  if (earlier.epoch === state.epoch) return isSame(state, earlier) ? 'yes' : 'no';
  const ancestor = state.ancestors[state.epoch - 1 - earlier.epoch];
  if (ancestor === undefined) return 'unknown';
  return ancestor === hashState(earlier).toString('hex') ? 'yes' : 'no';
}

function isSame(left: ClusterState, right: ClusterState): boolean {
  return left === right || hashState(left).equals(hashState(right));
}
