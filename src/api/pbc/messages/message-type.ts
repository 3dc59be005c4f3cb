/**
 * Messages as tables: number, label and type of each field, from which both codec and types follow.
 *
 * The meaning is proto2's, as Riak has it: unknown fields are passed over, and so is a known number
 * with another wire type; of a singular field that comes twice the last counts; an unknown number of
 * an enumeration is no value; a required field that is missing is a fault. Names (bucket types,
 * buckets, keys, terms, …) are `byteString`, the rest of protobuf's byte strings are `bytes`.
 *
 * A message type may bring a codec written by hand, where speed matters; it means the same.
 */

import { assert } from '../../../base/fault.ts';
import { LENGTH_WIRE, ProtoReader, VARINT_WIRE, malformed } from './proto-reader.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { ReaderLimits } from './proto-reader.ts';
import type { ProtoWriter } from './proto-writer.ts';

export type Scalar = 'bytes' | 'byteString' | 'bool' | 'uint32' | 'int64' | 'uint64' | 'sint64';
export type Label = 'required' | 'optional' | 'repeated';

export interface Enumeration<Name extends string> {
  readonly name: string;
  readonly numberByName: Readonly<Record<Name, number>>;
  readonly nameByNumber: ReadonlyMap<number, Name>;
}

export type FieldType =
  | Scalar
  | Enumeration<string>
  | MessageType<Fields>
  /** For messages that hold themselves. */
  | (() => MessageType<Fields>);

export interface Field<T extends FieldType, L extends Label> {
  readonly number: number;
  readonly type: T;
  readonly label: L;
}

export type Fields = Readonly<Record<string, Field<FieldType, Label>>>;

type ValueOf<T extends FieldType> = T extends 'bytes'
  ? Buffer
  : T extends 'byteString'
    ? ByteString
    : T extends 'bool'
      ? boolean
      : T extends 'uint32'
        ? number
        : T extends 'int64' | 'uint64' | 'sint64'
          ? bigint
          : T extends Enumeration<infer Name>
            ? Name
            : T extends MessageType<infer F> | (() => MessageType<infer F>)
              ? Message<F>
              : never;

/** A message as it is read: absent fields are undefined, absent lists empty. */
export type Message<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T, infer L>
    ? L extends 'repeated'
      ? readonly ValueOf<T>[]
      : L extends 'required'
        ? ValueOf<T>
        : ValueOf<T> | undefined
    : never;
};

type InputValueOf<T extends FieldType> = T extends
  MessageType<infer F> | (() => MessageType<infer F>)
  ? MessageInput<F>
  : ValueOf<T>;

type KeysLabelled<F extends Fields, L extends Label> = {
  [K in keyof F]: F[K] extends Field<FieldType, infer M> ? (M extends L ? K : never) : never;
}[keyof F];

/** A message as it is written: only what is required must be there. */
export type MessageInput<F extends Fields> = {
  readonly [K in KeysLabelled<F, 'required'>]: InputValueOf<F[K]['type']>;
} & {
  readonly [K in KeysLabelled<F, 'optional'>]?: InputValueOf<F[K]['type']> | undefined;
} & {
  readonly [K in KeysLabelled<F, 'repeated'>]?: readonly InputValueOf<F[K]['type']>[] | undefined;
};

/** Shorthand: the message that a message type describes. */
export type MessageOf<T> = T extends MessageType<infer F> ? Message<F> : never;
export type InputOf<T> = T extends MessageType<infer F> ? MessageInput<F> : never;

/** Reads and writes a message's fields; the reader stands at the first and ends with the last. */
export interface HandWrittenCodec<F extends Fields> {
  read(reader: ProtoReader): Message<F>;
  write(writer: ProtoWriter, message: MessageInput<F>): void;
  /** About how many bytes the message will have; never far too few for large values. */
  sizeHint(message: MessageInput<F>): number;
}

export interface MessageType<F extends Fields> {
  readonly name: string;
  /** Undefined for messages that are only parts of others. */
  readonly code: number | undefined;
  readonly fields: F;
  readonly plan: Plan;
  readonly codec: ErasedCodec | undefined;
}

/** A codec whose message type is known by the type that holds it. */
interface ErasedCodec {
  read(reader: ProtoReader): object;
  write(writer: ProtoWriter, message: object): void;
  sizeHint(message: object): number;
}

/** A message type's fields, laid out for reading and writing. */
interface Plan {
  readonly entries: readonly PlannedField[];
  readonly entryByNumber: readonly (PlannedField | undefined)[];
  /** A message without any of its fields. */
  readonly blank: Readonly<Record<string, unknown>>;
}

