/**
 * Operations on data types in JSON: what a client asks to be done.
 *
 * The form of the operation is that of the bucket's data type; contexts stand at the top only. Counters
 * are integers of any length, which JavaScript's JSON would round, so bodies are read as marked JSON.
 * They may be large, so all of it is done in slices.
 */

import { isUtf8 } from 'node:buffer';
import { utf8ToByteString } from '../../base/bytes.ts';
import { SliceBudget, type Sliced } from '../../base/sliced.ts';
import { decodeContext } from '../../clock/context.ts';
import { INCREMENT_DIGITS_MAX } from '../../datatype/operation-limits.ts';
import { isList, isObject, readMarkedJson, unmark } from './marked-json.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type {
  CounterOperation,
  DatatypeName,
  DatatypeOperation,
  Field,
  FieldKind,
  FieldOperation,
  MapOperation,
  SetOperation,
} from '../../datatype/operation.ts';
import type { MarkedJson as Json } from './marked-json.ts';

export interface ParsedOperation {
  readonly operation: DatatypeOperation;
  readonly context: VersionVector | undefined;
}

/** Leaves the recursion; never leaves this file. */
class Refused extends Error {
  /** The answer's text, around the JSON that it shows, if any. */
  readonly parts: readonly [before: string, shown: Json | undefined, after: string];

  constructor(before: string, shown?: Json, after = '') {
    super(before);
    this.parts = [before, shown, after];
  }
}

/** The operation that `body` asks for, or the text that says what is wrong with it. */
export function* parseOperation(
  body: Buffer,
  datatype: DatatypeName,
): Sliced<ParsedOperation | string> {
  if (!isUtf8(body)) return 'Malformed JSON submitted, invalid UTF-8';
  const json = yield* readMarkedJson(body);
  if (json === undefined) return "Couldn't decode JSON: no valid JSON\n";
  try {
    return yield* readTop(json, datatype);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const [before, shown, after] = error.parts;
    return before + (shown === undefined ? '' : utf8ToByteString(yield* unmark(shown))) + after;
  }
}

/** A decimal integer, or undefined: it is none, or longer than any increment may be. */
export function parseIncrement(text: string): bigint | undefined {
  if (text.length > INCREMENT_DIGITS_MAX + 1 || !/^[+-]?\d+$/.test(text)) return undefined;
  return BigInt(text.startsWith('+') ? text.slice(1) : text);
}

function* readTop(json: Json, datatype: DatatypeName): Sliced<ParsedOperation> {
  if (!isObject(json) || json['"context'] === undefined) {
    return { operation: yield* readOperation(json, datatype), context: undefined };
  }
  const { '"context': text, ...rest } = json;
  return { operation: yield* readOperation(rest, datatype), context: readContext(text) };
}

function readContext(json: Json | undefined): VersionVector {
  const text = typeof json === 'string' && json.startsWith('"') ? json.slice(1) : '?';
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  const context = isBase64 ? decodeContext(Buffer.from(text, 'base64')) : undefined;
  if (context === undefined) throw undecodable('bad_context');
  return context;
}

function* readOperation(json: Json, datatype: DatatypeName): Sliced<DatatypeOperation> {
  switch (datatype) {
    case 'counter':
      return readCounter(json);
    case 'set':
      return yield* readSet(json);
    case 'gset':
    case 'hll':
      return { kind: datatype, adds: (yield* readElements(json, datatype)).adds };
    case 'map':
      return yield* readMap(json);
  }
}

function invalid(json: Json, datatype: DatatypeName | FieldKind): Refused {
  return new Refused(`Invalid operation on datatype '${datatype}': `, json, '\n');
}

function readCounter(json: Json): CounterOperation {
  if (json === '"increment') return { kind: 'counter', increment: 1n };
  if (json === '"decrement') return { kind: 'counter', increment: -1n };
  const [member, ...others] = isObject(json)
    ? Object.entries(json)
    : [['"increment', json] as const];
  const [name, value] = member ?? [];
  const amount =
    typeof value === 'string' && value.startsWith('#') ? parseIncrement(value.slice(1)) : undefined;
  if (amount === undefined || others.length > 0) throw invalid(json, 'counter');
  if (name === '"increment') return { kind: 'counter', increment: amount };
  if (name === '"decrement') return { kind: 'counter', increment: -amount };
  throw invalid(json, 'counter');
}

