/** Lineages: a state knows its parents, and strangers are told apart. */

import t from 'tap';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { descent, succeeds, successorOf } from '../../src/membership/lineage.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { stateOf } from './states.ts';

/** The states of `count` epochs, one after the other. */
function historyOf(count: number): ClusterState[] {
  const states = [stateOf(3)];
  while (states.length < count) {
    const newest = states.at(-1) as ClusterState;
    states.push(successorOf(newest, { defaultProperties: { n_val: states.length } }));
  }
  return states;
}

t.test('a successor is one epoch on and succeeds just its parent', (t) => {
  const [first, second, third] = historyOf(3) as [ClusterState, ClusterState, ClusterState];
  t.equal(second.epoch, 2);
  t.ok(succeeds(second, first));
  t.ok(succeeds(third, second));
  t.notOk(succeeds(third, first));
  t.notOk(succeeds(second, stateOf(4)), 'another first state is another history');
  t.notOk(succeeds({ ...second, clusterName: 'other' }, first));
  t.equal(descent(decodeState(encodeState(third)), third), 'yes');
  t.end();
});

t.test('descent is known for 32 epochs and then unknown', (t) => {
  const states = historyOf(40);
  const newest = states[39] as ClusterState;
  t.equal(descent(newest, newest), 'yes');
  t.equal(descent(newest, states[38] as ClusterState), 'yes');
  t.equal(descent(newest, states[7] as ClusterState), 'yes');
  t.equal(descent(newest, states[6] as ClusterState), 'unknown');
  t.equal(descent(states[6] as ClusterState, newest), 'no');
  const rival = successorOf(states[20] as ClusterState, { defaultProperties: { n_val: 99 } });
  t.equal(descent(newest, rival), 'no');
  t.end();
});
