/**
 * What a change of a copy does at the store, for whoever traces it: first the copy is read, which is
 * nothing where it is known, then what came of it is made durable, together with what came meanwhile.
 */

import { failureOf, type Span } from '../base/span.ts';

export class ChangeSteps {
  readonly #parent: Span;
  #step: Span;

  constructor(parent: Span) {
    this.#parent = parent;
    this.#step = parent.child('store read');
  }

  /** The copy was known, and the change has been made to it. */
  applied(): void {
    this.#step.end();
    this.#step = this.#parent.child('store write');
  }

  settled(): void {
    this.#step.end();
  }

  failed(error: unknown): void {
    this.#step.end(failureOf(error));
  }
}
