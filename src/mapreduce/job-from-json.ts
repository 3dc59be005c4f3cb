/**
 * A job as JSON, the form that both APIs take.
 *
 *   {"inputs": …, "query": [{"map": {…}}, {"reduce": {…}}, {"link": {…}}], "timeout": ms}
 *
 * What is wrong is told in Riak's words up to what it was found in, of which only a part is shown.
 */

import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { utf8ToByteString } from '../base/bytes.ts';
import { bucketInputs, indexInputs } from './job-inputs.ts';
import { DEFAULT_TIMEOUT_MS, PHASES_MAX, TIMEOUT_MAX_MS, badField, isRefusal } from './job.ts';
import { resolvePhase } from './phase-function.ts';
import { escapeToAscii, jsonToTerm } from './term-json.ts';
import { printString } from './term-print.ts';
import { NONE, UNDEFINED, textBinary, tuple } from './term.ts';
import type { BucketName } from './job-inputs.ts';
import type { JobInputs, JobOutcome, JobRefusal, LinkPhase, Phase } from './job.ts';
import type { FunctionSpec, PhaseSpec } from './phase-function.ts';
import type { Term } from './term.ts';

/** Larger jobs are refused; a client with more keys than fit sends more jobs. */
export const JOB_SIZE_MAX_BYTES = 8 * 1024 * 1024;
const DEPTH_MAX = 64;
const SHOWN_LENGTH = 200;

type JsonObject = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseJsonJob(bytes: Buffer): JobOutcome {
  if (bytes.length > JOB_SIZE_MAX_BYTES) return { refusal: 'invalid-json', reason: 'too_large' };
  if (nestingOf(bytes) > DEPTH_MAX) return { refusal: 'invalid-json', reason: 'too_deep' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(bytes));
  } catch {
    return { refusal: 'invalid-json', reason: 'invalid_json' };
  }
  if (!isObject(parsed)) return { refusal: 'not-object' };
  const { inputs, query, timeout } = parsed;
  if (inputs === undefined || query === undefined) return { refusal: 'missing-field' };
  const source = parseInputs(inputs);
  if (isRefusal(source)) return source;
  const phases = parseQuery(query);
  if (isRefusal(phases)) return phases;
  const isTimeout = typeof timeout === 'number' && timeout >= 0;
  const timeoutMs = isTimeout ? Math.min(timeout, TIMEOUT_MAX_MS) : DEFAULT_TIMEOUT_MS;
  return { inputs: source, phases, timeoutMs };
}

function parseInputs(inputs: unknown): JobInputs | JobRefusal {
  if (Array.isArray(inputs) && inputs.length === 0) {
    return badField('inputs', printString('No inputs were given.\n'));
  }
  const whole = parseBucket(inputs);
  if (whole !== undefined) return bucketInputs(whole, []);
  if (Array.isArray(inputs)) return parseAddresses(inputs);
  if (isObject(inputs)) {
    const bucket = parseBucket(inputs['bucket']);
    const { index, key, start, end, key_filters: filters } = inputs;
    if (bucket !== undefined && typeof index === 'string') {
      const field = utf8ToByteString(index);
      if (key !== undefined) return indexInputs(bucket, field, [jsonToTerm(key)]);
      if (start !== undefined && end !== undefined) {
        return indexInputs(bucket, field, [jsonToTerm(start), jsonToTerm(end)]);
      }
    } else if (bucket !== undefined && Array.isArray(filters)) {
      return bucketInputs(bucket, filters.map(jsonToTerm));
    } else if (typeof inputs['module'] === 'string' && typeof inputs['function'] === 'string') {
      // Searches and other code that makes inputs: none of it is here.
      return { refusal: 'bad-source', term: '{error,{modfun,not_available}}' };
    }
  }
  return badField('inputs', unrecognized('"inputs" field', inputs));
}

/** A bucket of the default type, or a type and a bucket. */
function parseBucket(value: unknown): BucketName | undefined {
  if (typeof value === 'string') {
    return { type: DEFAULT_BUCKET_TYPE, bucket: utf8ToByteString(value) };
  }
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [type, bucket] = value as unknown[];
  return typeof type === 'string' && typeof bucket === 'string'
    ? { type: utf8ToByteString(type), bucket: utf8ToByteString(bucket) }
    : undefined;
}

