/**
 * An object as a line of JSON, and back: the format of exported files, version 1.
 *
 *   {"vertebra-objects":1}
 *   {"type":N,"bucket":N,"key":N,"context":B,"siblings":[S,…]}
 *   {"type":N,"bucket":N,"key":N,"context":B,"datatype":V}
 *   {"end":true,"objects":2}
 *
 *   N  bytes of a name: their text where they are UTF-8, else {"base64":B};  B  base64
 *   S  {"value":B,"contentType":N,"charset":N,"contentEncoding":N,"userMetadata":[[N,N],…],
 *       "links":[{"bucket":N,"key":N,"tag":N},…],"indexes":[[N,N],…],
 *       "vtag":text,"lastModifiedMicros":number}
 *   V  {"counter":"12"} | {"set":[N,…]} | {"gset":[N,…]} | {"hll":12,"state":B} | {"map":[[N,F],…]}
 *   F  V of a counter, set or map, or {"register":N} | {"flag":true}
 *
 * `state` is a HyperLogLog's as Vertebra stores it; without it there is but a count, which no cluster can
 * go on from. `context` is the exporting cluster's own, for the record: no other cluster can go on from it. What
 * is read is hostile: whatever a line says, it is an object or the fault `malformed`.
 */

import { byteStringToBytes, byteStringToUtf8, bytesToByteString } from '../base/bytes.ts';
import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { jsonDepth } from '../base/json-depth.ts';
import type { ObjectKey } from '../base/names.ts';
import type { DatatypeValue, Field, FieldValue, MapValue } from '../datatype/operation.ts';
import type { IndexEntry, Link, Metadata } from '../object/stored-object.ts';
import { estimate } from '../datatype/hyperloglog.ts';
import type { Carried, CarriedSibling } from './carried-object.ts';
import { decodeSketch, encodeSketch } from './sketch.ts';

export interface ObjectLine {
  readonly key: ObjectKey;
  readonly carried: Carried;
  readonly context: Buffer | undefined;
}

export type Line =
  | { readonly kind: 'header' }
  | ({ readonly kind: 'object' } & ObjectLine)
  | { readonly kind: 'end'; readonly objects: number };

export const HEADER_LINE = '{"vertebra-objects":1}';

/** Maps hold maps; eight levels of them are more than anybody has met. */
const DEPTH_MAX = 64;
const NAME_SIZE_MAX_BYTES = 65_535;

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

export function encodeObjectLine({ key, carried, context }: ObjectLine): string {
  return JSON.stringify({
    type: nameToJson(key.type),
    bucket: nameToJson(key.bucket),
    key: nameToJson(key.key),
    ...(context !== undefined && { context: context.toString('base64') }),
    ...carriedToJson(carried),
  });
}

export function encodeEndLine(objects: number): string {
  return JSON.stringify({ end: true, objects });
}

/** Throws the fault `malformed` with what is wrong, without what the line says. */
export function decodeLine(bytes: Buffer): Line {
  if (jsonDepth(bytes) > DEPTH_MAX) throw wrong('it is nested too deeply');
  const line = asObject(parse(bytes), 'the line');
  if (line['vertebra-objects'] !== undefined) {
    if (line['vertebra-objects'] !== 1) throw wrong('its version of the format is not known');
    return { kind: 'header' };
  }
  if (line['end'] === true) return { kind: 'end', objects: asCount(line['objects'], 'objects') };
  const key = {
    type: asKeyName(line['type'], 'type'),
    bucket: asKeyName(line['bucket'], 'bucket'),
    key: asKeyName(line['key'], 'key'),
  };
  const context = line['context'] === undefined ? undefined : asBytes(line['context'], 'context');
  return { kind: 'object', key, carried: carriedFromJson(line), context };
}

/** Bytes as JSON that shows them as text where they are. */
export function nameToJson(name: ByteString): string | { readonly base64: string } {
  const text = byteStringToUtf8(name);
  if (utf8ToByteString(text) === name) return text;
  return { base64: byteStringToBytes(name).toString('base64') };
}

