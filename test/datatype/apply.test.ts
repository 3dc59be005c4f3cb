/** What operations do: add wins, reset-remove, contexts, preconditions, deferred removals. */

import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import type { Actor, VersionVector } from '../../src/clock/version-vector.ts';
import { NESTING_MAX } from '../../src/datatype/check-store.ts';
import { encodeState } from '../../src/datatype/encoding.ts';
import {
  OPERATION_PIECES_MAX,
  isWithinLimits,
  sizeOfOperation,
} from '../../src/datatype/operation-limits.ts';
import type {
  DatatypeName,
  DatatypeOperation,
  FieldOperation,
  MapOperation,
} from '../../src/datatype/operation.ts';
import {
  DEFERRED_MAX,
  DEFERRED_SIZE_MAX_BYTES,
  emptyState,
  joinDeferred,
  joinStates,
  type CausalState,
  type DatatypeState,
} from '../../src/datatype/state.ts';
import { applyOperation } from '../../src/datatype/apply.ts';
import { contextOf } from '../../src/datatype/value.ts';
import { actorOf, apply, bs, decode, mustJoin, valueNow } from './replicas.ts';

let counter = 0;

function applied(
  state: DatatypeState,
  operation: DatatypeOperation,
  options: { readonly actor?: number; readonly context?: VersionVector } = {},
): DatatypeState {
  counter += 1;
  const outcome = apply(state, operation, {
    dot: { actor: actorOf(options.actor ?? 0), counter },
    context: options.context,
    nowMicros: counter,
  });
  if (outcome.kind !== 'applied') throw new Error(outcome.kind);
  return outcome.state;
}

const empty = (name: DatatypeName): DatatypeState => emptyState(name, 14);
const set = (adds: string[], removes: string[] = []): DatatypeOperation => ({
  kind: 'set',
  adds: adds.map(bs),
  removes: removes.map(bs),
});
const elementsOf = (state: DatatypeState): unknown =>
  (valueNow(state) as { elements: unknown }).elements;

t.test('a counter is the sum of all increments, wherever they were made', (t) => {
  const one = applied(empty('counter'), { kind: 'counter', increment: 5n });
  const two = applied(one, { kind: 'counter', increment: -3n }, { actor: 1 });
  const other = applied(one, { kind: 'counter', increment: 10n }, { actor: 2 });
  t.same(valueNow(mustJoin(two, other)), { kind: 'counter', value: 12n });
  t.equal(contextOf(two), undefined);
  t.end();
});

t.test('an add that a remove had not seen wins', (t) => {
  const base = applied(empty('set'), set(['a', 'b']));
  const context = contextOf(base);
  const removed = applied(base, set([], ['a']), context === undefined ? {} : { context });
  const added = applied(base, set(['a']), { actor: 1 });
  t.same(elementsOf(mustJoin(removed, added)), ['a', 'b']);
  t.same(elementsOf(mustJoin(removed, base)), ['b'], 'what it had seen stays away');
  t.end();
});

t.test("removing from a set changes no context, adding does, and a map's any update", (t) => {
  const base = applied(empty('set'), set(['a']));
  const context = contextOf(base) as VersionVector;
  const removed = applied(base, set([], ['a']), { context });
  t.same(contextOf(removed), context);
  t.same(elementsOf(removed), []);
  t.not(contextOf(applied(base, set(['b'])))?.get(actorOf(0)), context.get(actorOf(0)));
  const nothing: DatatypeOperation = { kind: 'map', removes: [], updates: [] };
  t.equal(contextOf(applied(empty('map'), nothing))?.get(actorOf(0)), counter);
  t.end();
});

t.test('without a context, removing what is not there refuses the whole operation', (t) => {
  const base = applied(empty('set'), set(['a']));
  const application = { dot: { actor: actorOf(0), counter: 99 }, context: undefined, nowMicros: 1 };
  t.same(apply(base, set(['z'], ['x']), application), {
    kind: 'element-not-present',
    element: 'x',
  });
  const field = { name: bs('zz'), kind: 'register' as const };
  const remove: DatatypeOperation = { kind: 'map', removes: [field], updates: [] };
  t.same(apply(empty('map'), remove, application), { kind: 'field-not-present', field });
  t.end();
});

