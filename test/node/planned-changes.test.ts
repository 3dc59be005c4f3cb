/** A plan that is shown, committed or worked out for a loss gives the node's requests their turn. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { Clock } from '../../src/base/host.ts';
import type { NodeId } from '../../src/base/names.ts';
import { ownersOf } from '../../src/membership/ring-steps.ts';
import { stageLeave } from '../../src/membership/staging.ts';
import { holdingsOf } from '../../src/node/capacity.ts';
import { ClusterChanges } from '../../src/node/cluster-changes.ts';
import { nodeOf, stateOf } from '../membership/states.ts';
import { ringFromOwners } from '../ring/clusters.ts';

const [RING_SIZE, NODES] = [256, 12];
/** What a plan of this ring takes of turns at least; it is made of two searches or more. */
const PLAN_TURNS_MIN = 4;
/** Both rings are walked, and one slice is 128 partitions of this ring. */
const EFFECT_TURNS_MIN = 2;

function countingClock(): { readonly clock: Clock; readonly turns: () => number } {
  let turns = 0;
  const clock: Clock = {
    wallMicros: () => 0,
    monotonicMs: () => 0,
    after: (_, resume) => {
      turns += 1;
      setImmediate(resume);
      return () => {};
    },
  };
  return { clock, turns: () => turns };
}

function portsOf(clock: Clock) {
  const staged = stageLeave(stateOf(NODES, RING_SIZE), nodeOf(3));
  if (staged.kind !== 'changed') throw new Error(staged.kind);
  const { state } = staged;
  const isUp = (_node: NodeId): boolean => true;
  const ring = ringFromOwners(state.members, ownersOf(state));
  return {
    clock,
    topology: { state: () => state, isUp, ring: () => ring },
    peer: { request: () => Promise.reject(new Fault('peer-unreachable', 'nobody is there')) },
    proposer: { propose: async (make: (from: typeof state) => unknown) => make(state) },
    heartbeats: { spread: () => Promise.resolve() },
  };
}

t.test('a plan is shown and committed in turns', async (t) => {
  const { clock, turns } = countingClock();
  const options = { agreeTimeoutMs: 1, spreadTimeoutMs: 1 };
  const changes = new ClusterChanges(portsOf(clock) as never, options);
  const shown = await changes.plan();
  if (shown.kind !== 'planned') throw new Error(shown.reason);
  const shownIn = turns();
  t.ok(shownIn >= PLAN_TURNS_MIN + EFFECT_TURNS_MIN, `shown in ${shownIn} turns`);
  t.same(await changes.commit(shown.plan.hash), { kind: 'changed' });
  const committedIn = turns() - shownIn;
  t.ok(committedIn >= PLAN_TURNS_MIN, `committed in ${committedIn} turns`);
});

t.test('each loss is worked out in turns', async (t) => {
  const { clock, turns } = countingClock();
  const { losses } = await holdingsOf(portsOf(clock) as never);
  t.equal(losses.length, NODES);
  const least = NODES * (PLAN_TURNS_MIN + EFFECT_TURNS_MIN);
  t.ok(turns() >= least, `${turns()} turns, at least ${least}`);
});
