/**
 * The ledger: how much of each value-log segment is live.
 *
 * An account says how long a segment is and how much of it is pointed to. Accounts change with each
 * batch and are stored in it, so they survive crashes as the pointers do. They only say where
 * collecting pays: a collector asks the pointers themselves before it drops anything, so an account
 * that is off costs space or work, never an entry.
 *
 * Greedy victims: the segment with the least live share is collected while more than a share of all is
 * waste. What a segment is short of a full one counts as waste if an older process left it so: the
 * short ones are joined, once, and what this process writes is never collected without any gain.
 */

import { assert } from '../base/fault.ts';
import { encodeLogSegmentKey, segmentOriginsKey } from './keys.ts';

export interface SegmentAccount {
  /** Where the entries end that were committed. */
  readonly sizeBytes: number;
  readonly liveBytes: number;
}

export interface LedgerOptions {
  /** What a full segment has. */
  readonly segmentSizeBytes: number;
  /** Share of the sealed segments' room that may be waste, 0 to 1. */
  readonly wasteRatioMax: number;
}

interface Account {
  sizeBytes: number;
  liveBytes: number;
  /** An older process ended when it had just been begun. */
  readonly isShort: boolean;
  /** Its file is missing, or cannot be stepped through: never a victim. */
  isLocked: boolean;
  readonly isOrphan: boolean;
}

const ROW_SIZE = 8;
/** Of a full segment; shorter ones are short. */
const SHORT_SHARE = 0.5;

/** What one batch does to the accounts. */
export class LedgerChange {
  readonly deltas = new Map<number, { sizeBytes: number; liveBytes: number }>();

  appended(segment: number, sizeBytes: number): void {
    const delta = this.#delta(segment);
    delta.sizeBytes += sizeBytes;
    delta.liveBytes += sizeBytes;
  }

  freed(segment: number, sizeBytes: number): void {
    this.#delta(segment).liveBytes -= sizeBytes;
  }

  #delta(segment: number): { sizeBytes: number; liveBytes: number } {
    let delta = this.deltas.get(segment);
    if (delta === undefined) {
      delta = { sizeBytes: 0, liveBytes: 0 };
      this.deltas.set(segment, delta);
    }
    return delta;
  }
}

export class SegmentLedger {
  readonly #options: LedgerOptions;
  readonly #accounts = new Map<number, Account>();
  #sizeBytes = 0;
  #liveBytes = 0;
  /** Not stored yet. */
  #origins: Buffer | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get segmentCount(): number {
    return this.#accounts.size;
  }

  /** Of all segments. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  find(segment: number): SegmentAccount | undefined {
    return this.#accounts.get(segment);
  }

  segments(): IterableIterator<number> {
    return this.#accounts.keys();
  }

  /** An account that was found. */
  open(segment: number, account: SegmentAccount): void {
    const isShort = account.sizeBytes < this.#options.segmentSizeBytes * SHORT_SHARE;
    this.#open(segment, account, { isShort, isOrphan: false });
  }

  /** A file that no account speaks of: a crash left it, and nothing should point to it. */
  openOrphan(segment: number, sizeBytes: number): void {
    this.#open(segment, { sizeBytes, liveBytes: 0 }, { isShort: false, isOrphan: true });
  }

  isOrphan(segment: number): boolean {
    return this.#accounts.get(segment)?.isOrphan === true;
  }

  close(segment: number): void {
    const account = this.#accounts.get(segment);
    if (account === undefined) return;
    this.#accounts.delete(segment);
    this.#sizeBytes -= account.sizeBytes;
    this.#liveBytes -= account.liveBytes;
  }

  /** It is not to be collected any more. */
  lock(segment: number): void {
    const account = this.#accounts.get(segment);
    if (account !== undefined) account.isLocked = true;
  }

  /** What `encodeOrigins` gives, to be stored with the first change. */
  setOrigins(origins: Buffer): void {
    this.#origins = origins;
  }

  /** The accounts that the batch changes, as they are to be stored with it. */
  *rows(change: LedgerChange): Generator<{ readonly key: Buffer; readonly row: Buffer }> {
    if (this.#origins !== undefined) yield { key: segmentOriginsKey(), row: this.#origins };
    for (const [segment, delta] of change.deltas) {
      const account = this.#accounts.get(segment);
      // What was lost with its segment is freed nowhere.
      if (account === undefined && delta.sizeBytes === 0) continue;
      yield { key: encodeLogSegmentKey(segment), row: encodeRow(changed(account, delta)) };
    }
  }

  /** The batch is durable. */
  apply(change: LedgerChange): void {
    this.#origins = undefined;
    for (const [segment, delta] of change.deltas) {
      const account = this.#accounts.get(segment);
      if (account === undefined) {
        if (delta.sizeBytes === 0) continue;
        const kind = { isShort: false, isOrphan: false };
        this.#open(segment, changed(undefined, delta), kind);
        continue;
      }
      const { sizeBytes, liveBytes } = changed(account, delta);
      this.#sizeBytes += sizeBytes - account.sizeBytes;
      this.#liveBytes += liveBytes - account.liveBytes;
      account.sizeBytes = sizeBytes;
      account.liveBytes = liveBytes;
    }
  }

  /** The segment below `active` that is best collected; undefined: there is little waste. */
  findVictim(active: number): number | undefined {
    const { segmentSizeBytes, wasteRatioMax } = this.#options;
    let roomBytes = 0;
    let usedBytes = 0;
    let victim: number | undefined;
    let leastShare = Infinity;
    for (const [segment, account] of this.#accounts) {
      if (segment >= active || account.isLocked) continue;
      const { sizeBytes, liveBytes, isShort } = account;
      const segmentRoomBytes = isShort ? segmentSizeBytes : sizeBytes;
      const share = segmentRoomBytes === 0 ? 0 : liveBytes / segmentRoomBytes;
      roomBytes += segmentRoomBytes;
      usedBytes += liveBytes;
      if (share >= leastShare) continue;
      leastShare = share;
      victim = segment;
    }
    const isWasteful = leastShare === 0 || roomBytes - usedBytes > wasteRatioMax * roomBytes;
    return isWasteful ? victim : undefined;
  }

  #open(
    segment: number,
    { sizeBytes, liveBytes }: SegmentAccount,
    kind: Pick<Account, 'isShort' | 'isOrphan'>,
  ): void {
    assert(!this.#accounts.has(segment), 'an account is opened once');
    this.#accounts.set(segment, { sizeBytes, liveBytes, isLocked: false, ...kind });
    this.#sizeBytes += sizeBytes;
    this.#liveBytes += liveBytes;
  }
}

function changed(
  account: SegmentAccount | undefined,
  delta: { readonly sizeBytes: number; readonly liveBytes: number },
): SegmentAccount {
  const sizeBytes = (account?.sizeBytes ?? 0) + delta.sizeBytes;
  const liveBytes = (account?.liveBytes ?? 0) + delta.liveBytes;
  return { sizeBytes, liveBytes: Math.min(Math.max(liveBytes, 0), sizeBytes) };
}

function encodeRow({ sizeBytes, liveBytes }: SegmentAccount): Buffer {
  const row = Buffer.allocUnsafe(ROW_SIZE);
  row.writeUInt32BE(sizeBytes, 0);
  row.writeUInt32BE(liveBytes, 4);
  return row;
}

/** Undefined for bytes that are no stored account. */
export function decodeAccount(row: Buffer): SegmentAccount | undefined {
  if (row.length !== ROW_SIZE) return undefined;
  return { sizeBytes: row.readUInt32BE(0), liveBytes: row.readUInt32BE(4) };
}
