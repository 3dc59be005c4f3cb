/**
 * A queue of keys that another cluster is to fetch: in order of arrival, each key at most once.
 *
 * What clients have written goes before what a full-sync or a fold has put there. A key that was given out is
 * out until it is acknowledged, put back in front, or laid to rest for a while; its bytes count all the time, so
 * that there is always room for what comes back. Beyond the bound new keys wait elsewhere (`KeyOverflow`), if there is
 * such a place and it has room. Else the newest key is dropped, which the queue remembers until a full-sync that
 * began later has found it.
 */

import type { ByteString } from '../base/bytes.ts';

export type KeyPriority = 'real-time' | 'sync';

/** A key that was given out. */
export interface OutKey {
  /** The key as one string (`keyToString`). */
  readonly id: ByteString;
  readonly priority: KeyPriority;
  readonly offeredMs: number;
}

export type Offer = 'queued' | 'known' | 'dropped';

/** Where keys wait that have no room in memory, and where those in memory are noted. */
export interface KeyOverflow {
  /** Keys of that priority wait there: what comes now waits behind them. */
  hasWaiting(priority: KeyPriority): boolean;
  /** There is no room for it in memory, or others are before it. */
  take(id: ByteString, priority: KeyPriority, offeredMs: number): Offer;
  /** It waits in memory now, and is noted nowhere. */
  added(entry: QueuedKey): void;
  /** It need not be noted any more. */
  ended(entry: QueuedKey): void;
}

/** A key in memory. */
export interface QueuedKey extends OutKey {
  /** Where the overflow has noted it; its own. */
  note: unknown;
  /** Another entry has taken its place, and its note. */
  readonly isGone: boolean;
}

/** What a key takes in memory beside its bytes, as measured: two strings, an entry, a map, a line. */
export const KEY_BYTES = 256;

interface Entry extends QueuedKey {
  priority: KeyPriority;
  offeredMs: number;
  /** Another entry has taken its place: it is passed over. */
  isGone: boolean;
}

interface Resting {
  readonly entry: Entry;
  readonly dueMs: number;
}

