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
 * Decoding checks everything: any client may have stored anything where a data type is looked for. What
 * is taken apart here is bounded and read in slices, for in memory it is many times as large.
 */

import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { ByteString } from '../base/bytes.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';
import { ACTOR_SIZE_BYTES } from '../clock/actor.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import { CheckScope, isSoundStore, NESTING_MAX } from './check-store.ts';
import {
  emptyRegisters,
  HLL_PRECISION_MAX,
  HLL_PRECISION_MIN,
  precisionOf,
  type Registers,
} from './hyperloglog.ts';
import type { DatatypeName } from './operation.ts';
import { readName, writeName } from './packed.ts';
import {
  DEFERRED_MAX,
  DEFERRED_PIECES_MAX,
  datatypeNameOf,
  type CausalName,
  type DatatypeState,
} from './state.ts';
import type { DeferredRemoval } from './removal.ts';

const VERSION = 1;
const NAMES = ['counter', 'set', 'map', 'gset', 'hll'] as const satisfies readonly DatatypeName[];
/** In a context, and in those of all deferred removals; a few are usual, thousands a lot. */
const ACTORS_MAX = 65_536;
/** An actor or a name takes as long to read as walking over so much. */
const ITEM_COST_BYTES = 64;

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
  const scope = new CheckScope(bytes, []);
  const isSound = yield* isSoundStore('gset', { start, end: bytes.length }, scope, 0);
  return isSound ? { kind: 'gset', elements: bytes.subarray(start) } : undefined;
}

function* readCausal(
  kind: CausalName,
  bytes: Buffer,
  reader: ByteReader,
): Sliced<DatatypeState | undefined> {
  const slice = new SliceBudget();
  const context = yield* readContext(reader, ACTORS_MAX, slice);
  if (context === undefined) return undefined;
  const deferred = yield* readDeferred(reader, slice);
  if (deferred === undefined) return undefined;
  const start = bytes.length - reader.remaining;
  const scope = new CheckScope(bytes, [...context.values()]);
  const isSound = yield* isSoundStore(kind, { start, end: bytes.length }, scope, 0);
  if (!isSound) return undefined;
  return { kind: 'causal', store: { kind, bytes: bytes.subarray(start) }, context, deferred };
}

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

/** Undefined for an actor twice, a counter of 0, or too many of them. */
function* readContext(
  reader: ByteReader,
  most: number,
  slice: SliceBudget,
): Sliced<VersionVector | undefined> {
  const context = new Map<Actor, number>();
  const count = reader.varint();
  if (count > most) return undefined;
  for (let index = 0; index < count; index += 1) {
    const actor = reader.byteString(ACTOR_SIZE_BYTES) as string as Actor;
    const counter = reader.varint();
    if (!reader.isSound || counter === 0 || context.has(actor)) return undefined;
    context.set(actor, counter);
    if (slice.spend(ITEM_COST_BYTES)) yield;
  }
  return reader.isSound ? context : undefined;
}

function* readDeferred(
  reader: ByteReader,
  slice: SliceBudget,
): Sliced<readonly DeferredRemoval[] | undefined> {
  const deferred: DeferredRemoval[] = [];
  const count = reader.varint();
  if (count > DEFERRED_MAX) return undefined;
  let actorsLeft = ACTORS_MAX;
  let piecesLeft = DEFERRED_PIECES_MAX;
  for (let index = 0; index < count; index += 1) {
    const context = yield* readContext(reader, actorsLeft, slice);
    // An empty context would defer nothing, so none is ever written.
    if (context === undefined || context.size === 0) return undefined;
    const path = yield* readNames(reader, NESTING_MAX, slice);
    const pieces = yield* readNames(reader, piecesLeft, slice);
    if (path === undefined || pieces === undefined) return undefined;
    actorsLeft -= context.size;
    piecesLeft -= pieces.length;
    deferred.push({ context, path, pieces });
  }
  return reader.isSound ? deferred : undefined;
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
    const count = reader.varint();
    if (count > registers.length) return undefined;
    for (let read = 0; read < count; read += 1) {
      const index = reader.varint();
      if (index >= registers.length) return undefined;
      registers[index] = reader.u8();
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

/** Undefined for too many of them, or for what goes past the end. */
function* readNames(
  reader: ByteReader,
  most: number,
  slice: SliceBudget,
): Sliced<readonly ByteString[] | undefined> {
  const names: ByteString[] = [];
  const count = reader.varint();
  if (count > most) return undefined;
  for (let index = 0; index < count && reader.isSound; index += 1) {
    const name = readName(reader);
    names.push(name);
    if (slice.spend(ITEM_COST_BYTES + name.length)) yield;
  }
  return reader.isSound ? names : undefined;
}