function* readSet(json: Json): Sliced<SetOperation> {
  const { adds, removes } = yield* readElements(json, 'set');
  return { kind: 'set', adds, removes: [...removes] };
}

interface Elements {
  readonly adds: ByteString[];
  /** But for those that are added later: an operation's removes come after its adds. */
  readonly removes: Set<ByteString>;
}

/** What is wrong in any part is told of the whole. */
function* readElements(json: Json, datatype: 'set' | 'gset' | 'hll'): Sliced<Elements> {
  const verbs = datatype === 'set' ? SET_VERBS : GROWING_VERBS;
  const elements: Elements = { adds: [], removes: new Set() };
  const isTaken = isObject(json) && (yield* takeElements(json, verbs, elements));
  if (!isTaken) throw invalid(json, datatype);
  return elements;
}

const GROWING_VERBS: ReadonlySet<string> = new Set(['"add', '"add_all']);
const SET_VERBS: ReadonlySet<string> = new Set([...GROWING_VERBS, '"remove', '"remove_all']);

/** Whether all of it, parts within parts too, is of those verbs with texts. */
function* takeElements(
  json: { readonly [name: string]: Json },
  verbs: ReadonlySet<string>,
  elements: Elements,
): Sliced<boolean> {
  const slice = new SliceBudget();
  for (const [verb, value] of Object.entries(json)) {
    const values = isList(value) ? value : [value];
    if (verb === '"update') {
      for (const part of values) {
        if (!isObject(part) || !(yield* takeElements(part, verbs, elements))) return false;
      }
      continue;
    }
    if (!verbs.has(verb) || verb.endsWith('_all') !== isList(value)) return false;
    const isAdd = verb.startsWith('"add');
    for (const one of values) {
      const element = readText(one);
      if (element === undefined) return false;
      if (isAdd) {
        elements.adds.push(element);
        elements.removes.delete(element);
      } else elements.removes.add(element);
      if (slice.spend(ELEMENT_COST_BYTES + element.length)) yield;
    }
  }
  return true;
}

/** An element or a field takes as long as walking over so much. */
const ELEMENT_COST_BYTES = 64;
const FIELD_COST_BYTES = 256;

function readText(json: Json): ByteString | undefined {
  return typeof json === 'string' && json.startsWith('"')
    ? utf8ToByteString(json.slice(1))
    : undefined;
}

function* readMap(json: Json): Sliced<MapOperation> {
  if (!isObject(json)) throw invalid(json, 'map');
  const wrong = Object.keys(json).find((name) => name !== '"update' && name !== '"remove');
  if (wrong !== undefined) throw invalid(wrong, 'map');
  const { '"update': updated = {}, '"remove': removed = [] } = json;
  if (!isObject(updated)) throw undecodable('{badmatch,', updated, '}');
  if (!isList(removed) && readText(removed) === undefined) throw invalid(json, 'map');
  const slice = new SliceBudget();
  const removes: Field[] = [];
  for (const text of isList(removed) ? removed : [removed]) {
    if (typeof text !== 'string' || !text.startsWith('"')) throw undecodable('function_clause');
    removes.push(readField(text, json));
    if (slice.spend(FIELD_COST_BYTES)) yield;
  }
  const updates: { readonly field: Field; readonly operation: FieldOperation }[] = [];
  for (const [text, operation] of Object.entries(updated)) {
    const field = readField(text, json);
    updates.push({ field, operation: yield* readFieldOperation(operation, field.kind) });
    if (slice.spend(FIELD_COST_BYTES)) yield;
  }
  return { kind: 'map', removes, updates };
}

/** `term` is what Riak fails with, in Erlang's syntax. */
function undecodable(term: string, shown?: Json, after = ''): Refused {
  return new Refused(`Couldn't decode JSON: ${term}`, shown, `${after}\n`);
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

function* readFieldOperation(json: Json, kind: FieldKind): Sliced<FieldOperation> {
  switch (kind) {
    case 'counter':
      return readCounter(json);
    case 'set':
      return yield* readSet(json);
    case 'map':
      return yield* readMap(json);
    case 'flag':
      if (json !== '"enable' && json !== '"disable') throw invalid(json, 'flag');
      return { kind: 'flag', enable: json === '"enable' };
    case 'register': {
      const isAssign = isObject(json) && Object.keys(json).length === 1;
      const value = readText((isAssign ? json['"assign'] : json) ?? null);
      if (value === undefined) throw invalid(json, 'register');
      return { kind: 'register', value };
    }
  }
}