export interface PlannedField {
  readonly name: string;
  readonly number: number;
  readonly label: Label;
  readonly type: FieldType;
  readonly wire: number;
}

/** Each absent list, so that the many that are empty cost nothing. */
export const NO_ITEMS: readonly never[] = Object.freeze([]);

/** A message while it is being read. */
export type Draft<F extends Fields> = {
  -readonly [K in keyof Message<F>]:
    Message<F>[K] | (F[K]['label'] extends 'repeated' ? never : undefined);
};

/** `items` with one more; only `NO_ITEMS` is not itself changed. */
export function append<T>(items: readonly T[], item: T): readonly T[] {
  if (items === NO_ITEMS) return [item];
  (items as T[]).push(item);
  return items;
}

export function enumeration<Name extends string>(
  name: string,
  numberByName: Readonly<Record<Name, number>>,
): Enumeration<Name> {
  const entries = Object.entries(numberByName) as [Name, number][];
  return { name, numberByName, nameByNumber: new Map(entries.map(([key, n]) => [n, key])) };
}

export function required<T extends FieldType>(number: number, type: T): Field<T, 'required'> {
  return { number, type, label: 'required' };
}

export function optional<T extends FieldType>(number: number, type: T): Field<T, 'optional'> {
  return { number, type, label: 'optional' };
}

export function repeated<T extends FieldType>(number: number, type: T): Field<T, 'repeated'> {
  return { number, type, label: 'repeated' };
}

/** A message with a code of its own, which can be a frame. */
export function message<F extends Fields>(
  name: string,
  code: number,
  fields: F,
  codec?: HandWrittenCodec<F>,
): MessageType<F> {
  return { name, code, fields, plan: planOf(fields), codec };
}

/** A message that is only ever a part of another. */
export function part<F extends Fields>(
  name: string,
  fields: F,
  codec?: HandWrittenCodec<F>,
): MessageType<F> {
  return { name, code: undefined, fields, plan: planOf(fields), codec };
}

function planOf(fields: Fields): Plan {
  const entryByNumber: (PlannedField | undefined)[] = [];
  const blank: Record<string, unknown> = {};
  const entries = Object.entries(fields).map(([name, { number, label, type }]) => {
    const entry = { name, number, label, type, wire: wireOf(type) };
    entryByNumber[number] = entry;
    blank[name] = label === 'repeated' ? NO_ITEMS : undefined;
    return entry;
  });
  return { entries, entryByNumber: Array.from(entryByNumber), blank };
}

function wireOf(type: FieldType): number {
  if (type === 'bytes' || type === 'byteString') return LENGTH_WIRE;
  if (typeof type === 'string') return VARINT_WIRE;
  return isEnumeration(type) ? VARINT_WIRE : LENGTH_WIRE;
}

/** Throws the fault `malformed`, and nothing else, for bytes that are no such message. */
export function decodeMessage<F extends Fields>(
  type: MessageType<F>,
  bytes: Buffer,
  limits: ReaderLimits,
): Message<F> {
  // A message without fields has nothing that could be wrong.
  if (type.plan.entries.length === 0) return type.plan.blank as Message<F>;
  return readMessage(type, new ProtoReader(bytes, limits));
}

/** Reads up to the end of the message that the reader is in. */
export function readMessage<F extends Fields>(
  type: MessageType<F>,
  reader: ProtoReader,
): Message<F> {
  return type.codec === undefined
    ? readByTable(type, reader)
    : (type.codec.read(reader) as Message<F>);
}

/** As `readMessage`, by the table even where there is a codec written by hand. */
export function readByTable<F extends Fields>(
  type: MessageType<F>,
  reader: ProtoReader,
): Message<F> {
  const result: Record<string, unknown> = { ...type.plan.blank };
  while (reader.hasMore()) readTableField(type, reader, { tag: reader.tag(), result });
  requireFields(type, result);
  return result as Message<F>;
}

/** Reads the field behind `tag` into `result`, or passes over it. */
export function readTableField<F extends Fields>(
  type: MessageType<F>,
  reader: ProtoReader,
  { tag, result }: { readonly tag: number; readonly result: Record<string, unknown> },
): void {
  const wire = tag & 7;
  const entry = type.plan.entryByNumber[tag >>> 3];
  if (entry === undefined) {
    reader.skip(wire);
  } else if (entry.wire === wire) {
    readField(entry, reader, result);
  } else if (wire === LENGTH_WIRE && entry.label === 'repeated') {
    readPacked(entry, reader, result);
  } else {
    reader.skip(wire);
  }
}

