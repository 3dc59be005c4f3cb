/**
 * The folder of the value log's segments: the port to their files, real or simulated.
 *
 * A segment is written from its start to its end by one writer, once, and never again; it is read at
 * any place, also while it is written. What is not synced may be gone after a crash, from any byte on.
 */

export interface SegmentWriter {
  /** Appends all of it; not on stable storage yet. The buffer is the caller's when it resolves. */
  write(bytes: Buffer): Promise<void>;
  /** All that was written is on stable storage. */
  sync(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface SegmentFolder {
  /** The numbers of the segments that are there, in any order. */
  list(): Promise<readonly number[]>;
  sizeBytes(segment: number): Promise<number>;
  /** A new, empty segment; that it is there is on stable storage. */
  create(segment: number): Promise<SegmentWriter>;
  /**
   * Fills `into` from `position` on; how many bytes there were, fewer only where the segment ends.
   * Rejects with `store-corrupt` if the segment is not there or the disk refuses, with `overload` if
   * the system has no more files or memory to give, with `store-closed`.
   */
  read(segment: number, position: number, into: Buffer): Promise<number>;
  /** As `read`, but on this thread, which may wait for the disk; throws. */
  readNow(segment: number, position: number, into: Buffer): number;
  /** Gone, or was not there. */
  remove(segment: number): Promise<void>;
  /** Idempotent; writers are closed by who has them. */
  close(): Promise<void>;
}
