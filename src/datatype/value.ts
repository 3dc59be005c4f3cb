/**
 * What clients see of a state.
 */

import type { ByteString } from '../base/bytes.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import { EntryCursor } from './collection.ts';
import { estimate } from './hyperloglog.ts';
import { readAssignments, readContributions, readFlag, type LeafKind } from './leaf-store.ts';
import type { DatatypeValue, Field, FieldKind, FieldValue } from './operation.ts';
import { fieldKeyToField } from './packed.ts';
import type { DatatypeState } from './state.ts';

/** An element or a field takes as long as walking over so much. */
const ELEMENT_COST_BYTES = 32;
const FIELD_COST_BYTES = 256;

export function* valueOf(state: DatatypeState): Sliced<DatatypeValue> {
  if (state.kind === 'gset') {
    return { kind: 'gset', elements: yield* elementsOf('gset', state.elements) };
  }
  if (state.kind === 'hll') return { kind: 'hll', count: estimate(state.registers) };
  const { kind, bytes } = state.store;
  return (yield* fieldValueOf(kind, bytes)) as DatatypeValue;
}

/** What a client sends back to remove what it saw; undefined where nothing can be removed. */
export function contextOf(state: DatatypeState): VersionVector | undefined {
  return state.kind === 'causal' && state.store.kind !== 'counter' ? state.context : undefined;
}

function* fieldValueOf(kind: FieldKind, bytes: Buffer): Sliced<FieldValue> {
  switch (kind) {
    case 'set':
      return { kind, elements: yield* elementsOf('set', bytes) };
    case 'map':
      return { kind, fields: yield* fieldsOf(bytes) };
    case 'counter':
    case 'register':
    case 'flag':
      return leafValueOf(kind, bytes);
  }
}

function leafValueOf(kind: LeafKind, bytes: Buffer): FieldValue {
  switch (kind) {
    case 'counter': {
      let value = 0n;
      for (const contribution of readContributions(bytes, undefined)) value += contribution.value;
      return { kind, value };
    }
    case 'register':
      return { kind, value: registerValue(bytes) };
    case 'flag':
      return { kind, isEnabled: readFlag(bytes, undefined).length > 0 };
  }
}

function* elementsOf(kind: 'set' | 'gset', bytes: Buffer): Sliced<readonly ByteString[]> {
  const elements: ByteString[] = [];
  const slice = new SliceBudget();
  for (const cursor = new EntryCursor(kind, bytes); !cursor.isAtEnd; cursor.advance()) {
    elements.push(cursor.name());
    if (slice.spend(ELEMENT_COST_BYTES + cursor.end - cursor.start)) yield;
  }
  return elements;
}

function* fieldsOf(
  bytes: Buffer,
): Sliced<readonly { readonly field: Field; readonly value: FieldValue }[]> {
  const fields: { readonly field: Field; readonly value: FieldValue }[] = [];
  const slice = new SliceBudget();
  for (const cursor = new EntryCursor('map', bytes); !cursor.isAtEnd; cursor.advance()) {
    const field = fieldKeyToField(cursor.name());
    const { kind } = field;
    const isLeaf = kind !== 'set' && kind !== 'map';
    const content = cursor.content();
    fields.push({
      field,
      value: isLeaf ? leafValueOf(kind, content) : yield* fieldValueOf(kind, content),
    });
    if (slice.spend(FIELD_COST_BYTES + cursor.end - cursor.start)) yield;
  }
  return fields;
}

/** The newest assignment; of two of one microsecond the larger value. */
function registerValue(bytes: Buffer): ByteString {
  let newest = { atMicros: -1, value: '' as ByteString };
  for (const assignment of readAssignments(bytes, undefined)) {
    const isNewer =
      assignment.atMicros > newest.atMicros ||
      (assignment.atMicros === newest.atMicros && assignment.value > newest.value);
    if (isNewer) newest = assignment;
  }
  return newest.value;
}
