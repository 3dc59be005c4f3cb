/**
 * Long JSON answers, in bounded memory.
 *
 * A whole list is gathered up to a limit, and then has a length and can fail with a proper status; a
 * longer one goes out as it comes, and a failure in its middle can only cut the connection. A streamed
 * list is a row of complete JSON objects, of which the last may say what went wrong.
 */

import { Fault, isFault } from '../../base/fault.ts';
import { unwritableNameAnswer } from './failure-answer.ts';
import { quoteName } from './json-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Answer } from './answer.ts';

/** Characters of a whole list that are held before it goes out in pieces. */
const WHOLE_LIMIT = 1024 * 1024;

/** Items in JSON, joined by commas; undefined where one has no JSON form. */
export type ItemTexts = AsyncIterableIterator<string | undefined>;

/** Each batch of names as JSON strings. */
export function quoteNames(batches: AsyncIterableIterator<readonly ByteString[]>): ItemTexts {
  return new QuotedNames(batches);
}

/** No generator: one that is ended before it has begun would not end what it reads. */
class QuotedNames implements ItemTexts {
  readonly #batches: AsyncIterableIterator<readonly ByteString[]>;

  constructor(batches: AsyncIterableIterator<readonly ByteString[]>) {
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string | undefined, undefined>> {
    for (;;) {
      const next: IteratorResult<readonly ByteString[], unknown> = await this.#batches.next();
      if (next.done === true) return { done: true, value: undefined };
      if (next.value.length === 0) continue;
      return { done: false, value: joinItems(next.value.map(quoteName)) };
    }
  }

  async return(): Promise<IteratorResult<string | undefined, undefined>> {
    await this.#batches.return?.();
    return { done: true, value: undefined };
  }
}

/** A list for which there is no time: nothing is asked. */
export function timedOut(): AsyncIterableIterator<never> {
  return {
    next: () => Promise.reject(new Fault('timeout', 'no time was given')),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export function joinItems(items: readonly (string | undefined)[]): string | undefined {
  return items.includes(undefined) ? undefined : items.join(',');
}

/**
 * One JSON document: `opening`, the items, `closing()`. Rejects with the fault of `items` as long as
 * nothing has been sent.
 */
export async function wholeListAnswer(
  items: ItemTexts,
  opening: string,
  closing: () => string,
): Promise<Answer> {
  let text = opening;
  let separator = '';
  while (text.length < WHOLE_LIMIT) {
    const next = await items.next();
    if (next.done === true) return listAnswer(text + closing());
    if (next.value === undefined) {
      await items.return?.();
      return unwritableNameAnswer();
    }
    text += separator + next.value;
    separator = ',';
  }
  return listAnswer(restOfList(text, items, closing));
}

function listAnswer(body: string | AsyncIterable<string>): Answer {
  return { status: 200, headers: ['Content-Type', 'application/json'], body };
}

async function* restOfList(
  start: string,
  items: ItemTexts,
  closing: () => string,
): AsyncIterable<string> {
  try {
    yield start;
    for await (const text of items) {
      if (text === undefined) throw new Fault('malformed', 'a name in a list is not UTF-8');
      yield `,${text}`;
    }
    yield closing();
  } finally {
    // The client may leave at the first piece, when nothing else ends the items.
    await items.return?.();
  }
}

/** `{"NAME":[…]}` for each batch, then an empty one, or `{"error":…}` where it broke off. */
export async function* streamedList(name: string, items: ItemTexts): AsyncIterable<string> {
  try {
    for await (const text of items) {
      if (text === undefined) {
        yield '{"error":"not_utf8"}';
        return;
      }
      yield `{"${name}":[${text}]}`;
    }
    yield `{"${name}":[]}`;
  } catch (error) {
    if (!isFault(error)) throw error;
    yield `{"error":"${error.code}"}`;
  }
}
