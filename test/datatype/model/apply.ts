/**
 * The model of an operation: what it makes of a state of plain maps.
 */

import type { ByteString } from '../../../src/base/bytes.ts';
import { assert } from '../../../src/base/fault.ts';
import { descends, withDot, type VersionVector } from '../../../src/clock/version-vector.ts';
import { dotSetOf, emptyStore, type DotStore, type MapField, type MapStore } from './dot-store.ts';
import { fieldKey } from '../../../src/datatype/packed.ts';
import type {
  CounterOperation,
  Field,
  FieldOperation,
  MapOperation,
  SetOperation,
} from '../../../src/datatype/operation.ts';
import { carryOutDeferred, joinDeferred, removeAlong, type CausalState } from './state.ts';
import type { DeferredRemoval } from '../../../src/datatype/removal.ts';
import type { Application } from '../../../src/datatype/apply.ts';

export type ModelOutcome =
  | { readonly kind: 'applied'; readonly state: CausalState }
  | { readonly kind: 'element-not-present'; readonly element: ByteString }
  | { readonly kind: 'field-not-present'; readonly field: Field };

export function applyOperation(
  state: CausalState,
  operation: FieldOperation,
  application: Application,
): ModelOutcome {
  const edit = new Edit(state, application);
  try {
    return { kind: 'applied', state: edit.finish(edit.apply(state.store, operation, [])) };
  } catch (error) {
    if (error instanceof NotPresent) return error.outcome;
    throw error;
  }
}

/** Leaves the recursion when a precondition fails; never leaves this file. */
class NotPresent extends Error {
  readonly outcome: Extract<ModelOutcome, { kind: 'element-not-present' | 'field-not-present' }>;

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
    // Of a map any update is an event.
    const hasOwnDot = store.kind === 'map' || this.#hasAdded;
    return carryOutDeferred({
      store,
      context: hasOwnDot ? withDot(context, this.#application.dot) : context,
      deferred: joinDeferred(deferred, this.#deferred),
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
    if (operation.adds.length > 0) this.#hasAdded = true;
    const dots = dotSetOf(this.#application.dot);
    const dotsByElement = new Map(store.dotsByElement);
    for (const element of operation.adds) dotsByElement.set(element, dots);
    if (this.#application.context === undefined) {
      for (const element of operation.removes) {
        if (dotsByElement.delete(element)) continue;
        throw new NotPresent({ kind: 'element-not-present', element });
      }
    }
    return this.#remove({ kind: 'set', dotsByElement }, path, operation.removes);
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
      const present = new Set(store.fields.keys());
      const missing = operation.removes.find(
        ({ name, kind }) => !present.delete(fieldKey(name, kind)),
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
    const isAhead =
      this.#application.context !== undefined && !descends(this.#state.context, context);
    if (isAhead) this.#deferred.push({ context, path, pieces });
    return removeAlong(store, [], { context, pieces });
  }

  /** All that is here, the pieces this very request has added included. */
  #seenHere(): VersionVector {
    return withDot(this.#state.context, this.#application.dot);
  }
}
