/**
 * The filter of a fold: `filter=` and JSON in Base64, which says which keys are looked at.
 *
 * Riak names what it does not take in Erlang's terms; here the field is named, and its value is shown as
 * the JSON that it was.
 */

import { utf8ToByteString } from '../../base/bytes.ts';
import { printCharacters } from '../../object/erlang-text.ts';
import { isTreeSize } from '../../object/tictac-tree.ts';
import { textAnswer } from './answer.ts';
import { encodeJson, parseJson } from './json-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { FoldRange } from '../../node/node-service.ts';
import type { SegmentFilter, TreeSize } from '../../object/tictac-tree.ts';
import type { Answer } from './answer.ts';

export interface FoldFilter extends Pick<FoldRange, 'keys' | 'segments' | 'modified'> {
  /** Gives other hashes of the same objects. */
  readonly seed: number | undefined;
  /** What would be changed is only counted. */
  readonly isCountOnly: boolean;
}

/** Segments and branches that a request may name. */
const SEGMENTS_MAX = 65_536;
const UINT32_MAX = 2 ** 32 - 1;

const NO_FILTER: FoldFilter = {
  keys: undefined,
  segments: undefined,
  modified: undefined,
  seed: undefined,
  isCountOnly: true,
};

/** Without a filter all keys, and no change. */
export function parseFoldFilter(text: ByteString | undefined): FoldFilter | Answer {
  if (text === undefined) return NO_FILTER;
  const document = documentOf(text);
  if (!isObject(document)) return refuseFilter(printCharacters(text));
  const reader = new FilterReader(document);
  const filter: FoldFilter = {
    segments: reader.read('segment_filter', segmentsOf),
    keys: reader.read('key_range', keysOf),
    modified: reader.read('date_range', datesOf),
    seed: reader.read('hash_iv', (value) => (isCount(value, UINT32_MAX) ? value : 'invalid')),
    isCountOnly: reader.read('change_method', isCountOf) ?? true,
  };
  return reader.fault ?? definitionFault(filter) ?? filter;
}

export interface KeptTreeFilter {
  /** Of branches, or of segments of a large tree. */
  readonly ids: readonly number[];
  readonly modified: FoldRange['modified'];
}

/** The filter of the folds over all buckets: a list of numbers, or an object with segments and dates. */
export function parseKeptTreeFilter(
  text: ByteString | undefined,
  what: 'branch' | 'keysclocks',
): KeptTreeFilter | Answer {
  if (text === undefined) {
    return textAnswer(400, `Filter query param required for ${what} aae fold`);
  }
  const refused = textAnswer(400, `Invalid branch | segment filter ${printCharacters(text)}`);
  const document = documentOf(text);
  if (isIdList(document)) return { ids: document, modified: undefined };
  if (!isObject(document)) return refused;
  if (what === 'branch') return textAnswer(400, 'Invalid filter for branch');
  const filter = parseFoldFilter(text);
  if ('status' in filter) return filter;
  const { segments, modified } = filter;
  return segments === undefined ? refused : { ids: [...segments.segments], modified };
}

/** Undefined: it is none. Where a `+` was not escaped it came as a blank. */
function documentOf(text: ByteString): unknown {
  const base64 = text.replaceAll(' ', '+');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined;
  return parseJson(Buffer.from(base64, 'base64'));
}

type JsonObject = Readonly<Record<string, unknown>>;

class FilterReader {
  readonly #document: JsonObject;
  fault: Answer | undefined;

  constructor(document: JsonObject) {
    this.#document = document;
  }

  /** Absent, or `"all"`: undefined. The first fault counts. */
  read<T>(name: string, valueOf: (value: unknown) => T | 'invalid'): T | undefined {
    const value = this.#document[name];
    const isAll = value === 'all' && name !== 'hash_iv' && name !== 'change_method';
    if (value === undefined || isAll) return undefined;
    const read = valueOf(value);
    if (read !== 'invalid') return read;
    this.fault ??= refuseFilter(`{<<"${name}">>,${encodeJson(value)}}`);
    return undefined;
  }
}

function refuseFilter(reason: string): Answer {
  return textAnswer(400, `Invalid range filter ${reason}`);
}

/** What is well said and makes no range. */
function definitionFault({ keys, modified }: FoldFilter): Answer | undefined {
  const isTurned =
    (keys !== undefined && keys.to < keys.from) ||
    (modified !== undefined && modified.to < modified.from);
  return isTurned ? textAnswer(400, 'Invalid query definition') : undefined;
}

function segmentsOf(value: unknown): SegmentFilter | 'invalid' {
  if (!isObject(value)) return 'invalid';
  const { tree_size: named, segments } = value;
  const size = Array.isArray(named) ? textOfCodes(named) : named;
  if (!isTreeSize(size) || !isIdList(segments)) return 'invalid';
  return { size, segments: new Set(segments) };
}

/** A text as Riak's Erlang client says it: a list of character codes. Undefined: it is none. */
function textOfCodes(codes: readonly unknown[]): string | undefined {
  const isText = codes.every((code): code is number => isCount(code, 127));
  return isText ? String.fromCharCode(...codes) : undefined;
}

function keysOf(value: unknown): NonNullable<FoldRange['keys']> | 'invalid' {
  if (!isObject(value)) return 'invalid';
  const { start, end } = value;
  if (typeof start !== 'string' || typeof end !== 'string') return 'invalid';
  return { from: utf8ToByteString(start), to: utf8ToByteString(end) };
}

function datesOf(value: unknown): NonNullable<FoldRange['modified']> | 'invalid' {
  if (!isObject(value)) return 'invalid';
  const { start: from, end: to } = value;
  if (!isCount(from, Number.MAX_SAFE_INTEGER) || !isCount(to, Number.MAX_SAFE_INTEGER)) {
    return 'invalid';
  }
  return { from, to };
}

/** `local` and a job change alike here. */
function isCountOf(value: unknown): boolean | 'invalid' {
  if (value === 'count') return true;
  if (value === 'local') return false;
  const isJob = isObject(value) && isCount(value['job_id'], UINT32_MAX) && value['job_id'] > 0;
  return isJob ? false : 'invalid';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIdList(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length <= SEGMENTS_MAX &&
    value.every((id) => isCount(id, UINT32_MAX))
  );
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

/** From one up, as Erlang reads integers; undefined: it is none. */
export function positiveIntegerOf(text: string): number | undefined {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** What Riak prints of a text that is no positive integer: a number as it is, else the text. */
export function printNoInteger(text: string): string {
  return /^[+-]?\d+$/.test(text) ? String(Number(text)) : printCharacters(text);
}

export function treeSizeOf(text: string): TreeSize | undefined {
  return isTreeSize(text) ? text : undefined;
}
