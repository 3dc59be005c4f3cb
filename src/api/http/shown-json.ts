/**
 * Values of data types in JSON, as clients are shown them; large ones are written in slices.
 */

import { SliceBudget, type Sliced } from '../../base/sliced.ts';
import { encodeContext } from '../../clock/context.ts';
import { quoteName } from './json-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { DatatypeValue, FieldValue } from '../../datatype/operation.ts';
import type { ShownDatatype } from '../../object/datatype-requests.ts';

/** An element or a field takes as long as walking over so much. */
const PIECE_COST_BYTES = 64;

/** Leaves the recursion; never leaves this file. */
class NoUtf8 extends Error {}

/** Undefined: some of its bytes are not UTF-8 and have no JSON form. */
export function* shownToJson(
  { value, context }: ShownDatatype,
  isContextShown: boolean,
): Sliced<string | undefined> {
  try {
    const text = yield* valueToJson(value);
    const suffix =
      context !== undefined && isContextShown
        ? `,"context":"${Buffer.from(encodeContext(context)).toString('base64')}"`
        : '';
    return `{"type":"${value.kind}","value":${text}${suffix}}`;
  } catch (error) {
    if (error instanceof NoUtf8) return undefined;
    throw error;
  }
}

function* valueToJson(value: DatatypeValue | FieldValue): Sliced<string> {
  const pieces = new Pieces();
  switch (value.kind) {
    case 'set':
    case 'gset':
      for (const element of value.elements) {
        if (pieces.add(quoted(element))) yield;
      }
      return `[${pieces.joined()}]`;
    case 'map':
      for (const { field, value: inner } of value.fields) {
        const name = quoted(`${field.name}_${field.kind}` as ByteString);
        const text =
          inner.kind === 'set' || inner.kind === 'map'
            ? yield* valueToJson(inner)
            : scalarToJson(inner);
        if (pieces.add(`${name}:${text}`)) yield;
      }
      return `{${pieces.joined()}}`;
    case 'counter':
    case 'hll':
    case 'flag':
    case 'register':
      return scalarToJson(value);
  }
}

function scalarToJson(
  value: Exclude<DatatypeValue | FieldValue, { readonly kind: 'set' | 'gset' | 'map' }>,
): string {
  switch (value.kind) {
    case 'counter':
      return value.value.toString();
    case 'hll':
      return value.count.toString();
    case 'flag':
      return String(value.isEnabled);
    case 'register':
      return quoted(value.value);
  }
}

function quoted(name: ByteString): string {
  const text = quoteName(name);
  if (text === undefined) throw new NoUtf8();
  return text;
}

/** Texts with commas between, joined a slice's worth at a time, so that no join is a long one. */
class Pieces {
  readonly #joined: string[] = [];
  readonly #slice = new SliceBudget();
  #open: string[] = [];

  /** True: it is time to yield. */
  add(text: string): boolean {
    this.#open.push(text);
    const isTime = this.#slice.spend(PIECE_COST_BYTES + text.length);
    if (isTime) this.#close();
    return isTime;
  }

  joined(): string {
    if (this.#open.length > 0) this.#close();
    return this.#joined.join(',');
  }

  #close(): void {
    this.#joined.push(this.#open.join(','));
    this.#open = [];
  }
}