export class KeyQueue {
  readonly #maxBytes: number;
  readonly #overflow: KeyOverflow | undefined;
  /** All that is not out. */
  readonly #waiting = new Map<ByteString, Entry>();
  /** By priority, and in each what came back before what is new. */
  readonly #lines = {
    'real-time': [new Line(), new Line()],
    sync: [new Line(), new Line()],
  } as const;
  readonly #counts: Record<KeyPriority, number> = { 'real-time': 0, sync: 0 };
  /** In the order in which they are due: all rest for the same time. */
  #resting: Resting[] = [];
  #heldBytes = 0;
  readonly #out = new Set<Entry>();
  /** Another number after each key that was dropped. */
  #dropMark: number;
  #isOverflowed = false;

  /** `dropMark`: where its marks begin; one that no start before had. */
  constructor(maxBytes: number, overflow?: KeyOverflow, dropMark = 0) {
    this.#maxBytes = maxBytes;
    this.#overflow = overflow;
    this.#dropMark = dropMark;
  }

  /** Keys that wait. */
  count(priority: KeyPriority): number {
    return this.#counts[priority];
  }

  /** Keys that were given out. */
  get outCount(): number {
    return this.#out.size;
  }

  get isOverflowed(): boolean {
    return this.#isOverflowed;
  }

  /** From 0 below 2^32; it tells a full-sync that ends whether keys were dropped since it began. */
  get dropMark(): number {
    return this.#dropMark;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Those that wait, and those that are out. */
  *entries(): IterableIterator<QueuedKey> {
    yield* this.#waiting.values();
    yield* this.#out;
  }

  /** Bytes of memory for keys of that priority. */
  roomBytes(priority: KeyPriority): number {
    // What a full-sync asks for can wait elsewhere; clients' writes find room beside it.
    const isHalf = priority === 'sync' && this.#overflow !== undefined;
    return (isHalf ? this.#maxBytes / 2 : this.#maxBytes) - this.#heldBytes;
  }

  /** `offeredMs`: now, or earlier of a key that comes back. */
  offer(id: ByteString, priority: KeyPriority, offeredMs: number): Offer {
    const known = this.#waiting.get(id);
    if (known !== undefined) known.offeredMs = Math.min(known.offeredMs, offeredMs);
    if (known !== undefined && (known.priority === priority || priority === 'sync')) return 'known';
    if (known !== undefined) {
      // A client has written it meanwhile: it goes with those, as old as it is.
      this.#remove(known);
      this.#add({ ...known, priority, isGone: false });
      return 'queued';
    }
    const isFull = sizeOf(id) > this.roomBytes(priority);
    if (isFull || this.#overflow?.hasWaiting(priority) === true) {
      const offer = this.#overflow?.take(id, priority, offeredMs) ?? 'dropped';
      if (offer === 'dropped') this.noteDropped();
      return offer;
    }
    this.#heldBytes += sizeOf(id);
    this.#add({ id, priority, offeredMs, note: undefined, isGone: false });
    return 'queued';
  }

  /** A key comes from the overflow; false: it waits here already. */
  restore(key: OutKey, note: unknown): boolean {
    const { id, priority, offeredMs } = key;
    const known = this.#waiting.get(id);
    if (known !== undefined) {
      known.offeredMs = Math.min(known.offeredMs, offeredMs);
      return false;
    }
    this.#heldBytes += sizeOf(id);
    this.#add({ id, priority, offeredMs, note, isGone: false });
    return true;
  }

  /** Keys are missing from now on that only a full-sync finds. */
  noteDropped(): void {
    this.#dropMark = (this.#dropMark + 1) >>> 0;
    this.#isOverflowed = true;
  }

  /** The first of those that wait, `max` of them at most. They are out then. */
  take(max: number, nowMs: number): OutKey[] {
    this.#wake(nowMs);
    const taken: Entry[] = [];
    for (const line of [...this.#lines['real-time'], ...this.#lines.sync]) {
      while (taken.length < max) {
        const entry = line.shift();
        if (entry === undefined) break;
        this.#forget(entry);
        taken.push(entry);
      }
    }
    for (const entry of taken) this.#out.add(entry);
    return taken;
  }

  /** They have arrived, or there is nothing to send. */
  release(keys: readonly OutKey[]): void {
    for (const key of keys) {
      const entry = key as Entry;
      this.#out.delete(entry);
      this.#heldBytes -= sizeOf(entry.id);
      this.#overflow?.ended(entry);
    }
  }

  /** They have not arrived: they are the next, in the order in which they were given out. */
  putBack(keys: readonly OutKey[]): void {
    const entries = { 'real-time': [] as Entry[], sync: [] as Entry[] };
    for (const key of keys) {
      this.#return(key, (entry) => {
        this.#note(entry);
        entries[entry.priority].push(entry);
      });
    }
    for (const priority of ['real-time', 'sync'] as const) {
      this.#lines[priority][0].unshift(entries[priority]);
    }
  }

  /** It cannot be had now: it is the last, when some time has passed. */
  rest(key: OutKey, dueMs: number): void {
    this.#return(key, (entry) => {
      this.#note(entry);
      this.#resting.push({ entry, dueMs });
    });
  }

  /** When the oldest key that waits was offered; undefined: none waits. */
  oldestMs(): number | undefined {
    const heads = [...this.#lines['real-time'], ...this.#lines.sync].flatMap(
      (line) => line.peek() ?? [],
    );
    const all = [
      ...heads,
      ...this.#resting.map(({ entry }) => entry).filter(({ isGone }) => !isGone),
    ];
    return all.length === 0 ? undefined : Math.min(...all.map(({ offeredMs }) => offeredMs));
  }

  /** A full-sync that began at that mark has gone through: it has found all that was dropped before. */
  synced(dropMark: number): void {
    if (dropMark === this.#dropMark) this.#isOverflowed = false;
  }

  /** An operator knows that nothing is missing. */
  clearOverflow(): void {
    this.#isOverflowed = false;
  }

  /** What came meanwhile for the same key goes into what comes back, which is older. */
  #return(key: OutKey, add: (entry: Entry) => void): void {
    const entry = key as Entry;
    this.#out.delete(entry);
    const known = this.#waiting.get(key.id);
    if (known !== undefined) {
      this.#remove(known);
      this.#heldBytes -= sizeOf(key.id);
      this.#overflow?.ended(known);
      if (known.priority === 'real-time') entry.priority = 'real-time';
      entry.offeredMs = Math.min(entry.offeredMs, known.offeredMs);
    }
    add(entry);
  }

  #wake(nowMs: number): void {
    if (this.#resting.length === 0) return;
    const due = this.#resting.findIndex(({ dueMs }) => dueMs > nowMs);
    const rested = this.#resting.splice(0, due < 0 ? this.#resting.length : due);
    for (const { entry } of rested) if (!entry.isGone) this.#lines[entry.priority][1].push(entry);
  }

  #add(entry: Entry): void {
    this.#note(entry);
    this.#lines[entry.priority][1].push(entry);
    if (entry.note === undefined) this.#overflow?.added(entry);
  }

  #note(entry: Entry): void {
    this.#waiting.set(entry.id, entry);
    this.#counts[entry.priority] += 1;
  }

  #forget(entry: Entry): void {
    this.#waiting.delete(entry.id);
    this.#counts[entry.priority] -= 1;
  }

  /** Its place in a line is passed over. */
  #remove(entry: Entry): void {
    this.#forget(entry);
    entry.isGone = true;
    for (const line of this.#lines[entry.priority]) line.noteGone();
  }
}

/** Of a key in memory. */
export function sizeOf(id: ByteString): number {
  return id.length + KEY_BYTES;
}

/** Gone entries above which a line is cleared of them, if they are most of it. */
const GONE_MAX = 1_024;

/** First in, first out. What is put in front costs as much as is there: it is a line of little. */
class Line {
  #items: Entry[] = [];
  #head = 0;
  /** Since it was cleared; some may be of its neighbour. */
  #gone = 0;

  push(entry: Entry): void {
    this.#items.push(entry);
  }

  /** In front of all that is there. */
  unshift(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#items = [...entries, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** The first that is not gone. */
  peek(): Entry | undefined {
    while (this.#items[this.#head]?.isGone === true) this.#head += 1;
    return this.#items[this.#head];
  }

  shift(): Entry | undefined {
    const first = this.peek();
    if (first !== undefined) this.#head += 1;
    if (this.#head > GONE_MAX && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return first;
  }

  noteGone(): void {
    this.#gone += 1;
    if (this.#gone <= GONE_MAX || this.#gone * 2 <= this.#items.length) return;
    this.#items = this.#items.slice(this.#head).filter(({ isGone }) => !isGone);
    this.#head = 0;
    this.#gone = 0;
  }
}
