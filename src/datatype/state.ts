/**
 * The state of a data type: what a replica stores as an object's value, and the join of two of them.
 *
 * Counters, sets and maps are a dot store with the context that its additions made; removals change
 * no context. A removal whose context names writes that have not arrived here is kept until they
 * have (`deferred`), so that a client's removal holds at whichever replica it lands. Grow-only sets
 * and HyperLogLogs need no causality: they only grow.
 *
 * Source: Riak KV's data types; Baquero et al. 2017; Brown et al. 2014, "Riak DT Map".
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { descends, merge, type VersionVector } from '../clock/version-vector.ts';
import {
  emptyStore,
  fieldWithoutSeen,
  joinStores,
  unseen,
  type DotStore,
  type MapField,
} from './dot-store.ts';
import { emptyRegisters, mergeRegisters, type Registers } from './hyperloglog.ts';
import type { DatatypeName } from './operation.ts';

/** Elements, or field keys, to remove once all that `context` covers has arrived. */
export interface DeferredRemoval {
  readonly context: VersionVector;
  /** Where in nested maps: field keys from the top; empty for the top itself. */
  readonly path: readonly ByteString[];
  readonly pieces: readonly ByteString[];
}

export interface CausalState {
  readonly kind: 'causal';
  readonly store: DotStore;
  readonly context: VersionVector;
  readonly deferred: readonly DeferredRemoval[];
}

export interface GrowOnlySetState {
  readonly kind: 'gset';
  readonly elements: ReadonlySet<ByteString>;
}

export interface HyperLogLogState {
  readonly kind: 'hll';
  readonly registers: Registers;
}

export type DatatypeState = CausalState | GrowOnlySetState | HyperLogLogState;

/** Removals kept for later at most; beyond that the oldest go, and their elements may stay. */
export const DEFERRED_MAX = 1_000;

export function emptyState(name: DatatypeName, hllPrecision: number): DatatypeState {
  if (name === 'gset') return { kind: 'gset', elements: new Set() };
  if (name === 'hll') return { kind: 'hll', registers: emptyRegisters(hllPrecision) };
  return { kind: 'causal', store: emptyStore(name), context: new Map(), deferred: [] };
}

export function datatypeNameOf(state: DatatypeState): DatatypeName {
  if (state.kind !== 'causal') return state.kind;
  const { kind } = state.store;
  assert(kind === 'counter' || kind === 'set' || kind === 'map', 'the others are fields only');
  return kind;
}

/** The join of two states of one type; undefined if they are of different types. */
export function joinStates(left: DatatypeState, right: DatatypeState): DatatypeState | undefined {
  if (left.kind === 'gset' && right.kind === 'gset') {
    return { kind: 'gset', elements: new Set([...left.elements, ...right.elements]) };
  }
  if (left.kind === 'hll' && right.kind === 'hll') {
    return { kind: 'hll', registers: mergeRegisters(left.registers, right.registers) };
  }
  if (left.kind !== 'causal' || right.kind !== 'causal') return undefined;
  if (left.store.kind !== right.store.kind) return undefined;
  const joined: CausalState = {
    kind: 'causal',
    store: joinStores(left, right),
    context: merge(left.context, right.context),
    deferred: joinDeferred(left.deferred, right.deferred),
  };
  return carryOutDeferred(joined);
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

function joinDeferred(
  left: readonly DeferredRemoval[],
  right: readonly DeferredRemoval[],
): DeferredRemoval[] {
  const byText = new Map<string, DeferredRemoval>();
  for (const removal of [...left, ...right]) byText.set(deferredToText(removal), removal);
  return [...byText.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(-DEFERRED_MAX)
    .map(([, removal]) => removal);
}

/** Equal for equal removals. */
export function deferredToText({ context, path, pieces }: DeferredRemoval): string {
  const entries = [...context].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([entries, path, [...pieces].sort()]);
}
