/**
 * One range's condition, ready to run over its entries.
 *
 * A matcher holds the attributes of the entry that it judged last, so it serves one scan at a time.
 */

import { Allowance } from '../base/turns.ts';
import { AttributeTable, KEY_SLOT, TERM_SLOT } from './attributes.ts';
import { compileEvaluation } from './evaluation-program.ts';
import { compileFilter } from './filter-program.ts';
import { VALUE_SIZE_MAX } from './limits.ts';
import { valueToText } from './value.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Slots } from './attributes.ts';
import type { Stage } from './evaluation.ts';
import type { Step } from './evaluation-program.ts';
import type { Condition } from './filter.ts';
import type { Test } from './filter-program.ts';
import type { TermRegex } from './term-regex.ts';

/** Which entries of a range match. */
export type EntryCondition =
  | { readonly kind: 'every' }
  | { readonly kind: 'regex'; readonly regex: TermRegex }
  | { readonly kind: 'filter'; readonly stages: readonly Stage[]; readonly filter: Condition };

export interface EntryMatcher {
  /** Whether no entry of the range is left out. */
  readonly matchesAll: boolean;
  /**
   * False too where judging would cost too much, whatever a filter asks: as with Riak's engine for an expression; a
   * filter judges no term that is longer than a value may be.
   */
  matches(term: ByteString, key: ByteString): boolean;
  /** Whether that was so for the entry judged last. */
  readonly isOverrun: boolean;
  /** What the entry judged last has cost, in the units of `base/turns.ts`. */
  readonly spentUnits: number;
  /**
   * What the entry judged last is listed or counted under; undefined: it has no such attribute, or a
   * list. Integers are given in decimal.
   */
  group(): ByteString | undefined;
}

/** `attribute`: what `group` gives; undefined stands for the term as it is in the index. */
export function entryMatcher(
  condition: EntryCondition,
  attribute: string | undefined,
): EntryMatcher {
  return condition.kind === 'filter'
    ? new FilterMatcher(condition.stages, condition.filter, attribute)
    : new TermMatcher(condition.kind === 'regex' ? condition.regex : undefined, attribute);
}

/** What an entry costs beside what is made of it. */
const ENTRY_UNITS = 64;

class TermMatcher implements EntryMatcher {
  readonly #allowance = new Allowance();
  readonly #regex: TermRegex | undefined;
  readonly #attribute: string | undefined;
  #term: ByteString | undefined;
  #key: ByteString | undefined;

  constructor(regex: TermRegex | undefined, attribute: string | undefined) {
    this.#regex = regex;
    this.#attribute = attribute;
  }

  get matchesAll(): boolean {
    return this.#regex === undefined;
  }

  get isOverrun(): boolean {
    return this.#allowance.isOverrun;
  }

  get spentUnits(): number {
    return ENTRY_UNITS + this.#allowance.spentUnits;
  }

  matches(term: ByteString, key: ByteString): boolean {
    this.#term = term;
    this.#key = key;
    this.#allowance.renew();
    return this.#regex === undefined || this.#regex.isIn(term, this.#allowance);
  }

  group(): ByteString | undefined {
    switch (this.#attribute) {
      case undefined:
      case 'term':
        return this.#term;
      case 'key':
        return this.#key;
      default:
        return undefined;
    }
  }
}

class FilterMatcher implements EntryMatcher {
  readonly matchesAll = false;
  readonly #allowance = new Allowance();
  readonly #steps: readonly Step[];
  readonly #test: Test;
  readonly #groupSlot: number | undefined;
  readonly #slots: Slots;
  #term: ByteString | undefined;

  constructor(stages: readonly Stage[], filter: Condition, attribute: string | undefined) {
    const table = new AttributeTable();
    this.#steps = compileEvaluation(stages, { table, allowance: this.#allowance });
    this.#test = compileFilter(filter, table);
    this.#groupSlot = attribute === undefined ? undefined : table.slotOf(attribute);
    this.#slots = Array.from<undefined>({ length: table.slotCount });
  }

  matches(term: ByteString, key: ByteString): boolean {
    this.#allowance.renew();
    this.#term = term;
    if (Math.max(term.length, key.length) > VALUE_SIZE_MAX) {
      this.#allowance.overrun();
      return false;
    }
    const slots = this.#slots;
    slots.fill(undefined);
    slots[TERM_SLOT] = term;
    slots[KEY_SLOT] = key;
    for (const step of this.#steps) step(slots);
    // What a stage could not make is not absent.
    return !this.isOverrun && this.#test(slots);
  }

  get isOverrun(): boolean {
    return this.#allowance.isOverrun;
  }

  get spentUnits(): number {
    return ENTRY_UNITS + (this.#term?.length ?? 0) + this.#allowance.spentUnits;
  }

  group(): ByteString | undefined {
    return this.#groupSlot === undefined ? this.#term : valueToText(this.#slots[this.#groupSlot]);
  }
}
