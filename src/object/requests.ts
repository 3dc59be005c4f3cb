/**
 * What a client may ask, and what it may be told.
 *
 * Both wire APIs translate to and from these values; nothing here knows a protocol. An expected
 * outcome is a value; only faults of the world and bugs are thrown.
 */

import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Span } from '../base/span.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { Quorum } from './bucket-properties.ts';
import type { ApplicationRefusal } from '../datatype/apply.ts';
import type { Metadata, ObjectHead, StoredObject } from './stored-object.ts';

/** Options both reads and writes take; what is absent comes from the bucket's properties. */
export interface RequestOptions {
  /** Default 60,000. 0 or less: the time is up at once. */
  readonly timeoutMs?: number;
  /** Default true: fallbacks stand in for replicas that are down. */
  readonly sloppyQuorum?: boolean;
  /** Use the first n replicas only, 1 <= n <= the bucket's n_val. */
  readonly nVal?: number;
  readonly nodeConfirms?: number;
  /** What the request is traced by; undefined: it is not. Stays on this node. */
  readonly span?: Span | undefined;
}

export interface ReadOptions extends RequestOptions {
  readonly r?: Quorum;
  readonly pr?: Quorum;
  readonly basicQuorum?: boolean;
  readonly notFoundOk?: boolean;
}

export interface WriteOptions extends RequestOptions {
  readonly w?: Quorum;
  readonly dw?: Quorum;
  readonly pw?: Quorum;
  /** Keep the client's context as it is: the stored context is not advanced for the client. */
  readonly asIs?: boolean;
  readonly syncOnWrite?: 'backend' | 'one' | 'all';
}

export interface GetRequest extends ReadOptions {
  readonly key: ObjectKey;
  /** Values are not needed: they may come back empty. */
  readonly headOnly?: boolean;
  /** Every replica is asked from the start, so that whichever holds less is repaired. */
  readonly asksEveryone?: boolean;
}

/** One new value, or a tombstone (then `value` is empty). */
export interface NewContent {
  readonly metadata: Metadata;
  readonly value: Buffer;
  readonly isTombstone: boolean;
}

/**
 * Checked against a read before the write; check-then-act, as with Riak.
 * `none-match`: the key must not exist. `not-modified`: its context must equal `context`.
 */
export type WriteCondition =
  | { readonly kind: 'none-match' }
  | { readonly kind: 'not-modified'; readonly context: VersionVector | undefined };

/** A put but for what it writes. */
export interface PutTerms extends WriteOptions {
  readonly key: ObjectKey;
  /** What the client had seen; absent means nothing. */
  readonly context?: VersionVector;
  readonly condition?: WriteCondition;
}

export interface PutRequest extends PutTerms {
  readonly content: NewContent;
  /** What comes back: nothing, the stored object without values, or the whole of it. */
  readonly returning: 'nothing' | 'head' | 'body';
}

export interface DeleteRequest extends ReadOptions, WriteOptions {
  readonly key: ObjectKey;
  /** Without it the delete reads first and covers what it finds. */
  readonly context?: VersionVector;
  /** Stands for both r and w where those are absent. */
  readonly rw?: Quorum;
}

/** Which requirement was not met. */
export type QuorumName = 'r' | 'w' | 'dw' | 'pr' | 'pw' | 'node_confirms';

/** Why a request was not served. Each edge has one function from this to its status or reply. */
export type Failure =
  | { readonly kind: 'unknown-bucket-type'; readonly type: ByteString }
  /** A quorum above n, or an n_val above the bucket's; `n` is what it was measured against. */
  | { readonly kind: 'n-val-violation'; readonly n: number }
  | {
      readonly kind: 'unsatisfied';
      readonly quorum: QuorumName;
      readonly needed: number;
      readonly got: number;
    }
  | { readonly kind: 'insufficient-replicas'; readonly needed: number; readonly got: number }
  | { readonly kind: 'insufficient-nodes'; readonly needed: number; readonly got: number }
  | { readonly kind: 'all-nodes-down' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'overload' }
  /** The store of the coordinating node takes no writes. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'too-large'; readonly sizeBytes: number }
  | { readonly kind: 'too-many-siblings'; readonly count: number }
  | { readonly kind: 'precommit-failed'; readonly reason: string | undefined }
  /** `none-match` met an object. */
  | { readonly kind: 'match-found' }
  /** `not-modified` met another context. */
  | { readonly kind: 'modified' }
  /** `not-modified` met no object, or a tombstone. */
  | { readonly kind: 'nothing-to-match' }
  /** An operation on a data type, without a context, would remove what is not there. */
  | ApplicationRefusal;

export type GetOutcome =
  /** As the bucket shows it: one sibling unless the bucket keeps siblings. */
  | { readonly kind: 'found'; readonly object: StoredObject }
  /** `tombstone`: what was deleted and is not reaped yet, if there is any. */
  | { readonly kind: 'not-found'; readonly tombstone: ObjectHead | undefined }
  | Failure;

export type PutOutcome =
  | {
      readonly kind: 'stored';
      /** There if the request asked for it. */
      readonly object: StoredObject | undefined;
      /** How many the object shows now, if several; known where this node coordinated. */
      readonly siblings?: number;
    }
  | Failure;

export type DeleteOutcome = { readonly kind: 'deleted' } | { readonly kind: 'not-found' } | Failure;
