/**
 * The node's identity: what makes its dots its own, for ever.
 *
 * It lives in two entries of the store. Each start draws a mark, and its actors begin with it: no copy
 * of the store can issue a dot that another has issued, however old it is and whoever knows of it. Only
 * after a clean stop may the actors of before go on, which keeps contexts short; a stop is in a copy as
 * it is in the disk, so that is for peers to allow: a majority of them must say that they know this
 * store's start of before, and none since (`continueActors`). Who issues a dot sooner begins afresh. The
 * mark of a clean stop is taken away, durably, before anything else is written.
 *
 *   meta 'identity' → | version 1 | actors' identity 8 | actor epoch 4 | incarnation varint | flags 1 |
 *                     | key epoch varint | CRC-32 4 |
 *   meta 'starts'   → | version 1 | origin | count varint | starts | CRC-32 4 |,
 *                     a start: | incarnation varint | mark 8 |
 *
 * What may have forgotten begins a new lineage (`base/lineage.ts`), so that peers do not take it for a
 * copy that was put back in secret, which they refuse. It counts its incarnations from the wall clock,
 * so that it comes after all those of the one that it follows and is let in to be filled again; where
 * that clock was behind, one that no peer has admitted yet may be raised above what they remember.
 */

import { crc32 } from 'node:zlib';
import { bytesToByteString, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { assert } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import {
  extendLineage,
  lastStart,
  newLineage,
  renumbered,
  START_MARK_SIZE_BYTES,
  type Lineage,
  type Start,
} from '../base/lineage.ts';
import {
  actorPrefix,
  encodeActor,
  KEY_EPOCH_MAX,
  NODE_IDENTITY_SIZE_BYTES,
} from '../clock/actor.ts';
import type { ActorPrefix, NodeIdentity } from '../clock/actor.ts';
import type { Actor } from '../clock/version-vector.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store, WriteOperation } from '../storage/store.ts';

export interface IdentityOptions {
  /** The store was restored, repaired or found damaged. Default false. */
  readonly mayHaveForgotten?: boolean;
  /** What is to be stored with a new identity, in one batch; `isEmpty`: there was none before. */
  readonly withNew?: (isEmpty: boolean) => readonly WriteOperation[];
}

const ENTRY_KEY = encodeMetaKey(utf8ToByteString('identity'));
const STARTS_KEY = encodeMetaKey(utf8ToByteString('starts'));
const VERSION = 1;
const CRC_SIZE_BYTES = 4;
/** Any clock's count: years to come without end remain above it, a start each. */
const FIRST_INCARNATION_MAX = 2 ** 52;

/** Flags; others are of later releases. The release before knows the first alone. */
const CLEAN = 1;
const NEVER_LINKED = 2;

/** Whose dots they are; the actor epoch is 1 but in stores of builds that counted it up. */
interface Actors {
  readonly identity: NodeIdentity;
  readonly actorEpoch: number;
  readonly lastKeyEpoch: number;
}

interface IdentityEntry extends Actors {
  readonly incarnation: number;
  /** Whether nothing has been written since the key epoch was noted. */
  readonly isClean: boolean;
  /** Whether no peer has admitted it since it was made. */
  readonly isNeverLinked: boolean;
}

/** What a start finds, and what it makes of it. */
interface Opening {
  readonly entry: IdentityEntry;
  readonly lineage: Lineage;
  /** Of before a clean stop. */
  readonly actorsBefore: Actors | undefined;
}

export class Identity {
  /** No peer had admitted it when it was opened: whoever peers remember was there before it. */
  readonly wasNeverLinked: boolean;
  readonly #store: Store;
  readonly #actorsOfStart: Actors;
  /** What the store was told last. */
  #noted: IdentityEntry;
  #lineage: Lineage;
  #actors: Actors;
  #prefix: ActorPrefix;
  #lastKeyEpoch: number;
  #isUndecided: boolean;
  #mayStopCleanly = true;
  #isLinkNoted = false;
  #isClosed = false;

  constructor(store: Store, { entry, lineage, actorsBefore }: Opening) {
    this.#store = store;
    this.wasNeverLinked = entry.isNeverLinked;
    this.#noted = entry;
    this.#lineage = lineage;
    this.#actorsOfStart = entry;
    this.#isUndecided = actorsBefore !== undefined;
    this.#actors = actorsBefore ?? entry;
    this.#lastKeyEpoch = this.#actors.lastKeyEpoch;
    this.#prefix = prefixOf(this.#actors);
  }

  /** Rises by one at each start of this store; peers refuse a lower one than they have seen. */
  get incarnation(): number {
    return lastStart(this.#lineage).incarnation;
  }

  /** Of this start alone. */
  get mark(): ByteString {
    return lastStart(this.#lineage).mark;
  }

  get lineage(): Lineage {
    return this.#lineage;
  }

  /** What the actors in use begin with; those of before a clean stop until it is decided. */
  get prefix(): ActorPrefix {
    return this.#prefix;
  }

  /** Whether the actors of before a clean stop may still go on. */
  get isUndecided(): boolean {
    return this.#isUndecided;
  }

  /** The key epoch that was used last. */
  get lastKeyEpoch(): number {
    return this.#lastKeyEpoch;
  }

  /**
   * The actors of before go on: a majority of the other members knows this store's start of before, and
   * none since. Without effect once it is decided.
   */
  continueActors(): void {
    this.#isUndecided = false;
  }

  /** The actors are this start's own. Without effect once it is decided. */
  beginAfresh(): void {
    if (!this.#isUndecided) return;
    this.#isUndecided = false;
    this.#actors = this.#actorsOfStart;
    this.#prefix = prefixOf(this.#actors);
    this.#lastKeyEpoch = 0;
  }

  /** Above all that were used with these actors. */
  freshKeyEpoch(): number {
    assert(!this.#isClosed, 'a closed identity issues nothing');
    assert(!this.#isUndecided, 'who issues has decided which actors are its own');
    assert(this.#lastKeyEpoch < KEY_EPOCH_MAX, 'key epochs of an actor epoch suffice');
    this.#lastKeyEpoch += 1;
    return this.#lastKeyEpoch;
  }

  freshActor(): Actor {
    this.beginAfresh();
    const { identity, actorEpoch } = this.#actors;
    return encodeActor({ identity, actorEpoch, keyEpoch: this.freshKeyEpoch() });
  }

  /** Durable when it resolves, and in force from then on; a lower one changes nothing. */
  async raiseIncarnation(incarnation: number): Promise<void> {
    assert(this.wasNeverLinked, 'only who has never been admitted counts anew');
    if (this.#isClosed || incarnation <= this.incarnation) return;
    await this.#note({ incarnation: Math.max(incarnation, this.#noted.incarnation) });
    this.#lineage = renumbered(this.#lineage, Math.max(incarnation, this.incarnation));
  }

  /** Notes durably that a peer has admitted it. Idempotent; after a failure it may be tried again. */
  async noteLinked(): Promise<void> {
    if (this.#isClosed || !this.wasNeverLinked || this.#isLinkNoted) return;
    this.#isLinkNoted = true;
    try {
      await this.#note({ isNeverLinked: false });
    } catch (error) {
      this.#isLinkNoted = false;
      throw error;
    }
  }

  /** From now on the next start begins afresh, however this one stops. */
  forbidCleanStop(): void {
    this.#mayStopCleanly = false;
  }

  /**
   * Notes durably that all dots issued are in the store, which must be so: no write is under way and
   * none follows. Without effect after `forbidCleanStop`. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#mayStopCleanly) return;
    const { identity, actorEpoch } = this.#actors;
    const lastKeyEpoch = this.#lastKeyEpoch;
    await this.#note({ isClean: true, identity, actorEpoch, lastKeyEpoch });
  }

  #note(changes: Partial<IdentityEntry>): Promise<void> {
    this.#noted = { ...this.#noted, ...changes };
    const { incarnation } = this.#noted;
    return writeEntries(this.#store, this.#noted, renumbered(this.#lineage, incarnation));
  }
}

/** Durable when it resolves; the first thing that is done with a store that was opened. */
export async function openIdentity(
  store: Store,
  host: Host,
  options: IdentityOptions = {},
): Promise<Identity> {
  const bytes = await store.get(ENTRY_KEY);
  const found = bytes === undefined ? undefined : decodeEntry(bytes);
  if (bytes !== undefined && found === undefined) {
    host.metrics.count('replica_identity_corrupt');
    host.log.error('replica.identity.corrupt', { remedy: 'a new identity is made' });
  }
  const startsBytes = await store.get(STARTS_KEY);
  const starts = startsBytes === undefined ? undefined : decodeStarts(startsBytes);
  const isNew = found === undefined || (options.mayHaveForgotten ?? false);
  const opening = isNew ? newOpening(host) : nextOpening(host, found, starts);
  const beside = isNew ? options.withNew?.(bytes === undefined) : undefined;
  await writeEntries(store, opening.entry, opening.lineage, beside);
  const { incarnation } = opening.entry;
  const isAfterCleanStop = opening.actorsBefore !== undefined;
  host.log.info('replica.identity.opened', { incarnation, isNew, isAfterCleanStop });
  return new Identity(store, opening);
}

function newOpening(host: Host): Opening {
  // A start takes longer than a millisecond, so no older store can have counted this far.
  const incarnation = firstIncarnation(host.clock.wallMicros());
  const start = newStart(host, incarnation);
  const entry = { ...entryOf(start), isNeverLinked: true };
  return { entry, lineage: newLineage(start), actorsBefore: undefined };
}

function nextOpening(host: Host, found: IdentityEntry, before: Lineage | undefined): Opening {
  const start = newStart(host, found.incarnation + 1);
  const { isNeverLinked } = found;
  // Nobody knows a start that nobody has admitted, and the count may have been raised since.
  const lineage =
    before === undefined || isNeverLinked ? newLineage(start) : extendLineage(before, start);
  // A build without marks may have run in between.
  const isLast = before !== undefined && lastStart(before).incarnation === found.incarnation;
  const actorsBefore = found.isClean && isLast ? found : undefined;
  return { entry: { ...entryOf(start), isNeverLinked }, lineage, actorsBefore };
}

function newStart(host: Host, incarnation: number): Start {
  return { incarnation, mark: bytesToByteString(host.random.bytes(START_MARK_SIZE_BYTES)) };
}

function entryOf({ mark, incarnation }: Start): Omit<IdentityEntry, 'isNeverLinked'> {
  const identity = mark as NodeIdentity;
  return { identity, actorEpoch: 1, lastKeyEpoch: 0, incarnation, isClean: false };
}

function prefixOf({ identity, actorEpoch }: Actors): ActorPrefix {
  return actorPrefix(identity, actorEpoch);
}

function firstIncarnation(wallMicros: number): number {
  return Math.min(Math.max(1, Math.floor(wallMicros / 1_000)), FIRST_INCARNATION_MAX);
}

function writeEntries(
  store: Store,
  entry: IdentityEntry,
  lineage: Lineage,
  beside: readonly WriteOperation[] = [],
): Promise<void> {
  return store.write([
    { kind: 'put', key: ENTRY_KEY, head: encodeEntry(entry) },
    { kind: 'put', key: STARTS_KEY, head: encodeStarts(lineage) },
    ...beside,
  ]);
}

function encodeEntry(entry: IdentityEntry): Buffer {
  const writer = new ByteWriter(40);
  writer.u8(VERSION);
  writer.byteString(entry.identity);
  writer.u32(entry.actorEpoch);
  writer.varint(entry.incarnation);
  writer.u8((entry.isClean ? CLEAN : 0) | (entry.isNeverLinked ? NEVER_LINKED : 0));
  writer.varint(entry.lastKeyEpoch);
  writer.u32(crc32(writer.written()));
  return writer.written();
}

/** Undefined for bytes that no `encodeEntry` made. */
function decodeEntry(bytes: Buffer): IdentityEntry | undefined {
  const reader = openChecked(bytes);
  if (reader === undefined) return undefined;
  const identity = reader.byteString(NODE_IDENTITY_SIZE_BYTES) as NodeIdentity;
  const actorEpoch = reader.u32();
  const incarnation = reader.varint();
  const flags = reader.u8();
  const entry = {
    identity,
    actorEpoch,
    incarnation,
    isClean: (flags & CLEAN) !== 0,
    isNeverLinked: (flags & NEVER_LINKED) !== 0,
    lastKeyEpoch: reader.varint(),
  };
  return reader.isSound && reader.remaining === 0 ? entry : undefined;
}

function encodeStarts({ origin, starts }: Lineage): Buffer {
  const writer = new ByteWriter(40 + 20 * starts.length);
  writer.u8(VERSION);
  writeStart(writer, origin);
  writer.varint(starts.length);
  for (const start of starts) writeStart(writer, start);
  writer.u32(crc32(writer.written()));
  return writer.written();
}

function writeStart(writer: ByteWriter, { incarnation, mark }: Start): void {
  writer.varint(incarnation);
  writer.byteString(mark);
}

/** Undefined for bytes that no `encodeStarts` made: nothing can be continued then. */
function decodeStarts(bytes: Buffer): Lineage | undefined {
  const reader = openChecked(bytes);
  if (reader === undefined) return undefined;
  const origin = readStart(reader);
  const count = reader.varint();
  const starts: Start[] = [];
  while (starts.length < count && reader.isSound) starts.push(readStart(reader));
  return reader.isSound && reader.remaining === 0 ? { origin, starts } : undefined;
}

function readStart(reader: ByteReader): Start {
  return { incarnation: reader.varint(), mark: reader.byteString(START_MARK_SIZE_BYTES) };
}

/** What is between the version and the checksum; undefined where one of them is another. */
function openChecked(bytes: Buffer): ByteReader | undefined {
  const covered = bytes.subarray(0, Math.max(bytes.length - CRC_SIZE_BYTES, 0));
  const trailer = new ByteReader(bytes.subarray(covered.length));
  if (trailer.u32() !== crc32(covered) || !trailer.isSound) return undefined;
  const reader = new ByteReader(covered);
  return reader.u8() === VERSION ? reader : undefined;
}
