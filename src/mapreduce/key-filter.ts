/**
 * Key filters: which keys of a bucket go into a job.
 *
 * A list of filters is a pipe: a transform hands a new value to the next filter, a predicate a verdict.
 * A key passes if the last value is true. Filters are compiled when the job is read, with bounds on
 * what one may cost; a key that a transform cannot handle ("x" as an integer) does not pass.
 */

import { RE2JS, RE2JSException } from 're2js';
import { binary, compareTerms, isAtom, isList, atom } from './term.ts';
import { printFloat } from './term-print.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Term, TermList } from './term.ts';

/** Whether a key passes. */
export type KeyFilter = (key: ByteString) => boolean;

/** `filter` is the name of one that is none, or is used wrongly. */
export type KeyFilterOutcome =
  { readonly kind: 'filter'; readonly passes: KeyFilter } | { readonly kind: 'bad'; filter: Term };

/** Undefined: it cannot handle this value, and the key does not pass. */
type Step = (value: Term) => Term | undefined;

type StepFactory = (args: TermList, depth: number) => Step | undefined;

const FILTERS_MAX = 256;
const DEPTH_MAX = 16;
const REGEX_LENGTH_MAX = 1024;
/** Sum of the upper bounds of all `{n,m}`: each makes as many copies of what it repeats. */
const REGEX_REPEATS_MAX = 1000;
/** Longest text, and distance, for `similar_to`, whose cost is their product for each key. */
const SIMILAR_LENGTH_MAX = 256;
const INTEGER_DIGITS_MAX = 2_000;

const TRUE = atom('true');
const FALSE = atom('false');

export function compileKeyFilter(filters: TermList): KeyFilterOutcome {
  const step = compilePipe(filters, 0);
  if ('bad' in step) return { kind: 'bad', filter: step.bad };
  const { run } = step;
  return { kind: 'filter', passes: (key) => isAtom(run(binary(key)), 'true') };
}

type PipeOutcome = { readonly run: Step } | { readonly bad: Term };

function compilePipe(filters: TermList, depth: number): PipeOutcome {
  const steps: Step[] = [];
  if (filters.length > FILTERS_MAX || depth > DEPTH_MAX) return { bad: textTerm('too_many') };
  for (const filter of filters) {
    const [name, ...args] = isList(filter) ? filter : [filter];
    if (name === undefined) return { bad: [] };
    const factory = Buffer.isBuffer(name) ? FACTORIES.get(name.toString('latin1')) : undefined;
    const step = factory?.(args, depth);
    if (step === undefined) return { bad: name };
    steps.push(step);
  }
  const run = (value: Term): Term | undefined => {
    let current: Term | undefined = value;
    for (const step of steps) {
      if (current === undefined) return undefined;
      current = step(current);
    }
    return current;
  };
  return { run };
}

const FACTORIES: ReadonlyMap<string, StepFactory> = new Map<string, StepFactory>([
  ['int_to_string', transform((value) => (typeof value === 'bigint' ? shown(value) : undefined))],
  ['string_to_int', transform(stringToInteger)],
  ['float_to_string', transform((value) => (isNumber(value) ? shown(value) : undefined))],
  ['string_to_float', transform(stringToFloat)],
  ['to_upper', onText((text) => textTerm(text.replace(/[a-z]+/g, (part) => part.toUpperCase())))],
  ['to_lower', onText((text) => textTerm(text.replace(/[A-Z]+/g, (part) => part.toLowerCase())))],
  ['urldecode', onText(urlDecode)],
  ['tokenize', tokenize],
  ['greater_than', comparison((order) => order > 0)],
  ['less_than', comparison((order) => order < 0)],
  ['greater_than_eq', comparison((order) => order >= 0)],
  ['less_than_eq', comparison((order) => order <= 0)],
  ['eq', comparison((order) => order === 0)],
  ['neq', comparison((order) => order !== 0)],
  ['between', between],
  ['matches', matches],
  ['set_member', setMember],
  ['similar_to', similarTo],
  ['starts_with', affix((text, part) => text.startsWith(part))],
  ['ends_with', affix((text, part) => text.endsWith(part))],
  ['and', junction((verdicts) => verdicts.every((verdict) => verdict))],
  ['or', junction((verdicts) => verdicts.some((verdict) => verdict))],
  ['not', junction((verdicts) => !verdicts.every((verdict) => verdict))],
]);

function transform(step: Step): StepFactory {
  return (args) => (args.length === 0 ? step : undefined);
}

function onText(step: (text: string) => Term | undefined): StepFactory {
  return transform((value) =>
    Buffer.isBuffer(value) ? step(value.toString('latin1')) : undefined,
  );
}

function comparison(holds: (order: number) => boolean): StepFactory {
  return ([bound, ...rest]) => {
    if (bound === undefined || rest.length > 0) return undefined;
    return (value) => verdict(holds(compareTerms(value, bound)));
  };
}

