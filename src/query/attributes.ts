/**
 * The attributes of one entry, as an array.
 *
 * Every attribute that the expressions name has a slot, found once when they are compiled; while
 * entries are read there is no map and no look-up, but for the names that `kvsplit` finds in a term.
 */

import type { Value } from './value.ts';

export const TERM_SLOT = 0;
export const KEY_SLOT = 1;

/** One value for each slot; undefined where the entry has no such attribute. */
export type Slots = Value[];

export class AttributeTable {
  readonly #slotByName = new Map([
    ['term', TERM_SLOT],
    ['key', KEY_SLOT],
  ]);

  /** The slot of a name that an expression uses. */
  slotOf(name: string): number {
    let slot = this.#slotByName.get(name);
    if (slot === undefined) {
      slot = this.#slotByName.size;
      this.#slotByName.set(name, slot);
    }
    return slot;
  }

  /** Undefined: no expression asks for this name. */
  findSlot(name: string): number | undefined {
    return this.#slotByName.get(name);
  }

  get slotCount(): number {
    return this.#slotByName.size;
  }
}