t.test('a removal that is ahead of the replica waits for what it has seen', (t) => {
  const early = applied(empty('set'), set(['a']));
  const late = applied(early, set(['b']), { actor: 1 });
  const context = contextOf(late) as VersionVector;
  // Lands on a replica that has not heard of b yet.
  const removed = applied(early, set([], ['a', 'b']), { context });
  t.same(elementsOf(removed), []);
  const caughtUp = mustJoin(removed, late);
  t.same(elementsOf(caughtUp), [], 'b is removed on arrival');
  t.equal(caughtUp.kind === 'causal' && caughtUp.deferred.length, 0, 'and then forgotten');
  t.end();
});

t.test('removing a field resets it, and a concurrent update survives', (t) => {
  const tags = { name: bs('tags'), kind: 'set' as const };
  const update = (adds: string[]): DatatypeOperation => ({
    kind: 'map',
    removes: [],
    updates: [{ field: tags, operation: set(adds) as never }],
  });
  const base = applied(empty('map'), update(['old']));
  const context = contextOf(base) as VersionVector;
  const removed = applied(base, { kind: 'map', removes: [tags], updates: [] }, { context });
  t.same(valueNow(removed), { kind: 'map', fields: [] });
  const updated = applied(base, update(['new']), { actor: 1 });
  t.same(valueNow(mustJoin(removed, updated)), {
    kind: 'map',
    fields: [{ field: tags, value: { kind: 'set', elements: ['new'] } }],
  });
  t.end();
});

t.test('removes of an operation come before its updates', (t) => {
  const field = { name: bs('c'), kind: 'counter' as const };
  const add = (increment: bigint): DatatypeOperation => ({
    kind: 'map',
    removes: [],
    updates: [{ field, operation: { kind: 'counter', increment } }],
  });
  const base = applied(empty('map'), add(5n));
  const both = applied(base, { ...add(2n), removes: [field] } as DatatypeOperation, {
    context: contextOf(base) as VersionVector,
  });
  t.same(valueNow(both), {
    kind: 'map',
    fields: [{ field, value: { kind: 'counter', value: 2n } }],
  });
  t.end();
});

t.test('a disabled flag stays as a field, and a concurrent enable wins', (t) => {
  const field = { name: bs('ok'), kind: 'flag' as const };
  const flag = (enable: boolean): DatatypeOperation => ({
    kind: 'map',
    removes: [],
    updates: [{ field, operation: { kind: 'flag', enable } }],
  });
  const on = applied(empty('map'), flag(true));
  const off = applied(on, flag(false), { context: contextOf(on) as VersionVector });
  t.same(valueNow(off), {
    kind: 'map',
    fields: [{ field, value: { kind: 'flag', isEnabled: false } }],
  });
  const again = applied(on, flag(true), { actor: 1 });
  t.same(valueNow(mustJoin(off, again)), {
    kind: 'map',
    fields: [{ field, value: { kind: 'flag', isEnabled: true } }],
  });
  t.end();
});

t.test('fields of one name are shown in the order counter, register, map, flag, set', (t) => {
  const name = bs('x');
  const state = applied(empty('map'), {
    kind: 'map',
    removes: [],
    updates: [
      { field: { name, kind: 'set' }, operation: { kind: 'set', adds: [], removes: [] } },
      { field: { name, kind: 'flag' }, operation: { kind: 'flag', enable: true } },
      { field: { name, kind: 'map' }, operation: { kind: 'map', removes: [], updates: [] } },
      { field: { name, kind: 'register' }, operation: { kind: 'register', value: bs('v') } },
      { field: { name, kind: 'counter' }, operation: { kind: 'counter', increment: 1n } },
    ],
  });
  const value = valueNow(state);
  t.same(value.kind === 'map' && value.fields.map(({ field }) => field.kind), [
    'counter',
    'register',
    'map',
    'flag',
    'set',
  ]);
  t.end();
});

