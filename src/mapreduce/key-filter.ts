/**
 * Key filters: which keys of a bucket go into a job.
 *
 * A list of filters is a pipe: a transform hands a new value to the next filter, a predicate a verdict.
 * A key passes if the last value is true. Filters are compiled when the job is read, with bounds on
 * what one may cost. A key that would cost more, or that a transform cannot handle ("x" as an integer),
 * does not pass, and no negation of what was asked of it passes it either.
 *
 * As in Riak, "to_upper", "to_lower" and "urldecode" make a list of characters, which is no key: what
 * works on text takes it as text, while comparisons find it less than any key and equal to none.
 */

import { Allowance } from '../base/turns.ts';
import { BoundedRegex } from '../object/bounded-regex.ts';
import { atom, binary, compareTerms, isAtom, isList } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Term, TermList } from './term.ts';

/** It judges one key at a time. */
export interface KeyFilter {
  /** False too where judging would cost too much. */
  passes(key: ByteString): boolean;
  /** Whether that was so for the key judged last. */
  readonly isOverrun: boolean;
  /** What the key judged last has cost, in the units of `base/turns.ts`. */
  readonly spentUnits: number;
}

/** `filter` is the name of one that is none, or is used wrongly. */
export type KeyFilterOutcome =
  { readonly kind: 'filter'; readonly filter: KeyFilter } | { readonly kind: 'bad'; filter: Term };

/** Undefined: it cannot handle this value, and nothing is known of the key. */
type Step = (value: Term) => Term | undefined;

type StepFactory = (args: TermList, scope: Scope) => Step | undefined;

/** Where in a job's filters one stands; `budget` is that of all of them. */
interface Scope {
  readonly depth: number;
  readonly budget: { filtersLeft: number };
  /** What is left for the key that is judged. */
  readonly allowance: Allowance;
}

/** Of a job, those within others included: each may be an expression to compile. */
const FILTERS_MAX = 256;
const DEPTH_MAX = 16;
/** Longest text, and distance, for `similar_to`, whose cost is their product for each key. */
const SIMILAR_LENGTH_MAX = 256;
const INTEGER_DIGITS_MAX = 2_000;
/** Of a filter, whatever it looks at. */
const STEP_UNITS = 16;
/** Of a character in a list. */
const CHARACTER_UNITS = 8;

const TRUE = atom('true');
const FALSE = atom('false');

export function compileKeyFilter(filters: TermList): KeyFilterOutcome {
  const allowance = new Allowance();
  const scope = { depth: 0, budget: { filtersLeft: FILTERS_MAX }, allowance };
  const step = compilePipe(filters, scope);
  if ('bad' in step) return { kind: 'bad', filter: step.bad };
  const { run } = step;
  const filter: KeyFilter = {
    passes(key) {
      allowance.renew();
      return isAtom(run(binary(key)), 'true') && !allowance.isOverrun;
    },
    get isOverrun() {
      return allowance.isOverrun;
    },
    get spentUnits() {
      return allowance.spentUnits;
    },
  };
  return { kind: 'filter', filter };
}

type PipeOutcome = { readonly run: Step } | { readonly bad: Term };

function compilePipe(filters: TermList, scope: Scope): PipeOutcome {
  const { depth, budget, allowance } = scope;
  const steps: Step[] = [];
  budget.filtersLeft -= filters.length;
  if (budget.filtersLeft < 0 || depth > DEPTH_MAX) return { bad: textTerm('too_many') };
  for (const filter of filters) {
    const [name, ...args] = isList(filter) ? filter : [filter];
    if (name === undefined) return { bad: [] };
    const factory = Buffer.isBuffer(name) ? FACTORIES.get(name.toString('latin1')) : undefined;
    const step = factory?.(args, scope);
    if (step === undefined) return { bad: name };
    steps.push(step);
  }
  const run = (value: Term): Term | undefined => {
    let current: Term | undefined = value;
    for (const step of steps) {
      if (current === undefined || !allowance.take(unitsOf(current))) return undefined;
      current = step(current);
    }
    return current;
  };
  return { run };
}

