/**
 * Reading a tuple from another node, field by field.
 *
 * A tuple is an array as msgpackr gives it: of nil, booleans, numbers, strings, byte arrays and
 * arrays. Whatever is not just what the reader asked for is a `peer-malformed` fault; nothing else
 * is ever thrown, and no message repeats what was received, because it may hold a patient's record.
 */

import { asBuffer } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';

export type WireValue = null | boolean | number | string | Uint8Array | readonly WireValue[];
export type WireTuple = readonly WireValue[];

// A character above U+00FF would lose its high byte later and make two names one.
// oxlint-disable-next-line no-control-regex
const BYTES_ONLY = /^[\0-\xff]*$/;

export function malformed(what: string): Fault {
  return new Fault('peer-malformed', `a peer's message is malformed: ${what}`);
}

export class TupleReader {
  readonly #fields: readonly unknown[];
  #index = 0;

  constructor(value: unknown) {
    if (!Array.isArray(value)) throw malformed('not a tuple');
    this.#fields = value;
  }

  /** Fields not read yet. */
  get remaining(): number {
    return this.#fields.length - this.#index;
  }

  /** Every field must have been read. */
  end(): void {
    if (this.remaining !== 0) throw malformed('fields too many');
  }

  safeInteger(): number {
    return this.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  }

  /** A safe integer from 0. */
  count(): number {
    return this.integer(0, Number.MAX_SAFE_INTEGER);
  }

  /** A safe integer, both ends inclusive. */
  integer(least: number, most: number): number {
    const value = this.#next();
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed('no integer');
    if (value < least || value > most) throw malformed('integer out of range');
    return value;
  }

  boolean(): boolean {
    const value = this.#next();
    if (typeof value !== 'boolean') throw malformed('no boolean');
    return value;
  }

  byteString(): ByteString {
    const value = this.#next();
    if (typeof value !== 'string' || !BYTES_ONLY.test(value)) throw malformed('no byte string');
    return value as ByteString;
  }

  /** Unicode text, such as a reason for people. */
  text(): string {
    const value = this.#next();
    if (typeof value !== 'string') throw malformed('no text');
    return value;
  }

  /** A view of the received memory. */
  bytes(): Buffer {
    const value = this.#next();
    if (!(value instanceof Uint8Array)) throw malformed('no bytes');
    return asBuffer(value);
  }

  /** The field with `read`, or undefined where it is nil. */
  optional<T>(read: (reader: TupleReader) => T): T | undefined {
    if (this.remaining > 0 && this.#fields[this.#index] === null) {
      this.#index += 1;
      return undefined;
    }
    return read(this);
  }

  /** A reader of the tuple in this field. */
  tuple(): TupleReader {
    return new TupleReader(this.#next());
  }

  /** The elements of the array in this field. */
  list<T>(read: (reader: TupleReader) => T): T[] {
    const reader = this.tuple();
    const values: T[] = [];
    while (reader.remaining > 0) values.push(read(reader));
    return values;
  }

  /** One of `choices`, by its index. */
  choice<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)] as T;
  }

  /** The next field as it is. */
  raw(): unknown {
    return this.#next();
  }

  #next(): unknown {
    if (this.#index >= this.#fields.length) throw malformed('fields missing');
    const value = this.#fields[this.#index];
    this.#index += 1;
    return value;
  }
}
