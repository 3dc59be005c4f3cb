/**
 * What a function in JavaScript gave, as terms.
 *
 * It may be tens of megabytes of JSON, and as terms ten times that: taken apart at once it would hold up
 * everything else of the node for seconds. So it is read token by token, with turns for others, and handed
 * on in parts; one part takes no more memory than a phase may hold.
 */

import { STRUCT, jsonToTerm } from './term-json.ts';
import { textBinary, tuple } from './term.ts';
import type { Turns } from '../base/turns.ts';
import type { Crash } from './map-functions.ts';
import type { Term, TermList } from './term.ts';

const DEPTH_MAX = 64;
/** What a part has at most, but for one item that is larger. */
const PART_MAX_COUNT = 512;
const PART_BYTES = 1024 * 1024;
/** Of terms, made of what one call gave and held at once. */
export const HELD_MAX_BYTES = 64 * 1024 * 1024;
/** What a token costs beyond its length, in bytes and in units of turns. */
const TOKEN_BYTES = 32;
const TOKEN_UNITS = 8;
/** What a string takes beyond that. */
const BUFFER_BYTES = 64;

export const NOT_A_LIST: Crash = { crash: 'the function gave no list' };

/** The items of a list, in parts, or at the end what is wrong. `json` is as JSON.stringify writes it. */
export async function* itemsOf(json: string, turns: Turns): AsyncGenerator<TermList | Crash> {
  if (!isListText(json)) return yield NOT_A_LIST;
  const reader = new TermReader(json);
  while (!reader.isDone) {
    const sizeBytes = reader.step();
    if (reader.depth > DEPTH_MAX) return yield { crash: 'too_deep' };
    if (reader.heldBytes > HELD_MAX_BYTES) return yield { crash: 'system_limit' };
    if (turns.spend(sizeBytes + TOKEN_UNITS)) await turns.pass();
    if (reader.isPartDue) yield reader.takePart();
  }
  const rest = reader.takePart();
  if (rest.length > 0) yield rest;
}

export function isListText(json: string): boolean {
  return json.startsWith('[');
}

/** A list or an object that has begun. */
interface Begun {
  readonly items: Term[];
  readonly isObject: boolean;
  /** Of the member whose value comes next. */
  name: Buffer | undefined;
}

const SCALAR = /[^,\]}]+/y;

class TermReader {
  readonly #json: string;
  /** The items of the whole list. */
  #part: Term[] = [];
  /** Within it, the innermost last. */
  readonly #begun: Begun[] = [];
  /** Behind the bracket of the whole list. */
  #at = 1;
  #heldBytes = 0;

  constructor(json: string) {
    this.#json = json;
  }

  get isDone(): boolean {
    return this.#at >= this.#json.length;
  }

  get depth(): number {
    return this.#begun.length + 1;
  }

  /** Of what has been made since a part was taken, roughly. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get isPartDue(): boolean {
    if (this.#begun.length > 0) return false;
    return this.#part.length >= PART_MAX_COUNT || this.#heldBytes >= PART_BYTES;
  }

  takePart(): TermList {
    const part = this.#part;
    this.#part = [];
    this.#heldBytes = 0;
    return part;
  }

  /** Reads a token; returns its length. */
  step(): number {
    const start = this.#at;
    switch (this.#json.charAt(start)) {
      case ',':
      case ':':
        this.#at += 1;
        return 1;
      case '[':
      case '{':
        this.#begun.push({ items: [], isObject: this.#json[start] === '{', name: undefined });
        this.#at += 1;
        break;
      case ']':
      case '}':
        this.#at += 1;
        this.#end();
        break;
      case '"':
        this.#at = this.#stringEnd(start);
        this.#string(textBinary(JSON.parse(this.#json.slice(start, this.#at)) as string));
        break;
      default:
        SCALAR.lastIndex = start;
        SCALAR.test(this.#json);
        this.#at = SCALAR.lastIndex;
        this.#put(jsonToTerm(JSON.parse(this.#json.slice(start, this.#at))));
    }
    this.#heldBytes += this.#at - start + TOKEN_BYTES;
    return this.#at - start;
  }

  /** The bracket of the whole list ends nothing else. */
  #end(): void {
    const begun = this.#begun.pop();
    if (begun === undefined) return;
    this.#put(begun.isObject ? tuple(STRUCT, begun.items) : begun.items);
  }

  #string(value: Buffer): void {
    this.#heldBytes += BUFFER_BYTES;
    const begun = this.#begun.at(-1);
    if (begun?.isObject === true && begun.name === undefined) begun.name = value;
    else this.#put(value);
  }

  #put(value: Term): void {
    const begun = this.#begun.at(-1);
    if (begun?.name === undefined) (begun?.items ?? this.#part).push(value);
    else {
      begun.items.push(tuple(begun.name, value));
      begun.name = undefined;
    }
  }

  /** Behind the quote that ends the string: one that an even number of backslashes stands before. */
  #stringEnd(start: number): number {
    for (let end = start; ;) {
      end = this.#json.indexOf('"', end + 1);
      let before = end - 1;
      while (this.#json[before] === '\\') before -= 1;
      if ((end - before) % 2 === 1) return end + 1;
    }
  }
}
