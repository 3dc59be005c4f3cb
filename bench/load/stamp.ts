/**
 * The stamp at the head of each value: which write of which run this is.
 *
 *   | "VBST" 4 | run 4 | writer 2 | 0 2 | sequence 4 |
 *
 * A write's number is writer · 2^32 + sequence; it names one attempt to write, for ever. Values of
 * another run, or of nobody, have no stamp of this one.
 */

const MAGIC = 0x56425354;
const SEQUENCES = 2 ** 32;

export const STAMP_SIZE_BYTES = 16;

export function stampNumber(writer: number, sequence: number): number {
  return writer * SEQUENCES + sequence;
}

/** Over the first bytes of `value`, which has room for it. */
export function writeStamp(value: Buffer, run: number, stamp: number): void {
  value.writeUInt32BE(MAGIC, 0);
  value.writeUInt32BE(run, 4);
  value.writeUInt16BE(Math.floor(stamp / SEQUENCES), 8);
  value.writeUInt16BE(0, 10);
  value.writeUInt32BE(stamp % SEQUENCES, 12);
}

/** The write's number, or undefined where the value is none of this run's. */
export function readStamp(value: Buffer, run: number): number | undefined {
  if (value.length < STAMP_SIZE_BYTES || value.readUInt32BE(0) !== MAGIC) return undefined;
  if (value.readUInt32BE(4) !== run) return undefined;
  return value.readUInt16BE(8) * SEQUENCES + value.readUInt32BE(12);
}

/** The stamps of this run among the siblings of an object. */
export function stampsOf(values: readonly Buffer[], run: number): number[] {
  const stamps: number[] = [];
  for (const value of values) {
    const stamp = readStamp(value, run);
    if (stamp !== undefined) stamps.push(stamp);
  }
  return stamps;
}
