/**
 * A snapshot: everything that the store held at one moment, byte for byte, for a copy of it.
 *
 * LevelDB's part is one iterator, which sees the database as it was when it was made. A body was on
 * stable storage before LevelDB knew its place, segments are only appended to, and none is removed
 * while the snapshot is open: so what the entries point to is there, up to the ends that they name.
 * The account of a segment says how long it was; an entry whose account was lost names its end itself.
 */

import { Fault } from '../base/fault.ts';
import { decodeLogSegmentKey, segmentOriginsKey } from './keys.ts';
import { levelReadFault } from './level-database.ts';
import type { LevelDatabase, LevelIterator } from './level-database.ts';
import type { Generation, ReaderGenerations } from './reader-generations.ts';
import type { SegmentFolder } from './segment-folder.ts';
import { decodeAccount } from './segment-ledger.ts';
import { decodeOrigins, findOrigin } from './segment-origins.ts';
import { isParted, placeOf } from './stored-value.ts';

/** A key and what LevelDB holds for it. */
export type StoredEntry = readonly [key: Buffer, stored: Buffer];

export interface SegmentExtent {
  readonly segment: number;
  /** What its account says, and at least `neededBytes`; what lies behind came later. */
  readonly sizeBytes: number;
  /** Where the last body ends that an entry points to; 0: nothing of it is needed. */
  readonly neededBytes: number;
  /** With its number it names these bytes in every copy of the store; undefined: not known. */
  readonly origin: string | undefined;
}

export interface StoreSnapshotPorts {
  readonly database: LevelDatabase;
  readonly folder: SegmentFolder;
  readonly readers: ReaderGenerations;
  /** Of the value log, now. */
  readonly logSizeBytes: number;
}

const LOWEST = Buffer.of(0);
const HIGHEST = Buffer.of(0xff);
const BATCH_BYTES = 256 * 1024;
const BATCH_COUNT = 512;
const EMPTY = Buffer.alloc(0);
const ORIGINS_KEY = segmentOriginsKey();

export class StoreSnapshot {
  readonly #ports: StoreSnapshotPorts;
  readonly #iterator: LevelIterator;
  readonly #generation: Generation;
  readonly #accountedBytes = new Map<number, number>();
  readonly #neededBytes = new Map<number, number>();
  #origins: ReturnType<typeof decodeOrigins> = [];
  #isClosed = false;

  /** The moment of the snapshot. */
  constructor(ports: StoreSnapshotPorts) {
    this.#ports = ports;
    this.#generation = ports.readers.enter();
    this.#iterator = ports.database.iterator({
      gte: LOWEST,
      lt: HIGHEST,
      reverse: false,
      limit: Infinity,
      values: true,
      highWaterMarkBytes: BATCH_BYTES,
    });
  }

  /** Of the value log. */
  get logSizeBytes(): number {
    return this.#ports.logSizeBytes;
  }

  /** About how much there is to read; rejects as `nextEntries`. */
  async approximateSizeBytes(): Promise<number> {
    const { database, logSizeBytes } = this.#ports;
    try {
      return (await database.approximateSize(LOWEST, HIGHEST)) + logSizeBytes;
    } catch (error) {
      throw levelReadFault(error);
    }
  }

  /**
   * All entries once, in key order, in batches of a bounded size; empty at the end. Rejects with
   * `store-corrupt` where LevelDB cannot read, with `store-closed`.
   */
  async nextEntries(): Promise<readonly StoredEntry[]> {
    let found: Awaited<ReturnType<LevelIterator['nextv']>>;
    try {
      found = await this.#iterator.nextv(BATCH_COUNT);
    } catch (error) {
      throw levelReadFault(error);
    }
    return found.map(([key, stored = EMPTY]) => {
      this.#noteEnd(key, stored);
      return [key, stored];
    });
  }

  /** Where the entries' bodies are; known when all entries have been read. */
  segments(): readonly SegmentExtent[] {
    const segments = new Set([...this.#accountedBytes.keys(), ...this.#neededBytes.keys()]);
    return [...segments]
      .sort((left, right) => left - right)
      .map((segment) => {
        const neededBytes = this.#neededBytes.get(segment) ?? 0;
        const accountedBytes = this.#accountedBytes.get(segment) ?? 0;
        const sizeBytes = Math.max(accountedBytes, neededBytes);
        return { segment, sizeBytes, neededBytes, origin: findOrigin(this.#origins, segment) };
      });
  }

  /** As `SegmentFolder.read`; after `close` a segment may be gone. */
  readSegment(segment: number, position: number, into: Buffer): Promise<number> {
    return this.#ports.folder.read(segment, position, into);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ports.readers.leave(this.#generation);
    await this.#iterator.close();
  }

  #noteEnd(key: Buffer, stored: Buffer): void {
    if (key.equals(ORIGINS_KEY)) this.#origins = decodeOrigins(stored);
    const owner = decodeLogSegmentKey(key);
    const account = owner === undefined ? undefined : decodeAccount(stored);
    if (owner !== undefined && account !== undefined) {
      this.#accountedBytes.set(owner, account.sizeBytes);
    }
    if (!isParted(stored)) return;
    const place = placeOf(stored);
    if (place === undefined) throw new Fault('store-corrupt', 'the place of a body is damaged');
    const endBytes = place.offset + place.sizeBytes;
    const known = this.#neededBytes.get(place.segment) ?? 0;
    if (endBytes > known) this.#neededBytes.set(place.segment, endBytes);
  }
}
