/**
 * The ledger: what a migration remembers of each key, in a LevelDB folder of its own.
 *
 *   | 0x00                                        | → JSON: ends, pass, cursor |
 *   | 0x01 | type length 2 | type | bucket length 2 | bucket | key | →
 *       | state 1 | pass 4 | version at the first end 16 | version at the second end 16 |
 *   state = 1 for `same`, 2 for `writing`; 4 more where the pass could not settle the key
 *
 * The ends are named once, by the first copy; a copy the other way reads each entry the other way
 * round. Entries stand in the order of the keys, so a pass writes them one behind another. They are
 * synced once a second, and before several siblings are written: a machine that dies forgets at most so
 * much, and these keys count as never copied. The ledger holds keys: patient data.
 */

import { chmod, mkdir, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Level } from 'level';
import { byteStringToBytes } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Version } from './carried-object.ts';
import type { Entry } from './decide.ts';
import { cursorToText, textToCursor } from './walk.ts';
import type { Cursor, CursorText } from './walk.ts';

export interface LedgerOptions {
  readonly folder: string;
  /** `host:port`, or a file. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** The copy goes the other way than the first one did. */
  readonly isReverse: boolean;
}

interface Notes {
  readonly format: 1;
  readonly first: readonly string[];
  readonly second: readonly string[];
  readonly pass: number;
  /** What the pass under way is about; absent: the last one came to its end. */
  readonly scope?: string;
  readonly cursor?: CursorText;
  /** Objects of the pass under way, up to the cursor, that have to be looked at. */
  readonly unsettled?: number;
  /** Objects that the last whole pass met. */
  readonly objects?: number;
}

export interface PassStart {
  readonly cursor: Cursor | undefined;
  readonly isResumed: boolean;
  /** Objects up to the cursor that have to be looked at. */
  readonly unsettledBefore: number;
  /** Of the last pass with the same scope, for an estimate. */
  readonly objectsExpected: number | undefined;
}

const NOTES_KEY = Buffer.of(0);
const ENTRY = 1;
const ENTRY_SIZE_BYTES = 37;
const UNMET_BATCH_COUNT = 1_000;
const SYNC_INTERVAL_MS = 1_000;
const SAME = 1;
const WRITING = 2;
const OPEN = 4;

export class Ledger {
  readonly #database: Level<Buffer, Buffer>;
  readonly #isReverse: boolean;
  #notes: Notes;
  #notedMs = -Infinity;
  #syncedMs = -Infinity;

  private constructor(database: Level<Buffer, Buffer>, notes: Notes, isReverse: boolean) {
    this.#database = database;
    this.#notes = notes;
    this.#isReverse = isReverse;
  }

