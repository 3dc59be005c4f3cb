/**
 * What clients may do to a data type, and what they see of it.
 *
 * Operations of one request are applied together or not at all.
 * Source: Riak KV's data types (counter, set, gset, hll, map with nested counters, sets, registers,
 * flags and maps).
 */

import type { ByteString } from '../base/bytes.ts';

/** The types a bucket type may be given. */
export type DatatypeName = 'counter' | 'set' | 'gset' | 'map' | 'hll';

/** The types a map's field may have. */
export type FieldKind = 'counter' | 'set' | 'register' | 'flag' | 'map';

export interface Field {
  readonly name: ByteString;
  readonly kind: FieldKind;
}

export interface CounterOperation {
  readonly kind: 'counter';
  /** Any sign; 0 changes nothing but makes the counter exist. */
  readonly increment: bigint;
}

export interface SetOperation {
  readonly kind: 'set';
  readonly adds: readonly ByteString[];
  /** They come after the adds. */
  readonly removes: readonly ByteString[];
}

export interface GrowOnlySetOperation {
  readonly kind: 'gset';
  readonly adds: readonly ByteString[];
}

export interface HyperLogLogOperation {
  readonly kind: 'hll';
  readonly adds: readonly ByteString[];
}

export interface RegisterOperation {
  readonly kind: 'register';
  readonly value: ByteString;
}

export interface FlagOperation {
  readonly kind: 'flag';
  readonly enable: boolean;
}

export interface MapOperation {
  readonly kind: 'map';
  /** They come before the updates. */
  readonly removes: readonly Field[];
  readonly updates: readonly { readonly field: Field; readonly operation: FieldOperation }[];
}

export type FieldOperation =
  CounterOperation | SetOperation | RegisterOperation | FlagOperation | MapOperation;

export type DatatypeOperation =
  CounterOperation | SetOperation | GrowOnlySetOperation | HyperLogLogOperation | MapOperation;

export type FieldValue =
  | { readonly kind: 'counter'; readonly value: bigint }
  /** Sorted bytewise. */
  | { readonly kind: 'set'; readonly elements: readonly ByteString[] }
  | { readonly kind: 'register'; readonly value: ByteString }
  | { readonly kind: 'flag'; readonly isEnabled: boolean }
  | MapValue;

export interface MapValue {
  readonly kind: 'map';
  /** Sorted by name, then counter, register, map, flag, set. */
  readonly fields: readonly { readonly field: Field; readonly value: FieldValue }[];
}

export type DatatypeValue =
  | Exclude<FieldValue, { readonly kind: 'register' | 'flag' }>
  | { readonly kind: 'gset'; readonly elements: readonly ByteString[] }
  /** The estimate, rounded. */
  | { readonly kind: 'hll'; readonly count: number };
