/**
 * `node build/bench/plans.js`: what planning a large ring costs, and how long it holds the event loop.
 *
 * 1,024 partitions; a leave is planned in slices, as a node does it, and its effect worked out, with one
 * bucket of the n_val named. First the time for all of it, then the longest slice, which other requests
 * wait for, each the least of some rounds: what else runs on the machine only adds. The last figure is
 * the plan's time relative to n_val 16 of the same cluster: it should not grow with n_val.
 */

import { hrtime } from 'node:process';
import { utf8ToByteString } from '../src/base/bytes.ts';
import type { NodeId } from '../src/base/names.ts';
import { DEFAULT_BUCKET_TYPE } from '../src/base/names.ts';
import { bucketId, type ClusterState } from '../src/membership/cluster-state.ts';
import { initialState } from '../src/membership/initial-state.ts';
import { effectOf } from '../src/membership/plan-effect.ts';
import { planChanges } from '../src/membership/plan.ts';
import { stageLeave } from '../src/membership/staging.ts';
import type { Sliced } from '../src/base/sliced.ts';

const RING_SIZE = 1_024;
const ROUNDS = 7;
const COMPARED_N_VAL = 16;
const CLUSTERS = [
  { nodes: 64, locations: 3 },
  { nodes: 64, locations: 7 },
  { nodes: 256, locations: 7 },
];
const N_VALS = [3, 16, 64, 1_024];

interface Cost {
  wholeMs: number;
  longestMs: number;
  slices: number;
}

function driven<T>(work: Sliced<T>, cost: Cost): T {
  for (;;) {
    const startNs = hrtime.bigint();
    const step = work.next();
    const sliceMs = Number(hrtime.bigint() - startNs) / 1e6;
    cost.wholeMs += sliceMs;
    cost.longestMs = Math.max(cost.longestMs, sliceMs);
    cost.slices += 1;
    if (step.done === true) return step.value;
  }
}

function stateOf(nodes: number, locations: number, nVal: number): ClusterState {
  const { state } = initialState({
    clusterName: 'bench',
    ringSize: RING_SIZE,
    members: Array.from({ length: nodes }, (_, index) => ({
      id: `n${String(index).padStart(3, '0')}@host` as NodeId,
      host: 'host',
      peerPort: 1,
      httpPort: 2,
      pbcPort: 3,
      location: `rack${index % locations}`,
    })),
    defaultProperties: {},
  });
  const bucket = bucketId(DEFAULT_BUCKET_TYPE, utf8ToByteString('wide'));
  const staged = stageLeave(state, 'n000@host' as NodeId);
  if (staged.kind !== 'changed') throw new Error(staged.kind);
  return { ...staged.state, bucketProperties: new Map([[bucket, { n_val: nVal }]]) };
}

function costOf(state: ClusterState): { readonly plan: Cost; readonly effect: Cost } {
  const plan = { wholeMs: 0, longestMs: 0, slices: 0 };
  const effect = { wholeMs: 0, longestMs: 0, slices: 0 };
  const outcome = driven(planChanges(state), plan);
  if (outcome.kind !== 'planned') throw new Error(outcome.reason);
  driven(
    effectOf(state, outcome.plan, () => true),
    effect,
  );
  return { plan, effect };
}

function textOf({ wholeMs, longestMs, slices }: Cost): string {
  const [whole, longest] = [wholeMs.toFixed(0), longestMs.toFixed(1)];
  return `${whole.padStart(6)} ms in ${String(slices).padStart(4)} slices, longest ${longest.padStart(5)} ms`;
}

function leastOf(costs: readonly Cost[]): Cost {
  return {
    wholeMs: Math.min(...costs.map(({ wholeMs }) => wholeMs)),
    longestMs: Math.min(...costs.map(({ longestMs }) => longestMs)),
    slices: Math.min(...costs.map(({ slices }) => slices)),
  };
}

for (const { nodes, locations } of CLUSTERS) {
  let comparedMs: number | undefined;
  for (const nVal of N_VALS) {
    const state = stateOf(nodes, locations, nVal);
    const rounds = Array.from({ length: ROUNDS }, () => costOf(state));
    const plan = leastOf(rounds.map((round) => round.plan));
    const effect = leastOf(rounds.map((round) => round.effect));
    if (nVal === COMPARED_N_VAL) comparedMs = plan.wholeMs;
    const ratio = comparedMs === undefined ? '' : `; x${(plan.wholeMs / comparedMs).toFixed(2)}`;
    console.log(
      `${nodes} nodes, ${locations} locations, n_val ${nVal}: ` +
        `plan ${textOf(plan)}; effect ${textOf(effect)}${ratio}`,
    );
  }
}
