/**
 * States as bytes: what stands in an object's value.
 *
 * | part | bytes |
 * |---|---|
 * | version | u8, 1 |
 * | kind | u8: 0 causal, 1 gset, 2 hll |
 * | causal | actors (table), context, store, deferred removals; actors are table positions from here |
 * | gset | count, elements |
 * | hll | precision u8, 0 and all registers, or 1, count and (index, rank) pairs of those not 0 |
 *
 * Counts and positions are varints, names have their length before them. Decoding checks everything:
 * any client may have stored an ordinary object where a data type is looked for.
 */

import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import type { Assignment, Contribution, DotSet, DotStore, MapField } from './dot-store.ts';
import {
  emptyRegisters,
  HLL_PRECISION_MAX,
  HLL_PRECISION_MIN,
  precisionOf,
  type Registers,
} from './hyperloglog.ts';
import type { CausalState, DatatypeState, DeferredRemoval } from './state.ts';

const VERSION = 1;
const KINDS = ['causal', 'gset', 'hll'] as const;
const STORE_KINDS = ['counter', 'set', 'register', 'flag', 'map'] as const;
/** Maps in maps beyond this are refused, here and at the edges. */
export const NESTING_MAX = 64;

export function encodeState(state: DatatypeState): Buffer {
  const writer = new ByteWriter(1024);
  writer.u8(VERSION);
  writer.u8(KINDS.indexOf(state.kind));
  if (state.kind === 'gset') {
    writeNames(writer, [...state.elements].sort());
  } else if (state.kind === 'hll') {
    writeRegisters(writer, state.registers);
  } else {
    new StateWriter(writer).write(state);
  }
  return Buffer.from(writer.written());
}

/** Undefined for bytes that are no state. */
export function decodeState(bytes: Uint8Array): DatatypeState | undefined {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== VERSION) return undefined;
  const kind = KINDS[reader.u8()];
  let state: DatatypeState | undefined;
  if (kind === 'gset') state = { kind, elements: new Set(readNames(reader)) };
  else if (kind === 'hll') state = readRegisters(reader);
  else if (kind === 'causal') state = new StateReader(reader).read();
  return reader.isSound && reader.remaining === 0 ? state : undefined;
}

class StateWriter {
  readonly #writer: ByteWriter;
  readonly #positions = new Map<Actor, number>();

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  write(state: CausalState): void {
    this.#collect(state);
    const actors = [...this.#positions.keys()].sort();
    for (const [position, actor] of actors.entries()) this.#positions.set(actor, position);
    writeNames(this.#writer, actors);
    this.#dots(state.context);
    this.#store(state.store);
    this.#writer.varint(state.deferred.length);
    for (const { context, path, pieces } of state.deferred) {
      this.#dots(context);
      writeNames(this.#writer, path);
      writeNames(this.#writer, pieces);
    }
  }

  /** Every actor of a store is in the context too, but those of deferred removals need not be. */
  #collect(state: CausalState): void {
    for (const actor of state.context.keys()) this.#positions.set(actor, 0);
    for (const { context } of state.deferred) {
      for (const actor of context.keys()) this.#positions.set(actor, 0);
    }
  }

  #store(store: DotStore): void {
    const writer = this.#writer;
    writer.u8(STORE_KINDS.indexOf(store.kind));
    switch (store.kind) {
      case 'counter':
        writer.varint(store.contributions.size);
        for (const [actor, { counter, value }] of sortedEntries(store.contributions)) {
          this.#dot(actor, counter);
          writeName(writer, value.toString() as ByteString);
        }
        return;
      case 'register':
        writer.varint(store.assignments.size);
        for (const [actor, { counter, atMicros, value }] of sortedEntries(store.assignments)) {
          this.#dot(actor, counter);
          writer.varint(atMicros);
          writeName(writer, value);
        }
        return;
      case 'flag':
        this.#dots(store.dots);
        return;
      case 'set':
        writer.varint(store.dotsByElement.size);
        for (const [element, dots] of sortedEntries(store.dotsByElement)) {
          writeName(writer, element);
          this.#dots(dots);
        }
        return;
      case 'map':
        writer.varint(store.fields.size);
        for (const [key, { dots, content }] of sortedEntries(store.fields)) {
          writeName(writer, key);
          this.#dots(dots);
          this.#store(content);
        }
    }
  }

  #dots(dots: DotSet | VersionVector): void {
    this.#writer.varint(dots.size);
    for (const [actor, counter] of sortedEntries(dots)) this.#dot(actor, counter);
  }

  #dot(actor: Actor, counter: number): void {
    this.#writer.varint(this.#positions.get(actor) ?? 0);
    this.#writer.varint(counter);
  }
}