t.test('an operation of another type is refused', (t) => {
  const application = { dot: { actor: actorOf(0), counter: 1 }, context: undefined, nowMicros: 1 };
  t.same(apply(empty('gset'), set(['a']), application), { kind: 'wrong-type' });
  t.same(apply(empty('set'), { kind: 'hll', adds: [] }, application), {
    kind: 'wrong-type',
  });
  t.end();
});

t.test('what a request adds itself it may take away again', (t) => {
  const tags = { name: bs('tags'), kind: 'set' as const };
  const twice: DatatypeOperation = {
    kind: 'map',
    removes: [],
    updates: [
      { field: tags, operation: { kind: 'set', adds: [bs('a'), bs('b')], removes: [] } },
      { field: tags, operation: { kind: 'set', adds: [], removes: [bs('a')] } },
    ],
  };
  t.same(valueNow(applied(empty('map'), twice)), {
    kind: 'map',
    fields: [{ field: tags, value: { kind: 'set', elements: ['b'] } }],
  });
  t.end();
});

t.test('without a context a set has first what is added, then no more what is removed', (t) => {
  const base = applied(empty('set'), set(['a']));
  const context = contextOf(base) as VersionVector;
  t.same(elementsOf(applied(empty('set'), set(['x', 'y', 'z'], ['y']))), ['x', 'z']);
  t.same(elementsOf(applied(base, set(['a', 'b'], ['a']))), ['b']);
  t.same(elementsOf(applied(base, set(['a', 'b'], ['a']), { context })), ['a', 'b']);
  const application = { dot: { actor: actorOf(0), counter: 99 }, context: undefined, nowMicros: 1 };
  t.same(apply(base, set([], ['a', 'a']), application), {
    kind: 'element-not-present',
    element: 'a',
  });
  t.end();
});

t.test('an operation is refused for what would not come back from storage', (t) => {
  const isAllowed = (operation: DatatypeOperation) => isWithinLimits(sizeOfOperation(operation));
  let deep: FieldOperation = { kind: 'flag', enable: true };
  const wrap = (operation: FieldOperation): MapOperation => ({
    kind: 'map',
    removes: [],
    updates: [{ field: { name: bs('f'), kind: operation.kind }, operation }],
  });
  let top = wrap(deep);
  for (let depth = 1; depth < NESTING_MAX; depth += 1) {
    deep = top;
    top = wrap(deep);
  }
  t.ok(isAllowed(top));
  const state = applied(empty('map'), top);
  t.ok(decode(encodeState(state)), 'the deepest that is allowed');
  t.notOk(isAllowed(wrap(top)));
  t.ok(isAllowed({ kind: 'counter', increment: -(10n ** 99n) }));
  t.notOk(isAllowed({ kind: 'counter', increment: 10n ** 100n }));
  const many = Array.from({ length: OPERATION_PIECES_MAX }, (_, index) => bs(`${index}`));
  t.ok(isAllowed({ kind: 'gset', adds: many }));
  t.notOk(isAllowed({ kind: 'set', adds: many, removes: [bs('x')] }));
  t.end();
});

class CountedContext extends Map<Actor, number> {
  readCount = 0;

  override [Symbol.iterator](): MapIterator<[Actor, number]> {
    this.readCount += 1;
    return super[Symbol.iterator]();
  }
}

t.test('one operation defers no more removals than a state may keep', (t) => {
  const context = new CountedContext([[actorOf(7), 1_000_000]]);
  const updates = Array.from({ length: 10 * DEFERRED_MAX }, (_, index) => ({
    field: { name: bs(`${index}`), kind: 'flag' as const },
    operation: { kind: 'flag' as const, enable: false },
  }));
  const state = applied(empty('map'), { kind: 'map', removes: [], updates }, { context });
  if (state.kind !== 'causal') return t.fail(state.kind);
  t.equal(state.deferred.length, DEFERRED_MAX);
  t.ok(context.readCount < 4 * DEFERRED_MAX, `the context was read ${context.readCount} times`);
  return t.end();
});

