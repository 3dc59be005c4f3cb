/**
 * The node's identity: what makes its dots its own, for ever.
 *
 * It lives in one entry of the store, and was made with it. Opening it raises the actor epoch unless
 * the node before had stopped cleanly with the very same store: then every dot it issued is in the
 * store too, and the actors of its keys may go on. The mark of a clean stop is taken away, durably,
 * before anything else is written, so a node that is killed finds none.
 *
 *   | version 1 | identity 8 | actor epoch 4 | incarnation varint | flags 1 | key epoch varint | CRC-32 4 |
 *
 * A store that was restored from a copy cannot be told from the one it was copied from by itself:
 * whoever restores says so (`mayHaveForgotten`), and peers refuse an older incarnation. What may have
 * forgotten is given a new identity: raising the epoch by one would meet the epoch that the store had
 * after the copy was made. A new identity counts its incarnations from the wall clock, so that it comes
 * after all those of the one that it follows and is let in to be filled again; where that clock was
 * behind, one that no peer has admitted yet may be raised above what they remember.
 */

import { crc32 } from 'node:zlib';
import { bytesToByteString, utf8ToByteString } from '../base/bytes.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { assert } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
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
const VERSION = 1;
const ACTOR_EPOCH_MAX = 2 ** 32 - 1;
const CRC_SIZE_BYTES = 4;
/** Any clock's count: years to come without end remain above it, a start each. */
const FIRST_INCARNATION_MAX = 2 ** 52;

/** Flags; others are of later releases. The release before knows the first alone. */
const CLEAN = 1;
const NEVER_LINKED = 2;

interface IdentityEntry {
  readonly identity: NodeIdentity;
  readonly actorEpoch: number;
  readonly incarnation: number;
  /** Whether nothing has been written since the key epoch was noted. */
  readonly isClean: boolean;
  /** Whether no peer has admitted it since it was made. */
  readonly isNeverLinked: boolean;
  readonly lastKeyEpoch: number;
}

export class Identity {
  readonly identity: NodeIdentity;
  readonly actorEpoch: number;
  /** No peer had admitted it when it was opened: whoever peers remember was there before it. */
  readonly wasNeverLinked: boolean;
  /** What the actors of this actor epoch begin with. */
  readonly prefix: ActorPrefix;
  readonly #store: Store;
  /** What the store was told last. */
  #noted: IdentityEntry;
  #incarnation: number;
  #lastKeyEpoch: number;
  #mayStopCleanly = true;
  #isLinkNoted = false;
  #isClosed = false;

  constructor(store: Store, entry: IdentityEntry) {
    this.#store = store;
    this.identity = entry.identity;
    this.actorEpoch = entry.actorEpoch;
    this.wasNeverLinked = entry.isNeverLinked;
    this.#noted = entry;
    this.#incarnation = entry.incarnation;
    this.prefix = actorPrefix(entry.identity, entry.actorEpoch);
    this.#lastKeyEpoch = entry.lastKeyEpoch;
  }

  /** Rises by one at each start of this store; peers refuse a lower one than they have seen. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** The key epoch that was used last. */
  get lastKeyEpoch(): number {
    return this.#lastKeyEpoch;
  }

  /** Above all that were used in this actor epoch. */
  freshKeyEpoch(): number {
    assert(!this.#isClosed, 'a closed identity issues nothing');
    assert(this.#lastKeyEpoch < KEY_EPOCH_MAX, 'key epochs of an actor epoch suffice');
    this.#lastKeyEpoch += 1;
    return this.#lastKeyEpoch;
  }

  freshActor(): Actor {
    const { identity, actorEpoch } = this;
    return encodeActor({ identity, actorEpoch, keyEpoch: this.freshKeyEpoch() });
  }

  /** Durable when it resolves, and in force from then on; a lower one changes nothing. */
  async raiseIncarnation(incarnation: number): Promise<void> {
    assert(this.wasNeverLinked, 'only who has never been admitted counts anew');
    if (this.#isClosed || incarnation <= this.#incarnation) return;
    await this.#note({ incarnation: Math.max(incarnation, this.#noted.incarnation) });
    this.#incarnation = Math.max(incarnation, this.#incarnation);
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

  /** From now on the next start raises the actor epoch, however this one stops. */
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
    await this.#note({ isClean: true, lastKeyEpoch: this.#lastKeyEpoch });
  }

  #note(changes: Partial<IdentityEntry>): Promise<void> {
    this.#noted = { ...this.#noted, ...changes };
    return writeEntry(this.#store, this.#noted);
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
  const continued = entryAtStart(found, options.mayHaveForgotten ?? false);
  const entry = continued ?? newEntry(host);
  const beside = continued === undefined ? options.withNew?.(bytes === undefined) : undefined;
  await writeEntry(store, entry, beside);
  const { actorEpoch, incarnation } = entry;
  const isNew = continued === undefined;
  host.log.info('replica.identity.opened', { actorEpoch, incarnation, isNew });
  return new Identity(store, entry);
}

/** Undefined where only a new identity will do. */
function entryAtStart(
  found: IdentityEntry | undefined,
  mayHaveForgotten: boolean,
): IdentityEntry | undefined {
  if (found === undefined || mayHaveForgotten) return undefined;
  const incarnation = found.incarnation + 1;
  if (found.isClean) return { ...found, incarnation, isClean: false };
  if (found.actorEpoch === ACTOR_EPOCH_MAX) return undefined;
  const actorEpoch = found.actorEpoch + 1;
  return { ...found, actorEpoch, incarnation, isClean: false, lastKeyEpoch: 0 };
}

function newEntry(host: Host): IdentityEntry {
  return {
    identity: bytesToByteString(host.random.bytes(NODE_IDENTITY_SIZE_BYTES)) as NodeIdentity,
    actorEpoch: 1,
    // A start takes longer than a millisecond, so no older store can have counted this far.
    incarnation: firstIncarnation(host.clock.wallMicros()),
    isClean: false,
    isNeverLinked: true,
    lastKeyEpoch: 0,
  };
}

function firstIncarnation(wallMicros: number): number {
  return Math.min(Math.max(1, Math.floor(wallMicros / 1_000)), FIRST_INCARNATION_MAX);
}

function writeEntry(
  store: Store,
  entry: IdentityEntry,
  beside: readonly WriteOperation[] = [],
): Promise<void> {
  const writer = new ByteWriter(40);
  writer.u8(VERSION);
  writer.byteString(entry.identity);
  writer.u32(entry.actorEpoch);
  writer.varint(entry.incarnation);
  writer.u8((entry.isClean ? CLEAN : 0) | (entry.isNeverLinked ? NEVER_LINKED : 0));
  writer.varint(entry.lastKeyEpoch);
  writer.u32(crc32(writer.written()));
  return store.write([{ kind: 'put', key: ENTRY_KEY, head: writer.written() }, ...beside]);
}

/** Undefined for bytes that no `writeEntry` made. */
function decodeEntry(bytes: Buffer): IdentityEntry | undefined {
  const covered = bytes.subarray(0, Math.max(bytes.length - CRC_SIZE_BYTES, 0));
  const trailer = new ByteReader(bytes.subarray(covered.length));
  if (trailer.u32() !== crc32(covered) || !trailer.isSound) return undefined;
  const reader = new ByteReader(covered);
  if (reader.u8() !== VERSION) return undefined;
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
