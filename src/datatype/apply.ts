/**
 * Applying a client's operation to the coordinating replica's state.
 *
 * Additions are marked with the write's dot. A removal with a context removes what the context has
 * seen and defers the rest; without one it acts on the state as it is here, and something that is
 * not there refuses the whole operation. A map's removes come before its updates; a set's additions
 * before its removes, so that without a context an element added and removed is not there.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';
import {
  covers,
  descends,
  withDot,
  type Actor,
  type Dot,
  type VersionVector,
} from '../clock/version-vector.ts';
import { editEntries, findEntries, packRest, type Entry, type EntryEdit } from './collection.ts';
import { sortNames } from './sorted-names.ts';
import { addElements } from './hyperloglog.ts';
import { keepUnseenLeaf } from './join.ts';
import {
  packAssignments,
  packContributions,
  readAssignments,
  readContributions,
} from './leaf-store.ts';
import type {
  CounterOperation,
  DatatypeOperation,
  Field,
  FieldOperation,
  FlagOperation,
  MapOperation,
  RegisterOperation,
  SetOperation,
} from './operation.ts';
import { emptyStore, fieldKey, packDots, type PackedDot, type Seen } from './packed.ts';
import { entryWithoutSeen, seenAt, type DeferredRemoval } from './removal.ts';
import {
  DEFERRED_MAX,
  DEFERRED_SIZE_MAX_BYTES,
  joinDeferred,
  sizeOfDeferred,
  carryOutDeferred,
  type CausalName,
  type CausalState,
  type DatatypeState,
} from './state.ts';

export interface Application {
  /** The write's own dot; no other write has it. */
  readonly dot: Dot;
  /** What the client had seen; undefined if it did not say. */
  readonly context: VersionVector | undefined;
  readonly nowMicros: number;
}

export type ApplicationRefusal =
  | { readonly kind: 'element-not-present'; readonly element: ByteString }
  | { readonly kind: 'field-not-present'; readonly field: Field };

export type ApplicationOutcome =
  | { readonly kind: 'applied'; readonly state: DatatypeState }
  | ApplicationRefusal
  /** The operation is another type's. */
  | { readonly kind: 'wrong-type' };

/** The operation is within the limits of `operation-limits.ts`. */
export function* applyOperation(
  state: DatatypeState,
  operation: DatatypeOperation,
  application: Application,
): Sliced<ApplicationOutcome> {
  if (state.kind === 'gset' && operation.kind === 'gset') {
    const edits = (yield* sortNames(operation.adds)).map((name) => ({ name, rest: NO_REST }));
    const elements = yield* editEntries('gset', state.elements, edits);
    return { kind: 'applied', state: { kind: 'gset', elements } };
  }
  if (state.kind === 'hll' && operation.kind === 'hll') {
    const registers = yield* addElements(state.registers, operation.adds);
    return { kind: 'applied', state: { kind: 'hll', registers } };
  }
  if (state.kind !== 'causal' || state.store.kind !== operation.kind) return { kind: 'wrong-type' };
  const edit = new Edit(state, application);
  try {
    const bytes = yield* edit.apply(operation, state.store.bytes, []);
    return { kind: 'applied', state: yield* edit.finish(bytes) };
  } catch (error) {
    if (error instanceof NotPresent) return error.refusal;
    throw error;
  }
}

const NO_REST = Buffer.alloc(0);
/** A field's update takes as long as walking over so much. */
const UPDATE_COST_BYTES = 512;
const KEY_COST_BYTES = 64;

/** Leaves the recursion when a precondition fails; never leaves this file. */
class NotPresent extends Error {
  readonly refusal: ApplicationRefusal;

  constructor(refusal: ApplicationRefusal) {
    super(refusal.kind);
    this.refusal = refusal;
  }
}

class Edit {
  readonly #state: CausalState;
  readonly #application: Application;
  readonly #dots: readonly [PackedDot];
  /** What removals take away. */
  readonly #seen: Seen;
  readonly #deferred: DeferredRemoval[] = [];
  #deferredBytes = 0;
  /** The client's context, if it has seen what is not here yet. */
  readonly #awaited: VersionVector | undefined;
  #hasAdded = false;