function parseAddresses(items: readonly unknown[]): JobInputs | JobRefusal {
  const addresses: Term[] = [];
  for (const item of items) {
    const address = parseAddress(item);
    if (address === undefined) return badField('inputs', unrecognized('"inputs" field', item));
    addresses.push(address);
  }
  return { kind: 'addresses', addresses };
}

/** `[bucket, key]`, `[bucket, key, data]` or `[bucket, key, data, type]`. */
function parseAddress(item: unknown): Term | undefined {
  if (!Array.isArray(item) || item.length < 2 || item.length > 4) return undefined;
  const [bucket, key, keyData, type] = item as unknown[];
  if (typeof bucket !== 'string' || typeof key !== 'string') return undefined;
  const pair = tuple(textBinary(bucket), textBinary(key));
  if (item.length === 2) return pair;
  if (item.length === 3) return tuple(pair, jsonToTerm(keyData));
  if (typeof type !== 'string') return undefined;
  const shownData = keyData === null ? UNDEFINED : jsonToTerm(keyData);
  if (type === DEFAULT_BUCKET_TYPE) return tuple(pair, shownData);
  const typed = tuple(textBinary(type), textBinary(bucket));
  return tuple(tuple(typed, textBinary(key)), shownData);
}

function parseQuery(query: unknown): readonly Phase[] | JobRefusal {
  if (!Array.isArray(query)) {
    return badField('query', listed('The value of the "query" field was not a list:\n   ', query));
  }
  if (query.length > PHASES_MAX) return badField('query', printString('Too many phases.\n'));
  const specs: (PhaseSpec | LinkPhase)[] = [];
  for (const [index, item] of (query as unknown[]).entries()) {
    const spec = parsePhase(item, index === query.length - 1);
    if (spec === undefined) return badField('query', unrecognized('query phase', item));
    specs.push(spec);
  }
  const phases: Phase[] = [];
  for (const [index, spec] of specs.entries()) {
    const phase = spec.kind === 'link' ? spec : resolvePhase(spec, index);
    if (isRefusal(phase)) return phase;
    phases.push(phase);
  }
  return phases;
}

function parsePhase(item: unknown, isLast: boolean): PhaseSpec | LinkPhase | undefined {
  const [entry, ...others] = isObject(item) ? Object.entries(item) : [];
  const [kind, fields] = entry ?? [];
  if (others.length > 0 || !isObject(fields)) return undefined;
  const { keep } = fields;
  if (keep !== undefined && typeof keep !== 'boolean') return undefined;
  const isKept = keep ?? isLast;
  if (kind === 'link') {
    const [bucket, tag] = [linkName(fields['bucket']), linkName(fields['tag'])];
    return bucket === null || tag === null ? undefined : { kind, bucket, tag, isKept };
  }
  if (kind !== 'map' && kind !== 'reduce') return undefined;
  const found = parseFunction(fields);
  if (found === undefined) return undefined;
  const arg = fields['arg'] === undefined ? NONE : jsonToTerm(fields['arg']);
  return { kind, function: found, arg, isKept };
}

/** Undefined: any; null: it is no name. */
function linkName(value: unknown): LinkPhase['tag'] | null {
  if (value === undefined || value === '_') return undefined;
  return typeof value === 'string' ? utf8ToByteString(value) : null;
}

function parseFunction(fields: JsonObject): FunctionSpec | undefined {
  const { language, module, function: name, source, bucket, key } = fields;
  if (language === 'javascript') return { kind: 'other' };
  if (language !== 'erlang') return undefined;
  if (typeof module === 'string' && typeof name === 'string')
    return { kind: 'named', module, name };
  const isStored = typeof bucket === 'string' && typeof key === 'string';
  return typeof source === 'string' || isStored ? { kind: 'source' } : undefined;
}

function unrecognized(what: string, value: unknown): string {
  return listed(`Unrecognized format of ${what}:\n   `, value);
}

/** An Erlang list of the text and, as JSON, what it is about. */
function listed(text: string, value: unknown): string {
  const shown = escapeToAscii(JSON.stringify(value) ?? '').slice(0, SHOWN_LENGTH);
  return `[${printString(text)},<<${printString(shown)}>>,"\\n"]`;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The deepest nesting of brackets outside strings; of malformed JSON any number. */
function nestingOf(bytes: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let isQuoted = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (isQuoted) {
      if (byte === 0x5c) index += 1;
      else if (byte === 0x22) isQuoted = false;
    } else if (byte === 0x22) isQuoted = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, (depth += 1));
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return deepest;
}