t.test('removals that never find what they wait for are bounded, alike at all replicas', (t) => {
  const context = new Map([[actorOf(7), 1_000_000]]);
  const waiting = Array.from({ length: DEFERRED_MAX + 10 }, (_, index) => {
    return { context, path: [], pieces: [bs(`x${index}`)] };
  });
  const state = applied(empty('set'), set(['a']));
  if (state.kind !== 'causal') return t.fail(state.kind);
  const [early, late] = [waiting.slice(0, 500), waiting.slice(500)].map((removals) => {
    return { ...state, deferred: runAtOnce(joinDeferred([], removals)) };
  }) as [CausalState, CausalState];
  const joined = mustJoin(early, late);
  if (joined.kind !== 'causal') return t.fail(joined.kind);
  t.equal(joined.deferred.length, DEFERRED_MAX);
  t.same(mustJoin(late, early), joined);
  const again = applied(joined, set([], ['y']), { context });
  if (again.kind !== 'causal') return t.fail(again.kind);
  t.equal(again.deferred.length, DEFERRED_MAX);
  return t.end();
});

t.test('what waits is bounded in bytes too, and gone through in turns', (t) => {
  const actorCount = 2_000;
  const contextBy = (counter: number): VersionVector => {
    return new Map(Array.from({ length: actorCount }, (_, index) => [actorOf(index), counter]));
  };
  const most = Math.ceil(DEFERRED_SIZE_MAX_BYTES / (actorCount * 24));
  const waiting = Array.from({ length: 200 }, (_, index) => {
    return { context: contextBy(1_000_000 + index), path: [], pieces: [bs(`x${index}`)] };
  });
  const state = applied(empty('map'), { kind: 'map', removes: [], updates: [] });
  if (state.kind !== 'causal') return t.fail(state.kind);
  const large = { ...state, deferred: waiting };
  const joining = joinStates(state, large);
  let turns = 0;
  for (;;) {
    const step = joining.next();
    if (step.done === true) {
      const joined = step.value;
      if (joined?.kind !== 'causal') return t.fail('no join');
      t.ok(joined.deferred.length > 5 && joined.deferred.length <= most, 'the last of them');
      t.ok(encodeState(joined).length < 2 * DEFERRED_SIZE_MAX_BYTES);
      t.ok(encodeState(mustJoin(large, state)).equals(encodeState(joined)), 'either way');
      break;
    }
    turns += 1;
  }
  t.ok(turns > 10, `${turns} turns`);

  const updates = Array.from({ length: DEFERRED_MAX }, (_, index) => ({
    field: { name: bs(`${index}`), kind: 'flag' as const },
    operation: { kind: 'flag' as const, enable: false },
  }));
  const context = contextBy(1_000_000);
  const one = applied(empty('map'), { kind: 'map', removes: [], updates }, { context });
  t.ok(one.kind === 'causal' && one.deferred.length <= most, 'of one operation');
  return t.end();
});

t.test('what waits is not gone through again by an update that it does not concern', (t) => {
  const elements = Array.from({ length: 20_000 }, (_, index) => `element-${index}`);
  const state = applied(empty('set'), set(elements));
  if (state.kind !== 'causal') return t.fail(state.kind);
  const waiting = (counter: number): VersionVector => new Map([[actorOf(7), counter]]);
  const deferred = Array.from({ length: DEFERRED_MAX }, (_, index) => {
    return { context: waiting(index + 1), path: [], pieces: [bs(`element-${index}`)] };
  });
  const slices = (base: DatatypeState, actor: number): number => {
    const dot = { actor: actorOf(actor), counter: (counter += 1) };
    const work = applyOperation(base, set(['new']), { dot, context: undefined, nowMicros: 1 });
    let count = 1;
    while (work.next().done !== true) count += 1;
    return count;
  };
  t.ok(slices({ ...state, deferred }, 0) < slices(state, 0) + 3, 'few slices more');

  // A context that a client made up may have seen the very dot of an update.
  const claimed = { context: waiting(counter + 10), path: [], pieces: [bs('new')] };
  const claimedState = applied({ ...state, deferred: [claimed] }, set(['new']), { actor: 7 });
  t.notOk((elementsOf(claimedState) as string[]).includes('new'));
  return t.end();
});
