/**
 * Names that the server makes: vtags (the ETag of one sibling), generated keys, and the ETag of an
 * object that is shown with several siblings. All are base 62, as clients of Riak know them.
 */

import { hash } from 'node:crypto';
import { encodeContext } from '../clock/context.ts';
import type { Random } from '../base/host.ts';
import type { VersionVector } from '../clock/version-vector.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const VTAG_SIZE_BYTES = 16;
const GENERATED_KEY_SIZE_BYTES = 20;

/** Digits taken at once; 62^5 times 2^16 is still exact in a double. */
const CHUNK_DIGITS = 5;
const CHUNK = 62 ** CHUNK_DIGITS;

/** Fresh for each write; 21 or 22 characters, hardly ever fewer. */
export function randomVtag(random: Random): string {
  return base62(random.bytes(VTAG_SIZE_BYTES));
}

/** A key for an object that came without one; 26 or 27 characters, hardly ever fewer. */
export function randomKey(random: Random): string {
  return base62(random.bytes(GENERATED_KEY_SIZE_BYTES));
}

/** Changes exactly when the context does. */
export function siblingsEtag(context: VersionVector): string {
  return base62(hash('md5', encodeContext(context), 'buffer'));
}

/** The bytes as one big-endian number in base 62, without leading zeros; an even number of them. */
export function base62(bytes: Buffer): string {
  const limbs: number[] = [];
  for (let offset = 0; offset < bytes.length; offset += 2) limbs.push(bytes.readUInt16BE(offset));
  let text = '';
  let first = 0;
  while (first < limbs.length) {
    let rest = 0;
    for (let index = first; index < limbs.length; index += 1) {
      const value = rest * 0x10000 + (limbs[index] as number);
      limbs[index] = Math.floor(value / CHUNK);
      rest = value % CHUNK;
    }
    while (first < limbs.length && limbs[first] === 0) first += 1;
    const digits = chunkDigits(rest);
    text = (first < limbs.length ? digits.padStart(CHUNK_DIGITS, '0') : digits) + text;
  }
  return text === '' ? '0' : text;
}

function chunkDigits(chunk: number): string {
  let text = '';
  for (let rest = chunk; rest > 0; rest = Math.floor(rest / 62)) {
    text = DIGITS.charAt(rest % 62) + text;
  }
  return text;
}