function unitsOf(value: Term): number {
  if (Buffer.isBuffer(value)) return STEP_UNITS + CHARACTER_UNITS * value.length;
  return STEP_UNITS + (isList(value) ? CHARACTER_UNITS * value.length : 0);
}

const FACTORIES: ReadonlyMap<string, StepFactory> = new Map<string, StepFactory>([
  ['int_to_string', transform(integerToString)],
  ['string_to_int', transform(stringToInteger)],
  ['float_to_string', transform(floatToString)],
  ['string_to_float', transform(stringToFloat)],
  ['to_upper', onText((text) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()))],
  ['to_lower', onText((text) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()))],
  ['urldecode', onText(urlDecode)],
  ['tokenize', tokenize],
  ['greater_than', comparison((order) => order > 0)],
  ['less_than', comparison((order) => order < 0)],
  ['greater_than_eq', comparison((order) => order >= 0)],
  ['less_than_eq', comparison((order) => order <= 0)],
  ['eq', equality((isEqual) => isEqual)],
  ['neq', equality((isEqual) => !isEqual)],
  ['between', between],
  ['matches', matches],
  ['set_member', setMember],
  ['similar_to', similarTo],
  ['starts_with', affix((text, part) => text.startsWith(part))],
  ['ends_with', affix((text, part) => text.endsWith(part))],
  ['and', junction((verdicts) => unlessAny(false, verdicts))],
  ['or', junction((verdicts) => unlessAny(true, verdicts))],
  ['not', junction(([first]) => (first === undefined ? undefined : !first))],
]);

/** Arguments too many are passed over, as with all filters. */
function transform(step: Step): StepFactory {
  return () => step;
}

/** Its result is a list of characters. */
function onText(step: (text: string) => string): StepFactory {
  return transform((value) => {
    const text = textOf(value);
    return text === undefined
      ? undefined
      : Array.from(step(text), (character) => BigInt(character.charCodeAt(0)));
  });
}

function comparison(holds: (order: number) => boolean): StepFactory {
  return ([bound]) =>
    bound === undefined ? undefined : (value) => verdict(holds(compareTerms(value, bound)));
}

/** Of one kind, too: 2 is no 2.0 here, where an order takes them for the same. */
function equality(holds: (isEqual: boolean) => boolean): StepFactory {
  return ([wanted]) => {
    if (wanted === undefined) return undefined;
    return (value) => {
      const isOfOneKind = typeof value === typeof wanted;
      return verdict(holds(isOfOneKind && compareTerms(value, wanted) === 0));
    };
  };
}

function affix(holds: (text: string, part: string) => boolean): StepFactory {
  return ([argument]) => {
    const part = argument === undefined ? undefined : textOf(argument);
    if (part === undefined) return undefined;
    return (value) => {
      const text = textOf(value);
      return text === undefined ? undefined : verdict(holds(text, part));
    };
  };
}

/** Undefined: unknown. */
type Verdict = boolean | undefined;

/** Each argument is a pipe of its own, over the same value. */
function junction(holds: (verdicts: readonly Verdict[]) => Verdict): StepFactory {
  return (args, scope) => {
    const pipes: Step[] = [];
    const inner = { ...scope, depth: scope.depth + 1 };
    for (const arg of args) {
      const pipe = isList(arg) ? compilePipe(arg, inner) : { bad: arg };
      if ('bad' in pipe) return undefined;
      pipes.push(pipe.run);
    }
    if (pipes.length === 0) return undefined;
    return (value) => {
      const holding = holds(pipes.map((pipe) => verdictOf(pipe(value))));
      return holding === undefined ? undefined : verdict(holding);
    };
  };
}

/** One that is `decisive` decides for all; else what is unknown leaves it open (Kleene 1952). */
function unlessAny(decisive: boolean, verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes(decisive)) return decisive;
  return verdicts.includes(undefined) ? undefined : !decisive;
}

function verdictOf(value: Term | undefined): Verdict {
  return value === undefined ? undefined : isAtom(value, 'true');
}

