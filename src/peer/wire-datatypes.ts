/**
 * The wire form of updates of data types: operations as tuples within tuples.
 *
 * Numbers travel as decimal text, since they have no bound that MessagePack knows. Whoever reads an
 * operation can rely on it: a field's kind and its operation's agree, and maps nest as deep as states
 * may and no deeper.
 */

import { NESTING_MAX } from '../datatype/check-store.ts';
import { INCREMENT_DIGITS_MAX } from '../datatype/operation-limits.ts';
import type { DatatypeOperation, FieldOperation, MapOperation } from '../datatype/operation.ts';
import type { UpdateDatatypeRequest } from '../object/datatype-requests.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple, WireValue } from './tuple-reader.ts';
import {
  contextToTuple,
  fieldToTuple,
  optionsToTuple,
  readContext,
  readField,
  readKey,
  readOptions,
} from './wire-values.ts';

type AnyOperation = DatatypeOperation | FieldOperation;

/** Append-only: an index is a wire number. */
const OPERATIONS = ['counter', 'set', 'gset', 'hll', 'map', 'register', 'flag'] as const;
const RETURNING = ['nothing', 'value'] as const;
const NUMBER = /^-?\d+$/;

export function updateRequestToTuple(request: UpdateDatatypeRequest): WireTuple {
  const { key, operation, context, returning } = request;
  return [
    key.type,
    key.bucket,
    key.key,
    operationToTuple(operation),
    context === undefined ? null : contextToTuple(context),
    RETURNING.indexOf(returning),
    optionsToTuple(request),
  ];
}

export function readUpdateRequest(reader: TupleReader): UpdateDatatypeRequest {
  const fields = reader.tuple();
  const key = readKey(fields);
  const operation = readOperation(fields, 0);
  if (operation.kind === 'register' || operation.kind === 'flag') {
    throw malformed('an operation of a field alone');
  }
  const context = fields.optional(readContext);
  const returning = fields.choice(RETURNING);
  const options = readOptions(fields);
  fields.end();
  return { ...options, key, operation, ...(context !== undefined && { context }), returning };
}

function operationToTuple(operation: AnyOperation): WireTuple {
  const code = OPERATIONS.indexOf(operation.kind);
  switch (operation.kind) {
    case 'counter':
      return [code, operation.increment.toString()];
    case 'set':
      return [code, operation.adds, operation.removes];
    case 'gset':
    case 'hll':
      return [code, operation.adds];
    case 'register':
      return [code, operation.value];
    case 'flag':
      return [code, operation.enable];
    case 'map':
      return [code, operation.removes.flatMap(fieldToTuple), updatesToTuple(operation.updates)];
  }
}

/** Name, kind and operation by turns. */
function updatesToTuple(updates: MapOperation['updates']): WireTuple {
  const fields: WireValue[] = [];
  for (const { field, operation } of updates) {
    fields.push(...fieldToTuple(field), operationToTuple(operation));
  }
  return fields;
}

function readOperation(reader: TupleReader, depth: number): AnyOperation {
  const fields = reader.tuple();
  const operation = readOperationFields(fields, fields.choice(OPERATIONS), depth);
  fields.end();
  return operation;
}

function readOperationFields(
  fields: TupleReader,
  kind: (typeof OPERATIONS)[number],
  depth: number,
): AnyOperation {
  switch (kind) {
    case 'counter':
      return { kind, increment: readNumber(fields) };
    case 'set':
      return { kind, adds: readNames(fields), removes: readNames(fields) };
    case 'gset':
    case 'hll':
      return { kind, adds: readNames(fields) };
    case 'register':
      return { kind, value: fields.byteString() };
    case 'flag':
      return { kind, enable: fields.boolean() };
    case 'map':
      if (depth >= NESTING_MAX) throw malformed('maps nested too deeply');
      return {
        kind,
        removes: fields.list(readField),
        updates: fields.list((list) => readUpdate(list, depth + 1)),
      };
  }
}

function readUpdate(reader: TupleReader, depth: number): MapOperation['updates'][number] {
  const field = readField(reader);
  const operation = readOperation(reader, depth);
  if (operation.kind === 'gset' || operation.kind === 'hll' || operation.kind !== field.kind) {
    throw malformed('a field and its operation differ in kind');
  }
  return { field, operation };
}

function readNumber(reader: TupleReader): bigint {
  const text = reader.text();
  if (text.length > INCREMENT_DIGITS_MAX + 1 || !NUMBER.test(text)) throw malformed('no number');
  return BigInt(text);
}

function readNames(reader: TupleReader): ReturnType<TupleReader['byteString']>[] {
  return reader.list((list) => list.byteString());
}
