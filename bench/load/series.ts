/**
 * The series of a workload: what has latencies of its own.
 *
 * An operation of several requests is one series as a whole, and one for each kind of request in it:
 * the time of a read and a write together says little about either.
 */

import type { OperationSpec } from '../workload/workload.ts';

function partsOf({ op, terms = 'none' }: OperationSpec): readonly string[] {
  if (op === 'update') return ['get', 'put'];
  if (op === 'sweep') return ['query', 'delete'];
  if (op === 'put_visible') return ['put', 'visible', ...(terms === 'none' ? [] : ['indexed'])];
  return [];
}

export interface Series {
  readonly name: string;
  /** A request within an operation: not to be added to the operations' counts. */
  readonly isPart: boolean;
}

export interface SeriesOfOperation {
  readonly whole: number;
  /** By the name of the part. */
  readonly parts: Readonly<Record<string, number>>;
}

export function seriesOf(operations: readonly OperationSpec[]): readonly Series[] {
  return operations.flatMap((operation) => [
    { name: operation.name, isPart: false },
    ...partsOf(operation).map((part) => ({ name: `${operation.name}.${part}`, isPart: true })),
  ]);
}

/** The numbers of each operation's series. */
export function numberSeries(operations: readonly OperationSpec[]): readonly SeriesOfOperation[] {
  let next = 0;
  return operations.map((operation) => {
    const whole = next++;
    const parts = Object.fromEntries(partsOf(operation).map((part) => [part, next++]));
    return { whole, parts };
  });
}
