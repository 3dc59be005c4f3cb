/**
 * Where a page ended, opaque to clients: the last (term, key) that they were given.
 *
 *   | version 1 | length of the term 4, big-endian | term | key |
 */

import { bytesToByteString } from '../../base/bytes.ts';
import type { ByteString } from '../../base/bytes.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 5;

export interface IndexPosition {
  readonly term: ByteString;
  readonly key: ByteString;
}

export function encodeContinuation({ term, key }: IndexPosition): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_SIZE_BYTES + term.length + key.length);
  bytes[0] = VERSION;
  bytes.writeUInt32BE(term.length, 1);
  bytes.write(term, HEAD_SIZE_BYTES, 'latin1');
  bytes.write(key, HEAD_SIZE_BYTES + term.length, 'latin1');
  return bytes;
}

/** Undefined for bytes that are no continuation. */
export function decodeContinuation(bytes: Buffer): IndexPosition | undefined {
  if (bytes.length < HEAD_SIZE_BYTES || bytes[0] !== VERSION) return undefined;
  const keyStart = HEAD_SIZE_BYTES + bytes.readUInt32BE(1);
  if (keyStart > bytes.length) return undefined;
  return {
    term: bytesToByteString(bytes.subarray(HEAD_SIZE_BYTES, keyStart)),
    key: bytesToByteString(bytes.subarray(keyStart)),
  };
}