function carriedToJson(carried: Carried): object {
  switch (carried.kind) {
    case 'siblings':
      return { siblings: carried.siblings.map(siblingToJson) };
    case 'datatype':
      return { datatype: valueToJson(carried.value) };
    case 'sketch': {
      const { registers } = carried;
      const state = encodeSketch(registers).toString('base64');
      return { datatype: { hll: estimate(registers), state } };
    }
  }
}

function carriedFromJson(line: JsonObject): Carried {
  const { siblings, datatype } = line;
  if ((siblings === undefined) === (datatype === undefined)) {
    throw wrong('it has to have either siblings or a datatype');
  }
  if (datatype !== undefined) {
    return sketchFromJson(datatype) ?? { kind: 'datatype', value: valueFromJson(datatype) };
  }
  const list = asList(siblings, 'siblings');
  if (list.length === 0) throw wrong('siblings is empty');
  return { kind: 'siblings', siblings: list.map(siblingFromJson) };
}

function siblingToJson({ value, metadata, vtag, lastModifiedMicros }: CarriedSibling): object {
  const { contentType, charset, contentEncoding, userMetadata, links, indexes } = metadata;
  return {
    value: value.toString('base64'),
    contentType: contentType === undefined ? undefined : nameToJson(contentType),
    charset: charset === undefined ? undefined : nameToJson(charset),
    contentEncoding: contentEncoding === undefined ? undefined : nameToJson(contentEncoding),
    userMetadata: userMetadata?.map((pair) => pair.map(nameToJson)),
    links: links?.map(linkToJson),
    indexes: indexes?.map(({ field, term }) => [nameToJson(field), nameToJson(term)]),
    vtag,
    lastModifiedMicros,
  };
}

function siblingFromJson(json: Json): CarriedSibling {
  const sibling = asObject(json, 'a sibling');
  const metadata: { -readonly [K in keyof Metadata]: Metadata[K] } = {};
  for (const name of ['contentType', 'charset', 'contentEncoding'] as const) {
    if (sibling[name] !== undefined) metadata[name] = asName(sibling[name], name);
  }
  if (sibling['userMetadata'] !== undefined) {
    metadata.userMetadata = asList(sibling['userMetadata'], 'userMetadata').map(asPair);
  }
  if (sibling['links'] !== undefined) {
    metadata.links = asList(sibling['links'], 'links').map(linkFromJson);
  }
  if (sibling['indexes'] !== undefined) {
    metadata.indexes = asList(sibling['indexes'], 'indexes').map(indexFromJson);
  }
  const { vtag = '', lastModifiedMicros = 0 } = sibling;
  if (typeof vtag !== 'string') throw wrong('vtag is no text');
  return {
    value: asBytes(sibling['value'], 'value'),
    metadata,
    vtag,
    lastModifiedMicros: asCount(lastModifiedMicros, 'lastModifiedMicros'),
  };
}

function linkToJson({ bucket, key, tag }: Link): object {
  return {
    bucket: bucket === undefined ? undefined : nameToJson(bucket),
    key: key === undefined ? undefined : nameToJson(key),
    tag: tag === undefined ? undefined : nameToJson(tag),
  };
}

function linkFromJson(json: Json): Link {
  const link = asObject(json, 'a link');
  const part = (name: string): ByteString | undefined => {
    return link[name] === undefined ? undefined : asName(link[name], name);
  };
  return { bucket: part('bucket'), key: part('key'), tag: part('tag') };
}

function indexFromJson(json: Json): IndexEntry {
  const [field, term] = asPair(json);
  return { field, term };
}

function valueToJson(value: DatatypeValue | FieldValue): object {
  switch (value.kind) {
    case 'counter':
      return { counter: value.value.toString() };
    case 'set':
      return { set: value.elements.map(nameToJson) };
    case 'gset':
      return { gset: value.elements.map(nameToJson) };
    case 'hll':
      return { hll: value.count };
    case 'register':
      return { register: nameToJson(value.value) };
    case 'flag':
      return { flag: value.isEnabled };
    case 'map':
      return {
        map: value.fields.map(({ field, value: held }) => [
          nameToJson(field.name),
          valueToJson(held),
        ]),
      };
  }
}

