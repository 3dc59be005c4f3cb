/**
 * The reduce functions of Riak's module `riak_kv_mapreduce`.
 *
 * Riak calls a reduce function again and again with its last results and some new inputs, and all of
 * these functions come to the same whatever the batches. So here each is an accumulator: it takes
 * inputs as they come, hands on what is final at once, holds as little as it can, and says how much.
 */

import { Heap } from '../base/heap.ts';
import { encodeTerm } from './external-term.ts';
import { printTerm } from './term-print.ts';
import { atom, compareTerms, isAtom, isList, isTuple, termSizeBytes, tuple } from './term.ts';
import type { Crash } from './map-functions.ts';
import type { Term, TermList } from './term.ts';

export interface Reducer {
  /** Takes inputs; the results that nothing can change any more. */
  add(inputs: TermList): TermList | Crash;
  /** The other results, once there are no more inputs; made as they are taken. */
  finish(): Iterable<Term>;
  /** What is held. */
  readonly heldBytes: number;
}

export type ReducerFactory = () => Reducer;

const BAD_ARITHMETIC: Crash = { crash: 'badarith' };
const BAD_ARGUMENT: Crash = { crash: 'badarg' };
const FUNCTION_CLAUSE: Crash = { crash: 'function_clause' };
const INTEGER_DIGITS_MAX = 2_000;

export const REDUCE_FUNCTIONS: ReadonlyMap<string, ReducerFactory> = new Map<
  string,
  ReducerFactory
>([
  ['reduce_identity', () => new Each(identity, unhandledEntry)],
  ['reduce_set_union', () => new SetUnion()],
  ['reduce_sum', () => new Sum()],
  ['reduce_plist_sum', () => new PropertySums()],
  ['reduce_sort', () => new Sort()],
  ['reduce_count_inputs', () => new Count()],
  ['reduce_string_to_integer', () => new Each(stringToInteger, () => BAD_ARGUMENT)],
]);

/** One result for each input; nothing is held. */
class Each implements Reducer {
  readonly heldBytes = 0;
  readonly #convert: (input: Term) => Term | undefined;
  readonly #crashOn: (input: Term) => Crash;

  constructor(convert: (input: Term) => Term | undefined, crashOn: (input: Term) => Crash) {
    this.#convert = convert;
    this.#crashOn = crashOn;
  }

  add(inputs: TermList): TermList | Crash {
    const results: Term[] = [];
    for (const input of inputs) {
      if (isNotFound(input)) continue;
      const result = this.#convert(input);
      if (result === undefined) return this.#crashOn(input);
      results.push(result);
    }
    return results;
  }

  finish(): TermList {
    return [];
  }
}

/** Of addresses only: the key data goes, unless a type follows it. */
function identity(input: Term): Term | undefined {
  if (isList(input)) return input.length >= 2 && input.length <= 4 ? input : undefined;
  if (!isTuple(input)) {
    return typeof input === 'object' && 'kind' in input && input.kind === 'object'
      ? [Buffer.from(input.key.bucket, 'latin1'), Buffer.from(input.key.key, 'latin1')]
      : undefined;
  }
  const [first, second] = input.items;
  if (input.items.length !== 2 || first === undefined || second === undefined) return undefined;
  if (!isTuple(first, 2)) return [first, second];
  const isTyped = isTuple(first.items[0], 2);
  return isTyped ? input : first.items;
}

function unhandledEntry(input: Term): Crash {
  return { crash: printTerm(tuple(atom('unhandled_entry'), input)), isThrown: true };
}

function stringToInteger(input: Term): Term | undefined {
  if (typeof input === 'bigint') return input;
  let text: string;
  if (Buffer.isBuffer(input)) text = input.toString('latin1');
  else if (isList(input)) text = input.map((code) => String.fromCharCode(Number(code))).join('');
  else return undefined;
  const isInteger = text.length <= INTEGER_DIGITS_MAX && /^[+-]?[0-9]+$/.test(text);
  return isInteger ? BigInt(text.startsWith('+') ? text.slice(1) : text) : undefined;
}

class SetUnion implements Reducer {
  readonly #seen = new Set<string>();
  heldBytes = 0;

  add(inputs: TermList): TermList | Crash {
    const fresh: Term[] = [];
    for (const input of inputs) {
      const identity = encodeTerm(input)?.toString('latin1');
      if (identity === undefined) return BAD_ARGUMENT;
      if (this.#seen.has(identity)) continue;
      this.#seen.add(identity);
      this.heldBytes += 64 + identity.length;
      fresh.push(input);
    }
    return fresh;
  }

  finish(): TermList {
    return [];
  }
}

class Sum implements Reducer {
  readonly heldBytes = 0;
  #sum: bigint | number = 0n;

