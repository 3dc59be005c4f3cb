/** Plans in slices: the same as at once, and of bounded slices, whatever n_val a bucket has. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Clock } from '../../src/base/host.ts';
import type { NodeId, Partition } from '../../src/base/names.ts';
import { runAtOnce, runInSlices, type Sliced } from '../../src/base/sliced.ts';
import type { ClusterState, MemberStatus } from '../../src/membership/cluster-state.ts';
import { effectOf, STEPS_PER_SLICE } from '../../src/membership/plan-effect.ts';
import { planChanges, type ClusterPlan } from '../../src/membership/plan.ts';
import { stageLeave } from '../../src/membership/staging.ts';
import { Ring } from '../../src/ring/ring.ts';
import { nodeOf, stateOf } from './states.ts';

function withBuckets(state: ClusterState, nVals: readonly number[]): ClusterState {
  const own = nVals.map((nVal, index) => [`b${index}` as ByteString, { n_val: nVal }] as const);
  return { ...state, bucketProperties: new Map(own) };
}

function leaving(state: ClusterState, index: number): ClusterState {
  const staged = stageLeave(state, nodeOf(index));
  if (staged.kind !== 'changed') throw new Error(staged.kind);
  return staged.state;
}

function planOf(state: ClusterState): ClusterPlan {
  const outcome = runAtOnce(planChanges(state));
  if (outcome.kind !== 'planned') throw new Error(outcome.reason);
  return outcome.plan;
}

/** Timers fire when nothing else is to be done. */
function countingClock(): Clock & { readonly pauses: () => number } {
  let pauses = 0;
  return {
    wallMicros: () => 0,
    monotonicMs: () => 0,
    after: (_, resume) => {
      pauses += 1;
      setImmediate(resume);
      return () => {};
    },
    pauses: () => pauses,
  };
}

function slicesOf<T>(work: Sliced<T>): number {
  let slices = 1;
  while (work.next().done !== true) slices += 1;
  return slices;
}

function holdersOf(plan: ClusterPlan, owners: readonly NodeId[], nVal: number): NodeId[][] {
  const index = new Map(plan.members.map(({ id }, place) => [id, place]));
  const ring = new Ring({
    ringSize: owners.length,
    members: plan.members,
    ownerByPartition: owners.map((owner) => index.get(owner) ?? -1),
  });
  return owners.map((_, partition) =>
    ring.preferenceList(partition as Partition, nVal).replicas.map(({ node }) => node),
  );
}

/** What the effect on one n_val's keys is by its definition, from the preference lists. */
function effectByLists(
  plan: ClusterPlan,
  nVal: number,
  isUp: (node: NodeId) => boolean,
): { readonly replicas: unknown[]; readonly copies: object } {
  const memberById = new Map(plan.members.map((member) => [member.id, member]));
  const isThere = (node: NodeId): boolean =>
    isUp(node) && !['invalid', 'down'].includes(memberById.get(node)?.status ?? 'invalid');
  const before = holdersOf(plan, plan.owners, nVal);
  const after = holdersOf(plan, plan.nextOwners, nVal);
  const leastOf = (lists: readonly NodeId[][], counts: (node: NodeId) => boolean): number =>
    Math.min(nVal, ...lists.map((list) => list.filter(counts).length));
  const locationsOf = (nodes: readonly NodeId[]): number =>
    new Set(nodes.map((node) => memberById.get(node)?.location)).size;
  const wanted = Math.min(nVal, locationsOf(plan.nextOwners));
  return {
    replicas: after.flatMap((list, partition) => {
      const held = before[partition] ?? [];
      return list
        .filter((target) => !held.includes(target))
        .map((target) => ({ partition, nVal, source: held.find(isThere), target }));
    }),
    copies: {
      nVal,
      before: leastOf(before, isUp),
      lowest: Math.min(leastOf(before, isThere), leastOf(after, isThere)),
      after: leastOf(after, isThere),
      sharingLocation: after.filter((list) => locationsOf(list) < wanted).length,
    },
  };
}

t.test('what a plan does is what the preference lists before and after say', (t) => {
  const statuses: readonly MemberStatus[] = ['valid', 'valid', 'valid', 'down', 'invalid'];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.nat(5), { minLength: 16, maxLength: 16 }),
      fc.array(fc.nat(5), { minLength: 16, maxLength: 16 }),
      fc.array(fc.tuple(fc.constantFrom(...statuses), fc.boolean(), fc.nat(2)), {
        minLength: 6,
        maxLength: 6,
      }),
      fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 4 }),
      (count, ownersDrawn, nextDrawn, drawn, nVals) => {
        const state = withBuckets(stateOf(count, 16), nVals);
        const plan: ClusterPlan = {
          hash: '',
          changes: [],
          warnings: [],
          members: state.members.map((member, index) => {
            const [status, , location] = drawn[index] ?? ['valid', true, 0];
            return { ...member, status, location: `rack${location}` };
          }),
          owners: ownersDrawn.map((owner) => nodeOf(owner % count)),
          nextOwners: nextDrawn.map((owner) => nodeOf(owner % count)),
        };
        const isUp = (node: NodeId): boolean =>
          drawn.some(([, up], index) => up && nodeOf(index) === node);
        const effect = runAtOnce(effectOf(state, plan, isUp));
        const each = effect.copies.map(({ nVal }) => effectByLists(plan, nVal, isUp));
        t.strictSame(
          effect.copies,
          each.map(({ copies }) => copies),
        );
        t.strictSame(
          effect.replicas,
          each.flatMap(({ replicas }) => replicas),
        );
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});

t.test('a plan in slices is the plan, and others get their turn', async (t) => {
  for (const [ringSize, nVals] of [
    [64, []],
    [256, [16]],
    [256, [3, 256]],
  ] as const) {
    const state = leaving(withBuckets(stateOf(12, ringSize), nVals), 3);
    const whole = planOf(state);
    const clock = countingClock();
    // Two at a time: what they keep is their own.
    const [one, other] = await Promise.all([
      runInSlices(planChanges(state), clock),
      runInSlices(planChanges(leaving(withBuckets(stateOf(12, ringSize), nVals), 4)), clock),
    ]);
    t.strictSame(one, { kind: 'planned', plan: whole });
    t.notSame(other, one);
    t.ok(clock.pauses() > 4, `${clock.pauses()} pauses`);
    const effect = await runInSlices(
      effectOf(state, whole, () => true),
      clock,
    );
    t.strictSame(effect, runAtOnce(effectOf(state, whole, () => true)));
  }
});

t.test('what a slice looks at does not grow with n_val', (t) => {
  const [ringSize, nodeCount] = [1_024, 64];
  for (const nVals of [[3], [64], [1_024], Array.from({ length: 64 }, (_, index) => index + 1)]) {
    const state = leaving(withBuckets(stateOf(nodeCount, ringSize), nVals), 3);
    const plan = planOf(state);
    const slices = slicesOf(effectOf(state, plan, () => true));
    // Both rings are walked once, each n_val looks at the holders it has.
    const walked = 2 * ringSize * ringSize;
    const held = nVals.reduce((sum, nVal) => sum + ringSize * Math.min(nVal, nodeCount - 1), 0);
    const least = Math.floor((walked + held) / (STEPS_PER_SLICE + ringSize));
    t.ok(slices >= least, `${slices} slices, at least ${least}`);
  }
  t.end();
});
