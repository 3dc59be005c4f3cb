/**
 * A batch for LevelDB and the value log: the bodies that are large go to the log, all else to LevelDB,
 * and both are on stable storage when `write` resolves.
 *
 * The log comes first, so a crash between the two leaves bytes that nothing points to. While they are
 * on their way it is found out which bodies the batch supersedes; no other batch is under way, so
 * LevelDB says what was there before. The accounts that change are in the batch too.
 * As long as there is no log, small values pay nothing for it.
 */

import { byteStringToBytes, bytesToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import type { CommitBatch } from './group-commit.ts';
import type { LevelBatch, LevelDatabase } from './level-database.ts';
import { LOG_KEY_MAX_BYTES, logEntrySize } from './log-entry.ts';
import { LedgerChange } from './segment-ledger.ts';
import type { SegmentLedger } from './segment-ledger.ts';
import { encodeHead, encodeParted, encodeWhole, placeOf } from './stored-value.ts';
import type { BodyPlace } from './stored-value.ts';
import type { Put } from './store.ts';
import type { LogBatch, ValueLog } from './value-log.ts';

export interface LoggedBatchPorts {
  readonly database: LevelDatabase;
  readonly log: ValueLog;
  readonly ledger: SegmentLedger;
  /** The batch is durable and has freed or taken so many bytes of the log. */
  readonly onLogChanged: (appendedBytes: number, freedBytes: number) => void;
}

export interface LoggedBatchOptions {
  /** Larger bodies go to the log. */
  readonly inlineMaxBytes: number;
  readonly isSynced: boolean;
}

export class LoggedBatch implements CommitBatch {
  readonly #host: Host;
  readonly #ports: LoggedBatchPorts;
  readonly #options: LoggedBatchOptions;
  readonly #batch: LevelBatch;
  readonly #logBatch: LogBatch = { pieces: [] };
  /** Where the bodies of these keys will be; undefined: not in the log. */
  #placeByKey: Map<ByteString, BodyPlace | undefined> | undefined;
  readonly #change = new LedgerChange();
  #appendedBytes = 0;
  #freedBytes = 0;

  constructor(host: Host, ports: LoggedBatchPorts, options: LoggedBatchOptions) {
    this.#host = host;
    this.#ports = ports;
    this.#options = options;
    this.#batch = ports.database.batch();
  }

  put({ key, head, body, bodyCrc }: Put): void {
    if (body === undefined) {
      this.#batch.put(key, encodeHead(head));
      return;
    }
    if (body.length <= this.#options.inlineMaxBytes || key.length > LOG_KEY_MAX_BYTES) {
      this.#note(key, undefined);
      this.#batch.put(key, encodeWhole(key, head, body));
      return;
    }
    const place = this.#ports.log.append(this.#logBatch, { key, body, bodyCrc });
    const sizeBytes = logEntrySize(key.length, body.length);
    this.#change.appended(place.segment, sizeBytes);
    this.#appendedBytes += sizeBytes;
    this.#note(key, place);
    this.#batch.put(key, encodeParted(key, head, place));
  }

  remove(key: Buffer): void {
    this.#note(key, undefined);
    this.#batch.del(key);
  }

  write(): Promise<void> {
    const options = { sync: this.#options.isSynced };
    return this.#placeByKey === undefined ? this.#batch.write(options) : this.#writeBoth(options);
  }

  close(): void {
    // LevelDB would keep it until it is closed itself.
    this.#batch.close().catch(() => undefined);
  }

  async #writeBoth(options: { readonly sync: boolean }): Promise<void> {
    const { log, ledger, onLogChanged } = this.#ports;
    await Promise.all([this.#findSuperseded(), log.flush(this.#logBatch)]);
    for (const { key, row } of ledger.rows(this.#change)) this.#batch.put(key, row);
    await this.#batch.write(options);
    ledger.apply(this.#change);
    onLogChanged(this.#appendedBytes, this.#freedBytes);
  }

  #note(key: Buffer, place: BodyPlace | undefined): void {
    if (this.#placeByKey === undefined) {
      const { log, ledger } = this.#ports;
      // Before the first body there is nothing that a write could supersede.
      if (place === undefined && ledger.segmentCount === 0 && log.isUntouched) return;
      this.#placeByKey = new Map();
    }
    const id = bytesToByteString(key);
    const superseded = this.#placeByKey.get(id);
    if (superseded !== undefined) this.#free(key.length, superseded);
    this.#placeByKey.set(id, place);
  }

  async #findSuperseded(): Promise<void> {
    if (this.#placeByKey === undefined || this.#ports.ledger.segmentCount === 0) return;
    const keys = [...this.#placeByKey.keys()].map(byteStringToBytes);
    let stored: readonly (Buffer | undefined)[];
    try {
      stored = await this.#ports.database.getMany(keys);
    } catch {
      // An entry that cannot be read may be overwritten; what it took is found when its segment is
      // collected.
      this.#host.metrics.count('store_log_unaccounted_total', keys.length);
      return;
    }
    for (const [index, key] of keys.entries()) {
      const value = stored[index];
      const place = value && placeOf(value);
      if (place !== undefined) this.#free(key.length, place);
    }
  }

  #free(keySizeBytes: number, { segment, sizeBytes }: BodyPlace): void {
    const freedBytes = logEntrySize(keySizeBytes, sizeBytes);
    this.#change.freed(segment, freedBytes);
    this.#freedBytes += freedBytes;
  }
}
