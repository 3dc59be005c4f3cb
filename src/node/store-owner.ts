/**
 * Store owner: the name of the node that a store belongs to, noted when it is first opened.
 *
 * Two nodes whose data folders were swapped would each count the other's copies, promises and marks for
 * their own. Peers cannot tell: what they remember of a node is that of another store, which may as well
 * have come to be after it. So the store itself says whose it is, and nobody else starts on it. A store of a
 * build that noted nothing belongs to who starts on it first, unless it knows that node as a peer.
 *
 *   meta 'owner' → | version 1 | name, UTF-8 | CRC-32 4 |
 */

import { crc32 } from 'node:zlib';
import { utf8ToByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { isNotedAsPeer } from './peer-starts.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('owner'));
const VERSION = 1;
const CRC_SIZE_BYTES = 4;

/** Undefined where none is noted, or the note is damaged. */
export async function findStoreOwner(store: Store): Promise<NodeId | undefined> {
  const note = await store.get(NOTE_KEY);
  return note && decodeNote(note);
}

/**
 * Durable when it resolves. Rejects with `config`, and nothing in the store was touched, if it is that of
 * another node.
 */
export async function claimStore(store: Store, self: NodeId): Promise<void> {
  const owner = await findStoreOwner(store);
  if (owner === self) return;
  if (owner !== undefined) throw refusal(self, owner);
  if (await isNotedAsPeer(store, self)) throw refusal(self, `a node that knows ${self} as another`);
  await store.write([{ kind: 'put', key: NOTE_KEY, head: encodeNote(self) }]);
}

function refusal(self: NodeId, owner: string): Fault {
  return new Fault(
    'config',
    `the data folder of ${self} holds the store of ${owner}: give each node its own data folder, or ` +
      `move this one away and start ${self} with an empty one, which its peers fill`,
  );
}

function encodeNote(name: NodeId): Buffer {
  const covered = Buffer.concat([Buffer.of(VERSION), Buffer.from(name)]);
  const checksum = Buffer.alloc(CRC_SIZE_BYTES);
  checksum.writeUInt32BE(crc32(covered));
  return Buffer.concat([covered, checksum]);
}

function decodeNote(note: Buffer): NodeId | undefined {
  const nameEnd = note.length - CRC_SIZE_BYTES;
  if (nameEnd <= 1 || note[0] !== VERSION) return undefined;
  if (note.readUInt32BE(nameEnd) !== crc32(note.subarray(0, nameEnd))) return undefined;
  return note.toString('utf8', 1, nameEnd) as NodeId;
}
