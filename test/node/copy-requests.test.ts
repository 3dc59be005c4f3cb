/** Many copies at once: bounded in bytes, and none spoilt by another. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { recordCausalHash } from '../../src/object/record.ts';
import { fetchCopies, takeRecords } from '../../src/node/copy-requests.ts';
import {
  content,
  foreignObject,
  objectKey,
  openWorld,
  partitionFor,
  placementOf,
  record,
  valuesOf,
  write,
} from '../replica/replica-world.ts';

const KEYS = Array.from({ length: 40 }, (_, index) => objectKey(`key ${index}`));

t.test('a reply ends with the copy that fills it, and heads are small', async (t) => {
  const { replica } = await openWorld();
  const value = 'v'.repeat(100_000);
  await Promise.all(KEYS.map((key) => write(replica, key, { content: content(value) })));
  const ports = { replica, place: placementOf };
  const copies = await fetchCopies(ports, KEYS, false);
  t.equal(copies.length, 3);
  const heads = await fetchCopies(ports, [...KEYS, objectKey('none')], true);
  t.equal(heads.length, KEYS.length + 1);
  t.equal(heads.at(-1), 'absent');
  const [copy, head] = [copies[0], heads[0]];
  t.ok(Buffer.isBuffer(copy) && Buffer.isBuffer(head));
  t.same(recordCausalHash(copy as Buffer), recordCausalHash(head as Buffer));
});

t.test('a record that cannot be taken keeps no other from it', async (t) => {
  const { replica } = await openWorld();
  const sent = record(await foreignObject('theirs'));
  const place = (key: (typeof KEYS)[0]) => {
    if (key === KEYS[1]) throw new Fault('peer-refused', 'the bucket type is unknown');
    return placementOf(key);
  };
  const records = KEYS.slice(0, 4).map((key) => ({ key, record: sent }));
  records[2] = { ...(records[2] as (typeof records)[0]), record: Buffer.from('no record') };
  t.same(await takeRecords({ replica, place }, records), [1, 2]);
  for (const [index, { key }] of records.entries()) {
    const values = valuesOf(await replica.get(key, partitionFor(key)));
    t.same(values, index === 1 || index === 2 ? [] : ['theirs']);
  }
  await replica.close();
  await t.rejects(takeRecords({ replica, place }, records), { code: 'closed' });
});
