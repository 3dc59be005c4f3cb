/**
 * basho_bench's generators of keys and values, as sets of keys and kinds of values.
 */

import { Fault } from '../../src/base/fault.ts';
import type { ErlangTerm } from './erlang-text.ts';
import type { ChooserName, NameForm } from './schema.ts';
import type { KeySetSpec, ValueSpec } from './workload.ts';

const CHOOSERS: Readonly<Record<string, ChooserName>> = {
  uniform_int: 'uniform',
  pareto_int: 'pareto',
  truncated_pareto_int: 'truncated_pareto',
  eightytwenty_int: 'eighty_twenty',
  sequential_int: 'sequential',
  partitioned_sequential_int: 'sequential',
};

const NAMES: Readonly<Record<string, NameForm>> = {
  int_to_bin: 'big_endian_32',
  int_to_bin_bigendian: 'big_endian_32',
  int_to_bin_littleendian: 'little_endian_32',
  int_to_str: 'text',
  to_binstr: 'text',
};

export function bashoKeys(file: string, term: ErlangTerm | undefined, bucket: string): KeySetSpec {
  const [kind, ...rest] = named(term);
  const inner = rest.at(-1);
  const names = NAMES[kind ?? ''];
  if (names !== undefined && inner?.kind === 'tuple') {
    return {
      ...(bashoKeys(file, inner, bucket) as Extract<KeySetSpec, { kind: 'shared' }>),
      names,
    };
  }
  const choose = CHOOSERS[kind ?? ''];
  const count = rest.at(-1);
  if (choose === undefined || count?.kind !== 'number') {
    throw new Fault('config', `${file}: the key generator ${kind ?? ''} has no counterpart`);
  }
  return {
    kind: 'shared',
    bucket,
    count: Math.max(1, count.value),
    choose,
    theta: 0.99,
    hot_share: 0.2,
    hot_use: 0.8,
    names: 'text',
    prefix: '',
  };
}

export function bashoValue(file: string, term: ErlangTerm | undefined): ValueSpec {
  const [kind, ...rest] = named(term);
  const [first = 0, second = 0, third = 1, fourth = 0] = rest.map((item) =>
    item.kind === 'number' ? item.value : 0,
  );
  const shape = { content: 'random', largeFactor: 1, largeShare: 0 } as const;
  switch (kind) {
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
    case undefined:
    default:
      throw new Fault('config', `${file}: the value generator ${kind ?? ''} has no counterpart`);
  }
}

function named(term: ErlangTerm | undefined): [string | undefined, ...ErlangTerm[]] {
  const [first, ...rest] = term?.kind === 'tuple' ? term.items : [];
  return [first?.kind === 'atom' ? first.name : undefined, ...rest];
}
