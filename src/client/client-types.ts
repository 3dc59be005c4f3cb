/**
 * What the client is asked, and what it answers.
 */

import type { ByteString } from '../base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { ReceivedSibling } from '../api/pbc/content-values.ts';
import type { Quorum } from '../object/bucket-properties.ts';
import type { ReadOptions, WriteOptions } from '../object/requests.ts';
import type { Metadata } from '../object/stored-object.ts';

export interface ReceivedObject {
  readonly context: Buffer;
  readonly siblings: readonly ReceivedSibling[];
}

export interface GetOptions extends ReadOptions {
  /** Values come back empty. */
  readonly headOnly?: boolean;
}

export type GetResult =
  | ({ readonly kind: 'found' } & ReceivedObject)
  /** `context`: of what was deleted, if that is still known. */
  | { readonly kind: 'not-found'; readonly context: Buffer | undefined };

/** Where an object goes; the server makes a key where there is none. */
export type PutTarget = Omit<ObjectKey, 'key'> & { readonly key?: ByteString };

export interface PutContent {
  readonly value: Buffer;
  readonly metadata?: Metadata;
}

export interface PutOptions extends WriteOptions {
  readonly context?: Buffer | undefined;
  /** `none-match`: only a new key. `not-modified`: only what still has this context. */
  readonly condition?: 'none-match' | 'not-modified';
  /** Default `nothing`. */
  readonly returning?: 'nothing' | 'head' | 'body';
  /** Ask again where it is not known whether the write was carried out. Default false. */
  readonly isRepeatable?: boolean;
}

export type PutResult =
  | {
      readonly kind: 'stored';
      /** As given, or as the server made it. */
      readonly key: ByteString;
      readonly object: ReceivedObject | undefined;
    }
  | { readonly kind: 'match-found' | 'modified' | 'nothing-to-match' };

export interface DeleteOptions extends ReadOptions, WriteOptions {
  readonly context?: Buffer | undefined;
  readonly rw?: Quorum;
  readonly isRepeatable?: boolean;
}

export interface IndexQuery {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly field: ByteString;
  readonly from: ByteString;
  /** Inclusive; without it just the term `from`. */
  readonly to?: ByteString;
  readonly returnsTerms?: boolean;
  readonly termRegex?: ByteString;
  readonly timeoutMs?: number;
}

export interface IndexMatch {
  /** Only where terms were asked for, of a range. */
  readonly term: ByteString | undefined;
  readonly key: ByteString;
}

export interface IndexPage {
  readonly matches: readonly IndexMatch[];
  /** For the next page; undefined: this was the last. */
  readonly continuation: Buffer | undefined;
}

export interface HeldPosition {
  readonly partition: Partition;
  readonly node: NodeId;
  readonly isPrimary: boolean;
}
