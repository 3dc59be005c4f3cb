/**
 * A job as JSON, the form that both APIs take.
 *
 *   {"inputs": …, "query": [{"map": {…}}, {"reduce": {…}}, {"link": {…}}], "timeout": ms}
 *
 * What is wrong is told in Riak's words up to what it was found in, of which only a part is shown.
 */

import { jsonDepth } from '../base/json-depth.ts';
import { readJson } from '../base/json-input.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { utf8ToByteString } from '../base/bytes.ts';
import { bucketInputs, indexInputs } from './job-inputs.ts';
import { DEFAULT_TIMEOUT_MS, PHASES_MAX, TIMEOUT_MAX_MS, badField, isRefusal } from './job.ts';
import { resolvePhase } from './phase-function.ts';
import { escapeToAscii, jsonToTerm } from './term-json.ts';
import { printString } from '../object/erlang-text.ts';
import { NONE, UNDEFINED, textBinary, tuple } from './term.ts';
import type { BucketName } from './job-inputs.ts';
import type { ObjectKey } from '../base/names.ts';
import type { JobInputs, JobLanguages, JobOutcome, JobRefusal, LinkPhase, Phase } from './job.ts';
import type { FunctionSpec, PhaseSpec } from './phase-function.ts';
import type { ScriptSource } from './script.ts';
import type { Term } from './term.ts';

/** Larger jobs are refused; a client with more keys than fit sends more jobs. */
export const JOB_SIZE_MAX_BYTES = 8 * 1024 * 1024;
const DEPTH_MAX = 64;
const SHOWN_LENGTH = 200;

type JsonObject = Readonly<Record<string, unknown>>;

export function parseJsonJob(bytes: Buffer, languages: JobLanguages): JobOutcome {
  if (bytes.length > JOB_SIZE_MAX_BYTES) return { refusal: 'invalid-json', reason: 'too_large' };
  if (jsonDepth(bytes) > DEPTH_MAX) return { refusal: 'invalid-json', reason: 'too_deep' };
  let parsed: unknown;
  try {
    parsed = readJson(bytes);
  } catch {
    return { refusal: 'invalid-json', reason: 'invalid_json' };
  }
  if (!isObject(parsed)) return { refusal: 'not-object' };
  const { inputs, query, timeout } = parsed;
  if (inputs === undefined || query === undefined) return { refusal: 'missing-field' };
  const source = parseInputs(inputs);
  if (isRefusal(source)) return source;
  const phases = parseQuery(query, languages);
  if (isRefusal(phases)) return phases;
  const isTimeout = typeof timeout === 'number' && timeout > 0;
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
    const foreign = foreignInputs(inputs);
    if (foreign !== undefined) return foreign;
    const bucket = parseBucket(inputs['bucket']);
    const { index, key, start, end, key_filters: filters } = inputs;
    if (bucket !== undefined && typeof index === 'string') {
      const field = utf8ToByteString(index);
      if (key !== undefined) return indexInputs(bucket, field, [jsonToTerm(key)]);
      if (start !== undefined && end !== undefined) {
        return indexInputs(bucket, field, [jsonToTerm(start), jsonToTerm(end)]);
      }
    } else if (bucket !== undefined && Array.isArray(filters) && filters.length > 0) {
      return bucketInputs(bucket, filters.map(jsonToTerm));
    }
  }
  return unrecognizedInputs(inputs);
}

