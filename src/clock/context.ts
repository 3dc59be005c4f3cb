/**
 * The context as clients carry it: opaque bytes (the "vclock" of both wire APIs).
 *
 *   | version 1 | groups varint | group … | CRC-32 4 |
 *   group = | node identity 8 | entries varint | entry … |, by identity
 *   entry = | actor epoch varint | key epoch varint | counter varint |, by epochs
 *
 * Clients return what they were given, and sometimes what another server gave them, or garbage: the
 * order, the ranges and the CRC say which it is. Equal vectors encode alike.
 */

import { crc32 } from 'node:zlib';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import {
  ACTOR_EPOCH_MAX,
  KEY_EPOCH_MAX,
  NODE_IDENTITY_SIZE_BYTES,
  decodeActor,
  encodeActor,
} from './actor.ts';
import { EMPTY_VERSION_VECTOR } from './version-vector.ts';
import type { NodeIdentity } from './actor.ts';
import type { Actor, VersionVector } from './version-vector.ts';

/** Contexts above this are refused; room for thousands of actors, where three are usual. */
export const CONTEXT_SIZE_MAX_BYTES = 64 * 1024;

const VERSION = 1;
const CRC_SIZE_BYTES = 4;

/** The empty vector becomes bytes too, which decode to it. */
export function encodeContext(vector: VersionVector): Buffer {
  const writer = new ByteWriter(16 + vector.size * 24);
  const actors = [...vector.keys()];
  if (actors.length > 1) actors.sort();
  writer.u8(VERSION);
  writer.varint(countGroups(actors));
  for (let first = 0; first < actors.length;) {
    const end = groupEnd(actors, first);
    writer.byteString(identityOf(actors[first] as Actor));
    writer.varint(end - first);
    for (; first < end; first += 1) {
      const actor = actors[first] as Actor;
      const { actorEpoch, keyEpoch } = decodeActor(actor);
      writer.varint(actorEpoch);
      writer.varint(keyEpoch);
      writer.varint(vector.get(actor) ?? 0);
    }
  }
  writer.u32(crc32(writer.written()));
  return writer.written();
}

/** Undefined for what no encoder here made; no bytes at all are the empty vector. Never throws. */
export function decodeContext(bytes: Uint8Array): VersionVector | undefined {
  if (bytes.length === 0) return EMPTY_VERSION_VECTOR;
  if (bytes.length <= CRC_SIZE_BYTES || bytes.length > CONTEXT_SIZE_MAX_BYTES) return undefined;
  const covered = bytes.subarray(0, bytes.length - CRC_SIZE_BYTES);
  if (new ByteReader(bytes.subarray(covered.length)).u32() !== crc32(covered)) return undefined;

  const reader = new ByteReader(covered);
  if (reader.u8() !== VERSION) return undefined;
  const vector = new Map<Actor, number>();
  const groupCount = reader.varint();
  let previous = '';
  for (let group = 0; group < groupCount && reader.isSound; group += 1) {
    const identity = reader.byteString(NODE_IDENTITY_SIZE_BYTES) as NodeIdentity;
    const entryCount = reader.varint();
    if (entryCount === 0) return undefined;
    for (let entry = 0; entry < entryCount; entry += 1) {
      const actor = readActor(reader, identity);
      const counter = reader.varint();
      if (!reader.isSound || actor === undefined || actor <= previous || counter === 0) {
        return undefined;
      }
      vector.set(actor, counter);
      previous = actor;
    }
  }
  return reader.isSound && reader.remaining === 0 ? vector : undefined;
}

/** An actor begins with its node's identity, so sorted actors of one node stand side by side. */
function countGroups(actors: readonly Actor[]): number {
  let count = 0;
  for (let first = 0; first < actors.length; first = groupEnd(actors, first)) count += 1;
  return count;
}

/** The index behind the actors of the node that `actors[first]` is of. */
function groupEnd(actors: readonly Actor[], first: number): number {
  const identity = identityOf(actors[first] as Actor);
  let end = first + 1;
  while (end < actors.length && actors[end]?.startsWith(identity) === true) end += 1;
  return end;
}

function identityOf(actor: Actor): NodeIdentity {
  return actor.slice(0, NODE_IDENTITY_SIZE_BYTES) as NodeIdentity;
}

function readActor(reader: ByteReader, identity: NodeIdentity): Actor | undefined {
  const actorEpoch = reader.varint();
  const keyEpoch = reader.varint();
  if (!reader.isSound || actorEpoch > ACTOR_EPOCH_MAX || keyEpoch > KEY_EPOCH_MAX) {
    return undefined;
  }
  return encodeActor({ identity, actorEpoch, keyEpoch });
}