class StateReader {
  readonly #reader: ByteReader;
  #actors: readonly Actor[] = [];

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  read(): CausalState | undefined {
    this.#actors = readNames(this.#reader) as Actor[];
    const context = this.#dots();
    const store = this.#store(0);
    const deferred = readList(this.#reader, (): DeferredRemoval => ({
      context: this.#dots(),
      path: readNames(this.#reader),
      pieces: readNames(this.#reader),
    }));
    if (store === undefined || context.has(UNKNOWN)) return undefined;
    return { kind: 'causal', store, context, deferred };
  }

  #store(depth: number): DotStore | undefined {
    const reader = this.#reader;
    const kind = STORE_KINDS[reader.u8()];
    if (depth > NESTING_MAX) return undefined;
    switch (kind) {
      case 'counter':
        return { kind, contributions: new Map(readList(reader, () => this.#contribution())) };
      case 'register':
        return { kind, assignments: new Map(readList(reader, () => this.#assignment())) };
      case 'flag':
        return { kind, dots: this.#dots() };
      case 'set':
        return {
          kind,
          dotsByElement: new Map(
            readList(reader, (): [ByteString, DotSet] => [readName(reader), this.#dots()]),
          ),
        };
      case 'map':
        return this.#map(depth);
      case undefined:
        return undefined;
    }
  }

  #map(depth: number): DotStore | undefined {
    const fields = new Map<ByteString, MapField>();
    const count = this.#reader.varint();
    for (let index = 0; index < count && this.#reader.isSound; index += 1) {
      const key = readName(this.#reader);
      const dots = this.#dots();
      const content = this.#store(depth + 1);
      const kind = content?.kind;
      // The key's last character is the kind's place in Riak's order: both must agree.
      if (kind === undefined || !key.endsWith(`\u0000${MAP_ORDER.indexOf(kind)}`)) return undefined;
      fields.set(key, { dots, content: content as DotStore });
    }
    return { kind: 'map', fields };
  }

  #contribution(): [Actor, Contribution] {
    const [actor, counter] = this.#dot();
    const text = readName(this.#reader);
    const value = /^-?\d{1,100}$/.test(text) ? BigInt(text) : 0n;
    return [actor, { counter, value }];
  }

  #assignment(): [Actor, Assignment] {
    const [actor, counter] = this.#dot();
    const atMicros = this.#reader.varint();
    return [actor, { counter, atMicros, value: readName(this.#reader) }];
  }

  #dots(): Map<Actor, number> {
    return new Map(readList(this.#reader, () => this.#dot()));
  }

  #dot(): [Actor, number] {
    const actor = this.#actors[this.#reader.varint()] ?? UNKNOWN;
    return [actor, this.#reader.varint()];
  }
}

const UNKNOWN = '' as Actor;
const MAP_ORDER = ['counter', 'register', 'map', 'flag', 'set'];

function sortedEntries<K extends string, T>(entries: ReadonlyMap<K, T>): [K, T][] {
  return [...entries].sort(([left], [right]) => (left < right ? -1 : 1));
}

function writeRegisters(writer: ByteWriter, registers: Registers): void {
  writer.u8(precisionOf(registers));
  let usedCount = 0;
  for (const rank of registers) if (rank !== 0) usedCount += 1;
  const isSparse = usedCount * 3 < registers.length;
  writer.u8(isSparse ? 1 : 0);
  if (!isSparse) {
    writer.raw(registers);
    return;
  }
  writer.varint(usedCount);
  for (const [index, rank] of registers.entries()) {
    if (rank === 0) continue;
    writer.varint(index);
    writer.u8(rank);
  }
}

function readRegisters(reader: ByteReader): DatatypeState | undefined {
  const precision = reader.u8();
  if (precision < HLL_PRECISION_MIN || precision > HLL_PRECISION_MAX) return undefined;
  const registers = emptyRegisters(precision);
  const rankMax = 65 - precision;
  if (reader.u8() === 0) registers.set(reader.view(registers.length));
  else {
    for (const [index, rank] of readList(reader, () => [reader.varint(), reader.u8()] as const)) {
      if (index >= registers.length) return undefined;
      registers[index] = rank;
    }
  }
  return registers.every((rank) => rank <= rankMax) ? { kind: 'hll', registers } : undefined;
}

function writeName(writer: ByteWriter, name: ByteString): void {
  writer.varint(name.length);
  writer.byteString(name);
}

function readName(reader: ByteReader): ByteString {
  return reader.byteString(reader.varint());
}

function writeNames(writer: ByteWriter, names: readonly ByteString[]): void {
  writer.varint(names.length);
  for (const name of names) writeName(writer, name);
}

function readNames(reader: ByteReader): ByteString[] {
  return readList(reader, () => readName(reader));
}

/** Stops at the first unsound read, so a wild count costs no more than the bytes there are. */
function readList<T>(reader: ByteReader, readOne: () => T): T[] {
  const count = reader.varint();
  const list: T[] = [];
  for (let index = 0; index < count && reader.isSound; index += 1) list.push(readOne());
  return list;
}
