/**
 * The store: one ordered map of bytes for the whole node.
 *
 * The one promise that everything rests on: when `write` resolves, all of its operations are on
 * stable storage (`durability: fsync`), all or none of them. A failed write fences the store: after
 * that nothing is ever acknowledged again until it has been reopened, because after a failed fsync
 * the kernel may have dropped the very pages it would report as clean.
 *
 * An entry's value is a head and a body, so that large bodies can live elsewhere than the index; a
 * head read never has to touch the body. Keys that begin with `v` are the store's own.
 */

import type { Fault } from '../base/fault.ts';
import type { CheckedTable } from './table-check.ts';

export interface Put {
  readonly kind: 'put';
  readonly key: Buffer;
  readonly head: Buffer;
  /**
   * Follows the head. An entry that ever has one is always put with one, empty if need be: what an
   * older body took is then known to be free. Absent for entries that are all head.
   */
  readonly body?: Buffer;
  /** CRC-32 of the body, where it is known: it is not worked out again. */
  readonly bodyCrc?: number;
}

export interface Remove {
  readonly kind: 'remove';
  readonly key: Buffer;
}

export type WriteOperation = Put | Remove;

export interface ScanRange {
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
  readonly reverse?: boolean;
  /** Entries at most; no limit by default. */
  readonly limit?: number;
  /** Only keys: values come back empty. */
  readonly keysOnly?: boolean;
  /** Values need only be their heads, as those of `getHead`. */
  readonly headsOnly?: boolean;
}

export interface ScanEntry {
  readonly key: Buffer;
  /** Head and body, one after the other, if the scan asks for both. */
  readonly value: Buffer;
}

export type StoreHealth =
  { readonly kind: 'ready' } | { readonly kind: 'fenced'; readonly reason: string };

export interface Store {
  /**
   * Head and body in one buffer. Rejects with `store-closed`, with `overload` where nothing is wrong with the
   * entry, or with `store-corrupt` for this one, and a cause if it is the disk that refuses to read it.
   */
  get(key: Buffer): Promise<Buffer | undefined>;
  /** At least the head; may hold body bytes after it. */
  getHead(key: Buffer): Promise<Buffer | undefined>;
  /**
   * Why a write would be refused now: `store-fenced`, `store-closed` or `overload`. Undefined: the
   * next write is taken if it is called without waiting for anything before. State that must move in
   * step with the store, such as hash trees, rests on that.
   */
  refusal(): Fault | undefined;
  /**
   * Atomic and durable when it resolves; rejects with `store-fenced`, `store-closed` or `overload`.
   * Writes apply, and resolve, in the order of the calls, whether or not they share a batch; an empty
   * one resolves after all before it. The buffers are the caller's again when the call returns.
   */
  write(operations: readonly WriteOperation[]): Promise<void>;
  /**
   * In key order over a snapshot taken at the first `next()`; batches of a bounded size; stop early
   * with `return()`. Rejects with `store-closed`, also when the store is closed under it, and with
   * `store-corrupt` where an entry cannot be read, or, without a limit, at the end where one cannot be named.
   */
  scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]>;
  /**
   * About how many bytes the keys and heads from `from` to `to` take on disk; bodies kept elsewhere and
   * the newest entries may be left out. For comparing ranges.
   */
  approximateSizeBytes(range: Pick<ScanRange, 'from' | 'to'>): Promise<number>;
  /**
   * The files that its entries lie in, one after the other, and what is damaged in them: absent where it has
   * none. Gives way to others between slices; stop early with `return()`.
   */
  checkTables?(): AsyncIterableIterator<CheckedTable>;
  health(): StoreHealth;
  /** Waits for writes under way. Idempotent. */
  close(): Promise<void>;
}
