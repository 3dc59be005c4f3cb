/**
 * The state of a data type: what a replica stores as an object's value, and the join of two of them.
 *
 * Counters, sets and maps are a packed store beside the context that its additions made, and a map's
 * removals too: removing from a set changes no context. A removal whose context names writes that have
 * not arrived here is kept until they have (`deferred`), so that a client's removal holds at whichever
 * replica it lands. Grow-only sets and HyperLogLogs need no causality: they only grow.
 *
 * States are immutable values. Whatever walks a whole state is `Sliced`, because it may be large.
 *
 * Source: Riak KV's data types; Baquero et al. 2017; Brown et al. 2014, "Riak DT Map".
 */

import { SliceBudget, type Sliced } from '../base/sliced.ts';
import { descends, type VersionVector } from '../clock/version-vector.ts';
import { emptyRegisters, mergeRegisters, type Registers } from './hyperloglog.ts';
import { joinContexts, joinStores, type JoinScope } from './join.ts';
import type { DatatypeName } from './operation.ts';
import { emptyStore } from './packed.ts';
import { removeAlong, seenAt, type DeferredRemoval } from './removal.ts';

/** Of the data types that count causes. */
export type CausalName = 'counter' | 'set' | 'map';

export interface CausalState {
  readonly kind: 'causal';
  readonly store: { readonly kind: CausalName; readonly bytes: Buffer };
  /** The order of its entries is what positions in the store stand for. */
  readonly context: VersionVector;
  readonly deferred: readonly DeferredRemoval[];
}

export interface GrowOnlySetState {
  readonly kind: 'gset';
  readonly elements: Buffer;
}

export interface HyperLogLogState {
  readonly kind: 'hll';
  readonly registers: Registers;
}

export type DatatypeState = CausalState | GrowOnlySetState | HyperLogLogState;

/** Removals kept for later at most, and their pieces; of those past that, the pieces may stay. */
export const DEFERRED_MAX = 1_000;
export const DEFERRED_PIECES_MAX = 100_000;
/** Of their contexts and paths: each is compared with the state at every change. */
export const DEFERRED_SIZE_MAX_BYTES = 1024 * 1024;
const ACTOR_COST_BYTES = 24;

export function emptyState(name: DatatypeName, hllPrecision: number): DatatypeState {
  if (name === 'gset') return { kind: 'gset', elements: emptyStore('gset') };
  if (name === 'hll') return { kind: 'hll', registers: emptyRegisters(hllPrecision) };
  const store = { kind: name, bytes: emptyStore(name) };
  return { kind: 'causal', store, context: new Map(), deferred: [] };
}

export function datatypeNameOf(state: DatatypeState): DatatypeName {
  return state.kind === 'causal' ? state.store.kind : state.kind;
}

/** The join of two states of one type; undefined if they are of different types. */
export function* joinStates(
  left: DatatypeState,
  right: DatatypeState,
): Sliced<DatatypeState | undefined> {
  if (left.kind === 'gset' && right.kind === 'gset') {
    const elements = yield* joinStores('gset', [left.elements, right.elements], NO_DOTS);
    return { kind: 'gset', elements };
  }
  if (left.kind === 'hll' && right.kind === 'hll') {
    return { kind: 'hll', registers: mergeRegisters(left.registers, right.registers) };
  }
  if (left.kind !== 'causal' || right.kind !== 'causal') return undefined;
  const { kind } = left.store;
  if (right.store.kind !== kind) return undefined;
  const { context, scope } = joinContexts(left.context, right.context);
  const bytes = yield* joinStores(kind, [left.store.bytes, right.store.bytes], scope);
  const deferred = yield* joinDeferred(left.deferred, right.deferred);
  return yield* carryOutDeferred({ kind: 'causal', store: { kind, bytes }, context, deferred });
}

const NO_DOTS: JoinScope = { rightPositions: undefined, leftSeen: [], rightSeen: [] };

/**
 * Applies the deferred removals to what is here, each by a walk over the store, and forgets those that have
 * all they waited for. `isConcerned`: whether one may find something that it has not met yet.
 */
export function* carryOutDeferred(
  state: CausalState,
  isConcerned: (removal: DeferredRemoval) => boolean = () => true,
): Sliced<CausalState> {
  if (state.deferred.length === 0) return state;
  const { kind } = state.store;
  let { bytes } = state.store;
  const slice = new SliceBudget();
  for (const removal of state.deferred) {
    if (!isConcerned(removal)) continue;
    const seen = seenAt(state.context.keys(), removal.context);
    bytes = yield* removeAlong(kind, bytes, { ...removal, seen });
    if (slice.spend(bytes.length + sizeOfDeferred(removal))) yield;
  }
  const deferred = state.deferred.filter(({ context }) => !descends(state.context, context));
  return { ...state, store: { kind, bytes }, deferred };
}

/** Without its pieces. */
export function sizeOfDeferred({ context, path }: DeferredRemoval): number {
  return path.reduce((sum, name) => sum + name.length, 32 + context.size * ACTOR_COST_BYTES);
}

/** A context is sorted and written as text, which is dearer than to walk over its bytes. */
const TEXT_COST = 4;

/** The last of the removals, as many as may be kept. */
function boundDeferred(removals: readonly DeferredRemoval[]): readonly DeferredRemoval[] {
  let pieceCount = 0;
  let sizeBytes = 0;
  let first = removals.length;
  while (first > 0 && removals.length - first < DEFERRED_MAX) {
    const removal = removals[first - 1] as DeferredRemoval;
    pieceCount += removal.pieces.length;
    sizeBytes += sizeOfDeferred(removal);
    if (pieceCount > DEFERRED_PIECES_MAX || sizeBytes > DEFERRED_SIZE_MAX_BYTES) break;
    first -= 1;
  }
  return first === 0 ? removals : removals.slice(first);
}

/**
 * Each removal once, in the order of their texts, so that equal states stay equal, and what is past the
 * bound goes at every replica alike. Both arguments are such lists, or short.
 */
export function* joinDeferred(
  left: readonly DeferredRemoval[],
  right: readonly DeferredRemoval[],
): Sliced<readonly DeferredRemoval[]> {
  if (right.length === 0) return boundDeferred(left);
  const byText = new Map<string, DeferredRemoval>();
  const slice = new SliceBudget();
  for (const removal of [...left, ...right]) {
    byText.set(deferredToText(removal), removal);
    if (slice.spend(TEXT_COST * (sizeOfDeferred(removal) + removal.pieces.length))) yield;
  }
  return boundDeferred(
    [...byText.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, removal]) => removal),
  );
}

/** Equal for equal removals. */
export function deferredToText({ context, path, pieces }: DeferredRemoval): string {
  const entries = [...context].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([entries, path, [...pieces].sort()]);
}
