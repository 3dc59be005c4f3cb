/**
 * The value log: large bodies in append-only segments beside LevelDB (WiscKey, Lu 2016).
 *
 * A body is given its place when its write is taken, in the order of the writes, and is on stable
 * storage before LevelDB is told of the place: a pointer never names bytes that are not there. A
 * process begins a segment of its own and never appends to one it found, so what a crash left at the
 * end of the last one lies behind everything that is pointed to.
 */

import { crc32 } from 'node:zlib';
import { assert, Fault } from '../base/fault.ts';
import { logEntryHeadSize, logEntrySize, writeLogEntry } from './log-entry.ts';
import type { LogContent } from './log-entry.ts';
import type { SegmentFolder, SegmentWriter } from './segment-folder.ts';
import type { BodyPlace } from './stored-value.ts';

export interface ValueLogOptions {
  /** A segment that has reached it is followed by the next. */
  readonly segmentSizeBytes: number;
  /** Whether `flush` waits for stable storage. */
  readonly isSynced: boolean;
  /** Above all that are there. */
  readonly firstSegment: number;
}

/** Entries that are flushed together: gathered in memory, in the order of their places. */
export interface LogBatch {
  readonly pieces: LogPiece[];
}

/** Neighbours in one segment. */
interface LogPiece {
  readonly segment: number;
  readonly chunk: Buffer;
  sizeBytes: number;
}

const CHUNK_SIZE = 1024 * 1024;
/** Kept for the next batches; what is gathered beyond is allocated for it alone. */
const FREE_CHUNKS_MAX = 8;

export class ValueLog {
  readonly #folder: SegmentFolder;
  readonly #options: ValueLogOptions;
  readonly #freeChunks: Buffer[] = [];
  #active: number;
  #position = 0;
  #writer: { readonly segment: number; readonly file: SegmentWriter } | undefined;

  constructor(folder: SegmentFolder, options: ValueLogOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#active = options.firstSegment;
  }

  /** Where the next body goes, unless it is full; those below it take none any more. */
  get activeSegment(): number {
    return this.#active;
  }

  /** Whether this process has appended nothing yet. */
  get isUntouched(): boolean {
    return this.#position === 0 && this.#active === this.#options.firstSegment;
  }

  /** Takes a copy of it; the place is real when the batch has been flushed. */
  append(batch: LogBatch, content: LogContent): BodyPlace {
    const { key, body } = content;
    const sizeBytes = logEntrySize(key.length, body.length);
    if (this.#position > 0 && this.#position + sizeBytes > this.#options.segmentSizeBytes) {
      this.#active += 1;
      this.#position = 0;
    }
    const piece = this.#pieceFor(batch, sizeBytes);
    const crc = writeLogEntry(piece.chunk, piece.sizeBytes, content);
    piece.sizeBytes += sizeBytes;
    const offset = this.#position + logEntryHeadSize(key.length);
    this.#position += sizeBytes;
    return { segment: this.#active, offset, sizeBytes: body.length, crc };
  }

  /** Brings the batch to stable storage; batches come in the order of their places, one at a time. */
  async flush(batch: LogBatch): Promise<void> {
    // All that came before is there already, and even a sync of nothing has the disk empty its cache.
    if (batch.pieces.length === 0) return;
    for (const { segment, chunk, sizeBytes } of batch.pieces) {
      const file = await this.#writerOf(segment);
      await file.write(chunk.subarray(0, sizeBytes));
    }
    if (this.#options.isSynced) await this.#writer?.file.sync();
    for (const { chunk } of batch.pieces.splice(0)) {
      const isKept = chunk.length === CHUNK_SIZE && this.#freeChunks.length < FREE_CHUNKS_MAX;
      if (isKept) this.#freeChunks.push(chunk);
    }
  }

  /** Fills `into` with the body; rejects with `store-corrupt` if it is not there as it was written. */
  async read(place: BodyPlace, into: Buffer): Promise<void> {
    checkBody(place, into, await this.#folder.read(place.segment, place.offset, into));
  }

  /** As `read`, but on this thread, which may wait for the disk; throws. */
  readNow(place: BodyPlace, into: Buffer): void {
    checkBody(place, into, this.#folder.readNow(place.segment, place.offset, into));
  }

  /** No batch may be on its way. */
  async close(): Promise<void> {
    await this.#writer?.file.close();
    this.#writer = undefined;
    await this.#folder.close();
  }

  #pieceFor({ pieces }: LogBatch, sizeBytes: number): LogPiece {
    const last = pieces[pieces.length - 1];
    const hasRoom =
      last !== undefined &&
      last.segment === this.#active &&
      last.sizeBytes + sizeBytes <= last.chunk.length;
    if (hasRoom) return last;
    const isLarge = sizeBytes > CHUNK_SIZE;
    const free = isLarge ? undefined : this.#freeChunks.pop();
    const chunk = free ?? Buffer.allocUnsafeSlow(Math.max(sizeBytes, CHUNK_SIZE));
    const piece = { segment: this.#active, chunk, sizeBytes: 0 };
    pieces.push(piece);
    return piece;
  }

  async #writerOf(segment: number): Promise<SegmentWriter> {
    if (this.#writer?.segment === segment) return this.#writer.file;
    if (this.#writer !== undefined) {
      assert(this.#writer.segment < segment, 'segments are written one after the other');
      if (this.#options.isSynced) await this.#writer.file.sync();
      await this.#writer.file.close();
      this.#writer = undefined;
    }
    const file = await this.#folder.create(segment);
    this.#writer = { segment, file };
    return file;
  }
}

function checkBody({ sizeBytes, crc }: BodyPlace, bytes: Buffer, readBytes: number): void {
  assert(bytes.length === sizeBytes, 'a body is read whole');
  if (readBytes === sizeBytes && crc32(bytes) === crc) return;
  throw new Fault('store-corrupt', 'a body in the value log is damaged');
}
