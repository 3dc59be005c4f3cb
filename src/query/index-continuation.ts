/**
 * Where a page of an index query ended: the last (term, key) that a client was given, opaque to it.
 *
 *   | version 1 | length of the term 4, big-endian | term | key |
 *
 * Clients get it as text over both APIs, as from Riak: some read it as UTF-8, or give it from one API to the other.
 */

import { bytesToByteString } from '../base/bytes.ts';
import type { IndexPosition } from './match-scan.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 5;

/** As a message has it. */
export function encodeContinuation(position: IndexPosition): Buffer {
  return Buffer.from(continuationToText(position), 'latin1');
}

/** Undefined for bytes that are no continuation. */
export function decodeContinuation(bytes: Buffer): IndexPosition | undefined {
  // Messages once had it packed, not as text.
  return bytes[0] === VERSION ? unpack(bytes) : textToContinuation(bytes.toString('latin1'));
}

/** As a URL or a header has it: base64url, because a client that does not quote it would lose a `+`. */
export function continuationToText(position: IndexPosition): string {
  return pack(position).toString('base64url');
}

export function textToContinuation(text: string): IndexPosition | undefined {
  return unpack(Buffer.from(text, 'base64url'));
}

function pack({ term, key }: IndexPosition): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_SIZE_BYTES + term.length + key.length);
  bytes[0] = VERSION;
  bytes.writeUInt32BE(term.length, 1);
  bytes.write(term, HEAD_SIZE_BYTES, 'latin1');
  bytes.write(key, HEAD_SIZE_BYTES + term.length, 'latin1');
  return bytes;
}

function unpack(bytes: Buffer): IndexPosition | undefined {
  if (bytes.length < HEAD_SIZE_BYTES || bytes[0] !== VERSION) return undefined;
  const keyStart = HEAD_SIZE_BYTES + bytes.readUInt32BE(1);
  if (keyStart > bytes.length) return undefined;
  return {
    term: bytesToByteString(bytes.subarray(HEAD_SIZE_BYTES, keyStart)),
    key: bytesToByteString(bytes.subarray(keyStart)),
  };
}
