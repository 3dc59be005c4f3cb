/** Index sweeps: many damaged copies of a bucket cost one walk of its index, and that leaves time to others. */

import t from 'tap';
import type { Host } from '../../src/base/host.ts';
import { IndexSweep } from '../../src/replica/index-sweep.ts';
import type { Change } from '../../src/replica/key-slot.ts';
import { bucketIndexRange, encodeIndexKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { ScanRange } from '../../src/storage/store.ts';
import { objectKey, placementOf, text } from './replica-world.ts';
import { settle, VirtualHost } from './virtual-host.ts';

const COUNT = 600;
const RANGE = bucketIndexRange(objectKey(''));
const ENTRY = { field: text('born_int'), term: text('7') };

function placeOf(index: number) {
  const key = objectKey(`k${index}`);
  return { key, ...placementOf(key) };
}

/** An index of a bucket, and how often it is walked. */
async function indexed() {
  const store = new MemoryStore();
  for (let index = 0; index < COUNT; index += 1) {
    const { partition, key } = placeOf(index);
    await store.write([
      { kind: 'put', key: encodeIndexKey(partition, key, ENTRY), head: Buffer.alloc(0) },
    ]);
  }
  const counts = { walks: 0, swept: 0 };
  const counted = Object.assign(Object.create(store) as MemoryStore, {
    scan(range: ScanRange) {
      if (range.from.equals(RANGE.from)) counts.walks += 1;
      return store.scan(range);
    },
  });
  const submit = (_place: unknown, change: Change): void => {
    counts.swept += 1;
    change.settle();
  };
  return { counts, ports: { store: counted, submit } };
}

t.test('the keys of a bucket that wait are swept together', async (t) => {
  const { counts, ports } = await indexed();
  const sweep = new IndexSweep(new VirtualHost(), ports);
  for (let index = 0; index < 100; index += 1) sweep.add(placeOf(index));
  while (counts.swept < 100) await settle();
  t.equal(counts.walks, 2, 'the first, and all that came meanwhile');
  await sweep.close();
});

t.test('a walk leaves four fifths of the time to others, and ends when it is closed', async (t) => {
  const { counts, ports } = await indexed();
  const { clock, log, metrics, random } = new VirtualHost();
  const rests: number[] = [];
  let nowMs = 0;
  let isHeld = false;
  const host: Host = {
    log,
    metrics,
    random,
    clock: {
      ...clock,
      // Whatever happens between two looks at the clock takes 7 ms.
      monotonicMs: () => (nowMs += 7),
      after(delayMs, run) {
        rests.push(delayMs);
        if (!isHeld) setImmediate(run);
        return () => undefined;
      },
    },
  };
  const sweep = new IndexSweep(host, ports);
  sweep.add(placeOf(0));
  while (counts.swept < 1) await settle();
  t.same(rests, [28, 28, 28], 'one for each page');
  isHeld = true;
  sweep.add(placeOf(1));
  while (rests.length < 4) await settle();
  await sweep.close();
  t.equal(counts.swept, 1);
});
