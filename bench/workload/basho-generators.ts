/**
 * basho_bench's generators of keys and values, as sets of keys and kinds of values.
 */

import { Fault } from '../../src/base/fault.ts';
import { termText } from './erlang-text.ts';
import type { ErlangTerm } from './erlang-text.ts';
import type { ChooserName, NameForm } from './schema.ts';
import type { KeySetSpec, ValueSpec } from './workload.ts';

type SharedSpec = Extract<KeySetSpec, { kind: 'shared' }>;

interface Range {
  readonly choose: ChooserName;
  /** Where its numbers begin, if the file does not say. */
  readonly first: number;
}

const RANGES: Readonly<Record<string, Range>> = {
  uniform_int: { choose: 'uniform', first: 1 },
  pareto_int: { choose: 'pareto', first: 0 },
  truncated_pareto_int: { choose: 'truncated_pareto', first: 0 },
  // Just what it says: a fifth of the keys has four fifths of the uses. The NHS driver's own is another.
  eightytwenty_int: { choose: 'hot_spot', first: 1 },
  sequential_int: { choose: 'sequential', first: 0 },
  partitioned_sequential_int: { choose: 'sequential', first: 0 },
};

const NAMES: Readonly<Record<string, NameForm>> = {
  int_to_bin: 'big_endian_32',
  int_to_bin_bigendian: 'big_endian_32',
  int_to_bin_littleendian: 'little_endian_32',
  int_to_str: 'text',
};
/** They change how the key is held there, and not its bytes. */
const CASTS = new Set(['str_to_bin', 'bin_to_str']);
/** A text and one number, which may have a width that is filled with zeros. */
const FORMAT = /^([^~]*)~(?:(\d{1,2})\.\.0)?[pwbB]$/;

export function bashoKeys(file: string, term: ErlangTerm | undefined, bucket: string): KeySetSpec {
  const keys = keysOf(term, bucket);
  if (keys !== undefined) return keys;
  throw new Fault('config', `${file}: the key generator ${termText(term)} has no counterpart`);
}

function keysOf(term: ErlangTerm | undefined, bucket: string): SharedSpec | undefined {
  const [kind = '', ...rest] = named(term);
  const inner = rest.at(-1);
  if (kind in NAMES || CASTS.has(kind)) {
    const keys = rest.length === 1 ? keysOf(inner, bucket) : undefined;
    return keys === undefined ? undefined : { ...keys, names: NAMES[kind] ?? keys.names };
  }
  if (kind === 'to_binstr' || kind === 'to_str') return formatted(rest, bucket);
  if (kind === 'concat_binary') return prefixed(rest, bucket);
  return rangeOf(kind, rest, bucket);
}

function formatted([format, inner]: readonly ErlangTerm[], bucket: string): SharedSpec | undefined {
  const found = format?.kind === 'text' ? FORMAT.exec(format.text) : null;
  const keys = keysOf(inner, bucket);
  if (found === null || keys?.names !== 'text') return undefined;
  return { ...keys, names: 'padded', prefix: found[1] ?? '', digits: Number(found[2] ?? 0) };
}

function prefixed([head, inner]: readonly ErlangTerm[], bucket: string): SharedSpec | undefined {
  const keys = keysOf(inner, bucket);
  const isText = keys?.names === 'text' || keys?.names === 'padded';
  if (keys === undefined || head?.kind !== 'text' || !isText) return undefined;
  return { ...keys, names: 'padded', prefix: head.text + keys.prefix };
}

function rangeOf(
  kind: string,
  rest: readonly ErlangTerm[],
  bucket: string,
): SharedSpec | undefined {
  const range = RANGES[kind];
  const numbers = rest.map((one) => (one.kind === 'number' ? one.value : NaN));
  const [count, start = range?.first] = numbers.toReversed();
  const mayStart = kind === 'uniform_int' || kind === 'partitioned_sequential_int';
  if (range === undefined || rest.length > (mayStart ? 2 : 1)) return undefined;
  if (count === undefined || count < 1 || !numbers.every(Number.isInteger)) return undefined;
  return {
    kind: 'shared',
    bucket,
    count,
    choose: range.choose,
    theta: 0.99,
    hot_share: 0.2,
    hot_use: 0.8,
    names: 'text',
    prefix: '',
    digits: 0,
    first: start ?? 0,
  };
}

export function bashoValue(file: string, term: ErlangTerm | undefined): ValueSpec {
  const [kind = '', ...rest] = named(term);
  const sizes = rest.map((item) => (item.kind === 'number' ? item.value : NaN));
  const [first = 0, second = 0, third = 1, fourth = 0] = sizes;
  const shape = { content: 'random', largeFactor: 1, largeShare: 0 } as const;
  const isSound = rest.length === SIZES[kind] && sizes.every((size) => size >= 0);
  switch (isSound ? kind : '') {
    case 'fixed_bin':
      return { ...shape, kind: 'fixed', minBytes: first, spanBytes: 0 };
    case 'fixed_char':
      return { ...shape, kind: 'fixed', content: 'text', minBytes: first, spanBytes: 0 };
    case 'exponential_bin':
      return { ...shape, kind: 'exponential', minBytes: first, spanBytes: second };
    case 'uniform_bin':
      return { ...shape, kind: 'uniform', minBytes: first, spanBytes: Math.max(0, second - first) };
    case 'semi_compressible':
      return {
        kind: 'semi_compressible',
        content: 'semi_compressible',
        minBytes: first,
        spanBytes: second,
        largeFactor: third,
        largeShare: fourth,
      };
    default:
      throw new Fault(
        'config',
        `${file}: the value generator ${termText(term)} has no counterpart`,
      );
  }
}

/** How many numbers each kind of value has. */
const SIZES: Readonly<Record<string, number>> = {
  fixed_bin: 1,
  fixed_char: 1,
  exponential_bin: 2,
  uniform_bin: 2,
  semi_compressible: 4,
};

function named(term: ErlangTerm | undefined): [string | undefined, ...ErlangTerm[]] {
  const [first, ...rest] = term?.kind === 'tuple' ? term.items : [];
  return [first?.kind === 'atom' ? first.name : undefined, ...rest];
}
