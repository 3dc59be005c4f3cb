/**
 * The object: what one key holds.
 *
 * A stored object is a causal context and the siblings that no write has superseded. It is a
 * state-based CRDT (see `reconcile.ts`): replicas that have seen the same writes hold the same
 * siblings, whatever the bucket's properties say. Properties that show one value only
 * (`allow_mult=false`, `last_write_wins`, data types) are applied when an object is *shown* and when
 * the next write supersedes what its coordinator knew, never when replicas merge; so two replicas
 * cannot disagree because their bucket properties, or their clocks, once did.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Dot, VersionVector } from '../clock/version-vector.ts';

export interface Link {
  readonly bucket: ByteString | undefined;
  readonly key: ByteString | undefined;
  readonly tag: ByteString | undefined;
}

/** One index entry; an `_int` term is its canonical decimal text (`-5`, `0`, `42`). */
export interface IndexEntry {
  readonly field: ByteString;
  readonly term: ByteString;
}

/** What a client stores beside the value; absent fields stay absent. */
export interface Metadata {
  readonly contentType?: ByteString;
  readonly charset?: ByteString;
  readonly contentEncoding?: ByteString;
  readonly links?: readonly Link[];
  /** In the order given; keys may repeat. Over HTTP a key is the whole header name as received. */
  readonly userMetadata?: readonly (readonly [key: ByteString, value: ByteString])[];
  /** Without duplicates, sorted by field and then by value. */
  readonly indexes?: readonly IndexEntry[];
}

/** A sibling without its value. */
export interface SiblingHead {
  readonly dot: Dot;
  /** Microseconds since 1970, given by the coordinator; rises with each write it supersedes. */
  readonly lastModifiedMicros: number;
  /** The ETag: base 62, unique to the write. */
  readonly vtag: string;
  readonly metadata: Metadata;
  readonly isTombstone: boolean;
  readonly valueSizeBytes: number;
}

export interface Sibling extends SiblingHead {
  readonly value: Buffer;
}

/** An object as its header alone shows it. */
export interface ObjectHead {
  readonly context: VersionVector;
  /** Sorted by dot, so that equal objects encode alike. Never empty. */
  readonly siblings: readonly SiblingHead[];
}

export interface StoredObject extends ObjectHead {
  readonly siblings: readonly Sibling[];
}
