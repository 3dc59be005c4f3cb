/**
 * What a job needs of the node it runs on, and what it tells.
 */

import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { IndexMatch } from '../object/index-entries.ts';
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

/** A map function at work on objects where they are. */
export interface MapRun {
  /** What the first input that is not taken came to is known. */
  readonly isReady: boolean;
  /** `keyData` is an Erlang term in external format. As many may be under way as the caller will hold. */
  add(input: { readonly key: ObjectKey; readonly keyData: Buffer | undefined }): void;
  /** An input that is to be read, whatever the function. */
  addRead(key: ObjectKey): void;
  /**
   * Of the first input that is not taken: its results as a list in external format, or what a read of
   * it gave, where no replica could map it. One call at a time.
   */
  take(): Promise<Buffer | GetOutcome>;
  /** Asks for nothing more. Idempotent. */
  close(): void;
}

/** The part of a node that jobs use. */
export interface JobPorts {
  get(request: GetRequest): Promise<GetOutcome>;
  /** `task` is one of `map-task.ts`, encoded; without it every input is read. */
  mapRun(task: Buffer | undefined, leftMs: () => number): MapRun;
  listKeys(
    type: ByteString,
    bucket: ByteString,
    options: Progress,
  ): AsyncIterable<readonly ByteString[]>;
  index(range: IndexRange, options: Progress): AsyncIterable<readonly IndexMatch[]>;
  /** Undefined: there is no such type. */
  bucketTypeProperties(type: ByteString): unknown;
}

/**
 * Whether a job may read objects of a bucket. Its inputs are judged before it begins; what one phase
 * gives the next can name any key, and is judged by this.
 */
export type MayMap = (name: { readonly type: ByteString; readonly bucket: ByteString }) => boolean;

/** Why a job ended before its end. */
export type JobFailure =
  | { readonly reason: 'timeout' }
  /** Its inputs cannot be had; `term` in Erlang's syntax. */
  | { readonly reason: 'source'; readonly term: string }
  /** A phase failed; all texts as Erlang prints them. What Riak does not know is null, or not there. */
  | {
      readonly reason: 'phase';
      readonly phase: number;
      readonly error: string;
      readonly input: string | null;
      readonly type?: string | null;
      readonly stack?: string | null;
    };

export type JobEvent =
  /** Some results of a phase; of a job without phases, its inputs as phase 0. */
  | { readonly kind: 'results'; readonly phase: number; readonly results: TermList }
  /** The last event. */
  | { readonly kind: 'failed'; readonly failure: JobFailure };
