/**
 * Applying a client's operation to the coordinating replica's state.
 *
 * Additions are marked with the write's dot. A removal with a context removes what the context has
 * seen and defers the rest; without one it acts on the state as it is here, and something that is
 * not there refuses the whole operation. Removes of a request come before its additions.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { descends, withDot, type Dot, type VersionVector } from '../clock/version-vector.ts';
import {
  dotSetOf,
  emptyStore,
  fieldKey,
  type DotStore,
  type MapField,
  type MapStore,
  type SetStore,
} from './dot-store.ts';
import { addElements } from './hyperloglog.ts';
import type {
  CounterOperation,
  DatatypeOperation,
  Field,
  FieldOperation,
  MapOperation,
  SetOperation,
} from './operation.ts';
import {
  carryOutDeferred,
  DEFERRED_MAX,
  removeAlong,
  type CausalState,
  type DatatypeState,
  type DeferredRemoval,
} from './state.ts';

export interface Application {
  /** The write's own dot; no other write has it. */
  readonly dot: Dot;
  /** What the client had seen; undefined if it did not say. */
  readonly context: VersionVector | undefined;
  readonly nowMicros: number;
}

export type ApplicationOutcome =
  | { readonly kind: 'applied'; readonly state: DatatypeState }
  | { readonly kind: 'element-not-present'; readonly element: ByteString }
  | { readonly kind: 'field-not-present'; readonly field: Field }
  /** The operation is another type's. */
  | { readonly kind: 'wrong-type' };

export function applyOperation(
  state: DatatypeState,
  operation: DatatypeOperation,
  application: Application,
): ApplicationOutcome {
  if (state.kind === 'gset' && operation.kind === 'gset') {
    const elements = new Set([...state.elements, ...operation.adds]);
    return { kind: 'applied', state: { kind: 'gset', elements } };
  }
  if (state.kind === 'hll' && operation.kind === 'hll') {
    const registers = addElements(state.registers, operation.adds);
    return { kind: 'applied', state: { kind: 'hll', registers } };
  }
  if (state.kind !== 'causal' || state.store.kind !== operation.kind) return { kind: 'wrong-type' };
  const edit = new Edit(state, application);
  try {
    const store = edit.apply(state.store, operation, []);
    return { kind: 'applied', state: edit.finish(store) };
  } catch (error) {
    if (error instanceof NotPresent) return error.outcome;
    throw error;
  }
}

/** Leaves the recursion when a precondition fails; never leaves this file. */
class NotPresent extends Error {
  readonly outcome: Extract<
    ApplicationOutcome,
    { kind: 'element-not-present' | 'field-not-present' }
  >;

  constructor(outcome: NotPresent['outcome']) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

class Edit {
  readonly #state: CausalState;
  readonly #application: Application;
  readonly #deferred: DeferredRemoval[] = [];
  #hasAdded = false;

  constructor(state: CausalState, application: Application) {
    this.#state = state;
    this.#application = application;
  }

  finish(store: DotStore): CausalState {
    const { context, deferred } = this.#state;
    return carryOutDeferred({
      kind: 'causal',
      store,
      context: this.#hasAdded ? withDot(context, this.#application.dot) : context,
      deferred: [...deferred, ...this.#deferred].slice(-DEFERRED_MAX),
    });
  }

  apply(store: DotStore, operation: FieldOperation, path: readonly ByteString[]): DotStore {
    switch (operation.kind) {
      case 'counter':
        return this.#increment(store, operation);
      case 'set':
        return this.#changeSet(store, operation, path);
      case 'register': {
        const { dot, nowMicros } = this.#application;
        this.#hasAdded = true;
        assert(store.kind === 'register', 'the field says the kind');
        const atMicros = Math.max(
          nowMicros,
          ...[...store.assignments.values()].map((assignment) => assignment.atMicros + 1),
        );
        const assignment = { counter: dot.counter, atMicros, value: operation.value };
        return { kind: 'register', assignments: new Map([[dot.actor, assignment]]) };
      }
      case 'flag':
        return this.#changeFlag(store, operation.enable, path);
      case 'map':
        return this.#changeMap(store, operation, path);
    }
  }

  #increment(store: DotStore, operation: CounterOperation): DotStore {
    assert(store.kind === 'counter', 'the field says the kind');
    const { actor, counter } = this.#application.dot;
    this.#hasAdded = true;
    const before = store.contributions.get(actor)?.value ?? 0n;
    const contribution = { counter, value: before + operation.increment };
    return {
      kind: 'counter',
      contributions: new Map(store.contributions).set(actor, contribution),
    };
  }

  #changeSet(store: DotStore, operation: SetOperation, path: readonly ByteString[]): DotStore {
    assert(store.kind === 'set', 'the field says the kind');
    if (this.#application.context === undefined) {
      const missing = operation.removes.find((element) => !store.dotsByElement.has(element));
      if (missing !== undefined) {
        throw new NotPresent({ kind: 'element-not-present', element: missing });
      }
    }
    const left = this.#remove(store, path, operation.removes) as SetStore;
    if (operation.adds.length === 0) return left;
    this.#hasAdded = true;
    const dots = dotSetOf(this.#application.dot);
    const dotsByElement = new Map(left.dotsByElement);
    for (const element of operation.adds) dotsByElement.set(element, dots);
    return { kind: 'set', dotsByElement };
  }

  #changeFlag(store: DotStore, enable: boolean, path: readonly ByteString[]): DotStore {
    if (!enable) return this.#remove(store, path, []);
    this.#hasAdded = true;
    return { kind: 'flag', dots: dotSetOf(this.#application.dot) };
  }

  #changeMap(store: DotStore, operation: MapOperation, path: readonly ByteString[]): DotStore {
    assert(store.kind === 'map', 'the field says the kind');
    const removes = operation.removes.map(({ name, kind }) => fieldKey(name, kind));
    if (this.#application.context === undefined) {
      const missing = operation.removes.find(
        ({ name, kind }) => !store.fields.has(fieldKey(name, kind)),
      );
      if (missing !== undefined)
        throw new NotPresent({ kind: 'field-not-present', field: missing });
    }
    const left = this.#remove(store, path, removes) as MapStore;
    if (operation.updates.length === 0) return left;
    this.#hasAdded = true;
    const dots = dotSetOf(this.#application.dot);
    const fields = new Map<ByteString, MapField>(left.fields);
    for (const { field, operation: change } of operation.updates) {
      assert(field.kind === change.kind, 'an edge checks that field and operation agree');
      const key = fieldKey(field.name, field.kind);
      const content = fields.get(key)?.content ?? emptyStore(field.kind);
      fields.set(key, { dots, content: this.apply(content, change, [...path, key]) });
    }
    return { kind: 'map', fields };
  }

  /** Removes what the client, or this replica, has seen of the pieces. */
  #remove(store: DotStore, path: readonly ByteString[], pieces: readonly ByteString[]): DotStore {
    if (pieces.length === 0 && store.kind !== 'flag') return store;
    const context = this.#application.context ?? this.#seenHere();
    if (!descends(this.#state.context, context)) this.#deferred.push({ context, path, pieces });
    return removeAlong(store, [], { context, pieces });
  }

  /** All that is here, the pieces this very request has added included. */
  #seenHere(): VersionVector {
    return this.#state.context;
  }
}
