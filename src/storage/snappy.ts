/**
 * Unpacks a Snappy block, as LevelDB packs the blocks of its tables (google/snappy, format_description.txt).
 *
 *   block   = varint of the size unpacked, then elements
 *   element = | tag | …: a literal, whose bytes follow, or a copy of what came out before
 *
 * What is no such block is `undefined`; nothing larger than asked for is ever made.
 */

import { ByteReader } from '../base/byte-reader.ts';

/** Literals longer than this many bytes say in bytes of their own how long they are. */
const SHORT_LITERAL_MAX = 60;

export function unpackSnappy(packed: Buffer, sizeMaxBytes: number): Buffer | undefined {
  const reader = new ByteReader(packed);
  const size = reader.varint();
  if (!reader.isSound || size > sizeMaxBytes) return undefined;
  const out = Buffer.alloc(size);
  let filled = 0;
  let at = packed.length - reader.remaining;
  while (at < packed.length) {
    const element = readElement(packed, at);
    if (element === undefined || filled + element.count > out.length) return undefined;
    const { kind, count, dataAt } = element;
    if (kind === 'literal') {
      if (dataAt + count > packed.length) return undefined;
      packed.copy(out, filled, dataAt, dataAt + count);
      at = dataAt + count;
    } else {
      const { distance } = element;
      if (distance === 0 || distance > filled) return undefined;
      // Byte by byte: what is copied may reach into what it makes.
      for (let index = 0; index < count; index += 1) {
        out[filled + index] = out[filled + index - distance] as number;
      }
      at = dataAt;
    }
    filled += count;
  }
  return filled === out.length ? out : undefined;
}

type Element =
  | { readonly kind: 'literal'; readonly count: number; readonly dataAt: number }
  | {
      readonly kind: 'copy';
      readonly count: number;
      readonly distance: number;
      readonly dataAt: number;
    };

function readElement(packed: Buffer, at: number): Element | undefined {
  const tag = packed[at] as number;
  const high = tag >> 2;
  const extraBytes = extraSize(tag);
  const dataAt = at + 1 + extraBytes;
  if (dataAt > packed.length) return undefined;
  const extra = extraBytes === 0 ? 0 : packed.readUIntLE(at + 1, extraBytes);
  switch (tag & 3) {
    case 0:
      return { kind: 'literal', count: (extraBytes === 0 ? high : extra) + 1, dataAt };
    case 1: {
      const distance = ((tag >> 5) << 8) | extra;
      return { kind: 'copy', count: (high & 7) + 4, distance, dataAt };
    }
    default:
      return { kind: 'copy', count: high + 1, distance: extra, dataAt };
  }
}

/** Bytes behind the tag that tell a length or a distance. */
function extraSize(tag: number): number {
  const high = tag >> 2;
  switch (tag & 3) {
    case 0:
      return high < SHORT_LITERAL_MAX ? 0 : high - SHORT_LITERAL_MAX + 1;
    case 1:
      return 1;
    case 2:
      return 2;
    default:
      return 4;
  }
}
