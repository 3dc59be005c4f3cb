/** TicTac trees: against a table of all segments, and as Riak's clients read them. */

import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import {
  branchCount,
  digestOfKey,
  isInFilter,
  isTreeSize,
  leafHash,
  segmentCount,
  segmentIn,
  TictacTree,
  TREE_SIZES,
} from '../../src/object/tictac-tree.ts';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const leaves = fc.array(fc.tuple(uint32, uint32), { maxLength: 60 });

/** Segment by segment, as a table. */
function naive(pairs: readonly (readonly [number, number])[], width: number): Map<number, number> {
  const table = new Map<number, number>();
  for (const [digest, leaf] of pairs) {
    const segment = digest % (width * 256);
    table.set(segment, ((table.get(segment) ?? 0) ^ leaf) >>> 0);
  }
  return table;
}

t.test('a tree is the XOR of its leaves, segment by segment and branch by branch', (t) => {
  fc.assert(
    fc.property(leaves, fc.constantFrom(...TREE_SIZES), (pairs, size) => {
      const tree = new TictacTree(size);
      for (const [digest, leaf] of pairs) tree.add(digest, leaf);
      const width = branchCount(size);
      const table = naive(pairs, width);
      const used = new Set([...table.keys()].map((segment) => segment >>> 8));
      for (const branchNumber of [...used, 0, width - 1]) {
        let sum = 0;
        for (let index = 0; index < 256; index += 1) {
          const expected = table.get(branchNumber * 256 + index) ?? 0;
          if (tree.branch(branchNumber).readUInt32BE(index * 4) !== expected) return false;
          sum = (sum ^ expected) >>> 0;
        }
        if (tree.root().readUInt32BE(branchNumber * 4) !== sum) return false;
      }
      return tree.root().length === width * 4;
    }),
  );
  t.end();
});

t.test('trees of parts merge to the tree of the whole', (t) => {
  fc.assert(
    fc.property(leaves, leaves, (some, others) => {
      const whole = new TictacTree('small');
      const parts = [new TictacTree('small'), new TictacTree('small')] as const;
      for (const [digest, leaf] of some) parts[0].add(digest, leaf);
      for (const [digest, leaf] of others) parts[1].add(digest, leaf);
      for (const [digest, leaf] of [...others, ...some]) whole.add(digest, leaf);
      const merged = parts[0].root().map((byte, index) => byte ^ (parts[1].root()[index] ?? 0));
      return whole.root().equals(merged);
    }),
  );
  t.end();
});

t.test('branches are packed as clients take them', (t) => {
  const tree = new TictacTree('xxsmall');
  tree.add(0x0301, 7);
  const packed = runAtOnce(tree.pack(tree.branchNumbers()));
  t.equal(packed.length, 16);
  t.same(inflateSync(packed[3] as Buffer), tree.branch(3));
  t.equal(tree.branch(3).length, 1024);
  t.same(inflateSync(packed[0] as Buffer), Buffer.alloc(1), 'nothing is one zero');
  t.same(runAtOnce(tree.pack([3, 99])), [packed[3], packed[0]]);
  t.same(tree.branch(99), Buffer.alloc(1024));
  t.end();
});

t.test('a key has the segment that Riak gives it', (t) => {
  const text = (name: string): ByteString => name as ByteString;
  const key = { type: text('default'), bucket: text('b'), key: text('k') };
  // Of the MD5: 16 bits, 32 of which the lower half counts, and 32 that salt the hash.
  const md5 = createHash('md5').update('bk').digest();
  const digest = digestOfKey(key);
  t.equal(digest.segment & 0xffff, md5.readUInt16BE(0));
  t.equal(digest.segment >>> 16, md5.readUInt32BE(2) & 0xffff);
  t.equal(digest.salt, md5.readUInt32BE(6));
  t.equal(leafHash(digest, 0), digest.salt);
  t.not(digestOfKey({ ...key, type: text('t') }).segment, digest.segment);
  const typed = createHash('md5').update('tbk').digest();
  t.equal(digestOfKey({ ...key, type: text('t') }).segment & 0xffff, typed.readUInt16BE(0));
  for (const size of TREE_SIZES) {
    const segment = segmentIn(size, digest);
    t.equal(segment, digest.segment % segmentCount(size));
    t.ok(isInFilter({ size, segments: new Set([segment]) }, digest));
    t.notOk(isInFilter({ size, segments: new Set([segment ^ 1]) }, digest));
  }
  t.notOk(isTreeSize('nano'));
  t.notOk(isTreeSize(undefined));
  t.end();
});
