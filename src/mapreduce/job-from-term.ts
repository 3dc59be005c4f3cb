/**
 * A job as an Erlang term in external format, as Erlang clients send it over Protocol Buffers.
 *
 *   [{inputs, …}, {query, [{map, Function, Arg, Keep}, {reduce, …}, {link, Bucket, Tag, Keep}]},
 *    {timeout, Ms}]
 */

import { bytesToByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { decodeTerm } from './external-term.ts';
import { bucketInputs, indexInputs } from './job-inputs.ts';
import { DEFAULT_TIMEOUT_MS, PHASES_MAX, TIMEOUT_MAX_MS, badField, isRefusal } from './job.ts';
import { resolvePhase } from './phase-function.ts';
import { memberOf } from './term-json.ts';
import { printTerm } from './term-print.ts';
import { UNDEFINED, isAtom, isList, isTuple } from './term.ts';
import type { BucketName } from './job-inputs.ts';
import type { JobInputs, JobLanguages, JobOutcome, JobRefusal, LinkPhase, Phase } from './job.ts';
import type { ScriptSource } from './script.ts';
import type { FunctionSpec, PhasePlace } from './phase-function.ts';
import type { Term } from './term.ts';

/** Characters of a printed term after which Erlang begins a new line. */
const LINE_LENGTH = 80;

export function parseTermJob(bytes: Buffer, languages: JobLanguages): JobOutcome {
  const term = decodeTerm(bytes);
  if (term === undefined || !isList(term)) return { refusal: 'no-term' };
  const inputs = parseInputs(memberOf(term, 'inputs') ?? UNDEFINED);
  if (isRefusal(inputs)) return inputs;
  const phases = parseQuery(memberOf(term, 'query') ?? UNDEFINED, languages);
  if (isRefusal(phases)) return phases;
  const timeout = memberOf(term, 'timeout');
  const isTimeout = typeof timeout === 'bigint' && timeout > 0n;
  const timeoutMs = isTimeout ? Math.min(Number(timeout), TIMEOUT_MAX_MS) : DEFAULT_TIMEOUT_MS;
  return { inputs, phases, timeoutMs };
}

function parseInputs(inputs: Term): JobInputs | JobRefusal {
  const whole = parseBucket(inputs);
  if (whole !== undefined) return bucketInputs(whole, []);
  if (isList(inputs)) {
    const wrongAt = inputs.findIndex((input) => !isAddress(input));
    if (wrongAt < 0) return { kind: 'addresses', addresses: inputs };
    const text = 'Inputs target tuples must be {B,K} or {{B,K},KeyData}:';
    return badInputs(text, inputs.slice(wrongAt));
  }
  const [first, second, third, ...ends] = isTuple(inputs) ? inputs.items : [];
  if (isAtom(first, 'index') && second !== undefined && Buffer.isBuffer(third)) {
    const bucket = parseBucket(second);
    return bucket === undefined || ends.length === 0 || ends.length > 2
      ? unrecognized(inputs)
      : indexInputs(bucket, bytesToByteString(third), ends);
  }
  if (isAtom(first, 'modfun')) {
    return { refusal: 'bad-source', term: '{error,{modfun,not_available}}' };
  }
  const bucket = isTuple(inputs, 2) && first !== undefined ? parseBucket(first) : undefined;
  return bucket !== undefined && second !== undefined && isList(second)
    ? bucketInputs(bucket, second)
    : unrecognized(inputs);
}

function unrecognized(inputs: Term): JobRefusal {
  const text =
    'Inputs must be a binary bucket, a tuple of bucket and key-filters, ' +
    'a list of target tuples, or a search, index, or modfun tuple:';
  return badInputs(text, inputs);
}

/** Broken into two lines where Riak breaks it, for client libraries compare the whole text. */
function badInputs(text: string, inputs: Term): JobRefusal {
  const printed = printTerm(inputs);
  const oneLine = `{inputs,{"${text}",${printed}}}`;
  const separator = oneLine.length > LINE_LENGTH ? `,\n${' '.repeat('{inputs,{'.length)}` : ',';
  return badField('inputs', `{"${text}"${separator}${printed}}`);
}

/** A bucket of the default type, or a type and a bucket. */
function parseBucket(term: Term): BucketName | undefined {
  if (Buffer.isBuffer(term)) return { type: DEFAULT_BUCKET_TYPE, bucket: bytesToByteString(term) };
  const [type, bucket] = isTuple(term, 2) ? term.items : [];
  return Buffer.isBuffer(type) && Buffer.isBuffer(bucket)
    ? { type: bytesToByteString(type), bucket: bytesToByteString(bucket) }
    : undefined;
}

/** `{B, K}`, `{{B, K}, KeyData}` or `{{{T, B}, K}, KeyData}`; lists of as much are taken too. */
function isAddress(term: Term): boolean {
  if (isList(term)) return term.length >= 2 && term.length <= 4;
  if (!isTuple(term, 2)) return false;
  const [first, second] = term.items;
  return Buffer.isBuffer(first) ? Buffer.isBuffer(second) : isTuple(first, 2);
}

function parseQuery(query: Term, languages: JobLanguages): readonly Phase[] | JobRefusal {
  if (!isList(query) || query.length > PHASES_MAX) {
    return badField('query', `{"Query takes a list of step tuples",${printTerm(query)}}`);
  }
  const phases: Phase[] = [];
  for (const [index, step] of query.entries()) {
    const phase = parseStep(step, { phase: index, isLast: index === query.length - 1 }, languages);
    if (isRefusal(phase)) return phase;
    phases.push(phase);
  }
  return phases;
}

function parseStep(step: Term, place: PhasePlace, languages: JobLanguages): Phase | JobRefusal {
  const [kind, second, third, keep] = isTuple(step, 4) ? step.items : [];
  const isKept = isAtom(keep, 'true');
  const isKeepSaid = isKept || isAtom(keep, 'false');
  if (second !== undefined && third !== undefined && isKeepSaid) {
    if (isAtom(kind, 'link')) {
      const [bucket, tag] = [linkName(second), linkName(third)];
      if (bucket !== null && tag !== null) return { kind: 'link', bucket, tag, isKept };
    } else if (isAtom(kind) && (kind.name === 'map' || kind.name === 'reduce')) {
      const spec = { kind: kind.name, function: functionSpec(second), arg: third, isKept } as const;
      return resolvePhase(spec, place, languages);
    }
  }
  return badField('query', `{"Query takes a list of step tuples",${printTerm(step)}}`);
}

/** Undefined: any; null: it is no name. */
function linkName(term: Term): LinkPhase['tag'] | null {
  if (isAtom(term, '_')) return undefined;
  if (!Buffer.isBuffer(term)) return null;
  const name = bytesToByteString(term);
  return name === '_' ? undefined : name;
}

function functionSpec(term: Term): FunctionSpec {
  const [form, module, name] = isTuple(term) ? term.items : [];
  if (isAtom(form, 'modfun') && isAtom(module) && isAtom(name)) {
    return { kind: 'named', module: module.name, name: name.name };
  }
  if (isAtom(form, 'strfun')) return { kind: 'source' };
  const isScript = isAtom(form, 'jsfun') || isAtom(form, 'jsanon');
  if (!isScript || module === undefined) return { kind: 'other' };
  return { kind: 'script', source: scriptSource(form, module) };
}

/** `{jsfun, Name}`, `{jsanon, Source}` or `{jsanon, {Bucket, Key}}`; of anything else, no text. */
function scriptSource(form: Term | undefined, what: Term): ScriptSource {
  const isNamed = isAtom(form, 'jsfun');
  const [bucket, key] = isTuple(what, 2) && !isNamed ? what.items : [];
  if (Buffer.isBuffer(bucket) && Buffer.isBuffer(key)) {
    const names = { bucket: bytesToByteString(bucket), key: bytesToByteString(key) };
    return { kind: 'stored', key: { type: DEFAULT_BUCKET_TYPE, ...names } };
  }
  const text = Buffer.isBuffer(what) ? what.toString() : '';
  return isNamed ? { kind: 'name', name: text } : { kind: 'text', text };
}