/** Undefined: it is another data type, or but a count. */
function sketchFromJson(json: Json): Carried | undefined {
  const { hll, state } = asObject(json, 'datatype');
  if (hll === undefined || state === undefined) return undefined;
  const registers = decodeSketch(asBytes(state, 'state'));
  if (registers === undefined) throw wrong('state is none of a HyperLogLog');
  return { kind: 'sketch', registers };
}

function valueFromJson(json: Json): DatatypeValue {
  const object = asObject(json, 'datatype');
  if (object['gset'] !== undefined) return { kind: 'gset', elements: asNames(object['gset']) };
  if (object['hll'] !== undefined) return { kind: 'hll', count: asCount(object['hll'], 'hll') };
  const value = fieldFromJson(json);
  if (value.kind === 'register' || value.kind === 'flag') {
    throw wrong('registers and flags are fields of maps only');
  }
  return value;
}

function fieldFromJson(json: Json): FieldValue {
  const value = asObject(json, 'a value');
  const { counter, set, register, flag, map } = value;
  if (counter !== undefined) return { kind: 'counter', value: asInteger(counter) };
  if (set !== undefined) return { kind: 'set', elements: asNames(set) };
  if (register !== undefined) return { kind: 'register', value: asName(register, 'register') };
  if (typeof flag === 'boolean') return { kind: 'flag', isEnabled: flag };
  if (map !== undefined) return mapFromJson(map);
  throw wrong('a value is of no type that is known');
}

function mapFromJson(json: Json): MapValue {
  const fields = asList(json, 'map').map((item): { field: Field; value: FieldValue } => {
    const [name, held] = asList(item, 'a field');
    if (held === undefined) throw wrong('a field has no value');
    const value = fieldFromJson(held);
    return { field: { name: asName(name, 'a field'), kind: value.kind }, value };
  });
  return { kind: 'map', fields };
}

function parse(bytes: Buffer): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch {
    throw wrong('it is no JSON');
  }
}

function asObject(json: Json | undefined, what: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw wrong(`${what} is no object`);
  }
  return json as JsonObject;
}

function asList(json: Json | undefined, what: string): readonly Json[] {
  if (!Array.isArray(json)) throw wrong(`${what} is no list`);
  return json as readonly Json[];
}

function asPair(json: Json): readonly [ByteString, ByteString] {
  const pair = asList(json, 'a pair');
  if (pair.length !== 2) throw wrong('a pair has two parts');
  return [asName(pair[0], 'a pair'), asName(pair[1], 'a pair')];
}

function asNames(json: Json): readonly ByteString[] {
  return asList(json, 'elements').map((element) => asName(element, 'an element'));
}

/** A name that an object can be stored under. */
function asKeyName(json: Json | undefined, what: string): ByteString {
  const name = asName(json, what);
  if (name.length > 0 && name.length <= NAME_SIZE_MAX_BYTES) return name;
  throw wrong(`${what} has to be of 1 to ${NAME_SIZE_MAX_BYTES} bytes`);
}

function asName(json: Json | undefined, what: string): ByteString {
  if (typeof json === 'string') {
    const name = utf8ToByteString(json);
    // Half a surrogate pair is no text.
    if (byteStringToUtf8(name) === json) return name;
    throw wrong(`${what} is no text`);
  }
  if (json === undefined) throw wrong(`${what} is missing`);
  return bytesToByteString(asBytes(asObject(json, what)['base64'], what));
}

function asBytes(json: Json | undefined, what: string): Buffer {
  const isBase64 =
    typeof json === 'string' && json.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(json);
  if (!isBase64) throw wrong(`${what} is no base64`);
  return Buffer.from(json, 'base64');
}

function asCount(json: Json | undefined, what: string): number {
  if (typeof json === 'number' && Number.isSafeInteger(json) && json >= 0) return json;
  throw wrong(`${what} is no count`);
}

/** In the 64 bits of the protocol. */
function asInteger(json: Json): bigint {
  if (typeof json === 'string' && /^-?\d{1,19}$/.test(json)) {
    const value = BigInt(json);
    if (BigInt.asIntN(64, value) === value) return value;
  }
  throw wrong('a counter is no whole number of 64 bits');
}

function wrong(why: string): Fault {
  return new Fault('malformed', why);
}
