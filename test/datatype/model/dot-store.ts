/**
 * The model of the data types: dot stores as plain maps of maps, written for clarity.
 *
 * The packed stores of `src/datatype` must hold the same pieces under the same dots after the same
 * steps (`packed.test.ts`). An actor's newer dot on a piece replaces its older one, so a dot set is a
 * map actor → counter.
 */

import type { ByteString } from '../../../src/base/bytes.ts';
import { assert } from '../../../src/base/fault.ts';
import { fieldKeyToField } from '../../../src/datatype/packed.ts';
import type { Actor, Dot, VersionVector } from '../../../src/clock/version-vector.ts';
import type { FieldKind } from '../../../src/datatype/operation.ts';

/** actor → the counter of its one dot here. */
export type DotSet = ReadonlyMap<Actor, number>;

/** What an actor contributed, under its newest dot. */
export interface Contribution {
  readonly counter: number;
  readonly value: bigint;
}

export interface Assignment {
  readonly counter: number;
  readonly atMicros: number;
  readonly value: ByteString;
}

export interface CounterStore {
  readonly kind: 'counter';
  readonly contributions: ReadonlyMap<Actor, Contribution>;
}

export interface SetStore {
  readonly kind: 'set';
  /** An element is in the set while it has dots. */
  readonly dotsByElement: ReadonlyMap<ByteString, DotSet>;
}

export interface RegisterStore {
  readonly kind: 'register';
  readonly assignments: ReadonlyMap<Actor, Assignment>;
}

export interface FlagStore {
  readonly kind: 'flag';
  /** Enabled while there are dots. */
  readonly dots: DotSet;
}

/** A field is there while it has dots of its own, whether or not its content is empty. */
export interface MapField {
  readonly dots: DotSet;
  readonly content: DotStore;
}

export interface MapStore {
  readonly kind: 'map';
  /** By `fieldKey`. */
  readonly fields: ReadonlyMap<ByteString, MapField>;
}

export type DotStore = CounterStore | SetStore | RegisterStore | FlagStore | MapStore;

export function emptyStore(kind: FieldKind): DotStore {
  switch (kind) {
    case 'counter':
      return { kind, contributions: new Map() };
    case 'set':
      return { kind, dotsByElement: new Map() };
    case 'register':
      return { kind, assignments: new Map() };
    case 'flag':
      return { kind, dots: new Map() };
    case 'map':
      return { kind, fields: new Map() };
  }
}

/** A store and what its holder has seen. */
export interface Seen<T> {
  readonly store: T;
  readonly context: VersionVector;
}

/** The join of two stores of one kind; commutative, associative, idempotent. */
export function joinStores(left: Seen<DotStore>, right: Seen<DotStore>): DotStore {
  const { kind } = left.store;
  switch (kind) {
    case 'counter':
      return { kind, contributions: joinEntries(left, right, contributionsOf, counterOf) };
    case 'register':
      return { kind, assignments: joinEntries(left, right, assignmentsOf, counterOf) };
    case 'flag':
      return { kind, dots: joinEntries(left, right, flagDotsOf, itself) };
    case 'set':
      return { kind, dotsByElement: joinElements(left, right) };
    case 'map':
      return { kind, fields: joinFields(left, right) };
  }
}

/** What is left of a store when all that `context` covers is removed. */
export function withoutSeen(store: DotStore, context: VersionVector): DotStore {
  const { kind } = store;
  switch (kind) {
    case 'counter':
      return { kind, contributions: unseen(store.contributions, context, counterOf) };
    case 'register':
      return { kind, assignments: unseen(store.assignments, context, counterOf) };
    case 'flag':
      return { kind, dots: unseen(store.dots, context, itself) };
    case 'set': {
      const dotsByElement = new Map<ByteString, DotSet>();
      for (const [element, dots] of store.dotsByElement) {
        const left = unseen(dots, context, itself);
        if (left.size > 0) dotsByElement.set(element, left);
      }
      return { kind, dotsByElement };
    }
    case 'map': {
      const fields = new Map<ByteString, MapField>();
      for (const [key, field] of store.fields) {
        const left = fieldWithoutSeen(field, context);
        if (left !== undefined) fields.set(key, left);
      }
      return { kind, fields };
    }
  }
}

/** Undefined when nothing of the field is left. */
export function fieldWithoutSeen(field: MapField, context: VersionVector): MapField | undefined {
  const dots = unseen(field.dots, context, itself);
  return dots.size === 0 ? undefined : { dots, content: withoutSeen(field.content, context) };
}

