/**
 * What a client of the load does to its target: one request at a time, to one node.
 *
 * A session belongs to one client and has one connection. What a client must reckon with is a value;
 * everything else is a `Fault`. A request that was certainly not sent is tried at the next node
 * before that, so a dead node costs its clients a detour and not their work.
 */

import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { Login } from '../../src/client/credentials.ts';
import type { IndexEntry } from '../../src/object/stored-object.ts';

export interface ReadAnswer {
  /** One value for each sibling; none: not found. */
  readonly values: readonly Buffer[];
  /** Goes back with the next write. */
  readonly context: Buffer | undefined;
}

export interface WriteContent {
  readonly value: Buffer;
  readonly indexes?: readonly IndexEntry[];
  readonly context?: Buffer | undefined;
  /** Only if the object still has this context. */
  readonly isConditional?: boolean;
}

export interface QueryRequest {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly field: ByteString;
  readonly from: ByteString;
  /** Inclusive; without it just the term `from`. */
  readonly to?: ByteString;
  readonly termRegex?: ByteString;
  readonly maxResults?: number;
}

export interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

export interface Session {
  /** Index of the node that the last request went to. */
  readonly node: number;
  /** `r`: replicas that must answer; else what the bucket has. */
  get(key: ObjectKey, r?: number): Promise<ReadAnswer>;
  /** `modified`: the condition was not met, nothing is stored. */
  put(key: ObjectKey, content: WriteContent): Promise<'stored' | 'modified'>;
  delete(key: ObjectKey, context?: Buffer): Promise<void>;
  /** The keys that match. */
  query(query: QueryRequest): Promise<readonly ByteString[]>;
  /** Asks the query API; the answer is read and not looked at. */
  queryApi(bucket: BucketName, body: string): Promise<void>;
  /** Sets properties of the bucket; names those that the protocol cannot carry. */
  setProperties(
    bucket: BucketName,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<readonly string[]>;
  /** Whether concurrent writes are kept side by side. */
  keepsSiblings(bucket: BucketName): Promise<boolean>;
  close(): void;
}

/** What kinds of request a target serves, and whether it keeps what it is given. */
export interface Abilities {
  readonly answersQueries: boolean;
  /** Whether the protocol carries the query API; the target may be too old for it. */
  readonly answersQueryApi: boolean;
  /** False for `null`: looking for what was written would be no use. */
  readonly isVerifiable: boolean;
  /** Whether several processes can reach it. */
  readonly isShared: boolean;
}

export interface DriverOptions {
  /** Of one request. */
  readonly timeoutMs: number;
  /** Where security is on. */
  readonly login: Login | undefined;
}

export interface Driver extends Abilities {
  /** Names of the nodes, for reports. */
  readonly nodes: readonly string[];
  /** `preferred`: index of the node the client talks to. */
  open(preferred: number): Session;
  close(): Promise<void>;
}
