/**
 * The continuation of an index query: where the last page ended, opaque to clients.
 *
 *   base64url of | version 1 | length of the term 4 | term | key |
 *
 * Base64url, because a client that does not quote it in its next URL would lose a `+`.
 */

import { bytesToByteString } from '../../base/bytes.ts';
import type { ByteString } from '../../base/bytes.ts';

const VERSION = 1;
const HEADER_SIZE_BYTES = 5;

export interface IndexPosition {
  readonly term: ByteString;
  readonly key: ByteString;
}

export function encodeContinuation(position: IndexPosition): string {
  const header = Buffer.alloc(HEADER_SIZE_BYTES);
  header.writeUInt8(VERSION, 0);
  header.writeUInt32BE(position.term.length, 1);
  const names = Buffer.from(position.term + position.key, 'latin1');
  return Buffer.concat([header, names]).toString('base64url');
}

/** Undefined for what `encodeContinuation` did not make. */
export function decodeContinuation(text: string): IndexPosition | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < HEADER_SIZE_BYTES || bytes.readUInt8(0) !== VERSION) return undefined;
  const termEnd = HEADER_SIZE_BYTES + bytes.readUInt32BE(1);
  if (termEnd > bytes.length) return undefined;
  return {
    term: bytesToByteString(bytes.subarray(HEADER_SIZE_BYTES, termEnd)),
    key: bytesToByteString(bytes.subarray(termEnd)),
  };
}
