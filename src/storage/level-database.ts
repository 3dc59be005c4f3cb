/**
 * LevelDB, as far as the store uses it: the shape of `Level` from the package `level` with buffers for
 * keys and values. A test can stand between the store and the real one.
 */

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
