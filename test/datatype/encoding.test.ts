/** Any client may store bytes under a data type's content type: what they may claim is bounded. */

import t from 'tap';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import { decodeState, encodeState } from '../../src/datatype/encoding.ts';
import { packDots, writeName } from '../../src/datatype/packed.ts';
import {
  DEFERRED_MAX,
  DEFERRED_PIECES_MAX,
  emptyState,
  type CausalName,
  type DatatypeState,
} from '../../src/datatype/state.ts';
import type { DeferredRemoval } from '../../src/datatype/removal.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { actorOf, apply, bs, decode, mustJoin, valueNow } from './replicas.ts';

const COUNTER = 0;
const SET = 1;
const HLL = 4;

/** Counters of 1, but for those given. */
function contextOfMany(actorCount: number): VersionVector {
  return new Map(Array.from({ length: actorCount }, (_, index) => [actorNumbered(index), 1]));
}

function actorNumbered(index: number) {
  return actorOf(0).slice(0, -8).concat(String(index).padStart(8, '0')) as ReturnType<
    typeof actorOf
  >;
}

function causal(
  name: CausalName,
  parts: { readonly context?: VersionVector; readonly deferred?: readonly DeferredRemoval[] },
): DatatypeState {
  const empty = emptyState(name, 14);
  if (empty.kind !== 'causal') throw new Error('counts causes');
  return { ...empty, context: parts.context ?? new Map(), deferred: parts.deferred ?? [] };
}

/** A state whose context has two actors with counters of 2, and whose store is what is written. */
function withStore(type: number, write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(64);
  writer.u8(1);
  writer.u8(type);
  writer.varint(2);
  for (const index of [0, 1]) {
    writer.byteString(actorOf(index));
    writer.varint(2);
  }
  writer.varint(0);
  write(writer);
  return writer.written();
}

function setOf(dots: Parameters<typeof packDots>[0]): Buffer {
  return withStore(SET, (writer) => {
    writer.u32(1);
    writeName(writer, bs('x'));
    writer.raw(packDots(dots));
  });
}

function counterOf(positions: readonly number[]): Buffer {
  return withStore(COUNTER, (writer) => {
    writer.varint(positions.length);
    for (const position of positions) {
      writer.varint(position);
      writer.varint(1);
      writeName(writer, bs('5'));
    }
  });
}

t.test('an actor has one dot in a piece, and one part of a counter', (t) => {
  const [first, second] = [0, 1];
  t.ok(decode(setOf([dot(first), dot(second)])));
  t.notOk(decode(setOf([dot(first), { position: first, counter: 2 }])));
  t.ok(decode(counterOf([first, second])));
  t.notOk(decode(counterOf([first, first])));
  t.notOk(decode(counterOf([first, second, first])));
  t.end();
});

function dot(position: number) {
  return { position, counter: 1 };
}

t.test('what is made of a state that was taken can be taken again', (t) => {
  const forged = decode(setOf([dot(0), { position: 0, counter: 2 }]));
  const updated = apply(
    emptyState('set', 14),
    { kind: 'set', adds: [bs('x')], removes: [] },
    { dot: { actor: actorOf(1), counter: 3 }, context: undefined, nowMicros: 1 },
  );
  if (updated.kind !== 'applied') return t.fail(updated.kind);
  const joined = forged === undefined ? updated.state : mustJoin(forged, updated.state);
  const stored = decode(encodeState(joined));
  t.same(stored && valueNow(stored), { kind: 'set', elements: ['x'] });
  return t.end();
});

t.test('a state claims no more actors, removals and pieces than there can be', (t) => {
  const isTaken = (state: DatatypeState): boolean => decode(encodeState(state)) !== undefined;
  const removal = (pieces: number, actors = 1, path: readonly string[] = []): DeferredRemoval => ({
    context: contextOfMany(actors),
    path: path.map(bs),
    pieces: Array.from({ length: pieces }, (_, index) => bs(`${index}`)),
  });
  t.ok(isTaken(causal('set', { context: contextOfMany(65_536) })));
  t.notOk(isTaken(causal('set', { context: contextOfMany(65_537) })));
  t.ok(isTaken(causal('set', { deferred: [removal(DEFERRED_PIECES_MAX)] })));
  t.notOk(isTaken(causal('set', { deferred: [removal(DEFERRED_PIECES_MAX), removal(1)] })));
  t.ok(isTaken(causal('set', { deferred: [removal(1, 65_536)] })));
  t.notOk(isTaken(causal('set', { deferred: [removal(1, 65_536), removal(1)] })));
  const many = Array.from({ length: DEFERRED_MAX }, () => removal(1));
  t.ok(isTaken(causal('map', { deferred: many })));
  t.notOk(isTaken(causal('map', { deferred: [...many, removal(1)] })));
  const deep = Array.from({ length: 64 }, () => 'm\u00002');
  t.ok(isTaken(causal('map', { deferred: [removal(1, 1, deep)] })));
  t.notOk(isTaken(causal('map', { deferred: [removal(1, 1, [...deep, 'm\u00002'])] })));
  t.end();
});

t.test('a sketch names no more registers than it has', (t) => {
  const sparse = (count: number): Buffer => {
    const writer = new ByteWriter(64);
    for (const byte of [1, HLL, 4, 1]) writer.u8(byte);
    writer.varint(count);
    for (let index = 0; index < count; index += 1) {
      writer.varint(index % 16);
      writer.u8(1);
    }
    return writer.written();
  };
  t.ok(decode(sparse(16)));
  t.notOk(decode(sparse(17)));
  t.end();
});

t.test('what stands before a store is read in slices too', (t) => {
  const pieces = Array.from({ length: DEFERRED_PIECES_MAX }, (_, index) => bs(`${index}`));
  const deferred = [{ context: contextOfMany(1), path: [], pieces }];
  for (const state of [
    causal('set', { deferred }),
    causal('set', { context: contextOfMany(60_000) }),
  ]) {
    const work = decodeState(encodeState(state));
    let sliceCount = 1;
    while (work.next().done !== true) sliceCount += 1;
    t.ok(sliceCount > 3, `${sliceCount} slices`);
  }
  t.end();
});
