/** Hash trees as a client of Riak reads them. */

import { inflateSync } from 'node:zlib';

export interface Tree {
  readonly size: string;
  readonly level_one: Buffer;
  readonly level_two: readonly Buffer[];
}

/** The segments that differ. */
export function differing(left: Tree, right: Tree): number[] {
  const segments: number[] = [];
  const branches = left.level_two.map((packed, index) => {
    if (packed.readUInt32BE(0) !== index) throw new Error('branches come in order');
    return [whole(packed), whole(right.level_two[index] as Buffer)] as const;
  });
  for (const [index, [mine, theirs]] of branches.entries()) {
    for (let leaf = 0; leaf < 256; leaf += 1) {
      if (mine.readUInt32BE(leaf * 4) !== theirs.readUInt32BE(leaf * 4)) {
        segments.push(index * 256 + leaf);
      }
    }
  }
  return segments;
}

export function whole(packed: Buffer): Buffer {
  const bytes = inflateSync(packed.subarray(4));
  return bytes.length === 1 ? Buffer.alloc(1_024) : bytes;
}
