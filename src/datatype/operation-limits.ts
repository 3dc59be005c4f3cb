/**
 * What an operation may ask for at most: checked once, before it is carried out anywhere.
 *
 * An operation comes whole from one request, so its size is bounded already; what is bounded here is
 * the work that few bytes could make, and what could not be read back once it was stored.
 */

import { NESTING_MAX } from './check-store.ts';
import type { DatatypeOperation, FieldOperation, MapOperation } from './operation.ts';

/** Elements and fields named in one operation. */
export const OPERATION_PIECES_MAX = 200_000;
/** Digits of one increment. */
export const INCREMENT_DIGITS_MAX = 100;

const INCREMENT_LIMIT = 10n ** BigInt(INCREMENT_DIGITS_MAX);

/** What an operation comes to. */
export interface OperationSize {
  /** Elements and fields named. */
  readonly pieces: number;
  /** About what it holds in memory. */
  readonly sizeBytes: number;
  /** Maps within each other; 1 for one alone. */
  readonly depth: number;
  /** Whether each increment may be stored. */
  readonly areNumbersSmall: boolean;
}

export function sizeOfOperation(operation: DatatypeOperation | FieldOperation): OperationSize {
  switch (operation.kind) {
    case 'counter': {
      const { increment } = operation;
      const areNumbersSmall = increment < INCREMENT_LIMIT && increment > -INCREMENT_LIMIT;
      return { pieces: 1, sizeBytes: 64, depth: 0, areNumbersSmall };
    }
    case 'set':
      return sizeOfNames([...operation.adds, ...operation.removes]);
    case 'gset':
    case 'hll':
      return sizeOfNames(operation.adds);
    case 'register':
      return sizeOfNames([operation.value]);
    case 'flag':
      return sizeOfNames([]);
    case 'map':
      return sizeOfMap(operation);
  }
}

/** Whether an operation of this size may be carried out. */
export function isWithinLimits({ pieces, depth, areNumbersSmall }: OperationSize): boolean {
  return pieces <= OPERATION_PIECES_MAX && depth <= NESTING_MAX && areNumbersSmall;
}

const PIECE_SIZE_BYTES = 32;

function sizeOfNames(names: readonly string[]): OperationSize {
  let sizeBytes = 64;
  for (const name of names) sizeBytes += PIECE_SIZE_BYTES + name.length;
  return { pieces: names.length, sizeBytes, depth: 0, areNumbersSmall: true };
}

function sizeOfMap({ removes, updates }: MapOperation): OperationSize {
  let pieces = removes.length + updates.length;
  let sizeBytes = 64;
  let depth = 0;
  let areNumbersSmall = true;
  for (const { name } of removes) sizeBytes += PIECE_SIZE_BYTES + name.length;
  for (const { field, operation } of updates) {
    const inner = sizeOfOperation(operation);
    pieces += inner.pieces;
    sizeBytes += PIECE_SIZE_BYTES + field.name.length + inner.sizeBytes;
    depth = Math.max(depth, inner.depth);
    areNumbersSmall &&= inner.areNumbersSmall;
  }
  return { pieces, sizeBytes, depth: depth + 1, areNumbersSmall };
}
