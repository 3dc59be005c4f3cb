/**
 * The history of data types: what clients asked for, what they had seen, and what they were told.
 *
 * A value is made of parts that are there or not (elements, fields, an enabled flag) and of counts.
 * The n-th increment of a count adds 4^n, so that the digits of its value, to the base 4, say how
 * often each increment was carried out: 0, 1, or, if something is wrong, more.
 */

import type { ObjectKey } from '../../src/base/names.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import type { DatatypeName } from '../../src/datatype/operation.ts';

export interface Increment {
  isAcked: boolean;
}

/** Puts a part there. */
export interface Addition {
  readonly part: string;
  readonly startedMs: number;
  isAcked: boolean;
}

/** Takes a part away, with the context of a view. */
export interface Removal {
  readonly part: string;
  readonly view: View;
  isAcked: boolean;
}

/** What a client saw when it fetched. */
export interface View {
  readonly context: VersionVector;
  readonly parts: ReadonlySet<string>;
  /** When the answer was there: what began later is not in it. */
  readonly atMs: number;
}

/** One key. */
export class DatatypeHistory {
  readonly key: ObjectKey;
  readonly datatype: DatatypeName;
  readonly increments: Increment[] = [];
  readonly additions: Addition[] = [];
  readonly removals: Removal[] = [];

  constructor(key: ObjectKey, datatype: DatatypeName) {
    this.key = key;
    this.datatype = datatype;
  }

  /** What the next increment adds, or undefined: no number is large enough for more. */
  beginIncrement(): { readonly amount: bigint; readonly record: Increment } | undefined {
    const place = this.increments.length;
    if (place >= INCREMENTS_MAX) return undefined;
    const record: Increment = { isAcked: false };
    this.increments.push(record);
    return { amount: 4n ** BigInt(place), record };
  }

  beginAddition(part: string, startedMs: number): Addition {
    const addition: Addition = { part, startedMs, isAcked: false };
    this.additions.push(addition);
    return addition;
  }

  beginRemoval(part: string, view: View): Removal {
    const removal: Removal = { part, view, isAcked: false };
    this.removals.push(removal);
    return removal;
  }
}

/** An increment has at most 100 digits, to the base 10. */
const INCREMENTS_MAX = 160;