  /** Makes it where there is none; rejects with `config` where it is of other ends. */
  static async open({ folder, from, to, isReverse }: LedgerOptions): Promise<Ledger> {
    const place = resolve(folder);
    await mkdir(place, { recursive: true, mode: 0o700 });
    const names = await readdir(place);
    // Somebody may name a folder of the system's.
    if (!names.includes('CURRENT') && !names.every(isOfLevelDb)) throw somethingElse(folder);
    await chmod(place, 0o700);
    const database = new Level<Buffer, Buffer>(place, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    try {
      await database.open();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      const why = cause instanceof Error ? cause.message : String(error);
      throw new Fault('config', `the ledger ${folder} cannot be opened: ${why}`, { cause: error });
    }
    try {
      const bytes = await database.get(NOTES_KEY);
      if (bytes === undefined && !(await isEmpty(database))) {
        throw somethingElse(folder);
      }
      const ends = isReverse ? { first: to, second: from } : { first: from, second: to };
      const notes: Notes =
        bytes === undefined ? { format: 1, ...ends, pass: 0 } : readNotes(bytes, folder);
      mustFit(notes, { from, to, isReverse, isNew: bytes === undefined });
      return new Ledger(database, notes, isReverse);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  get pass(): number {
    return this.#notes.pass;
  }

  /** Goes on with a pass over the same scope that did not come to its end, or begins one. */
  async begin(scope: string): Promise<PassStart> {
    const own = JSON.stringify([scope, this.#isReverse]);
    const { scope: open, cursor, unsettled, objects: objectsExpected, ...rest } = this.#notes;
    if (open === own) {
      const from = cursor && textToCursor(cursor);
      return { cursor: from, isResumed: true, unsettledBefore: unsettled ?? 0, objectsExpected };
    }
    const objects = objectsExpected === undefined ? {} : { objects: objectsExpected };
    await this.#note({ ...rest, ...objects, pass: this.#notes.pass + 1, scope: own });
    return { cursor: undefined, isResumed: false, unsettledBefore: 0, objectsExpected };
  }

  /**
   * All up to here has been looked at, and so many of the pass have to be looked at again. Written now
   * and then: what is seen twice does no harm.
   */
  async checkpoint(cursor: Cursor, unsettled: number): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#notedMs < SYNC_INTERVAL_MS) return;
    this.#notedMs = nowMs;
    await this.#note({ ...this.#notes, cursor: cursorToText(cursor), unsettled });
  }

  /** At once: keys that are not listed any more are not met again by who goes on with the pass. */
  async noteUnsettled(unsettled: number): Promise<void> {
    if ((this.#notes.unsettled ?? 0) < unsettled) await this.#note({ ...this.#notes, unsettled });
  }

  /** The pass has come to its end. */
  async finish(objects: number): Promise<void> {
    const { scope: _scope, cursor: _cursor, unsettled: _unsettled, ...rest } = this.#notes;
    await this.#note({ ...rest, objects });
  }

  async getMany(keys: readonly ObjectKey[]): Promise<readonly (Entry | undefined)[]> {
    const found = await this.#database.getMany(keys.map(entryKey));
    return found.map((bytes) => (bytes === undefined ? undefined : this.#read(bytes)));
  }

  async put(key: ObjectKey, entry: Entry): Promise<void> {
    const { pass, source, target, isOpen = false } = entry;
    const bytes = Buffer.allocUnsafe(ENTRY_SIZE_BYTES);
    bytes[0] = (entry.state === 'same' ? SAME : WRITING) | (isOpen ? OPEN : 0);
    bytes.writeUInt32BE(pass, 1);
    const [first, second] = this.#isReverse ? [target, source] : [source, target];
    bytes.write(first, 5, 'latin1');
    bytes.write(second, 21, 'latin1');
    const nowMs = performance.now();
    // Half of the siblings without a note of who brought them would pass for a client's own.
    const isDue = entry.state === 'writing' || nowMs - this.#syncedMs >= SYNC_INTERVAL_MS;
    if (isDue) this.#syncedMs = nowMs;
    // LevelDB has one log: with this entry all before it are on disk.
    await this.#database.put(entryKey(key), bytes, { sync: isDue });
  }

  /** The keys of a type that the pass under way has not met, with what is known of them. */
  async *unmet(type: ByteString): AsyncGenerator<readonly (readonly [ObjectKey, Entry])[]> {
    const start = Buffer.concat([Buffer.of(ENTRY), lengthAndBytes(type)]);
    const entries = this.#database.iterator({ gte: start });
    try {
      for (;;) {
        const batch = await entries.nextv(UNMET_BATCH_COUNT);
        const ours = batch.filter(([key]) => key.subarray(0, start.length).equals(start));
        const found = ours.map(([key, bytes]) => [readKey(key), this.#read(bytes)] as const);
        yield found.filter(([, entry]) => entry.pass < this.pass);
        if (batch.length === 0 || ours.length < batch.length) return;
      }
    } finally {
      await entries.close();
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #read(bytes: Buffer): Entry {
    if (bytes.length !== ENTRY_SIZE_BYTES) {
      throw new Fault('store-corrupt', 'the ledger holds an entry that is none');
    }
    const state = bytes.readUInt8(0);
    const first = bytes.toString('latin1', 5, 21) as Version;
    const second = bytes.toString('latin1', 21, 37) as Version;
    return {
      state: (state & SAME) === SAME ? 'same' : 'writing',
      isOpen: (state & OPEN) === OPEN,
      pass: bytes.readUInt32BE(1),
      source: this.#isReverse ? second : first,
      target: this.#isReverse ? first : second,
    };
  }

  async #note(notes: Notes): Promise<void> {
    const value = Buffer.from(JSON.stringify(notes));
    await this.#database.batch([{ type: 'put', key: NOTES_KEY, value }], { sync: true });
    this.#notes = notes;
  }
}

/** Also what an opening leaves that was ended before there was a database. */
function isOfLevelDb(name: string): boolean {
  return /^(LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(log|dbtmp))$/.test(name);
}

function somethingElse(folder: string): Fault {
  return new Fault('config', `${folder} holds something else than a ledger`);
}

/** Somebody may name the store of a node. */
async function isEmpty(database: Level<Buffer, Buffer>): Promise<boolean> {
  return (await database.keys({ limit: 1 }).all()).length === 0;
}

/**
 * A ledger that is read the wrong way round would take every old copy for a change, and to another
 * target nothing would be copied that stands in it.
 */
function mustFit(
  notes: Notes,
  use: Pick<LedgerOptions, 'from' | 'to' | 'isReverse'> & { readonly isNew: boolean },
): void {
  if (use.isNew) {
    if (use.isReverse) throw new Fault('config', 'a copy back needs the ledger of the copy');
    return;
  }
  const source = use.isReverse ? notes.second : notes.first;
  const target = use.isReverse ? notes.first : notes.second;
  const isOf = (places: readonly string[], end: readonly string[], other: readonly string[]) =>
    places.some((place) => end.includes(place) && !other.includes(place));
  if (isOf(use.from, source, target) && isOf(use.to, target, source)) return;
  const isTurned = isOf(use.from, target, source);
  const hint = isTurned
    ? use.isReverse
      ? ': leave out --reverse'
      : ': add --reverse'
    : ': name a node of each';
  throw new Fault(
    'config',
    `the ledger is of a copy from ${notes.first.join(',')} to ${notes.second.join(',')}${hint}`,
  );
}

function readNotes(bytes: Buffer, folder: string): Notes {
  try {
    const notes = JSON.parse(bytes.toString()) as Notes;
    if (notes.format === 1) return notes;
  } catch {
    // Said below.
  }
  throw new Fault('config', `${folder} is no ledger that this release can read`);
}

function entryKey({ type, bucket, key }: ObjectKey): Buffer {
  return Buffer.concat([
    Buffer.of(ENTRY),
    lengthAndBytes(type),
    lengthAndBytes(bucket),
    byteStringToBytes(key),
  ]);
}

function lengthAndBytes(name: ByteString): Buffer {
  const bytes = Buffer.allocUnsafe(2 + name.length);
  bytes.writeUInt16BE(name.length, 0);
  bytes.write(name, 2, 'latin1');
  return bytes;
}

function readKey(bytes: Buffer): ObjectKey {
  const typeEnd = 3 + bytes.readUInt16BE(1);
  const bucketEnd = typeEnd + 2 + bytes.readUInt16BE(typeEnd);
  const name = (start: number, end: number) => bytes.toString('latin1', start, end) as ByteString;
  return {
    type: name(3, typeEnd),
    bucket: name(typeEnd + 2, bucketEnd),
    key: name(bucketEnd, bytes.length),
  };
}
