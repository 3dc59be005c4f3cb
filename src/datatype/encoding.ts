/**
 * States as bytes: what stands in an object's value.
 *
 * | part | bytes |
 * |---|---|
 * | version | u8, 1 |
 * | type | u8: 0 counter, 1 set, 2 map, 3 gset, 4 hll |
 * | counter, set, map | context, deferred removals, store |
 * | context | count, (actor 18, counter) … |
 * | deferred removals | count, (context, path names, piece names) … |
 * | gset | store |
 * | hll | precision u8, 0 and all registers, or 1, count and (index, rank) pairs of those not 0 |
 *
 * Stores are in packed form (`packed.ts`). Counts are varints, names have their length before them.
 * Decoding checks everything: any client may have stored anything where a data type is looked for.
 */

import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Sliced } from '../base/sliced.ts';
import { ACTOR_SIZE_BYTES } from '../clock/actor.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import { isSoundStore } from './check-store.ts';
import {
  emptyRegisters,
  HLL_PRECISION_MAX,
  HLL_PRECISION_MIN,
  precisionOf,
  type Registers,
} from './hyperloglog.ts';
import type { DatatypeName } from './operation.ts';
import { readName, writeName } from './packed.ts';
import { DEFERRED_MAX, datatypeNameOf, type CausalName, type DatatypeState } from './state.ts';
import type { DeferredRemoval } from './removal.ts';

const VERSION = 1;
const NAMES = ['counter', 'set', 'map', 'gset', 'hll'] as const satisfies readonly DatatypeName[];

export function encodeState(state: DatatypeState): Buffer {
  const writer = new ByteWriter(sizeHint(state));
  writer.u8(VERSION);
  writer.u8(NAMES.indexOf(datatypeNameOf(state)));
  if (state.kind === 'gset') writer.raw(state.elements);
  else if (state.kind === 'hll') writeRegisters(writer, state.registers);
  else {
    writeContext(writer, state.context);
    writer.varint(state.deferred.length);
    for (const { context, path, pieces } of state.deferred) {
      writeContext(writer, context);
      writeNames(writer, path);
      writeNames(writer, pieces);
    }
    writer.raw(state.store.bytes);
  }
  return writer.written();
}

/** Stores are views of `bytes`. Undefined for bytes that are no state. */
export function* decodeState(bytes: Buffer): Sliced<DatatypeState | undefined> {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== VERSION) return undefined;
  const name = NAMES[reader.u8()];
  if (!reader.isSound || name === undefined) return undefined;
  if (name === 'hll') return readRegisters(reader);
  if (name !== 'gset') return yield* readCausal(name, bytes, reader);
  const start = bytes.length - reader.remaining;
  const scope = { bytes, counters: [] };
  const isSound = yield* isSoundStore('gset', { start, end: bytes.length }, scope, 0);
  return isSound ? { kind: 'gset', elements: bytes.subarray(start) } : undefined;
}

function* readCausal(
  kind: CausalName,
  bytes: Buffer,
  reader: ByteReader,
): Sliced<DatatypeState | undefined> {
  const context = readContext(reader);
  const deferred = readList(reader, (): DeferredRemoval => ({
    context: readContext(reader) ?? NO_CONTEXT,
    path: readList(reader, () => readName(reader)),
    pieces: readList(reader, () => readName(reader)),
  }));
  if (!reader.isSound || context === undefined || deferred.length > DEFERRED_MAX) return undefined;
  // An empty context would defer nothing, so none is ever written.
  if (deferred.some((removal) => removal.context.size === 0)) return undefined;
  const start = bytes.length - reader.remaining;
  const scope = { bytes, counters: [...context.values()] };
  const isSound = yield* isSoundStore(kind, { start, end: bytes.length }, scope, 0);
  if (!isSound) return undefined;
  return { kind: 'causal', store: { kind, bytes: bytes.subarray(start) }, context, deferred };
}

const NO_CONTEXT: VersionVector = new Map();

function sizeHint(state: DatatypeState): number {
  if (state.kind === 'gset') return 2 + state.elements.length;
  if (state.kind === 'hll') return 16 + state.registers.length;
  return 32 + state.context.size * (ACTOR_SIZE_BYTES + 8) + state.store.bytes.length;
}

function writeContext(writer: ByteWriter, context: VersionVector): void {
  writer.varint(context.size);
  for (const [actor, counter] of context) {
    writer.byteString(actor);
    writer.varint(counter);
  }
}

/** Undefined for an actor twice, or a counter of 0. */
function readContext(reader: ByteReader): VersionVector | undefined {
  const context = new Map<Actor, number>();
  const count = reader.varint();
  for (let index = 0; index < count; index += 1) {
    const actor = reader.byteString(ACTOR_SIZE_BYTES) as string as Actor;
    const counter = reader.varint();
    if (!reader.isSound || counter === 0 || context.has(actor)) return undefined;
    context.set(actor, counter);
  }
  return context;
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
  if (reader.u8() === 0) {
    const all = reader.view(registers.length);
    if (reader.isSound) registers.set(all);
  } else {
    for (const [index, rank] of readList(reader, () => [reader.varint(), reader.u8()] as const)) {
      if (index >= registers.length) return undefined;
      registers[index] = rank;
    }
  }
  const isSound = reader.isSound && reader.remaining === 0;
  return isSound && registers.every((rank) => rank <= rankMax)
    ? { kind: 'hll', registers }
    : undefined;
}

function writeNames(writer: ByteWriter, names: readonly ByteString[]): void {
  writer.varint(names.length);
  for (const name of names) writeName(writer, name);
}

/** Stops at the first unsound read, so a wild count costs no more than the bytes there are. */
function readList<T>(reader: ByteReader, readOne: () => T): T[] {
  const count = reader.varint();
  const list: T[] = [];
  for (let index = 0; index < count && reader.isSound; index += 1) list.push(readOne());
  return list;
}