  constructor(state: CausalState, application: Application) {
    const { dot, context } = application;
    const actors = new Set<Actor>(state.context.keys()).add(dot.actor);
    const position = [...actors].indexOf(dot.actor);
    this.#state = state;
    this.#application = application;
    this.#dots = [{ position, counter: dot.counter }];
    // Without a context all that is here, what this very request has added included.
    this.#seen = seenAt(actors, context ?? withDot(state.context, dot));
    const isAhead = context !== undefined && !descends(state.context, context);
    this.#awaited = isAhead ? context : undefined;
  }

  *finish(bytes: Buffer): Sliced<CausalState> {
    const { context, store, deferred } = this.#state;
    const { dot } = this.#application;
    const edited: CausalState = {
      kind: 'causal',
      store: { kind: store.kind, bytes },
      context: this.#hasOwnDot(store.kind) ? withDot(context, dot) : context,
      deferred: yield* joinDeferred(deferred, this.#deferred),
    };
    // All have been carried out on what was here before, and nothing but this dot has come.
    return yield* carryOutDeferred(edited, (removal) => covers(removal.context, dot));
  }

  /** As with Riak any update of a map is an event, of a set only one that adds. */
  #hasOwnDot(kind: CausalName): boolean {
    return kind === 'map' || this.#hasAdded;
  }

  /** `bytes`: a store of the operation's kind. */
  *apply(operation: FieldOperation, bytes: Buffer, path: readonly ByteString[]): Sliced<Buffer> {
    switch (operation.kind) {
      case 'set':
        return yield* this.#changeSet(bytes, operation, path);
      case 'map':
        return yield* this.#changeMap(bytes, operation, path);
      case 'counter':
      case 'register':
      case 'flag':
        return this.#changeLeaf(operation, bytes, path);
    }
  }