  add(inputs: TermList): TermList | Crash {
    for (const input of inputs) {
      if (isNotFound(input)) continue;
      const sum = addNumbers(this.#sum, input);
      if (sum === undefined) return BAD_ARITHMETIC;
      this.#sum = sum;
    }
    return [];
  }

  finish(): TermList {
    return [this.#sum];
  }
}

/** Values added up by key, over property lists and single pairs. */
class PropertySums implements Reducer {
  readonly #sumByKey = new Map<string, { readonly key: Term; sum: bigint | number }>();
  heldBytes = 0;

  add(inputs: TermList): TermList | Crash {
    for (const input of inputs) {
      if (isNotFound(input)) continue;
      for (const pair of isList(input) ? input : [input]) {
        const crash = this.#addPair(pair);
        if (crash !== undefined) return crash;
      }
    }
    return [];
  }

  finish(): TermList {
    return Array.from(this.#sumByKey.values(), ({ key, sum }) => tuple(key, sum));
  }

  #addPair(pair: Term): Crash | undefined {
    const [key, value] = isTuple(pair, 2) ? pair.items : [];
    const identity = key === undefined ? undefined : encodeTerm(key)?.toString('latin1');
    if (identity === undefined || key === undefined || value === undefined) return FUNCTION_CLAUSE;
    let entry = this.#sumByKey.get(identity);
    if (entry === undefined) {
      entry = { key, sum: 0n };
      this.#sumByKey.set(identity, entry);
      this.heldBytes += 128 + identity.length + termSizeBytes(key);
    }
    const sum = addNumbers(entry.sum, value);
    if (sum === undefined) return BAD_ARITHMETIC;
    entry.sum = sum;
    return undefined;
  }
}

/** Of inputs that are sorted together, which nothing can interrupt. */
const RUN_LENGTH = 1_024;

/** Some inputs in order, and how far they have been taken. */
interface Run {
  readonly inputs: TermList;
  readonly place: number;
  index: number;
}

/** Short runs are sorted as they come, and merged as the results are taken. */
class Sort implements Reducer {
  readonly #runs: Run[] = [];
  #inputs: Term[] = [];
  heldBytes = 0;

  add(inputs: TermList): TermList {
    for (const input of inputs) {
      this.#inputs.push(input);
      this.heldBytes += termSizeBytes(input);
      if (this.#inputs.length === RUN_LENGTH) this.#endRun();
    }
    return [];
  }

  *finish(): Iterable<Term> {
    this.#endRun();
    const heap = new Heap(isBefore);
    for (const run of this.#runs) heap.push(run);
    for (let run = heap.least; run !== undefined; run = heap.least) {
      yield headOf(run);
      run.index += 1;
      if (run.index < run.inputs.length) heap.settleLeast();
      else heap.pop();
    }
  }

  #endRun(): void {
    const inputs = this.#inputs.sort(compareTerms);
    if (inputs.length > 0) this.#runs.push({ inputs, place: this.#runs.length, index: 0 });
    this.#inputs = [];
  }
}

function headOf({ inputs, index }: Run): Term {
  return inputs[index] as Term;
}

/** Of equal inputs the one that came first. */
function isBefore(left: Run, right: Run): boolean {
  const order = compareTerms(headOf(left), headOf(right));
  return order === 0 ? left.place < right.place : order < 0;
}

/** An integer is taken for the count of an earlier batch, as Riak takes it. */
class Count implements Reducer {
  readonly heldBytes = 0;
  #count = 0n;

  add(inputs: TermList): TermList {
    for (const input of inputs) this.#count += typeof input === 'bigint' ? input : 1n;
    return [];
  }

  finish(): TermList {
    return [this.#count];
  }
}

/** Undefined where `term` is no number, or the sum none that a float can hold. */
function addNumbers(sum: bigint | number, term: Term): bigint | number | undefined {
  if (typeof term === 'bigint' && typeof sum === 'bigint') return sum + term;
  if (typeof term !== 'bigint' && typeof term !== 'number') return undefined;
  const total = Number(sum) + Number(term);
  return Number.isFinite(total) ? total : undefined;
}

/** `{error, notfound}` and `{not_found, …}`, which are passed over. */
function isNotFound(term: Term): boolean {
  if (!isTuple(term)) return false;
  const [first, second] = term.items;
  return isAtom(first, 'not_found') || (isAtom(first, 'error') && isAtom(second, 'notfound'));
}