/** Throws the fault `malformed` where a required field is not among what was read. */
export function requireFields<F extends Fields>(
  type: MessageType<F>,
  result: Readonly<Record<string, unknown>>,
): void {
  for (const { label, name } of type.plan.entries) {
    if (label === 'required' && result[name] === undefined) throw missing(type.name, name);
  }
}

/** The fault for a required field that did not come. */
export function missing(message: string, field: string): Error {
  return malformed(`${message} without ${field}`);
}

function readField(
  entry: PlannedField,
  reader: ProtoReader,
  result: Record<string, unknown>,
): void {
  const value = readValue(entry.type, reader);
  if (value === undefined) return;
  if (entry.label !== 'repeated') {
    result[entry.name] = value;
    return;
  }
  result[entry.name] = append(result[entry.name] as readonly unknown[], value);
}

/** Numbers of a repeated field may come packed into one field. */
function readPacked(
  entry: PlannedField,
  reader: ProtoReader,
  result: Record<string, unknown>,
): void {
  const outerEnd = reader.enter();
  while (reader.hasMore()) {
    reader.countField();
    readField(entry, reader, result);
  }
  reader.leave(outerEnd);
}

function readValue(type: FieldType, reader: ProtoReader): unknown {
  switch (type) {
    case 'bytes':
      return reader.bytes();
    case 'byteString':
      return reader.byteString();
    case 'bool':
      return reader.bool();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'uint64':
      return reader.uint64();
    case 'sint64':
      return reader.sint64();
    default:
      return isEnumeration(type)
        ? type.nameByNumber.get(reader.uint32())
        : readPart(resolve(type), reader);
  }
}

/** A nested message: its length, then its fields. */
export function readPart<F extends Fields>(type: MessageType<F>, reader: ProtoReader): Message<F> {
  const outerEnd = reader.enter();
  const value = readMessage(type, reader);
  reader.leave(outerEnd);
  return value;
}

export function writeMessage<F extends Fields>(
  type: MessageType<F>,
  writer: ProtoWriter,
  value: MessageInput<F>,
): void {
  if (type.codec === undefined) writeByTable(type, writer, value);
  else type.codec.write(writer, value);
}

/** As `writeMessage`, by the table even where there is a codec written by hand. */
export function writeByTable<F extends Fields>(
  type: MessageType<F>,
  writer: ProtoWriter,
  value: MessageInput<F>,
): void {
  const record = value as Readonly<Record<string, unknown>>;
  for (const entry of type.plan.entries) {
    const held = record[entry.name];
    if (held === undefined) {
      assert(entry.label !== 'required', `${type.name} has its ${entry.name}`);
    } else if (entry.label === 'repeated') {
      for (const item of held as readonly unknown[]) writeTableField(entry, writer, item);
    } else {
      writeTableField(entry, writer, held);
    }
  }
}

/** One value of a field: its number and wire type, and the value. */
export function writeTableField(entry: PlannedField, writer: ProtoWriter, value: unknown): void {
  const { type, number } = entry;
  switch (type) {
    case 'bytes':
      return writer.bytes(number, value as Buffer);
    case 'byteString':
      return writer.byteString(number, value as ByteString);
    case 'bool':
      return writer.bool(number, value as boolean);
    case 'uint32':
      return writer.uint32(number, value as number);
    case 'int64':
    case 'uint64':
      return writer.int64(number, value as bigint);
    case 'sint64':
      return writer.sint64(number, value as bigint);
    default:
      return isEnumeration(type)
        ? writer.uint32(number, type.numberByName[value as string] as number)
        : writePart(resolve(type), writer, number, value as MessageInput<Fields>);
  }
}

/** A nested message: its number, its length, its fields. */
export function writePart<F extends Fields>(
  type: MessageType<F>,
  writer: ProtoWriter,
  number: number,
  value: MessageInput<F>,
): void {
  const mark = writer.open(number);
  writeMessage(type, writer, value);
  writer.close(mark);
}

/** Bytes to make room for before writing; larger messages only grow while they are written. */
export function sizeHint<F extends Fields>(type: MessageType<F>, value: MessageInput<F>): number {
  return type.codec === undefined ? 0 : type.codec.sizeHint(value);
}

/** The message type of a field that holds messages. */
export function partTypeOf({ type }: PlannedField): MessageType<Fields> | undefined {
  return typeof type === 'string' || isEnumeration(type) ? undefined : resolve(type);
}

function isEnumeration(type: FieldType): type is Enumeration<string> {
  return typeof type === 'object' && 'nameByNumber' in type;
}

function resolve(type: MessageType<Fields> | (() => MessageType<Fields>)): MessageType<Fields> {
  return typeof type === 'function' ? type() : type;
}