  #changeLeaf(
    operation: CounterOperation | RegisterOperation | FlagOperation,
    bytes: Buffer,
    path: readonly ByteString[],
  ): Buffer {
    switch (operation.kind) {
      case 'counter':
        return this.#increment(bytes, operation.increment);
      case 'register':
        return this.#assign(bytes, operation.value);
      case 'flag':
        if (!operation.enable) {
          this.#deferRest(path, []);
          return keepUnseenLeaf('flag', bytes, { positions: undefined, seen: this.#seen });
        }
        this.#hasAdded = true;
        return packDots(this.#dots);
    }
  }

  #increment(bytes: Buffer, increment: bigint): Buffer {
    const [dot] = this.#dots;
    this.#hasAdded = true;
    let value = increment;
    const contributions = readContributions(bytes, undefined).filter((contribution) => {
      if (contribution.position !== dot.position) return true;
      value += contribution.value;
      return false;
    });
    return packContributions([...contributions, { ...dot, value }]);
  }

  /** Its time is above that of every assignment it replaces, whatever the clock says. */
  #assign(bytes: Buffer, value: ByteString): Buffer {
    const [dot] = this.#dots;
    this.#hasAdded = true;
    let atMicros = this.#application.nowMicros;
    for (const assignment of readAssignments(bytes, undefined)) {
      atMicros = Math.max(atMicros, assignment.atMicros + 1);
    }
    atMicros = Math.min(atMicros, Number.MAX_SAFE_INTEGER);
    return packAssignments([{ ...dot, atMicros, value }]);
  }

  *#changeSet(
    bytes: Buffer,
    { adds, removes }: SetOperation,
    path: readonly ByteString[],
  ): Sliced<Buffer> {
    const found = yield* findEntries('set', bytes, yield* sortNames(removes));
    const missing = this.#findMissing(removes, new Set([...found.keys(), ...adds]));
    if (missing !== undefined)
      throw new NotPresent({ kind: 'element-not-present', element: missing });
    if (removes.length > 0) this.#deferRest(path, removes);
    if (adds.length > 0) this.#hasAdded = true;
    const added = yield* sortNames(this.#addsThatStay(adds, removes));

    const rest = packDots(this.#dots);
    const edits: EntryEdit[] = [];
    const slice = new SliceBudget();
    let next = 0;
    // Both lists are sorted; what is in both is added.
    for (const [name, entry] of found) {
      for (; (added[next] ?? PAST_ALL) < name; next += 1)
        edits.push({ name: mustAt(added, next), rest });
      if (added[next] === name) continue;
      const left = yield* entryWithoutSeen('set', [name, entry], this.#seen);
      edits.push({ name, rest: left && packRest('set', left) });
      if (slice.spend(UPDATE_COST_BYTES)) yield;
    }
    for (; next < added.length; next += 1) edits.push({ name: mustAt(added, next), rest });
    return yield* editEntries('set', bytes, edits);
  }

  *#changeMap(
    bytes: Buffer,
    { removes, updates }: MapOperation,
    path: readonly ByteString[],
  ): Sliced<Buffer> {
    const removed = yield* fieldKeys(removes, (field) => field);
    const updated = yield* fieldKeys(updates, ({ field }) => field);
    const names = yield* sortNames([...removed, ...updated]);
    const found = yield* findEntries('map', bytes, names);
    const missing = this.#findMissing(removed, new Set(found.keys()));
    if (missing !== undefined) {
      const field = removes[removed.indexOf(missing)] as Field;
      throw new NotPresent({ kind: 'field-not-present', field });
    }
    if (removes.length > 0) this.#deferRest(path, removed);
    yield* this.#removeFields(removed, found);
    yield* this.#updateFields(updates, found, path);
    const edits: EntryEdit[] = [];
    const slice = new SliceBudget();
    for (const name of names) {
      const field = found.get(name);
      edits.push({ name, rest: field && packRest('map', field) });
      if (slice.spend(UPDATE_COST_BYTES + (field?.content.length ?? 0))) yield;
    }
    return yield* editEntries('map', bytes, edits);
  }

  *#removeFields(removed: readonly ByteString[], fields: Map<ByteString, Entry>): Sliced<void> {
    for (const name of removed) {
      const field = fields.get(name);
      if (field === undefined) continue;
      const left = yield* entryWithoutSeen('map', [name, field], this.#seen);
      if (left === undefined) fields.delete(name);
      else fields.set(name, left);
    }
  }

  *#updateFields(
    updates: MapOperation['updates'],
    fields: Map<ByteString, Entry>,
    path: readonly ByteString[],
  ): Sliced<void> {
    const slice = new SliceBudget();
    for (const { field, operation } of updates) {
      assert(field.kind === operation.kind, 'what reads an operation checks that its kinds agree');
      this.#hasAdded = true;
      const name = fieldKey(field.name, field.kind);
      const before = fields.get(name)?.content ?? emptyStore(field.kind);
      const inner = [...path, name];
      const content =
        operation.kind === 'set' || operation.kind === 'map'
          ? yield* this.apply(operation, before, inner)
          : this.#changeLeaf(operation, before, inner);
      fields.set(name, { dots: this.#dots, content });
      if (slice.spend(UPDATE_COST_BYTES + content.length)) yield;
    }
  }

  /** The first piece that a removal without a context names in vain, or twice; takes what is named. */
  #findMissing(pieces: readonly ByteString[], present: Set<ByteString>): ByteString | undefined {
    if (this.#application.context !== undefined) return undefined;
    return pieces.find((piece) => !present.delete(piece));
  }

  /** No context has seen the dot of this very request. */
  #addsThatStay(
    adds: readonly ByteString[],
    removes: readonly ByteString[],
  ): readonly ByteString[] {
    if (this.#application.context !== undefined || removes.length === 0) return adds;
    const removed = new Set(removes);
    return adds.filter((element) => !removed.has(element));
  }

  /** What the client has seen and this replica has not is removed when it arrives. */
  #deferRest(path: readonly ByteString[], pieces: readonly ByteString[]): void {
    if (this.#awaited === undefined || this.#deferred.length >= DEFERRED_MAX) return;
    const removal = { context: this.#awaited, path, pieces };
    this.#deferredBytes += sizeOfDeferred(removal);
    if (this.#deferredBytes <= DEFERRED_SIZE_MAX_BYTES) this.#deferred.push(removal);
  }
}

function* fieldKeys<T>(
  items: readonly T[],
  fieldOf: (item: T) => Field,
): Sliced<readonly ByteString[]> {
  const keys: ByteString[] = [];
  const slice = new SliceBudget();
  for (const item of items) {
    const { name, kind } = fieldOf(item);
    keys.push(fieldKey(name, kind));
    if (slice.spend(KEY_COST_BYTES + name.length)) yield;
  }
  return keys;
}

/** Sorts after every byte string. */
const PAST_ALL = '\u{ffff}' as ByteString;

function mustAt(names: readonly ByteString[], index: number): ByteString {
  return names[index] as ByteString;
}
