/** Epoch 1: the same on every node that was given the same list. */

import fc from 'fast-check';
import t from 'tap';
import { initialState } from '../../src/membership/initial-state.ts';
import { decodeState, encodeState, hashState } from '../../src/membership/state-document.ts';
import { clusterOf } from './states.ts';

t.test('the order of the list does not matter', (t) => {
  const cluster = clusterOf(7, 64);
  const expected = hashState(initialState(cluster).state);
  fc.assert(
    fc.property(fc.shuffledSubarray([...cluster.members], { minLength: 7 }), (members) =>
      hashState(initialState({ ...cluster, members }).state).equals(expected),
    ),
    { numRuns: 20 },
  );
  t.end();
});

t.test('it is epoch 1, all members are valid and own their share', (t) => {
  const { state, warnings } = initialState(clusterOf(4, 64));
  t.equal(state.epoch, 1);
  t.ok(state.members.every(({ status }) => status === 'valid'));
  for (let index = 0; index < 4; index += 1) {
    t.equal(state.ownerByPartition.filter((owner) => owner === index).length, 16);
  }
  t.same(warnings, []);
  t.same(decodeState(encodeState(state)), state);
  t.end();
});

t.test('fewer nodes than replicas is said', (t) => {
  const { warnings } = initialState(clusterOf(1));
  t.match(warnings, [{ kind: 'fewer-nodes-than-target', nodes: 1 }]);
  t.end();
});
