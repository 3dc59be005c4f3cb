/**
 * A few replicas of one data type, driven at random: what the properties of the room run on.
 */

import fc from 'fast-check';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Actor, VersionVector } from '../../src/clock/version-vector.ts';
import { applyOperation } from '../../src/datatype/apply.ts';
import type { DatatypeName, DatatypeOperation } from '../../src/datatype/operation.ts';
import type { DatatypeValue } from '../../src/datatype/operation.ts';
import { emptyState, joinStates, type DatatypeState } from '../../src/datatype/state.ts';
import { contextOf, valueOf } from '../../src/datatype/value.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import { decodeState } from '../../src/datatype/encoding.ts';
import type { Application, ApplicationOutcome } from '../../src/datatype/apply.ts';

export type Step =
  | {
      readonly kind: 'update';
      readonly replica: number;
      readonly operation: DatatypeOperation;
      /** The replica whose context the client had read; undefined for none. */
      readonly contextOf: number | undefined;
    }
  | { readonly kind: 'merge'; readonly source: number; readonly target: number };

export const REPLICA_COUNT = 3;

export const bs = (text: string): ByteString => text as ByteString;

const element = fc.constantFrom('a', 'b', 'c').map(bs);
const elements = fc.array(element, { maxLength: 2 });
const replica = fc.nat({ max: REPLICA_COUNT - 1 });

const setOperation = fc.record({
  kind: fc.constant('set' as const),
  adds: elements,
  removes: elements,
});
const counterOperation = fc.record({
  kind: fc.constant('counter' as const),
  increment: fc.bigInt({ min: -5n, max: 5n }),
});
const mapUpdate = fc.oneof(
  counterOperation.map((operation) => ({
    field: { name: bs('x'), kind: 'counter' as const },
    operation,
  })),
  setOperation.map((operation) => ({ field: { name: bs('x'), kind: 'set' as const }, operation })),
  element.map((value) => ({
    field: { name: bs('y'), kind: 'register' as const },
    operation: { kind: 'register' as const, value },
  })),
  fc.boolean().map((enable) => ({
    field: { name: bs('y'), kind: 'flag' as const },
    operation: { kind: 'flag' as const, enable },
  })),
  setOperation.map((operation) => ({
    field: { name: bs('m'), kind: 'map' as const },
    operation: {
      kind: 'map' as const,
      removes: [],
      updates: [{ field: { name: bs('in'), kind: 'set' as const }, operation }],
    },
  })),
);
const mapRemove = fc.constantFrom(
  { name: bs('x'), kind: 'counter' as const },
  { name: bs('x'), kind: 'set' as const },
  { name: bs('y'), kind: 'register' as const },
  { name: bs('m'), kind: 'map' as const },
);

const OPERATIONS: Readonly<Record<DatatypeName, fc.Arbitrary<DatatypeOperation>>> = {
  counter: counterOperation,
  set: setOperation,
  gset: elements.map((adds) => ({ kind: 'gset', adds })),
  hll: elements.map((adds) => ({ kind: 'hll', adds })),
  map: fc.record({
    kind: fc.constant('map' as const),
    removes: fc.array(mapRemove, { maxLength: 1 }),
    updates: fc.array(mapUpdate, { maxLength: 2 }),
  }),
};

export function steps(name: DatatypeName): fc.Arbitrary<readonly Step[]> {
  const update = fc.record({
    kind: fc.constant('update' as const),
    replica,
    operation: OPERATIONS[name],
    contextOf: fc.option(replica, { nil: undefined }),
  });
  const merge = fc.record({
    kind: fc.constant('merge' as const),
    source: replica,
    target: replica,
  });
  return fc.array(fc.oneof({ weight: 3, arbitrary: update }, { weight: 2, arbitrary: merge }), {
    maxLength: 25,
  });
}

/** The replicas after the steps; updates that are refused change nothing. */
export function run(name: DatatypeName, sequence: readonly Step[]): DatatypeState[] {
  const states = Array.from({ length: REPLICA_COUNT }, () => emptyState(name, 8));
  const counters = [0, 0, 0];
  let nowMicros = 1_000;
  for (const step of sequence) {
    nowMicros += 1;
    if (step.kind === 'merge') {
      states[step.target] = mustJoin(at(states, step.target), at(states, step.source));
      continue;
    }
    counters[step.replica] = at(counters, step.replica) + 1;
    const outcome = apply(at(states, step.replica), step.operation, {
      dot: { actor: actorOf(step.replica), counter: at(counters, step.replica) },
      context: clientContext(states, step.contextOf),
      nowMicros,
    });
    if (outcome.kind === 'applied') states[step.replica] = outcome.state;
  }
  return states;
}

export function mustJoin(left: DatatypeState, right: DatatypeState): DatatypeState {
  const joined = runAtOnce(joinStates(left, right));
  if (joined === undefined) throw new Error('states of one type join');
  return joined;
}

export function apply(
  state: DatatypeState,
  operation: DatatypeOperation,
  application: Application,
): ApplicationOutcome {
  return runAtOnce(applyOperation(state, operation, application));
}

export function valueNow(state: DatatypeState): DatatypeValue {
  return runAtOnce(valueOf(state));
}

export function decode(bytes: Buffer): DatatypeState | undefined {
  return runAtOnce(decodeState(bytes));
}

/** Eighteen bytes, as all actors. */
export function actorOf(index: number): Actor {
  return `identity-epoch-${String(index).padStart(3, '0')}` as Actor;
}

export function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}

export function clientContext(
  states: readonly DatatypeState[],
  source: number | undefined,
): VersionVector | undefined {
  return source === undefined ? undefined : (contextOf(at(states, source)) ?? new Map());
}