/** The part numbered from 1; empty parts do not count. Without such a part: the empty list. */
function tokenize([separators, position]: TermList): Step | undefined {
  if (!Buffer.isBuffer(separators) || typeof position !== 'bigint') return undefined;
  const separating = new Set(separators.toString('latin1'));
  const wanted = Number(position);
  if (wanted < 1) return undefined;
  return (value) => {
    const text = textOf(value);
    if (text === undefined) return undefined;
    const tokens: string[] = [''];
    for (const character of text) {
      if (!separating.has(character)) tokens[tokens.length - 1] += character;
      else if (tokens.at(-1) !== '') tokens.push('');
    }
    const token = tokens[wanted - 1];
    return token === undefined || token === '' ? [] : textTerm(token);
  };
}

function between([low, high, inclusive = TRUE]: TermList): Step | undefined {
  if (low === undefined || high === undefined) return undefined;
  const slack = isAtom(inclusive, 'true') ? 1 : 0;
  return (value) => verdict(compareTerms(value, low) > -slack && compareTerms(value, high) < slack);
}

function matches([expression]: TermList, { allowance }: Scope): Step | undefined {
  if (!Buffer.isBuffer(expression)) return undefined;
  const regex = BoundedRegex.compile(expression.toString('latin1'));
  if (!(regex instanceof BoundedRegex)) return undefined;
  return (value) => verdict(regex.isIn(textOf(value) ?? '', allowance));
}

/** By what they look like: 5 is a member where "5" is. */
function setMember(members: TermList): Step {
  const texts = new Set(members.map(textOf));
  return (value) => {
    const text = textOf(value);
    return text === undefined ? undefined : verdict(texts.has(text));
  };
}

/** Within so many single-character edits (Levenshtein 1966). */
function similarTo([model, distance]: TermList, { allowance }: Scope): Step | undefined {
  const like = model === undefined ? undefined : textOf(model);
  if (like === undefined || typeof distance !== 'bigint') return undefined;
  const most = Number(distance);
  if (like.length > SIMILAR_LENGTH_MAX || most < 0 || most > SIMILAR_LENGTH_MAX) return undefined;
  return (value) => {
    const text = textOf(value);
    if (text === undefined) return undefined;
    const isNear = Math.abs(text.length - like.length) <= most;
    if (!isNear) return FALSE;
    if (!allowance.take(text.length * like.length)) return undefined;
    return verdict(editDistance(text, like) <= most);
  };
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 0; row < left.length; row += 1) {
    const current = [row + 1];
    for (let column = 0; column < right.length; column += 1) {
      const cost = left[row] === right[column] ? 0 : 1;
      const replaced = (previous[column] as number) + cost;
      const removed = (previous[column + 1] as number) + 1;
      const added = (current[column] as number) + 1;
      current.push(Math.min(replaced, removed, added));
    }
    previous = current;
  }
  return previous[right.length] as number;
}

function stringToInteger(value: Term): Term | undefined {
  const text = textOf(value) ?? '';
  const isInteger = text.length <= INTEGER_DIGITS_MAX && /^[+-]?[0-9]+$/.test(text);
  return isInteger ? BigInt(text.replace('+', '')) : undefined;
}

/** An integer's text is taken too. */
function stringToFloat(value: Term): Term | undefined {
  const text = textOf(value) ?? '';
  const number = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function integerToString(value: Term): Term | undefined {
  return typeof value === 'bigint' ? textTerm(value.toString()) : undefined;
}

function floatToString(value: Term): Term | undefined {
  return typeof value === 'number' ? textTerm(scientific(value)) : undefined;
}

/** As Erlang's `float_to_list/1`: `2.50000000000000000000e+00`. */
function scientific(value: number): string {
  const [digits = '', exponent = ''] = value.toExponential(20).split('e');
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
}

/** It is read as a field of a form, so the next field's mark ends it. */
function urlDecode(text: string): string {
  return text
    .replace(/[&;].*$/s, '')
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number(`0x${hex}`)));
}

/** What a value looks like as text; undefined: like none. Characters are bytes. */
function textOf(value: Term | undefined): string | undefined {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return scientific(value);
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (value === undefined || !isList(value)) return undefined;
  return value.map((code) => String.fromCharCode(Number(code))).join('');
}

function textTerm(text: string): Term {
  return binary(text as ByteString);
}

function verdict(holds: boolean): Term {
  return holds ? TRUE : FALSE;
}
