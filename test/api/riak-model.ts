/**
 * Riak's rules for one key, as small as they can be told: which siblings a write leaves, what a read
 * shows, which conditions hold.
 *
 * Writes have numbers. A context is the set of writes that a client had seen, which makes causality
 * plain set inclusion; nothing here knows of clocks, dots, replicas or encodings.
 */

/** How a bucket's type treats concurrent writes. */
export type Keeping = 'dotted' | 'undotted' | 'one';

/** What a client gave with a value; undefined: the write is a delete. */
export interface Written {
  readonly value: string;
  readonly tag: string;
  readonly words: readonly string[];
  readonly number: number;
}

export interface ModelSibling {
  readonly write: number;
  readonly written: Written | undefined;
}

export type Seen = ReadonlySet<number>;

const NOTHING: Seen = new Set();

export class KeyModel {
  readonly #keeping: Keeping;
  #siblings: readonly ModelSibling[] = [];
  #known: Seen = NOTHING;

  constructor(keeping: Keeping) {
    this.#keeping = keeping;
  }

  /** What a read shows; empty: not found. */
  get shown(): readonly ModelSibling[] {
    return this.isFound ? this.#siblings : [];
  }

  get isFound(): boolean {
    return this.#siblings.some(({ written }) => written !== undefined);
  }

  /** Whether listings have the key: as long as anything is stored, be it a tombstone. */
  get isListed(): boolean {
    return this.#siblings.length > 0;
  }

  /** The context that a read gives; a tombstone's too. */
  get context(): Seen {
    return this.#known;
  }

  write(write: number, written: Written | undefined, seen: Seen = NOTHING): void {
    const kept = this.#siblings.filter((sibling) => this.#isKept(sibling, seen));
    this.#siblings = [...kept, { write, written }];
    this.#known = new Set([...this.#known, ...seen, write]);
  }

  #isKept({ write }: ModelSibling, seen: Seen): boolean {
    switch (this.#keeping) {
      case 'one':
        return false;
      case 'dotted':
        return !seen.has(write);
      case 'undotted':
        return ![...this.#known].every((known) => seen.has(known));
    }
  }

  /** Whether `seen` is the very state. */
  isStill(seen: Seen): boolean {
    return seen.size === this.#known.size && [...seen].every((write) => this.#known.has(write));
  }
}
