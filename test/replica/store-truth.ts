/**
 * What a node's store says, read without the code that wrote it: objects, index entries, hints and
 * hash trees with what is filed under them; and the judge that they agree.
 */

import assert from 'node:assert/strict';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import { keyToString } from '../../src/base/names.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { BucketProperties } from '../../src/object/bucket-properties.ts';
import { causalHash } from '../../src/object/causality.ts';
import { encodeIntegerTerm, indexEntriesOf } from '../../src/object/index-entries.ts';
import { decodeRecord } from '../../src/object/record.ts';
import { isTombstone } from '../../src/object/show.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { entryHash, SEGMENT_COUNT, SEGMENT_SIZE, segmentOf } from '../../src/storage/hash-tree.ts';
import {
  decodeHintKey,
  decodeMemberKey,
  decodeObjectKey,
  decodeTombKey,
  decodeTreeKey,
  encodeIndexKey,
} from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';

export interface StoreTruth {
  readonly objects: ReadonlyMap<ByteString, { readonly key: ObjectKey; object: StoredObject }>;
  /** The raw keys of index entries. */
  readonly index: ReadonlySet<string>;
  /** `target/key`, as `keyToString` has it. */
  readonly hints: ReadonlySet<string>;
  /** The whole tree for `partition/nVal`. */
  readonly trees: ReadonlyMap<string, Buffer>;
}

type PropertiesOf = (key: ObjectKey) => BucketProperties;

/** Reads the whole store, and throws if its parts contradict each other. */
export async function readTruth(store: Store, propertiesOf: PropertiesOf): Promise<StoreTruth> {
  const objects = new Map<ByteString, { key: ObjectKey; object: StoredObject }>();
  const [index, expectedIndex] = [new Set<string>(), new Set<string>()];
  const hints = new Set<string>();
  const [tombs, expectedTombs] = [new Set<string>(), new Set<string>()];
  const [members, expectedMembers] = [new Map<string, string>(), new Map<string, string>()];
  const [trees, expectedTrees] = [new Map<string, Buffer>(), new Map<string, Buffer>()];

  for await (const batch of store.scan({ from: Buffer.of(0), to: Buffer.of(0xff) })) {
    for (const { key: bytes, value } of batch) {
      const space = String.fromCharCode(bytes[0] ?? 0);
      if (space === 'i') index.add(bytesToByteString(bytes));
      if (space === 'h') {
        const { target, key } = decodeHintKey(bytes);
        hints.add(`${target}/${keyToString(key)}`);
      }
      if (space === 'd') tombs.add(keyToString(decodeTombKey(bytes).key));
      if (space === 's') {
        const { segment, key } = decodeMemberKey(bytes);
        members.set(`${segment}/${keyToString(key)}`, value.toString('hex'));
      }
      if (space === 't') {
        const { partition, nVal, segment } = decodeTreeKey(bytes);
        value.copy(treeOf(trees, `${partition}/${nVal}`), segment * SEGMENT_SIZE);
      }
      if (space !== 'o') continue;
      const { partition, key } = decodeObjectKey(bytes);
      const object = decodeRecord(Buffer.from(value));
      assert(object !== undefined, 'a stored record is sound');
      objects.set(keyToString(key), { key, object });
      if (isTombstone(object)) expectedTombs.add(keyToString(key));
      const properties = propertiesOf(key);
      for (const { field, term } of indexEntriesOf(object, properties)) {
        const ordered = field.endsWith('_int') ? encodeIntegerTerm(term) : term;
        const entry = encodeIndexKey(partition, key, { field, term: ordered });
        expectedIndex.add(bytesToByteString(entry));
      }
      const filed = `${segmentOf(key)}/${keyToString(key)}`;
      expectedMembers.set(filed, causalHash(object).toString('hex'));
      const tree = treeOf(expectedTrees, `${partition}/${properties.n_val}`);
      toggle(tree, segmentOf(key) * SEGMENT_SIZE, entryHash(key, causalHash(object)));
    }
  }
  assert.deepEqual([...index].sort(), [...expectedIndex].sort(), 'index entries are the objects’');
  assert.deepEqual(tombs, expectedTombs, 'tombstones are noted, and nothing else');
  assert.deepEqual(members, expectedMembers, 'copies are filed under their segments');
  const names = new Set([...trees.keys(), ...expectedTrees.keys()]);
  for (const name of names) {
    const [found, expected] = [treeOf(trees, name), treeOf(expectedTrees, name)];
    assert(found.equals(expected), `tree ${name} counts exactly the objects that are there`);
  }
  return { objects, index, hints, trees };
}

function treeOf(trees: Map<string, Buffer>, name: string): Buffer {
  let tree = trees.get(name);
  if (tree === undefined) {
    tree = Buffer.alloc(SEGMENT_COUNT * SEGMENT_SIZE);
    trees.set(name, tree);
  }
  return tree;
}

function toggle(tree: Buffer, offset: number, hash: Buffer): void {
  for (const [index, byte] of hash.entries()) {
    tree.writeUInt8(tree.readUInt8(offset + index) ^ byte, offset + index);
  }
}
