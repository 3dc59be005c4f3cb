/** Damage is remembered until another copy is in its place, within bounds. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { keyToString } from '../../src/base/names.ts';
import { DamagedCopies } from '../../src/replica/damaged-copies.ts';
import { KEY, objectKey } from './replica-world.ts';
import { VirtualHost } from './virtual-host.ts';

const ID = keyToString(KEY);

function open(copiesMax?: number) {
  const host = new VirtualHost();
  const forgotten: ByteString[] = [];
  const damaged = new DamagedCopies(host, (id) => forgotten.push(id), copiesMax);
  return { host, forgotten, damaged };
}

t.test('each reading is counted and makes others forget, one is logged', (t) => {
  const { host, forgotten, damaged } = open();
  damaged.note(ID);
  damaged.note(ID);
  t.equal(host.counters.get('replica_corrupt'), 2);
  t.same(forgotten, [ID, ID]);
  t.equal(host.logged.filter((event) => event === 'replica.corrupt').length, 1);
  t.end();
});

t.test('a copy is damaged until it is overwritten', (t) => {
  const { damaged } = open();
  t.equal(damaged.hasKey(KEY), false);
  damaged.note(ID);
  t.ok(damaged.has(ID) && damaged.hasKey(KEY));
  t.equal(damaged.hasKey(objectKey('another')), false);
  damaged.overwritten(ID);
  t.notOk(damaged.has(ID) || damaged.hasKey(KEY));
  t.end();
});

t.test('past the bound the one that was read the longest ago is forgotten', (t) => {
  const { host, forgotten, damaged } = open(2);
  const [second, third] = ['second', 'third'].map((name) => keyToString(objectKey(name)));
  for (const id of [ID, second, ID, third]) damaged.note(id as ByteString);
  t.same(
    [ID, second, third].map((id) => damaged.has(id as ByteString)),
    [true, false, true],
  );
  t.equal(host.counters.get('replica_corrupt'), 4);
  t.same(forgotten, [ID, second, ID, third], 'what else is remembered of it goes all the same');
  t.equal(host.logged.filter((event) => event === 'replica.corrupt').length, 2);
  t.end();
});
