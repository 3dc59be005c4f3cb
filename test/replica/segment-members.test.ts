/** Members: what lies in a segment is found without walking the partition, in old stores too. */

import t from 'tap';
import { keyToString } from '../../src/base/names.ts';
import type { Partition } from '../../src/base/names.ts';
import { causalHash } from '../../src/object/causality.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import { fileMembers } from '../../src/replica/segment-members.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import { membersRange } from '../../src/storage/keys.ts';
import {
  content,
  objectKey,
  openReplica,
  openWorld,
  partitionFor,
  propertiesOf,
  RING_SIZE,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';

const KEYS = Array.from({ length: 300 }, (_, index) => objectKey(`key ${index}`));

async function listed(
  replica: StoreReplica,
  partition: Partition,
  segments: readonly number[],
): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of replica.hashes(partition, 3, segments)) {
    for (const { key, hash } of batch) found.push(`${keyToString(key)} ${hash.toString('hex')}`);
  }
  return found;
}

t.test(
  'the hashes of a few segments are those of the copies in them, in their order',
  async (t) => {
    const { replica } = await openWorld();
    await Promise.all(KEYS.map((key) => write(replica, key, { content: content('v') })));
    const partition = partitionFor(KEYS[0] as never);
    const here = KEYS.filter((key) => partitionFor(key) === partition);
    const wanted = here.slice(0, 9).map(segmentOf);
    const expected = await Promise.all(
      here
        .filter((key) => wanted.includes(segmentOf(key)))
        .sort((a, b) => segmentOf(a) - segmentOf(b) || (a.key < b.key ? -1 : 1))
        .map(async (key) => {
          const object = await replica.get(key, partition);
          return `${keyToString(key)} ${object && causalHash(object).toString('hex')}`;
        }),
    );
    t.same(await listed(replica, partition, wanted), expected);
    const others = await replica.hashes(partition, 2, wanted).next();
    t.same(others.value, [], 'none of another n_val');
  },
);

t.test('a store of before there were members gets them when it is opened', async (t) => {
  const { host, replica, store } = await openWorld();
  await Promise.all(KEYS.map((key) => write(replica, key, { content: content('v') })));
  const { memory } = store;
  for (let partition = 0; partition < RING_SIZE; partition += 1) {
    const range = membersRange(partition as Partition, { first: 0, last: 1023 });
    for await (const batch of memory.scan({ ...range, keysOnly: true })) {
      await memory.write(batch.map(({ key }) => ({ kind: 'remove', key })));
    }
  }
  await t.rejects(readTruth(memory, propertiesOf), /filed under their segments/);
  // It is killed in the midst of it, and goes on with the next start.
  await t.rejects(fileMembers(host, failingAfter(memory, 1)), /no more/);
  await openReplica(host, store);
  await readTruth(memory, propertiesOf);
});

function failingAfter<S extends { write(operations: never): Promise<void> }>(
  store: S,
  count: number,
): S {
  let left = count;
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name !== 'write') return typeof value === 'function' ? value.bind(target) : value;
      return (operations: never) => {
        left -= 1;
        return left < 0 ? Promise.reject(new Error('no more')) : target.write(operations);
      };
    },
  });
}
