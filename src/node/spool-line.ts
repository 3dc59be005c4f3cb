/**
 * The files of one priority of a replication queue, and what is to be written to them.
 *
 * A file holds keys that are in memory too, so that a restart finds them, or keys that had no room there. Those
 * are read when there is room again, whole files, the oldest first; the file is then as one of the first kind. It is
 * removed when none of its keys waits any more.
 */

import type { ByteString } from '../base/bytes.ts';
import { KEY_BYTES } from './key-queue.ts';
import type { KeyPriority, QueuedKey } from './key-queue.ts';
import { spooledBytes, type SpooledKey } from './spool-block.ts';

/** A file. */
export interface Segment {
  readonly number: number;
  readonly name: string;
  sizeBytes: number;
  keyCount: number;
  /** What its keys take in memory. */
  memoryBytes: number;
  /** Of its keys, those in memory that wait or are out. */
  liveCount: number;
  isLoaded: boolean;
  /** Attempts to read it that failed. */
  failedReads: number;
}

const NAME = /^(real-time|sync)-(\d{8,15})\.keys$/;
const NAME_DIGITS = 8;
const SPARSE_PART = 0.25;
/** A key's size in a file at least, for files of which nothing else is known. */
const SMALLEST_BYTES = 16;

export class SpoolLine {
  readonly priority: KeyPriority;
  readonly segments = new Set<Segment>();
  /** Files whose keys are not in memory, the oldest first. */
  readonly unloaded: Segment[] = [];
  /** Keys in memory that are in no file. */
  pending: QueuedKey[] = [];
  /** Keys that are neither in memory nor in a file yet. */
  buffer: SpooledKey[] = [];
  bufferBytes = 0;
  /** The file that keys in memory are added to. */
  noted: Segment | undefined;
  /** The file that keys without room in memory are added to: the last of those that are not loaded. */
  spilled: Segment | undefined;
  /** What is in the buffer and in `spilled`: each key once is enough. */
  #ids = new Set<ByteString>();

  constructor(priority: KeyPriority) {
    this.priority = priority;
  }

  get hasWaiting(): boolean {
    return this.unloaded.length > 0 || this.buffer.length > 0;
  }

  get fileBytes(): number {
    let sum = 0;
    for (const { sizeBytes } of this.segments) sum += sizeBytes;
    return sum;
  }

  holds(id: ByteString): boolean {
    return this.#ids.has(id);
  }

  spill(key: SpooledKey): void {
    this.#ids.add(key.id);
    this.buffer.push(key);
    this.bufferBytes += spooledBytes(key.id);
  }

  /** The first `count` of the buffer: they are elsewhere now. */
  shiftBuffer(count: number): SpooledKey[] {
    const shifted = this.buffer.splice(0, count);
    for (const { id } of shifted) this.bufferBytes -= spooledBytes(id);
    return shifted;
  }

  newSegment(number: number, isLoaded: boolean): Segment {
    const digits = String(number).padStart(NAME_DIGITS, '0');
    const segment: Segment = {
      number,
      name: `${this.priority}-${digits}.keys`,
      sizeBytes: 0,
      keyCount: 0,
      memoryBytes: 0,
      liveCount: 0,
      isLoaded,
      failedReads: 0,
    };
    this.segments.add(segment);
    if (isLoaded) this.noted = segment;
    else {
      this.spilled = segment;
      this.unloaded.push(segment);
    }
    return segment;
  }

  /** A file of an earlier start. */
  found(name: string, sizeBytes: number): void {
    const memoryBytes = (sizeBytes / SMALLEST_BYTES) * KEY_BYTES;
    const segment = { ...blank(name), sizeBytes, memoryBytes };
    this.segments.add(segment);
    this.unloaded.push(segment);
    this.unloaded.sort((left, right) => left.number - right.number);
  }

  /** Nothing is added to it any more. */
  seal(segment: Segment): void {
    if (this.noted === segment) this.noted = undefined;
    if (this.spilled !== segment) return;
    this.spilled = undefined;
    this.#ids = new Set(this.buffer.map(({ id }) => id));
  }

  /** All of it, where nothing is in a file: it is in memory now. */
  emptyBuffer(): SpooledKey[] {
    this.#ids.clear();
    return this.shiftBuffer(this.buffer.length);
  }

  remove(segment: Segment): void {
    this.seal(segment);
    this.segments.delete(segment);
  }
}

/** Which line a file is of, by its name; undefined: it is none of these. */
export function segmentNameOf(
  name: string,
): { readonly priority: KeyPriority; readonly number: number } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { priority: match[1] as KeyPriority, number: Number(match[2]) };
}

/** Its keys have mostly gone. */
export function isSparse(segment: Segment): boolean {
  return segment.liveCount <= sparseCountOf(segment);
}

/** Of keys that are left. */
export function sparseCountOf({ keyCount }: Segment): number {
  return Math.floor(keyCount * SPARSE_PART);
}

function blank(name: string): Segment {
  const number = segmentNameOf(name)?.number ?? 0;
  return {
    number,
    name,
    sizeBytes: 0,
    keyCount: 0,
    memoryBytes: 0,
    liveCount: 0,
    isLoaded: false,
    failedReads: 0,
  };
}
