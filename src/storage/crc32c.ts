/**
 * CRC-32C (Castagnoli), which LevelDB puts behind each block; `node:zlib` has only the other CRC-32.
 *
 * Four bytes at a time ("slicing by four", Kounavis and Berry 2005).
 */

const POLYNOMIAL = 0x82f63b78;
const TABLES = makeTables();

/** Of all of `bytes`, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES;
  let crc = -1;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^=
      byteAt(bytes, at) |
      (byteAt(bytes, at + 1) << 8) |
      (byteAt(bytes, at + 2) << 16) |
      (byteAt(bytes, at + 3) << 24);
    crc =
      entryAt(t3, crc & 0xff) ^
      entryAt(t2, (crc >>> 8) & 0xff) ^
      entryAt(t1, (crc >>> 16) & 0xff) ^
      entryAt(t0, crc >>> 24);
  }
  for (; at < bytes.length; at += 1) {
    crc = (crc >>> 8) ^ entryAt(t0, (crc ^ byteAt(bytes, at)) & 0xff);
  }
  return ~crc >>> 0;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function entryAt(table: Int32Array, at: number): number {
  return table[at] as number;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array];

/** Of each table the entry of a byte that 0, 1, 2 or 3 more bytes follow. */
function makeTables(): Tables {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    return crc;
  });
  const followed = (table: Int32Array): Int32Array =>
    table.map((crc) => (crc >>> 8) ^ entryAt(first, crc & 0xff));
  const second = followed(first);
  const third = followed(second);
  return [first, second, third, followed(third)];
}
