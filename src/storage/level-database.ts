/**
 * LevelDB, as far as the store uses it: the shape of `Level` from the package `level` with buffers for
 * keys and values. A test can stand between the store and the real one.
 */

import { Fault } from '../base/fault.ts';

export interface LevelDatabase {
  batch(): LevelBatch;
  get(key: Buffer): Promise<Buffer | undefined>;
  /** As `get`, but on this thread, which may wait for the disk. */
  getSync(key: Buffer): Buffer | undefined;
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>;
  iterator(options: LevelIteratorOptions): LevelIterator;
  approximateSize(start: Buffer, end: Buffer): Promise<number>;
  close(): Promise<void>;
}

export interface LevelBatch {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
  write(options: { readonly sync: boolean }): Promise<void>;
  /** Idempotent; after a write it does nothing. */
  close(): Promise<void>;
}

export interface LevelIteratorOptions {
  gte: Buffer;
  lt: Buffer;
  reverse: boolean;
  limit: number;
  values: boolean;
  highWaterMarkBytes: number;
}

export interface LevelIterator {
  nextv(size: number): Promise<(readonly [key: Buffer, value: Buffer | undefined])[]>;
  close(): Promise<void>;
}

/** The system's words, in all of its libraries: LevelDB gives no code with them. */
const SHORTAGE = /too many open files|no file descriptors|cannot allocate memory|out of memory/i;

/**
 * What a read that LevelDB refused means: `store-closed`, `store-corrupt`, or `overload` where the process
 * may open no more files or has no memory, which says nothing of the entry. Other errors are bugs and stay
 * what they are.
 */
export function levelReadFault(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
      return new Fault('store-closed', 'the store is closed');
    case 'LEVEL_IO_ERROR':
    case 'LEVEL_CORRUPTION':
      return SHORTAGE.test(error.message)
        ? new Fault('overload', 'the system has no more files or memory to give', { cause: error })
        : new Fault('store-corrupt', 'an entry cannot be read', { cause: error });
    default:
      return error;
  }
}
