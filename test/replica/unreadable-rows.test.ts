/** Rows beside the copies that cannot be read: they cost what they told, and keep nothing else from working. */

import t from 'tap';
import type { ObjectKey } from '../../src/base/names.ts';
import { ALL_SEGMENTS } from '../../src/storage/hash-tree.ts';
import {
  allHintsRange,
  encodeTreeKey,
  partitionRange,
  tombRange,
  treeRange,
} from '../../src/storage/keys.ts';
import {
  content,
  KEY,
  NODE_B,
  objectKey,
  openReplica,
  openWorld,
  partitionFor,
  propertiesOf,
  TOMBSTONE,
  valuesOf,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';
import { VirtualHost } from './virtual-host.ts';

const PARTITION = partitionFor(KEY);
const RECOUNT = { segments: ALL_SEGMENTS, keepPace: async () => true };

t.test('a hash tree that cannot be read keeps no copy from being written', async (t) => {
  const { replica: before, store } = await openWorld();
  await write(before, KEY, { content: content('v') });
  await before.close();
  // The tables are damaged, and so is a row that can be read: it was of another segment.
  store.corruptScanFrom = treeRange(PARTITION, 3).from;
  const [treeName, strayRow] = [{ partition: PARTITION, nVal: 3 }, Buffer.alloc(8, 1)];
  const strayKey = encodeTreeKey({ ...treeName, segment: 0x8000 });
  await store.memory.write([{ kind: 'put', key: strayKey, head: strayRow }]);
  const { replica } = await openReplica(new VirtualHost(2), store);
  const other = keyBeside(KEY);
  await write(replica, other, { content: content('w') });
  t.same(valuesOf(await replica.get(other, PARTITION)), ['w']);
  await replica.recountTree(PARTITION, 3, RECOUNT);
  await store.memory.write([{ kind: 'remove', key: strayKey }]);
  await readTruth(store, propertiesOf);
});

t.test('copies that cannot be named are left out of a recount', async (t) => {
  const { replica, store } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  store.corruptScanFrom = partitionRange(PARTITION).from;
  t.equal(await replica.recountTree(PARTITION, 3, RECOUNT), 0);
});

t.test('hints that cannot be read keep no node from starting', async (t) => {
  const { replica: before, store } = await openWorld();
  await write(before, KEY, { content: content('v') });
  await before.addHint({ target: NODE_B, partition: PARTITION, key: KEY });
  await before.close();
  store.corruptScanFrom = allHintsRange().from;
  const { replica } = await openReplica(new VirtualHost(2), store);
  t.same([...replica.hintCounts()], [[NODE_B, 1]], 'those that can be read are counted');
});

t.test('tombstones that can be read are found beside those that cannot', async (t) => {
  const { replica, store } = await openWorld();
  await write(replica, KEY, { content: TOMBSTONE });
  store.corruptScanFrom = tombRange(PARTITION).from;
  const found: ObjectKey[] = [];
  for await (const keys of replica.tombstones(PARTITION)) found.push(...keys);
  t.same(found, [KEY]);
});

/** Another key of the same partition. */
function keyBeside(key: ObjectKey): ObjectKey {
  for (let index = 0; ; index += 1) {
    const other = objectKey(`beside ${index}`);
    if (partitionFor(other) === partitionFor(key)) return other;
  }
}
