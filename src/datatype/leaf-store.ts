/**
 * Counters, registers and flags: stores of a few entries, which are read whole.
 *
 * Each entry is an actor's newest, under the dot that made it. What an entry adds is its own affair;
 * whether it is there is a matter of its dot alone, as for the elements of a set.
 */

import type { ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { PackedReader, packDots, writeName, type PackedDot } from './packed.ts';

/** What an actor contributed to a counter, under its newest dot. */
export interface Contribution extends PackedDot {
  readonly value: bigint;
}

export interface Assignment extends PackedDot {
  readonly atMicros: number;
  readonly value: ByteString;
}

export type LeafKind = 'counter' | 'register' | 'flag';

/** Digits of a stored number; ten times what any sum of allowed increments comes to. */
export const NUMBER_SIZE_MAX_BYTES = 200;

export function readContributions(
  bytes: Buffer,
  positions: readonly number[] | undefined,
): Contribution[] {
  const reader = new PackedReader(bytes, 0);
  const contributions: Contribution[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const position = reader.varint();
    const counter = reader.varint();
    const value = BigInt(reader.name());
    contributions.push({ position: positions?.[position] ?? position, counter, value });
  }
  return contributions;
}

export function packContributions(contributions: readonly Contribution[]): Buffer {
  const writer = new ByteWriter(64);
  writer.varint(contributions.length);
  for (const { position, counter, value } of contributions) {
    writer.varint(position);
    writer.varint(counter);
    writeName(writer, value.toString() as ByteString);
  }
  return writer.written();
}

export function readAssignments(
  bytes: Buffer,
  positions: readonly number[] | undefined,
): Assignment[] {
  const reader = new PackedReader(bytes, 0);
  const assignments: Assignment[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const position = reader.varint();
    const counter = reader.varint();
    const atMicros = reader.varint();
    const value = reader.name();
    assignments.push({ position: positions?.[position] ?? position, counter, atMicros, value });
  }
  return assignments;
}

export function packAssignments(assignments: readonly Assignment[]): Buffer {
  const writer = new ByteWriter(64);
  writer.varint(assignments.length);
  for (const { position, counter, atMicros, value } of assignments) {
    writer.varint(position);
    writer.varint(counter);
    writer.varint(atMicros);
    writeName(writer, value);
  }
  return writer.written();
}

export function readFlag(bytes: Buffer, positions: readonly number[] | undefined): PackedDot[] {
  return new PackedReader(bytes, 0).dots(positions);
}

/** Whatever the entries hold: which of them stay is decided by their dots. */
export type KeepEntries = <T extends PackedDot>(entries: readonly T[]) => readonly T[];
export type JoinEntries = <T extends PackedDot>(
  left: readonly T[],
  right: readonly T[],
) => readonly T[];

export interface Leaf {
  readonly bytes: Buffer;
  /** Those that its positions stand for elsewhere; undefined: they stay. */
  readonly positions: readonly number[] | undefined;
}

export function keepOfLeaf(kind: LeafKind, { bytes, positions }: Leaf, keep: KeepEntries): Buffer {
  switch (kind) {
    case 'counter':
      return packContributions(keep(readContributions(bytes, positions)));
    case 'register':
      return packAssignments(keep(readAssignments(bytes, positions)));
    case 'flag':
      return packDots(keep(readFlag(bytes, positions)));
  }
}

export function joinLeaves(
  kind: LeafKind,
  [left, right]: readonly [Leaf, Leaf],
  join: JoinEntries,
): Buffer {
  switch (kind) {
    case 'counter':
      return packContributions(
        join(
          readContributions(left.bytes, left.positions),
          readContributions(right.bytes, right.positions),
        ),
      );
    case 'register':
      return packAssignments(
        join(
          readAssignments(left.bytes, left.positions),
          readAssignments(right.bytes, right.positions),
        ),
      );
    case 'flag':
      return packDots(
        join(readFlag(left.bytes, left.positions), readFlag(right.bytes, right.positions)),
      );
  }
}