/** The entries whose dots `context` does not cover. */
export function unseen<T>(
  entries: ReadonlyMap<Actor, T>,
  context: VersionVector,
  counter: (entry: T) => number,
): ReadonlyMap<Actor, T> {
  const left = new Map<Actor, T>();
  for (const [actor, entry] of entries) {
    if ((context.get(actor) ?? 0) < counter(entry)) left.set(actor, entry);
  }
  return left.size === entries.size ? entries : left;
}

/** Just this dot: whoever adds has seen what it replaces. */
export function dotSetOf(dot: Dot): DotSet {
  return new Map([[dot.actor, dot.counter]]);
}

function joinEntries<T>(
  left: Seen<DotStore>,
  right: Seen<DotStore>,
  entriesOf: (store: DotStore) => ReadonlyMap<Actor, T>,
  counter: (entry: T) => number,
): ReadonlyMap<Actor, T> {
  return joinMaps(
    { store: entriesOf(left.store), context: left.context },
    { store: entriesOf(right.store), context: right.context },
    counter,
  );
}

function joinMaps<T>(
  left: Seen<ReadonlyMap<Actor, T>>,
  right: Seen<ReadonlyMap<Actor, T>>,
  counter: (entry: T) => number,
): ReadonlyMap<Actor, T> {
  const joined = new Map<Actor, T>();
  for (const [actor, entry] of left.store) {
    const other = right.store.get(actor);
    const isInBoth = other !== undefined && counter(other) === counter(entry);
    if (isInBoth || (right.context.get(actor) ?? 0) < counter(entry)) joined.set(actor, entry);
  }
  for (const [actor, entry] of right.store) {
    if (!joined.has(actor) && (left.context.get(actor) ?? 0) < counter(entry)) {
      joined.set(actor, entry);
    }
  }
  return joined;
}

function joinElements(left: Seen<DotStore>, right: Seen<DotStore>): Map<ByteString, DotSet> {
  const joined = new Map<ByteString, DotSet>();
  const leftElements = elementsOf(left.store);
  const rightElements = elementsOf(right.store);
  const join = (element: ByteString): void => {
    const dots = joinMaps(
      { store: leftElements.get(element) ?? NO_DOTS, context: left.context },
      { store: rightElements.get(element) ?? NO_DOTS, context: right.context },
      itself,
    );
    if (dots.size > 0) joined.set(element, dots);
  };
  for (const element of leftElements.keys()) join(element);
  for (const element of rightElements.keys()) if (!leftElements.has(element)) join(element);
  return joined;
}

function joinFields(left: Seen<DotStore>, right: Seen<DotStore>): Map<ByteString, MapField> {
  const joined = new Map<ByteString, MapField>();
  const leftFields = fieldsOf(left.store);
  const rightFields = fieldsOf(right.store);
  for (const key of new Set([...leftFields.keys(), ...rightFields.keys()])) {
    const { kind } = fieldKeyToField(key);
    const leftField = leftFields.get(key) ?? { dots: NO_DOTS, content: emptyStore(kind) };
    const rightField = rightFields.get(key) ?? { dots: NO_DOTS, content: emptyStore(kind) };
    const dots = joinMaps(
      { store: leftField.dots, context: left.context },
      { store: rightField.dots, context: right.context },
      itself,
    );
    if (dots.size === 0) continue;
    const content = joinStores(
      { store: leftField.content, context: left.context },
      { store: rightField.content, context: right.context },
    );
    joined.set(key, { dots, content });
  }
  return joined;
}

const NO_DOTS: DotSet = new Map();

function itself(counter: number): number {
  return counter;
}

function counterOf(entry: { readonly counter: number }): number {
  return entry.counter;
}

function contributionsOf(store: DotStore): ReadonlyMap<Actor, Contribution> {
  assert(store.kind === 'counter', 'only stores of one kind are joined');
  return store.contributions;
}

function assignmentsOf(store: DotStore): ReadonlyMap<Actor, Assignment> {
  assert(store.kind === 'register', 'only stores of one kind are joined');
  return store.assignments;
}

function flagDotsOf(store: DotStore): DotSet {
  assert(store.kind === 'flag', 'only stores of one kind are joined');
  return store.dots;
}

function elementsOf(store: DotStore): ReadonlyMap<ByteString, DotSet> {
  assert(store.kind === 'set', 'only stores of one kind are joined');
  return store.dotsByElement;
}

function fieldsOf(store: DotStore): ReadonlyMap<ByteString, MapField> {
  assert(store.kind === 'map', 'only stores of one kind are joined');
  return store.fields;
}
