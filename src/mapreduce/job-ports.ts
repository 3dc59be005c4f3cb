/**
 * What a job needs of the node it runs on, and what it tells.
 */

import type { ByteString } from '../base/bytes.ts';
import type { GetOutcome, GetRequest } from '../object/requests.ts';
import type { TermList } from './term.ts';

interface Progress {
  /** No progress for this long ends the query with a `timeout` fault. */
  readonly timeoutMs: number;
}

interface IndexRange {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly field: ByteString;
  readonly from: ByteString;
  readonly to: ByteString;
  readonly after: undefined;
  readonly limit: undefined;
}

/** The part of a node that jobs use. */
export interface JobPorts {
  get(request: GetRequest): Promise<GetOutcome>;
  listKeys(
    type: ByteString,
    bucket: ByteString,
    options: Progress,
  ): AsyncIterable<readonly ByteString[]>;
  index(
    range: IndexRange,
    options: Progress,
  ): AsyncIterable<readonly (readonly [term: ByteString, key: ByteString])[]>;
  /** Undefined: there is no such type. */
  bucketTypeProperties(type: ByteString): unknown;
}

/** Why a job ended before its end. */
export type JobFailure =
  | { readonly reason: 'timeout' }
  /** Its inputs cannot be had; `term` in Erlang's syntax. */
  | { readonly reason: 'source'; readonly term: string }
  /** A phase failed; all texts as Erlang prints them. */
  | {
      readonly reason: 'phase';
      readonly phase: number;
      readonly error: string;
      readonly input: string;
      readonly type: string;
      readonly stack: string;
    };

export type JobEvent =
  /** Some results of a phase; of a job without phases, its inputs as phase 0. */
  | { readonly kind: 'results'; readonly phase: number; readonly results: TermList }
  /** The last event. */
  | { readonly kind: 'failed'; readonly failure: JobFailure };
