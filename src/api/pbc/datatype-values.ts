/**
 * Data types between messages and what the node takes and gives.
 *
 * An operation that makes no sense (none at all, or none that fits the field's type) is no operation,
 * and refused as a whole. Of several members of one operation the first that Riak looks at counts.
 */

import type { DatatypeOperation, DatatypeValue } from '../../datatype/operation.ts';
import type { Field, FieldKind, FieldOperation, FieldValue } from '../../datatype/operation.ts';
import type { MapOperation, MapValue } from '../../datatype/operation.ts';
import type {
  CounterOp,
  DtOp,
  DtValue,
  MapEntry,
  MapField,
  MapOp,
  MapUpdate,
  SetOp,
} from './messages/datatype-messages.ts';
import type { InputOf, MessageOf } from './messages/message-type.ts';

export const FIELD_KINDS = {
  COUNTER: 'counter',
  SET: 'set',
  REGISTER: 'register',
  FLAG: 'flag',
  MAP: 'map',
} as const;

export const FIELD_TYPES = {
  counter: 'COUNTER',
  set: 'SET',
  register: 'REGISTER',
  flag: 'FLAG',
  map: 'MAP',
} as const satisfies Record<FieldKind, string>;

export const DATA_TYPES = {
  counter: 'COUNTER',
  set: 'SET',
  map: 'MAP',
  hll: 'HLL',
  gset: 'GSET',
} as const satisfies Record<DatatypeOperation['kind'], string>;

/** What the protocol's counters can say. */
const COUNTER_MAX = 2n ** 63n - 1n;
const COUNTER_MIN = -(2n ** 63n);

/** Undefined where there is no operation, or one that no field of its type has. */
export function messageToOperation(op: MessageOf<typeof DtOp>): DatatypeOperation | undefined {
  if (op.counter_op !== undefined) return counterOperation(op.counter_op);
  if (op.set_op !== undefined) return setOperation(op.set_op);
  if (op.map_op !== undefined) return mapOperation(op.map_op);
  if (op.hll_op !== undefined) return { kind: 'hll', adds: op.hll_op.adds };
  return op.gset_op === undefined ? undefined : { kind: 'gset', adds: op.gset_op.adds };
}

function counterOperation({ increment }: MessageOf<typeof CounterOp>): FieldOperation & {
  readonly kind: 'counter';
} {
  return { kind: 'counter', increment: increment ?? 1n };
}

function setOperation({ adds, removes }: MessageOf<typeof SetOp>): FieldOperation & {
  readonly kind: 'set';
} {
  return { kind: 'set', adds, removes };
}

function mapOperation(op: MessageOf<typeof MapOp>): MapOperation | undefined {
  const updates: { readonly field: Field; readonly operation: FieldOperation }[] = [];
  for (const update of op.updates) {
    const operation = fieldOperation(update);
    if (operation === undefined) return undefined;
    updates.push({ field: fieldOf(update.field), operation });
  }
  return { kind: 'map', removes: op.removes.map(fieldOf), updates };
}

function fieldOperation(update: MessageOf<typeof MapUpdate>): FieldOperation | undefined {
  const { counter_op, set_op, register_op, flag_op, map_op } = update;
  switch (update.field.type) {
    case 'COUNTER':
      return counter_op && counterOperation(counter_op);
    case 'SET':
      return set_op && setOperation(set_op);
    case 'REGISTER':
      return register_op === undefined ? undefined : { kind: 'register', value: register_op };
    case 'FLAG':
      return flag_op && { kind: 'flag', enable: flag_op === 'ENABLE' };
    case 'MAP':
      return map_op && mapOperation(map_op);
  }
}

function fieldOf({ name, type }: MessageOf<typeof MapField>): Field {
  return { name, kind: FIELD_KINDS[type] };
}

/** Whether the protocol can say the value: its counters have 64 bits, the node's as many as needed. */
export function isWithinProtocol(value: FieldValue | DatatypeValue): boolean {
  if (value.kind === 'counter') return value.value >= COUNTER_MIN && value.value <= COUNTER_MAX;
  return value.kind !== 'map' || value.fields.every((entry) => isWithinProtocol(entry.value));
}

/** Elements and fields that are written at once. */
const AT_ONCE_MAX_COUNT = 1_000;

/** Whether writing the value would hold up others. */
export function isLarge(value: DatatypeValue): boolean {
  return pieceCount(value) > AT_ONCE_MAX_COUNT;
}

function pieceCount(value: DatatypeValue | FieldValue): number {
  switch (value.kind) {
    case 'set':
    case 'gset':
      return value.elements.length;
    case 'map': {
      let count = value.fields.length;
      for (const field of value.fields) count += pieceCount(field.value);
      return count;
    }
    case 'counter':
    case 'hll':
    case 'flag':
    case 'register':
      return 1;
  }
}

/** A value within the protocol; the members of `DtUpdateResp` have the same names. */
export function valueToMessage(value: DatatypeValue): InputOf<typeof DtValue> {
  switch (value.kind) {
    case 'counter':
      return { counter_value: value.value };
    case 'set':
      return { set_value: value.elements };
    case 'map':
      return { map_value: mapEntries(value) };
    case 'hll':
      return { hll_value: BigInt(value.count) };
    case 'gset':
      return { gset_value: value.elements };
  }
}

function mapEntries({ fields }: MapValue): InputOf<typeof MapEntry>[] {
  return fields.map(({ field: { name, kind }, value }) => ({
    field: { name, type: FIELD_TYPES[kind] },
    ...fieldValue(value),
  }));
}

function fieldValue(value: FieldValue): Omit<InputOf<typeof MapEntry>, 'field'> {
  switch (value.kind) {
    case 'counter':
      return { counter_value: value.value };
    case 'set':
      return { set_value: value.elements };
    case 'register':
      return { register_value: value.value };
    case 'flag':
      return { flag_value: value.isEnabled };
    case 'map':
      return { map_value: mapEntries(value) };
  }
}
