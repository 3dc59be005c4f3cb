/**
 * A part of Riak's interface that this server knows of and does not offer: it says so.
 */

import { textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Resource } from './resource.ts';

export class AbsentResource implements Resource {
  readonly methods: readonly string[];
  readonly #what: string;

  /** `what` begins a sentence. */
  constructor(methods: readonly string[], what: string) {
    this.methods = methods;
    this.#what = what;
  }

  refuse(): Answer {
    return textAnswer(501, `${this.#what} not offered by this server\n`);
  }

  act(): Answer {
    return this.refuse();
  }
}
