/**
 * Data types in JSON: what a client asks to be done, and the value it is shown.
 *
 * Counters are integers of any length, which JavaScript's JSON would round, and an element may be any
 * text. So a body is marked before it is parsed: texts, names of members among them, begin with `$`,
 * and numbers become texts that begin with `#`. The form of the operation is that of the bucket's data
 * type; contexts stand at the top only.
 */

import { isUtf8 } from 'node:buffer';
import { utf8ToByteString } from '../../base/bytes.ts';
import { decodeContext, encodeContext } from '../../clock/context.ts';
import { INCREMENT_DIGITS_MAX } from '../../datatype/operation-limits.ts';
import { parseJson, quoteName, quoteText } from './json-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type {
  CounterOperation,
  DatatypeName,
  DatatypeOperation,
  DatatypeValue,
  Field,
  FieldKind,
  FieldOperation,
  FieldValue,
  MapOperation,
  SetOperation,
} from '../../datatype/operation.ts';
import type { ShownDatatype } from '../../object/datatype-requests.ts';

export interface ParsedOperation {
  readonly operation: DatatypeOperation;
  readonly context: VersionVector | undefined;
}

/** Marked JSON; see above. */
type Json = string | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Leaves the recursion; `message` is the answer's text. Never leaves this file. */
class Refused extends Error {}

