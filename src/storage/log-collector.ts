/**
 * The collector: moves what is live out of wasteful segments of the value log, and removes them.
 *
 * It steps through a segment a slice at a time, asks LevelDB which of its entries are still pointed
 * to, and writes those again, as anyone would. So that it never brings back what somebody has just
 * overwritten, it notes the keys of its slice, waits until all writes before have settled, and leaves
 * out every key that was written since. A segment goes when its last slice is durable elsewhere and
 * nobody can be reading it: a crash at any point leaves the old place or the new one.
 *
 * Bounded: one slice at a time, at the pace of `CollectPace`; with too many segments waiting for their
 * readers it pauses. A segment that it cannot step through stays, is counted and said.
 */

import { crc32 } from 'node:zlib';
import { bytesToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { CollectPace } from './collect-pace.ts';
import { encodeLogSegmentKey } from './keys.ts';
import { logEntryHeadSize, readLogEntry } from './log-entry.ts';
import type { ReaderGenerations } from './reader-generations.ts';
import type { SegmentFolder } from './segment-folder.ts';
import type { SegmentLedger } from './segment-ledger.ts';
import type { WriteOperation } from './store.ts';
import { headOf, isOfKey, isSamePlace, placeOf } from './stored-value.ts';
import type { BodyPlace } from './stored-value.ts';

export interface LogCollectorPorts {
  readonly folder: SegmentFolder;
  readonly ledger: SegmentLedger;
  readonly readers: ReaderGenerations;
  readonly pace: CollectPace;
  /** The first segment that may still be appended to. */
  readonly activeSegment: () => number;
  /** What LevelDB holds for each key. */
  readonly find: (keys: Buffer[]) => Promise<readonly (Buffer | undefined)[]>;
  /** As `Store.write`. */
  readonly write: (operations: readonly WriteOperation[]) => Promise<void>;
}

export interface LogCollectorOptions {
  /** Segments that may wait for their readers. */
  readonly waitingMax: number;
}

interface Candidate {
  readonly key: Buffer;
  readonly place: BodyPlace;
  /** Undefined: it lies beyond the slice. */
  readonly body: Buffer | undefined;
}

interface Slice {
  readonly candidates: readonly Candidate[];
  readonly sizeBytes: number;
}

const RETRY_MS = 1_000;
const NO_MEMORY = Buffer.alloc(0);

export class LogCollector {
  readonly #host: Host;
  readonly #ports: LogCollectorPorts;
  readonly #options: LogCollectorOptions;
  /** The keys of the slice that nobody has written since it was begun. */
  readonly #untouched = new Set<ByteString>();
  #running: Promise<void> | undefined;
  #isStopped = false;
  #wakeSleeper: (() => void) | undefined;
  /** Each slice is read into it; V8 would mark its whole heap for what fresh ones take. */
  #sliceMemory = NO_MEMORY;

  constructor(host: Host, ports: LogCollectorPorts, options: LogCollectorOptions) {
    this.#host = host;
    this.#ports = ports;
    this.#options = options;
  }

  /** To be told of every write before it is taken. */
  noteWrite(operations: readonly WriteOperation[]): void {
    if (this.#untouched.size === 0) return;
    for (const { key } of operations) this.#untouched.delete(bytesToByteString(key));
  }

  /** There may be garbage. */
  wake(): void {
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#sliceMemory = NO_MEMORY;
    });
  }

  /** Ends after the step under way. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wakeSleeper?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, activeSegment, readers } = this.#ports;
    while (!this.#isStopped) {
      const victim = ledger.findVictim(activeSegment());
      if (victim === undefined || readers.waitingCount >= this.#options.waitingMax) return;
      try {
        await this.#collect(victim);
      } catch (error) {
        if (isFault(error, 'store-fenced') || isFault(error, 'store-closed')) return;
        if (isFault(error, 'overload')) await this.#sleep(RETRY_MS);
        else this.#giveUp(victim, error);
      }
    }
  }

  async #collect(segment: number): Promise<void> {
    const { ledger, folder, readers, write } = this.#ports;
    // What was appended to it before it was full has settled with this.
    await write([]);
    const endBytes = ledger.find(segment)?.sizeBytes ?? 0;
    for (let position = 0; position < endBytes;) {
      await this.#keepPace();
      if (this.#isStopped) return;
      const slice = await this.#readSlice({ segment, position }, endBytes);
      // Of a segment without an account nothing is known behind a torn entry, nor pointed to.
      if (slice === undefined && ledger.isOrphan(segment)) break;
      if (slice === undefined) throw new Fault('store-corrupt', 'an entry of a segment is damaged');
      await this.#move(slice.candidates);
      position += slice.sizeBytes;
      this.#ports.pace.collected(slice.sizeBytes);
    }
    // What supersedes the last of its entries writes the account again: not in the batch that removes it.
    await write([]);
    await write([{ kind: 'remove', key: encodeLogSegmentKey(segment) }]);
    ledger.close(segment);
    this.#host.metrics.count('store_log_segments_collected_total');
    readers.whenLeft(() => void this.#remove(folder, segment));
  }

  /**
   * The entries from `position` on whose heads fit in a slice, one at least; undefined: the first is
   * damaged.
   */
  async #readSlice(
    { segment, position }: { readonly segment: number; readonly position: number },
    endBytes: number,
  ): Promise<Slice | undefined> {
    const read = (sizeBytes: number): Promise<Buffer> => {
      const into = this.#memory(Math.min(sizeBytes, endBytes - position));
      return this.#readInto(into, segment, position);
    };
    let bytes = await read(this.#ports.pace.nextSliceBytes());
    let first = readLogEntry(bytes, 0);
    if (first.kind === 'cut' && first.neededBytes > bytes.length) {
      bytes = await read(first.neededBytes);
      first = readLogEntry(bytes, 0);
    }
    const candidates: Candidate[] = [];
    let offset = 0;
    for (let next = first; next.kind === 'entry'; next = readLogEntry(bytes, offset)) {
      const { key, bodySizeBytes: sizeBytes, bodyCrc: crc } = next.entry;
      const start = offset + logEntryHeadSize(key.length);
      const end = start + sizeBytes;
      const body = end <= bytes.length ? bytes.subarray(start, end) : undefined;
      candidates.push({ key, place: { segment, offset: position + start, sizeBytes, crc }, body });
      offset = end;
      if (offset >= bytes.length) break;
    }
    return candidates.length === 0 ? undefined : { candidates, sizeBytes: offset };
  }

  async #move(candidates: readonly Candidate[]): Promise<void> {
    for (const { key } of candidates) this.#untouched.add(bytesToByteString(key));
    try {
      // From here on LevelDB has all that was written before the keys were noted.
      await this.#ports.write([]);
      const stored = await this.#ports.find(candidates.map(({ key }) => key));
      const operations: WriteOperation[] = [];
      let movedBytes = 0;
      for (const [index, candidate] of candidates.entries()) {
        const value = stored[index];
        const place = value && placeOf(value);
        if (value === undefined || place === undefined) continue;
        // What came under the key by damage must not be tied to it.
        if (!isSamePlace(place, candidate.place) || !isOfKey(candidate.key, value)) continue;
        const body = candidate.body ?? (await this.#readBody(candidate.place));
        if (crc32(body) !== place.crc) {
          // It is damaged where it lies, too, and is repaired when it is read.
          this.#host.metrics.count('store_corrupt_reads_total');
          continue;
        }
        const { key } = candidate;
        operations.push({ kind: 'put', key, head: headOf(value), body, bodyCrc: place.crc });
        movedBytes += body.length;
      }
      // Who has written since goes first: no waiting between this and the write.
      const moves = operations.filter(({ key }) => this.#untouched.has(bytesToByteString(key)));
      if (moves.length === 0) return;
      await this.#ports.write(moves);
      this.#host.metrics.count('store_log_moved_bytes_total', movedBytes);
    } finally {
      this.#untouched.clear();
    }
  }

  /** A body that its slice has only the start of. */
  #readBody({ segment, offset, sizeBytes }: BodyPlace): Promise<Buffer> {
    return this.#readInto(Buffer.allocUnsafe(sizeBytes), segment, offset);
  }

  #memory(sizeBytes: number): Buffer {
    if (this.#sliceMemory.length < sizeBytes) {
      this.#sliceMemory = Buffer.allocUnsafeSlow(sizeBytes);
    }
    return this.#sliceMemory.subarray(0, sizeBytes);
  }

  /** What there was of it. */
  async #readInto(into: Buffer, segment: number, position: number): Promise<Buffer> {
    const readBytes = await this.#ports.folder.read(segment, position, into);
    return into.subarray(0, readBytes);
  }

  async #remove(folder: SegmentFolder, segment: number): Promise<void> {
    try {
      await folder.remove(segment);
    } catch (error) {
      // It is found again, and collected again, when the store is opened the next time.
      this.#host.log.warn('store.segment_stays', { segment, reason: messageOf(error) });
    }
    // It may have paused until this.
    this.wake();
  }

  #giveUp(segment: number, error: unknown): void {
    if (!isFault(error, 'store-corrupt')) throw error;
    this.#ports.ledger.lock(segment);
    this.#host.metrics.count('store_log_segments_locked_total');
    this.#host.log.error('store.segment_damaged', { segment, reason: error.message });
  }

  async #keepPace(): Promise<void> {
    const waitMs = this.#ports.pace.waitMs(this.#host.clock.monotonicMs());
    if (waitMs > 0) await this.#sleep(waitMs);
  }

  /** Ends early when the collector is stopped. */
  #sleep(delayMs: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#host.clock.after(delayMs, resolve);
      this.#wakeSleeper = () => {
        cancel();
        resolve();
      };
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
