/**
 * JavaScript in jobs: what a phase says of its function, and the port to what runs it.
 *
 * A function is a client's own text, a name of Riak's built-ins, or the value of an object. Whatever it
 * is, it runs where it can reach nothing of the node; here it is a text that takes JSON and gives JSON.
 */

import type { ObjectKey } from '../base/names.ts';

export type ScriptSource =
  | { readonly kind: 'text'; readonly text: string }
  /** Of a built-in, as `Riak.mapValues`. */
  | { readonly kind: 'name'; readonly name: string }
  /** Its value is the text. */
  | { readonly kind: 'stored'; readonly key: ObjectKey };

export type ScriptOutcome =
  /** JSON text. */
  | { readonly kind: 'returned'; readonly json: string }
  /** It threw, took too long or too much memory, or gave no JSON. */
  | { readonly kind: 'failed'; readonly message: string };

/** One function, with whatever it keeps between its calls. One call at a time. */
export interface ScriptSession {
  /** `args` is the JSON of a list. Never rejects. */
  call(args: string): Promise<ScriptOutcome>;
  /** Idempotent. */
  close(): void;
}

/** Runs functions in isolation, each within limits of time and memory. */
export interface ScriptEngine {
  /** `expression` is JavaScript for a function. Faults in it are told by the first call. */
  open(expression: string): ScriptSession;
}

const NAME = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/;

/** Whether it can be the name of a built-in. */
export function isScriptName(name: string): boolean {
  return name.length <= 256 && NAME.test(name);
}
