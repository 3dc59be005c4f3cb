/**
 * Operations and values of data types as a client writes and reads them.
 *
 * The other way round from `api/pbc/datatype-values.ts`. A map's value with an unknown or missing
 * member reads as an empty one of the field's type, as Riak's clients read it.
 */

import type {
  DatatypeName,
  DatatypeOperation,
  DatatypeValue,
  Field,
  FieldKind,
  FieldOperation,
  FieldValue,
  MapOperation,
} from '../datatype/operation.ts';
import { FIELD_KINDS, FIELD_TYPES } from '../api/pbc/datatype-values.ts';
import type {
  DataType,
  DtOp,
  DtValue,
  MapEntry,
  MapField,
  MapOp,
  MapUpdate,
} from '../api/pbc/messages/datatype-messages.ts';
import type { InputOf, MessageOf } from '../api/pbc/messages/message-type.ts';
import type { ByteString } from '../base/bytes.ts';

const NAMES = {
  COUNTER: 'counter',
  SET: 'set',
  MAP: 'map',
  HLL: 'hll',
  GSET: 'gset',
} as const satisfies Record<keyof (typeof DataType)['numberByName'], DatatypeName>;

export function datatypeNameOf(type: keyof typeof NAMES): DatatypeName {
  return NAMES[type];
}

export function messageToValue(
  kind: DatatypeName,
  message: MessageOf<typeof DtValue>,
): DatatypeValue {
  switch (kind) {
    case 'counter':
      return { kind, value: message.counter_value ?? 0n };
    case 'set':
      return { kind, elements: message.set_value };
    case 'gset':
      return { kind, elements: message.gset_value };
    case 'hll':
      return { kind, count: Number(message.hll_value ?? 0n) };
    case 'map':
      return { kind, fields: message.map_value.map(entryToField) };
  }
}

function entryToField(entry: MessageOf<typeof MapEntry>): {
  readonly field: Field;
  readonly value: FieldValue;
} {
  const kind = FIELD_KINDS[entry.field.type];
  return { field: { name: entry.field.name, kind }, value: fieldValue(kind, entry) };
}

function fieldValue(kind: FieldKind, entry: MessageOf<typeof MapEntry>): FieldValue {
  switch (kind) {
    case 'counter':
      return { kind, value: entry.counter_value ?? 0n };
    case 'set':
      return { kind, elements: entry.set_value };
    case 'register':
      return { kind, value: entry.register_value ?? ('' as ByteString) };
    case 'flag':
      return { kind, isEnabled: entry.flag_value ?? false };
    case 'map':
      return { kind, fields: entry.map_value.map(entryToField) };
  }
}

export function operationToMessage(operation: DatatypeOperation): InputOf<typeof DtOp> {
  switch (operation.kind) {
    case 'counter':
      return { counter_op: { increment: operation.increment } };
    case 'set':
      return { set_op: { adds: operation.adds, removes: operation.removes } };
    case 'gset':
      return { gset_op: { adds: operation.adds } };
    case 'hll':
      return { hll_op: { adds: operation.adds } };
    case 'map':
      return { map_op: mapOperation(operation) };
  }
}

function mapOperation({ removes, updates }: MapOperation): InputOf<typeof MapOp> {
  return {
    removes: removes.map(fieldToMessage),
    updates: updates.map(({ field, operation }) => ({
      field: fieldToMessage(field),
      ...fieldOperation(operation),
    })),
  };
}

function fieldOperation(operation: FieldOperation): Omit<InputOf<typeof MapUpdate>, 'field'> {
  switch (operation.kind) {
    case 'counter':
      return { counter_op: { increment: operation.increment } };
    case 'set':
      return { set_op: { adds: operation.adds, removes: operation.removes } };
    case 'register':
      return { register_op: operation.value };
    case 'flag':
      return { flag_op: operation.enable ? 'ENABLE' : 'DISABLE' };
    case 'map':
      return { map_op: mapOperation(operation) };
  }
}

function fieldToMessage({ name, kind }: Field): InputOf<typeof MapField> {
  return { name, type: FIELD_TYPES[kind] };
}
