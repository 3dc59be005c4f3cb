/**
 * What the client takes and gives.
 */

export interface Location {
  /** Default `default`. */
  readonly type?: string;
  readonly bucket: string;
  readonly key: string;
}

/** A count, or Riak's words. */
export type QuorumChoice = number | 'one' | 'quorum' | 'all' | 'default';

export interface ReadChoices {
  readonly r?: QuorumChoice;
  readonly pr?: QuorumChoice;
  readonly notFoundOk?: boolean;
  readonly basicQuorum?: boolean;
  readonly headOnly?: boolean;
  /** How long the node may try. */
  readonly timeoutMs?: number;
}

export interface WriteChoices {
  readonly w?: QuorumChoice;
  readonly dw?: QuorumChoice;
  readonly pw?: QuorumChoice;
  readonly nodeConfirms?: number;
  readonly returnBody?: boolean;
  readonly timeoutMs?: number;
  /** Fails with `match_found` where the key exists. */
  readonly ifNoneMatch?: boolean;
  /** Fails with `modified` where the context has moved on. */
  readonly ifNotModified?: boolean;
}

export interface StoreChoices extends WriteChoices {
  /** What was read before; without it siblings may come of it. */
  readonly context?: Buffer | undefined;
  readonly metadata?: ClientMetadata;
}

export interface ClientMetadata {
  readonly contentType?: string;
  readonly userMetadata?: readonly (readonly [key: string, value: string])[];
  /** (field ending in `_bin` or `_int`, term). */
  readonly indexes?: readonly (readonly [field: string, term: string])[];
}

export interface ClientSibling {
  readonly value: Buffer;
  readonly metadata: ClientMetadata;
  readonly isTombstone: boolean;
  /** Milliseconds since 1970. */
  readonly lastModifiedMs: number;
  readonly vtag: string;
}

export interface FoundObject {
  /** Opaque; goes back with the next write. */
  readonly context: Buffer;
  readonly siblings: readonly ClientSibling[];
}

export interface StoredReply {
  /** The key that was given, or that the node made. */
  readonly key: string | undefined;
  /** If it was asked for. */
  readonly object: FoundObject | undefined;
}

export interface IndexQuery {
  readonly type?: string;
  readonly bucket: string;
  readonly field: string;
  readonly from: string;
  /** Inclusive; without it just `from`. */
  readonly to?: string;
  readonly returnTerms?: boolean;
  readonly maxResults?: number;
  readonly continuation?: Buffer;
}

export interface IndexResult {
  readonly keys: readonly string[];
  readonly terms: readonly (readonly [term: string, key: string])[];
  readonly continuation: Buffer | undefined;
}
