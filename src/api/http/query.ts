/**
 * The query of a URL: names and values, decoded as names are (`percent.ts`).
 *
 * Most requests have none, and those that have ask for a few: the text is split once, when first
 * asked, and a name is found by looking. Of a repeated name the first counts. As with Riak `;` sets
 * pairs apart as `&` does.
 */

import { decodeName } from './percent.ts';
import type { ByteString } from '../../base/bytes.ts';

export class Query {
  readonly #text: string;
  #pairs: readonly (readonly [name: string, value: ByteString])[] | undefined;

  /** `text` is what follows the `?`, one character to a byte. */
  constructor(text: string) {
    this.#text = text;
  }

  get isEmpty(): boolean {
    return this.#text === '';
  }

  /** A name without `=` has the empty value. */
  get(name: string): ByteString | undefined {
    if (this.#text === '') return undefined;
    this.#pairs ??= this.#text.split(/[&;]/).map(splitPair);
    for (const pair of this.#pairs) {
      if (pair[0] === name) return pair[1];
    }
    return undefined;
  }
}

function splitPair(text: string): readonly [string, ByteString] {
  const equals = text.indexOf('=');
  return equals < 0
    ? [decodeName(text), '' as ByteString]
    : [decodeName(text.slice(0, equals)), decodeName(text.slice(equals + 1))];
}
