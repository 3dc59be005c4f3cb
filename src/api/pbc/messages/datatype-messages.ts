/**
 * Messages about data types: the legacy counters of untyped buckets, and counters, sets, maps,
 * HyperLogLogs and grow-only sets of bucket types. Maps hold maps, so their types are written out.
 */

import { enumeration, message, optional, part, repeated, required } from './message-type.ts';
import type { Field, MessageType } from './message-type.ts';

export const RpbCounterUpdateReq = message('RpbCounterUpdateReq', 50, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  amount: required(3, 'sint64'),
  w: optional(4, 'uint32'),
  dw: optional(5, 'uint32'),
  pw: optional(6, 'uint32'),
  returnvalue: optional(7, 'bool'),
  node_confirms: optional(8, 'uint32'),
});

export const RpbCounterUpdateResp = message('RpbCounterUpdateResp', 51, {
  value: optional(1, 'sint64'),
});

export const RpbCounterGetReq = message('RpbCounterGetReq', 52, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  r: optional(3, 'uint32'),
  pr: optional(4, 'uint32'),
  basic_quorum: optional(5, 'bool'),
  notfound_ok: optional(6, 'bool'),
  node_confirms: optional(7, 'uint32'),
});

export const RpbCounterGetResp = message('RpbCounterGetResp', 53, {
  value: optional(1, 'sint64'),
});

export const DataType = enumeration('DataType', { COUNTER: 1, SET: 2, MAP: 3, HLL: 4, GSET: 5 });

export const MapFieldType = enumeration('MapFieldType', {
  COUNTER: 1,
  SET: 2,
  REGISTER: 3,
  FLAG: 4,
  MAP: 5,
});

export const FlagOp = enumeration('FlagOp', { ENABLE: 1, DISABLE: 2 });

export const MapField = part('MapField', {
  name: required(1, 'byteString'),
  type: required(2, MapFieldType),
});

type MapEntryFields = {
  readonly field: Field<typeof MapField, 'required'>;
  readonly counter_value: Field<'sint64', 'optional'>;
  readonly set_value: Field<'byteString', 'repeated'>;
  readonly register_value: Field<'byteString', 'optional'>;
  readonly flag_value: Field<'bool', 'optional'>;
  readonly map_value: Field<() => MessageType<MapEntryFields>, 'repeated'>;
};

/** One value field, the one that fits the type of `field`; an empty set or map has none. */
export const MapEntry: MessageType<MapEntryFields> = part('MapEntry', {
  field: required(1, MapField),
  counter_value: optional(2, 'sint64'),
  set_value: repeated(3, 'byteString'),
  register_value: optional(4, 'byteString'),
  flag_value: optional(5, 'bool'),
  map_value: repeated(6, () => MapEntry),
});

export const DtValue = part('DtValue', {
  counter_value: optional(1, 'sint64'),
  set_value: repeated(2, 'byteString'),
  map_value: repeated(3, MapEntry),
  hll_value: optional(4, 'uint64'),
  gset_value: repeated(5, 'byteString'),
});

/** Without an increment: one more. */
export const CounterOp = part('CounterOp', {
  increment: optional(1, 'sint64'),
});

export const SetOp = part('SetOp', {
  adds: repeated(1, 'byteString'),
  removes: repeated(2, 'byteString'),
});

export const GSetOp = part('GSetOp', {
  adds: repeated(1, 'byteString'),
});

export const HllOp = part('HllOp', {
  adds: repeated(1, 'byteString'),
});

type MapUpdateFields = {
  readonly field: Field<typeof MapField, 'required'>;
  readonly counter_op: Field<typeof CounterOp, 'optional'>;
  readonly set_op: Field<typeof SetOp, 'optional'>;
  readonly register_op: Field<'byteString', 'optional'>;
  readonly flag_op: Field<typeof FlagOp, 'optional'>;
  readonly map_op: Field<() => MessageType<MapOpFields>, 'optional'>;
};

type MapOpFields = {
  readonly removes: Field<typeof MapField, 'repeated'>;
  readonly updates: Field<() => MessageType<MapUpdateFields>, 'repeated'>;
};

export const MapUpdate: MessageType<MapUpdateFields> = part('MapUpdate', {
  field: required(1, MapField),
  counter_op: optional(2, CounterOp),
  set_op: optional(3, SetOp),
  register_op: optional(4, 'byteString'),
  flag_op: optional(5, FlagOp),
  map_op: optional(6, () => MapOp),
});

/** Removes are applied before updates. */
export const MapOp: MessageType<MapOpFields> = part('MapOp', {
  removes: repeated(1, MapField),
  updates: repeated(2, () => MapUpdate),
});

export const DtOp = part('DtOp', {
  counter_op: optional(1, CounterOp),
  set_op: optional(2, SetOp),
  map_op: optional(3, MapOp),
  hll_op: optional(4, HllOp),
  gset_op: optional(5, GSetOp),
});

export const DtFetchReq = message('DtFetchReq', 80, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  type: required(3, 'byteString'),
  r: optional(4, 'uint32'),
  pr: optional(5, 'uint32'),
  basic_quorum: optional(6, 'bool'),
  notfound_ok: optional(7, 'bool'),
  timeout: optional(8, 'uint32'),
  sloppy_quorum: optional(9, 'bool'),
  n_val: optional(10, 'uint32'),
  include_context: optional(11, 'bool'),
  node_confirms: optional(12, 'uint32'),
});

export const DtFetchResp = message('DtFetchResp', 81, {
  context: optional(1, 'bytes'),
  type: required(2, DataType),
  value: optional(3, DtValue),
});

export const DtUpdateReq = message('DtUpdateReq', 82, {
  bucket: required(1, 'byteString'),
  key: optional(2, 'byteString'),
  type: required(3, 'byteString'),
  context: optional(4, 'bytes'),
  op: required(5, DtOp),
  w: optional(6, 'uint32'),
  dw: optional(7, 'uint32'),
  pw: optional(8, 'uint32'),
  return_body: optional(9, 'bool'),
  timeout: optional(10, 'uint32'),
  sloppy_quorum: optional(11, 'bool'),
  n_val: optional(12, 'uint32'),
  include_context: optional(13, 'bool'),
  node_confirms: optional(14, 'uint32'),
});

export const DtUpdateResp = message('DtUpdateResp', 83, {
  key: optional(1, 'byteString'),
  context: optional(2, 'bytes'),
  counter_value: optional(3, 'sint64'),
  set_value: repeated(4, 'byteString'),
  map_value: repeated(5, MapEntry),
  hll_value: optional(6, 'uint64'),
  gset_value: repeated(7, 'byteString'),
});
