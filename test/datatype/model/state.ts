/**
 * The model of a causal state: a dot store, its context, and the removals that wait.
 */

import type { ByteString } from '../../../src/base/bytes.ts';
import { descends, merge, type VersionVector } from '../../../src/clock/version-vector.ts';
import {
  emptyStore,
  fieldWithoutSeen,
  joinStores,
  unseen,
  type DotStore,
  type MapField,
} from './dot-store.ts';
import type { CausalName } from '../../../src/datatype/state.ts';
import type { DeferredRemoval } from '../../../src/datatype/removal.ts';

export interface CausalState {
  readonly store: DotStore;
  readonly context: VersionVector;
  readonly deferred: readonly DeferredRemoval[];
}

export function emptyState(name: CausalName): CausalState {
  return { store: emptyStore(name), context: new Map(), deferred: [] };
}

export function joinStates(left: CausalState, right: CausalState): CausalState {
  return carryOutDeferred({
    store: joinStores(left, right),
    context: merge(left.context, right.context),
    deferred: joinDeferred(left.deferred, right.deferred),
  });
}

/** Applies the deferred removals to what is here, and forgets those that have all they waited for. */
export function carryOutDeferred(state: CausalState): CausalState {
  if (state.deferred.length === 0) return state;
  let { store } = state;
  for (const removal of state.deferred) store = removeAlong(store, removal.path, removal);
  const deferred = state.deferred.filter(({ context }) => !descends(state.context, context));
  return { ...state, store, deferred };
}

/** The store without the dots that the removal's context covers, on its pieces only. */
export function removeAlong(
  store: DotStore,
  path: readonly ByteString[],
  removal: Pick<DeferredRemoval, 'context' | 'pieces'>,
): DotStore {
  const [key, ...rest] = path;
  if (key === undefined) return removePieces(store, removal);
  if (store.kind !== 'map') return store;
  const field = store.fields.get(key);
  if (field === undefined) return store;
  const content = removeAlong(field.content, rest, removal);
  if (content === field.content) return store;
  return { kind: 'map', fields: new Map(store.fields).set(key, { ...field, content }) };
}

function removePieces(
  store: DotStore,
  { context, pieces }: Pick<DeferredRemoval, 'context' | 'pieces'>,
): DotStore {
  if (store.kind === 'set') {
    const dotsByElement = new Map(store.dotsByElement);
    for (const element of pieces) {
      const dots = dotsByElement.get(element);
      if (dots === undefined) continue;
      const left = unseen(dots, context, (counter) => counter);
      if (left.size === 0) dotsByElement.delete(element);
      else dotsByElement.set(element, left);
    }
    return { kind: 'set', dotsByElement };
  }
  if (store.kind === 'map') {
    const fields = new Map<ByteString, MapField>(store.fields);
    for (const key of pieces) {
      const field = fields.get(key);
      if (field === undefined) continue;
      const left = fieldWithoutSeen(field, context);
      if (left === undefined) fields.delete(key);
      else fields.set(key, left);
    }
    return { kind: 'map', fields };
  }
  if (store.kind === 'flag') {
    return { kind: 'flag', dots: unseen(store.dots, context, (counter) => counter) };
  }
  return store;
}

/** Each removal once, in the order of their texts: a set, whatever the order of what came. */
export function joinDeferred(
  left: readonly DeferredRemoval[],
  right: readonly DeferredRemoval[],
): DeferredRemoval[] {
  const byText = new Map<string, DeferredRemoval>();
  for (const removal of [...left, ...right]) byText.set(deferredToText(removal), removal);
  return [...byText.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, removal]) => removal);
}

/** Equal for equal removals. */
export function deferredToText({ context, path, pieces }: DeferredRemoval): string {
  const entries = [...context].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([entries, path, [...pieces].sort()]);
}