/** The operation that `body` asks for, or the text that says what is wrong with it. */
export function parseOperation(body: Buffer, datatype: DatatypeName): ParsedOperation | string {
  if (!isUtf8(body)) return 'Malformed JSON submitted, invalid UTF-8';
  const json = parseJson(markJson(body)) as Json | undefined;
  if (json === undefined || !hasTextNames(json)) return "Couldn't decode JSON: no valid JSON\n";
  try {
    return readTop(json, datatype);
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

/** A decimal integer, or undefined: it is none, or longer than any increment may be. */
export function parseIncrement(text: string): bigint | undefined {
  if (text.length > INCREMENT_DIGITS_MAX + 1 || !/^[+-]?\d+$/.test(text)) return undefined;
  return BigInt(text.startsWith('+') ? text.slice(1) : text);
}

const MARKED = /\\.|"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function markJson(body: Buffer): Buffer {
  let isQuoted = false;
  const marked = body.toString('latin1').replace(MARKED, (token) => {
    if (token === '"') {
      isQuoted = !isQuoted;
      return isQuoted ? '"$' : '"';
    }
    return isQuoted || token.startsWith('\\') ? token : `"#${token}"`;
  });
  return Buffer.from(marked, 'latin1');
}

/** Whether no number has become a member's name. */
function hasTextNames(json: Json): boolean {
  if (isList(json)) return json.every(hasTextNames);
  if (!isObject(json)) return true;
  return Object.entries(json).every(([name, value]) => name.startsWith('$') && hasTextNames(value));
}

function isList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function readTop(json: Json, datatype: DatatypeName): ParsedOperation {
  if (!isObject(json) || json['$context'] === undefined) {
    return { operation: readOperation(json, datatype), context: undefined };
  }
  const { $context: text, ...rest } = json;
  return { operation: readOperation(rest, datatype), context: readContext(text) };
}

function readContext(json: Json | undefined): VersionVector {
  const text = typeof json === 'string' && json.startsWith('$') ? json.slice(1) : '?';
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  const context = isBase64 ? decodeContext(Buffer.from(text, 'base64')) : undefined;
  if (context === undefined) throw undecodable('bad_context');
  return context;
}

function readOperation(json: Json, datatype: DatatypeName): DatatypeOperation {
  switch (datatype) {
    case 'counter':
      return readCounter(json);
    case 'set':
      return readSet(json);
    case 'gset':
    case 'hll':
      return { kind: datatype, adds: readElements(json, datatype).adds };
    case 'map':
      return readMap(json);
  }
}

function invalid(json: Json, datatype: DatatypeName | FieldKind): Refused {
  const shown = utf8ToByteString(unmark(json));
  return new Refused(`Invalid operation on datatype '${datatype}': ${shown}\n`);
}

/** The JSON that was marked. */
function unmark(json: Json): string {
  if (typeof json === 'string') {
    return json.startsWith('#') ? json.slice(1) : quoteText(json.slice(1));
  }
  if (isList(json)) return `[${json.map(unmark).join(',')}]`;
  if (!isObject(json)) return String(json);
  const members = Object.entries(json).map(([name, value]) => `${unmark(name)}:${unmark(value)}`);
  return `{${members.join(',')}}`;
}

function readCounter(json: Json): CounterOperation {
  if (json === '$increment') return { kind: 'counter', increment: 1n };
  if (json === '$decrement') return { kind: 'counter', increment: -1n };
  const [member, ...others] = isObject(json)
    ? Object.entries(json)
    : [['$increment', json] as const];
  const [name, value] = member ?? [];
  const amount =
    typeof value === 'string' && value.startsWith('#') ? parseIncrement(value.slice(1)) : undefined;
  if (amount === undefined || others.length > 0) throw invalid(json, 'counter');
  if (name === '$increment') return { kind: 'counter', increment: amount };
  if (name === '$decrement') return { kind: 'counter', increment: -amount };
  throw invalid(json, 'counter');
}

function readSet(json: Json): SetOperation {
  const { adds, removes, isAdded } = readElements(json, 'set');
  // An operation's removes come after its adds; here, what is added later is there.
  return { kind: 'set', adds, removes: removes.filter((element) => isAdded.get(element) !== true) };
}

interface Elements {
  readonly adds: ByteString[];
  readonly removes: ByteString[];
  /** By what was written last. */
  readonly isAdded: Map<ByteString, boolean>;
}

/** What is wrong in any part is told of the whole. */
function readElements(json: Json, datatype: 'set' | 'gset' | 'hll'): Elements {
  const verbs = datatype === 'set' ? SET_VERBS : GROWING_VERBS;
  const elements: Elements = { adds: [], removes: [], isAdded: new Map() };
  if (!isObject(json) || !takeElements(json, verbs, elements)) throw invalid(json, datatype);
  return elements;
}

const GROWING_VERBS: ReadonlySet<string> = new Set(['$add', '$add_all']);
const SET_VERBS: ReadonlySet<string> = new Set([...GROWING_VERBS, '$remove', '$remove_all']);

/** Whether all of it, parts within parts too, is of those verbs with texts. */
function takeElements(
  json: { readonly [name: string]: Json },
  verbs: ReadonlySet<string>,
  elements: Elements,
): boolean {
  return Object.entries(json).every(([verb, value]) => {
    if (verb === '$update') {
      const parts = isList(value) ? value : [value];
      return parts.every((part) => isObject(part) && takeElements(part, verbs, elements));
    }
    const isMany = verb.endsWith('_all');
    if (!verbs.has(verb) || isMany !== isList(value)) return false;
    const isAdd = verb.startsWith('$add');
    const into = isAdd ? elements.adds : elements.removes;
    return (isList(value) ? value : [value]).every((one) => {
      const element = readText(one);
      if (element === undefined) return false;
      into.push(element);
      elements.isAdded.set(element, isAdd);
      return true;
    });
  });
}

function readText(json: Json): ByteString | undefined {
  return typeof json === 'string' && json.startsWith('$')
    ? utf8ToByteString(json.slice(1))
    : undefined;
}

function readMap(json: Json): MapOperation {
  if (!isObject(json)) throw invalid(json, 'map');
  const wrong = Object.keys(json).find((name) => name !== '$update' && name !== '$remove');
  if (wrong !== undefined) throw invalid(wrong, 'map');
  const { $update: updated = {}, $remove: removed = [] } = json;
  if (!isObject(updated)) throw undecodable(`{badmatch,${unmark(updated)}}`);
  if (!isList(removed) && readText(removed) === undefined) throw invalid(json, 'map');
  const removes = (isList(removed) ? removed : [removed]).map((text) => {
    if (typeof text === 'string' && text.startsWith('$')) return readField(text, json);
    throw undecodable('function_clause');
  });
  const updates = Object.entries(updated).map(([text, operation]) => {
    const field = readField(text, json);
    return { field, operation: readFieldOperation(operation, field.kind) };
  });
  return { kind: 'map', removes, updates };
}

/** `term` is what Riak fails with, in Erlang's syntax. */
function undecodable(term: string): Refused {
  return new Refused(utf8ToByteString(`Couldn't decode JSON: ${term}\n`));
}

/** `marked` is the name with its type; `json` the operation that it is part of. */
function readField(marked: string, json: Json): Field {
  const text = marked.slice(1);
  const [, name, kind] = /^(.*)_(counter|gset|set|register|flag|map|hll)$/s.exec(text) ?? [];
  if (name === undefined || kind === undefined) {
    throw new Refused(`Invalid map field name '${utf8ToByteString(text)}'\n`);
  }
  // Riak knows of them by name, and has no maps that hold them.
  if (kind === 'gset' || kind === 'hll') throw invalid(json, 'map');
  return { name: utf8ToByteString(name), kind: kind as FieldKind };
}

function readFieldOperation(json: Json, kind: FieldKind): FieldOperation {
  switch (kind) {
    case 'counter':
      return readCounter(json);
    case 'set':
      return readSet(json);
    case 'map':
      return readMap(json);
    case 'flag':
      if (json !== '$enable' && json !== '$disable') throw invalid(json, 'flag');
      return { kind: 'flag', enable: json === '$enable' };
    case 'register': {
      const isAssign = isObject(json) && Object.keys(json).length === 1;
      const value = readText((isAssign ? json['$assign'] : json) ?? null);
      if (value === undefined) throw invalid(json, 'register');
      return { kind: 'register', value };
    }
  }
}

/** What a client is shown; undefined: some of its bytes are not UTF-8 and have no JSON form. */
export function shownToJson(
  { value, context }: ShownDatatype,
  isContextShown: boolean,
): string | undefined {
  const text = valueToJson(value);
  if (text === undefined) return undefined;
  const suffix =
    context !== undefined && isContextShown
      ? `,"context":"${Buffer.from(encodeContext(context)).toString('base64')}"`
      : '';
  return `{"type":"${value.kind}","value":${text}${suffix}}`;
}

function valueToJson(value: DatatypeValue | FieldValue): string | undefined {
  switch (value.kind) {
    case 'counter':
      return value.value.toString();
    case 'hll':
      return value.count.toString();
    case 'flag':
      return String(value.isEnabled);
    case 'register':
      return quoteName(value.value);
    case 'set':
    case 'gset': {
      const elements = value.elements.map(quoteName);
      return elements.includes(undefined) ? undefined : `[${elements.join(',')}]`;
    }
    case 'map': {
      const members = value.fields.map(({ field, value: inner }) => {
        const name = quoteName(`${field.name}_${field.kind}` as ByteString);
        const text = valueToJson(inner);
        return name === undefined || text === undefined ? undefined : `${name}:${text}`;
      });
      return members.includes(undefined) ? undefined : `{${members.join(',')}}`;
    }
  }
}
