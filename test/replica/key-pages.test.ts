/** Walks that may take hours hold nothing of the store open while they rest. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { checkCopies } from '../../src/replica/copy-check.ts';
import { keyPages } from '../../src/replica/key-pages.ts';
import { ALL_SEGMENTS } from '../../src/storage/hash-tree.ts';
import { isWellFormedKey } from '../../src/storage/key-form.ts';
import { encodeObjectKey, partitionRange } from '../../src/storage/keys.ts';
import { Power } from '../storage/power.ts';
import { SimulatedFiles } from '../storage/simulated-files.ts';
import { content, objectKey, openReplica, placementOf, TOMBSTONE, write } from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

const TARGET = 'b@host' as NodeId;
const [N_VAL, COUNT] = [3, 300];
const KEY = objectKey('k');
const { partition } = placementOf(KEY);
/** In one partition. */
const KEYS = Array.from({ length: 20 * COUNT }, (_, index) => objectKey(`k${index}`))
  .filter((key) => placementOf(key).partition === partition)
  .slice(0, COUNT);

async function openFilled() {
  const host = new VirtualHost(11);
  const files = new SimulatedFiles(host.random);
  const power = new Power(host, Infinity);
  const store = await power.open(files, { isKey: isWellFormedKey });
  const { replica } = await openReplica(host, store);
  await Promise.all(
    KEYS.map((key, index) => write(replica, key, { content: content(`${index}`) })),
  );
  return { host, files, store, replica };
}

t.test('between two batches of a long walk no scan is open', async (t) => {
  const { host, replica } = await openFilled();
  await Promise.all(KEYS.map((key) => replica.addHint({ target: TARGET, partition, key })));
  const walks = {
    check: () => replica.check(partition),
    hints: () => replica.hints(TARGET),
    records: () => replica.records(partition, N_VAL, undefined),
    heads: () => replica.heads(partition, N_VAL, ALL_SEGMENTS),
    hashes: () => replica.hashes(partition, N_VAL, ALL_SEGMENTS),
    restored: () => replica.restoreDerived(partition, undefined),
  };
  for (const [name, walk] of Object.entries(walks)) {
    let batches = 0;
    for await (const _ of walk()) {
      batches += 1;
      if (host.gauges.get('store_scans') !== 0) t.fail(`${name} holds a scan open`);
    }
    t.ok(batches > 1, name);
  }
  await Promise.all(
    KEYS.map(async (key) => {
      const context = (await replica.get(key, partition))?.context ?? EMPTY_VERSION_VECTOR;
      await write(replica, key, { content: TOMBSTONE, context });
    }),
  );
  let tombstones = 0;
  for await (const keys of replica.tombstones(partition)) {
    tombstones += keys.length;
    if (host.gauges.get('store_scans') !== 0) t.fail('tombstones hold a scan open');
  }
  t.equal(tombstones, COUNT);
});

for (const at of [0, 100, COUNT - 1]) {
  t.test(`a check tells of a key that nobody can name: that of copy ${at}`, async (t) => {
    const { files, store } = await openFilled();
    const entries = files.entries().filter(([key]) => key[0] === 'o'.charCodeAt(0));
    const [key, stored] = entries[at] ?? [];
    if (key === undefined || stored === undefined) throw new Error('it is there');
    const harmed = Buffer.from(key);
    // The end of the bucket's name.
    harmed[harmed.indexOf(0, harmed.indexOf(0, 3) + 1)] = 4;
    files.removeEntry(key);
    files.put(harmed, stored);
    let count = 0;
    const check = async (): Promise<void> => {
      for await (const checked of checkCopies(store, partition)) count += checked.count;
    };
    await t.rejects(check(), { code: 'store-corrupt' });
    t.equal(count, COUNT - 1);
  });
}

t.test('what can be read before what cannot is shown', async (t) => {
  const host = new VirtualHost(12);
  const store = new ShakyStore(host.random);
  const range = partitionRange(partition);
  const entry = encodeObjectKey(partition, KEY);
  await store.write([{ kind: 'put', key: entry, head: Buffer.of(1) }]);
  store.corruptScanFrom = range.from;
  const seen: Buffer[] = [];
  const walk = async (): Promise<void> => {
    for await (const keys of keyPages(store, range)) seen.push(...keys);
  };
  await t.rejects(walk(), { code: 'store-corrupt' });
  t.same(seen, [entry]);
});