/** Searches, and other code that makes inputs: none of it is here. Riak looks for them first. */
function foreignInputs({
  module,
  function: name,
  arg,
  bucket,
  index,
  query,
}: JsonObject): JobRefusal | undefined {
  if (module !== undefined && name !== undefined && arg !== undefined) {
    return { refusal: 'bad-source', term: '{error,{modfun,not_available}}' };
  }
  return (bucket !== undefined || index !== undefined) && query !== undefined
    ? { refusal: 'bad-source', term: '{error,"search not enabled"}' }
    : undefined;
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
    if (address === undefined) return unrecognizedInputs(item);
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

function parseQuery(query: unknown, languages: JobLanguages): readonly Phase[] | JobRefusal {
  if (!Array.isArray(query)) {
    return badQuery('The value of the "query" field was not a list:\n   ', query);
  }
  if (query.length > PHASES_MAX) return badField('query', printString('Too many phases.\n'));
  const specs: (PhaseSpec | LinkPhase)[] = [];
  for (const [index, item] of (query as unknown[]).entries()) {
    const spec = parsePhase(item, index === query.length - 1);
    if (isRefusal(spec)) return spec;
    specs.push(spec);
  }
  const phases: Phase[] = [];
  for (const [index, spec] of specs.entries()) {
    const place = { phase: index, isLast: index === specs.length - 1 };
    const phase = spec.kind === 'link' ? spec : resolvePhase(spec, place, languages);
    if (isRefusal(phase)) return phase;
    phases.push(phase);
  }
  return phases;
}

function parsePhase(item: unknown, isLast: boolean): PhaseSpec | LinkPhase | JobRefusal {
  const [entry, ...others] = isObject(item) ? Object.entries(item) : [];
  const [kind, fields] = entry ?? [];
  const isKind = kind === 'map' || kind === 'reduce' || kind === 'link';
  if (others.length > 0 || !isKind || !isObject(fields)) {
    return badQuery('Unrecognized format of query phase:\n   ', item);
  }
  const { keep } = fields;
  if (keep !== undefined && typeof keep !== 'boolean') {
    return badQuery('The "keep" field was not a boolean value in:\n   ', item);
  }
  const isKept = keep ?? isLast;
  if (kind === 'link') {
    const [bucket, tag] = [linkName(fields['bucket']), linkName(fields['tag'])];
    return bucket === null || tag === null
      ? badQuery('Invalid link step specification:\n   ', fields)
      : { kind, bucket, tag, isKept };
  }
  const found = parseFunction(fields);
  if (isRefusal(found)) return found;
  const arg = fields['arg'] === undefined ? NONE : jsonToTerm(fields['arg']);
  return { kind, function: found, arg, isKept };
}

/** Undefined: any; null: it is no name. */
function linkName(value: unknown): LinkPhase['tag'] | null {
  if (value === undefined || value === '_') return undefined;
  return typeof value === 'string' ? utf8ToByteString(value) : null;
}

function parseFunction(fields: JsonObject): FunctionSpec | JobRefusal {
  const { language } = fields;
  if (language === 'javascript') return parseScript(fields);
  if (language === 'erlang') return parseErlang(fields);
  if (language === undefined) {
    return badQuery('No "language" was specified for the phase:\n   ', fields);
  }
  const shown = escapeToAscii(JSON.stringify(language));
  return badQuery(`Unknown language ${shown} in phase:\n   `, fields);
}

/** Source, or a module and function, or an object with source: one of them and no other. */
function parseErlang(fields: JsonObject): FunctionSpec | JobRefusal {
  const { module, function: name, source, bucket, key } = fields;
  const isStored = bucket !== undefined || key !== undefined;
  const isNamed = module !== undefined || name !== undefined;
  if (typeof source === 'string' && !isStored && !isNamed) return { kind: 'source' };
  if (source === undefined && isStored !== isNamed) {
    if (typeof module === 'string' && typeof name === 'string') {
      return { kind: 'named', module, name };
    }
    if (typeof bucket === 'string' && typeof key === 'string') return { kind: 'source' };
  }
  return badQuery('No function specified in Erlang phase:\n   ', fields);
}

/** The first of source, name and stored object counts. */
function parseScript(fields: JsonObject): FunctionSpec | JobRefusal {
  const { source, name, bucket, key } = fields;
  if (source !== undefined) return scriptOf({ kind: 'text', text: textOf(source) });
  if (name !== undefined) return scriptOf({ kind: 'name', name: textOf(name) });
  if (bucket === undefined) {
    return badQuery('No function specified in Javascript phase:\n   ', fields);
  }
  if (key !== undefined) {
    return scriptOf({ kind: 'stored', key: storedKey(textOf(bucket), textOf(key)) });
  }
  const what = 'Javascript phase was missing a "key" field to match the "bucket" field';
  return badQuery(`${what}, pointing to the function to evaluate in:   `, fields);
}

function scriptOf(source: ScriptSource): FunctionSpec {
  return { kind: 'script', source };
}

/** What is no text is no function, nor the name of one. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function storedKey(bucket: string, key: string): ObjectKey {
  const type = DEFAULT_BUCKET_TYPE;
  return { type, bucket: utf8ToByteString(bucket), key: utf8ToByteString(key) };
}

function badQuery(text: string, value: unknown): JobRefusal {
  return badField('query', listed(text, value));
}

function unrecognizedInputs(value: unknown): JobRefusal {
  return badField('inputs', listed('Unrecognized format of "inputs" field:   ', value));
}

/** An Erlang list of the text and, as JSON, what it is about. */
function listed(text: string, value: unknown): string {
  const shown = escapeToAscii(JSON.stringify(value) ?? '').slice(0, SHOWN_LENGTH);
  return `[${printString(text)},<<${printString(shown)}>>,"\\n"]`;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
