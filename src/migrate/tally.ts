/**
 * What a migration has come to, in numbers, and how it is told while it runs.
 *
 * Reasons are counted by their form: what a server quotes of keys and terms is taken out first, and
 * beyond fifty forms they are counted together. Keys go to a file, and only if one is named.
 */

import { isFault } from '../base/fault.ts';
import { Silence, wasWaitedFor } from './patience.ts';

/** What may become of a key, in the order in which it is told. */
export const OUTCOMES = [
  'copied',
  'completed',
  'deleted',
  'same',
  'unchanged',
  'done-before',
  'gone',
  'left',
  'conflict',
  'deleted-at-target',
  'not-carried',
  'failed',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** What an operator has to look at. */
const UNSETTLED: ReadonlySet<Outcome> = new Set([
  'conflict',
  'deleted-at-target',
  'not-carried',
  'failed',
]);

const REASONS_MAX = 50;
const DENIAL = /^Permission denied: .* does not have '([a-z_.]+)' on /s;

export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  readonly #beganMs = performance.now();
  objects = 0;
  bytes = 0;
  tombstoneSiblings = 0;

  add(outcome: string, reason?: string): void {
    this.objects += 1;
    raise(this.#counts, outcome);
    if (reason === undefined) return;
    const isKnown = this.#reasons.has(reason) || this.#reasons.size < REASONS_MAX;
    raise(this.#reasons, isKnown ? reason : 'other reasons');
  }

  count(outcome: string): number {
    return this.#counts.get(outcome) ?? 0;
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  get reasons(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#reasons);
  }

  get seconds(): number {
    return Math.max(0.001, (performance.now() - this.#beganMs) / 1000);
  }
}

export function isUnsettled(outcome: Outcome): boolean {
  return UNSETTLED.has(outcome);
}

/**
 * Without what a server quotes: texts in quotation marks and Erlang's binaries. What is no matter of one
 * object is thrown on: bugs, an end that serves nobody, and one that does not know the user any more.
 */
export function reasonOf(error: unknown): string {
  if (!isFault(error) || error instanceof Silence || error.code === 'login-refused') throw error;
  const [, permission] = DENIAL.exec(error.message) ?? [];
  if (permission !== undefined) return `Permission denied: the user lacks ${permission}`;
  const text = error.message.replace(/<<[^>]*>>|"[^"]*"|'[^']*'|`[^`]*`/g, '…').slice(0, 120);
  return error.code === 'peer-refused' ? text : `${error.code}: ${text}`;
}

/** What ended a pass that can go on later; anything else is thrown on. */
export function breakOf(error: unknown): string {
  if (wasWaitedFor(error) || isFault(error, 'login-refused')) return error.message;
  throw error;
}

function raise(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
