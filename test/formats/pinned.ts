/**
 * Pinned bytes: what a build wrote, kept beside the tests as `test/formats/NUMBER.json`.
 *
 * The newest set says what builds write now; every set must be read. See `README.md` there.
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { PinnedStore } from './stored-node.ts';

export interface Pin {
  readonly kind: string;
  /** In hexadecimal. */
  readonly bytes: string;
  /** What was read from them then, as `shown` has it. */
  readonly value: unknown;
}

/** By the names of formats. */
export type PinnedSet = Readonly<Record<string, readonly Pin[]>>;

export const PINNED_FOLDER = new URL('../../../test/formats/', import.meta.url);

/** The oldest first. */
export function pinnedSets(): readonly { readonly number: number; readonly pins: PinnedSet }[] {
  return numbered(/^(\d+)\.json$/).map(({ number, content }) => ({
    number,
    pins: content as PinnedSet,
  }));
}

/** As `pinnedSets`. */
export function pinnedStores(): readonly {
  readonly number: number;
  readonly store: PinnedStore;
}[] {
  return numbered(/^store-(\d+)\.json$/).map(({ number, content }) => ({
    number,
    store: content as PinnedStore,
  }));
}

function numbered(form: RegExp): { readonly number: number; readonly content: unknown }[] {
  return readdirSync(PINNED_FOLDER)
    .flatMap((name) => {
      const number = form.exec(name)?.[1];
      if (number === undefined) return [];
      const text = readFileSync(new URL(name, PINNED_FOLDER), 'utf8');
      return [{ number: Number(number), content: JSON.parse(text) as unknown }];
    })
    .sort((left, right) => left.number - right.number);
}

/** A value as JSON has it, with the fields that are there; equal values are shown alike. */
export function shown(value: unknown): unknown {
  if (typeof value === 'bigint') return { integer: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
  if (value instanceof Map) return { map: Array.from(value, (each) => each.map(shown)) };
  if (value instanceof Set) return { set: Array.from(value, shown) };
  if (Array.isArray(value)) return value.map(shown);
  const fields = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(fields.map(([name, each]) => [name, shown(each)]));
}
