/** The tables agree with the recorded catalogue, with the .proto files and with another codec. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import t from 'tap';
import { ENUMERATIONS, MESSAGE_TYPES } from '../../../../src/api/pbc/messages/catalogue.ts';
import { decodeMessage, writeMessage } from '../../../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../../../src/api/pbc/messages/proto-writer.ts';
import { TRANSCRIPTS_FOLDER } from '../../../transcripts/replay.ts';
import { arbitraryMessage } from './arbitrary-message.ts';
import type {
  FieldType,
  Fields,
  MessageInput,
  MessageType,
} from '../../../../src/api/pbc/messages/message-type.ts';

type FieldRow = readonly [name: string, number: number, type: string, label: string];

/** Not Riak's. */
const OWN = ['ReplicatedItem', 'ReplicatedLot'];
/** In messages of Riak's, with numbers that it does not use. */
const OWN_FIELDS = new Set([
  'RpbPushReq.compared_mark',
  'RpbPushReq.age_ms',
  'RpbPushResp.drop_mark',
  'RpbPushResp.taken_count',
]);
const OWN_NUMBERS_FROM = 100;
const NOT_SERVED = /^Rpb(Search|Yokozuna)/;

function typeName(type: FieldType): string {
  if (type === 'byteString') return 'bytes';
  if (typeof type === 'string') return type;
  return typeof type === 'function' ? type().name : type.name;
}

function rowsOf(type: MessageType<Fields>): readonly FieldRow[] {
  return Object.entries(type.fields).map(([name, field]) => [
    name,
    field.number,
    typeName(field.type),
    field.label,
  ]);
}

function isOwn(message: string, [field, number]: FieldRow): boolean {
  return OWN_FIELDS.has(`${message}.${field}`) && number >= OWN_NUMBERS_FROM;
}

interface CatalogueEntry {
  readonly code?: number;
  readonly fields?: Readonly<Record<string, readonly [number, string, string, unknown?]>>;
  readonly enum?: Readonly<Record<string, number>>;
}

const catalogue = JSON.parse(
  readFileSync(new URL('pbc/messages.json', TRANSCRIPTS_FOLDER), 'utf8'),
) as Readonly<Record<string, CatalogueEntry>>;

t.test('the tables hold every message of the catalogue, field by field', (t) => {
  const types = new Map(MESSAGE_TYPES.map((type) => [type.name, type]));
  const enumerations = new Map(ENUMERATIONS.map((one) => [one.name, one]));
  for (const [name, entry] of Object.entries(catalogue)) {
    if (NOT_SERVED.test(name)) continue;
    if (entry.enum !== undefined) {
      t.strictSame(enumerations.get(name)?.numberByName, entry.enum, name);
      enumerations.delete(name);
      continue;
    }
    const type = types.get(name);
    const rows = Object.entries(entry.fields ?? {}).map(([field, [number, kind, label]]) => [
      field,
      number,
      kind,
      label,
    ]);
    const riaks = type && rowsOf(type).filter((row) => !isOwn(name, row));
    t.strictSame([type?.code, riaks], [entry.code, rows], name);
    types.delete(name);
  }
  t.strictSame(
    [[...types.keys()], [...enumerations.keys()]],
    [OWN, []],
    'and nothing else but our own',
  );
  t.end();
});

const root = new protobuf.Root().loadSync(
  ['riak.proto', 'riak_kv.proto', 'riak_dt.proto', 'replication.proto'].map((file) =>
    fileURLToPath(new URL(`../../proto/${file}`, TRANSCRIPTS_FOLDER)),
  ),
  { keepCase: true },
);

function labelOf(field: protobuf.Field): string {
  if (field.required) return 'required';
  return field.repeated ? 'repeated' : 'optional';
}

t.test('the .proto files describe the same messages', (t) => {
  const described = new Map<string, protobuf.Type>();
  const enums = new Map<string, protobuf.Enum>();
  const collect = (namespace: protobuf.NamespaceBase) => {
    for (const member of namespace.nestedArray) {
      if (member instanceof protobuf.Type) described.set(member.name, member);
      if (member instanceof protobuf.Enum) enums.set(member.name, member);
      if (member instanceof protobuf.Namespace) collect(member);
    }
  };
  collect(root);
  for (const type of MESSAGE_TYPES) {
    const fields = described.get(type.name)?.fieldsArray ?? [];
    const rows = fields.map((field) => [
      field.name,
      field.id,
      field.type.split('.').at(-1),
      labelOf(field),
    ]);
    t.strictSame(rows, rowsOf(type), type.name);
    described.delete(type.name);
  }
  for (const { name, numberByName } of ENUMERATIONS) {
    t.strictSame({ ...enums.get(name)?.values }, numberByName, name);
  }
  t.strictSame([...described.keys()], [], 'and no others');
  t.end();
});

t.test('another codec reads what this one writes, and the other way round', (t) => {
  const writer = new ProtoWriter();
  for (const type of MESSAGE_TYPES) {
    if (Object.keys(type.fields).length === 0) continue;
    const other = root.lookupType(type.name);
    fc.assert(
      fc.property(arbitraryMessage(type), (value) => {
        writer.begin(0, 0);
        writeMessage(type, writer, value as MessageInput<Fields>);
        const bytes = Buffer.concat(writer.finish());
        const again = Buffer.from(other.encode(other.decode(bytes)).finish());
        return isDeepStrictEqual(decodeMessage(type, again, { fieldCountMax: 1000 }), value);
      }),
      { numRuns: 10 },
    );
  }
  t.end();
});