function affix(holds: (text: string, part: string) => boolean): StepFactory {
  return ([part, ...rest]) => {
    if (!Buffer.isBuffer(part) || rest.length > 0) return undefined;
    const text = part.toString('latin1');
    return (value) => verdict(Buffer.isBuffer(value) && holds(value.toString('latin1'), text));
  };
}

/** Each argument is a pipe of its own, over the same value. */
function junction(holds: (verdicts: readonly boolean[]) => boolean): StepFactory {
  return (args, depth) => {
    const pipes: Step[] = [];
    for (const arg of args) {
      const pipe = isList(arg) ? compilePipe(arg, depth + 1) : { bad: arg };
      if ('bad' in pipe) return undefined;
      pipes.push(pipe.run);
    }
    if (pipes.length === 0) return undefined;
    return (value) => verdict(holds(pipes.map((pipe) => isAtom(pipe(value), 'true'))));
  };
}

/** The part numbered from 1; empty parts do not count. */
function tokenize([separators, position, ...rest]: TermList): Step | undefined {
  if (!Buffer.isBuffer(separators) || typeof position !== 'bigint' || rest.length > 0) {
    return undefined;
  }
  const separating = new Set(separators.toString('latin1'));
  const wanted = Number(position);
  if (wanted < 1) return undefined;
  return (value) => {
    if (!Buffer.isBuffer(value)) return undefined;
    const tokens: string[] = [''];
    for (const character of value.toString('latin1')) {
      if (!separating.has(character)) tokens[tokens.length - 1] += character;
      else if (tokens.at(-1) !== '') tokens.push('');
    }
    const token = tokens[wanted - 1];
    return token === undefined || token === '' ? undefined : textTerm(token);
  };
}

function between([low, high, inclusive = TRUE, ...rest]: TermList): Step | undefined {
  if (low === undefined || high === undefined || rest.length > 0) return undefined;
  const slack = isAtom(inclusive, 'true') ? 1 : 0;
  return (value) => verdict(compareTerms(value, low) > -slack && compareTerms(value, high) < slack);
}

function matches([expression, ...rest]: TermList): Step | undefined {
  if (!Buffer.isBuffer(expression) || rest.length > 0) return undefined;
  const text = expression.toString('latin1');
  if (text.length > REGEX_LENGTH_MAX || countRepeats(text) > REGEX_REPEATS_MAX) return undefined;
  try {
    // Its time is linear in the key, whatever the expression.
    const regex = RE2JS.compile(text);
    return (value) => verdict(Buffer.isBuffer(value) && regex.test(value.toString('latin1')));
  } catch (error) {
    if (error instanceof RE2JSException) return undefined;
    throw error;
  }
}

function countRepeats(expression: string): number {
  let repeats = 0;
  for (const [, least = '', most = ''] of expression.matchAll(/\{(\d*),?(\d*)\}/g)) {
    repeats += Math.max(Number(least), Number(most));
  }
  return repeats;
}

function setMember(members: TermList): Step {
  return (value) => verdict(members.some((member) => compareTerms(member, value) === 0));
}

/** Within so many single-character edits (Levenshtein 1966). */
function similarTo([model, distance, ...rest]: TermList): Step | undefined {
  if (!Buffer.isBuffer(model) || typeof distance !== 'bigint' || rest.length > 0) return undefined;
  const most = Number(distance);
  if (model.length > SIMILAR_LENGTH_MAX || most < 0 || most > SIMILAR_LENGTH_MAX) return undefined;
  return (value) =>
    verdict(
      Buffer.isBuffer(value) &&
        Math.abs(value.length - model.length) <= most &&
        editDistance(value, model) <= most,
    );
}

function editDistance(left: Buffer, right: Buffer): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [row, byte] of left.entries()) {
    const current = [row + 1];
    for (const [column, other] of right.entries()) {
      const replaced = (previous[column] as number) + (byte === other ? 0 : 1);
      const removed = (previous[column + 1] as number) + 1;
      const added = (current[column] as number) + 1;
      current.push(Math.min(replaced, removed, added));
    }
    previous = current;
  }
  return previous[right.length] as number;
}

function stringToInteger(value: Term): Term | undefined {
  const text = Buffer.isBuffer(value) ? value.toString('latin1') : '';
  const isInteger = text.length <= INTEGER_DIGITS_MAX && /^[+-]?[0-9]+$/.test(text);
  return isInteger ? BigInt(text.replace('+', '')) : undefined;
}

/** An integer's text is taken too. */
function stringToFloat(value: Term): Term | undefined {
  const text = Buffer.isBuffer(value) ? value.toString('latin1') : '';
  const number = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function urlDecode(text: string): Term {
  return textTerm(
    text
      .replaceAll('+', ' ')
      .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number(`0x${hex}`))),
  );
}

function isNumber(value: Term): value is number {
  return typeof value === 'number';
}

function shown(value: bigint | number): Term {
  return textTerm(typeof value === 'bigint' ? value.toString() : printFloat(value));
}

function textTerm(text: string): Term {
  return binary(text as ByteString);
}

function verdict(holds: boolean): Term {
  return holds ? TRUE : FALSE;
}
