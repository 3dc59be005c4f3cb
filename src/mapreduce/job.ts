/**
 * A job: where its inputs come from, and the phases they go through.
 *
 * Clients send one as JSON or as an Erlang term; both become this, or a refusal that says why not. The
 * functions of a job are looked up when it is read: what a client names is never loaded. JavaScript is
 * carried as text to where it can do no harm.
 */

import type { KeyFilter } from './key-filter.ts';
import type { MapFunction } from './map-functions.ts';
import type { ReducerFactory } from './reduce-functions.ts';
import type { ScriptSource } from './script.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Term, TermList } from './term.ts';

export type JobInputs =
  /** `{Bucket, Key}`, `{{Bucket, Key}, KeyData}` or `{{{Type, Bucket}, Key}, KeyData}` each. */
  | { readonly kind: 'addresses'; readonly addresses: TermList }
  | {
      readonly kind: 'bucket';
      readonly type: ByteString;
      readonly bucket: ByteString;
      /** All keys, if there is none. */
      readonly filter: KeyFilter | undefined;
    }
  | {
      readonly kind: 'index';
      readonly type: ByteString;
      readonly bucket: ByteString;
      readonly field: ByteString;
      /** Both ends inclusive. */
      readonly from: ByteString;
      readonly to: ByteString;
    };

interface Kept {
  /** Its results go to the client too. */
  readonly isKept: boolean;
}

export interface MapPhase extends Kept {
  readonly kind: 'map';
  readonly name: string;
  readonly run: MapFunction;
  readonly arg: Term;
}

export interface ReducePhase extends Kept {
  readonly kind: 'reduce';
  readonly name: string;
  readonly makeReducer: ReducerFactory;
}

/** Undefined: any. */
export interface LinkPhase extends Kept {
  readonly kind: 'link';
  readonly bucket: ByteString | undefined;
  readonly tag: ByteString | undefined;
}

export interface ScriptMapPhase extends Kept {
  readonly kind: 'script-map';
  readonly source: ScriptSource;
  readonly arg: Term;
}

export interface ScriptReducePhase extends Kept {
  readonly kind: 'script-reduce';
  readonly source: ScriptSource;
  readonly arg: Term;
  /** New inputs for each call. */
  readonly batchCount: number;
}

/** A function as Erlang text, or in an object: it never starts. */
export interface TextPhase extends Kept {
  readonly kind: 'text-map' | 'text-reduce';
}

export type Phase =
  MapPhase | ReducePhase | LinkPhase | ScriptMapPhase | ScriptReducePhase | TextPhase;

export interface Job {
  readonly inputs: JobInputs;
  /** Without any the inputs are the results. */
  readonly phases: readonly Phase[];
  /** From its start to its end. */
  readonly timeoutMs: number;
}

/** Why there is no job. `term` is in Erlang's syntax, as Riak prints it. */
export type JobRefusal =
  | { readonly refusal: 'invalid-json'; readonly reason: string }
  | { readonly refusal: 'not-object' }
  | { readonly refusal: 'missing-field' }
  /** It was to be an Erlang term. */
  | { readonly refusal: 'no-term' }
  | { readonly refusal: 'bad-field'; readonly field: 'inputs' | 'query'; readonly term: string }
  | {
      readonly refusal: 'bad-source';
      readonly term: string;
      /** If a filter that is none is the reason. */
      readonly unknownFilter?: string;
    }
  | {
      readonly refusal: 'bad-phase';
      readonly phase: number;
      /** The phase as Riak prints it. */
      readonly fitting: string;
      readonly reason: string;
      /** The phase is JavaScript, which is a class of work of its own. */
      readonly isScript?: true;
    };

export type JobOutcome = Job | JobRefusal;

export const DEFAULT_TIMEOUT_MS = 60_000;

/** Timers take no more than this; it is over three weeks. */
export const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** More phases than this are refused: each is a stage that waits for the one before. */
export const PHASES_MAX = 64;

export interface JobLanguages {
  /** Phases in JavaScript are taken; else they are refused with Riak 3's words. */
  readonly hasScripts: boolean;
}

export function isRefusal(outcome: object): outcome is JobRefusal {
  return 'refusal' in outcome;
}

export function badField(field: 'inputs' | 'query', term: string): JobRefusal {
  return { refusal: 'bad-field', field, term };
}
