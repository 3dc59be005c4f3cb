/** The graveyard: it remembers for a while, and only so much. */

import t from 'tap';
import type { Actor } from '../../src/clock/version-vector.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { Graveyard } from '../../src/replica/graveyard.ts';
import { text } from './replica-world.ts';
import { VirtualHost } from './virtual-host.ts';

const TOMBSTONE: StoredObject = {
  context: new Map([['actor' as string as Actor, 3]]),
  siblings: [],
};

t.test('a grave lasts its time, and is gone when it is opened', async (t) => {
  const host = new VirtualHost();
  const graveyard = new Graveyard(host, { graveMs: 100, gravesMax: 10 });
  graveyard.bury(text('a'), TOMBSTONE);
  graveyard.bury(text('b'), TOMBSTONE);
  t.equal(graveyard.find(text('a')), TOMBSTONE);
  graveyard.open(text('a'));
  t.equal(graveyard.find(text('a')), undefined);
  await host.advance(99);
  t.equal(graveyard.find(text('b')), TOMBSTONE);
  await host.advance(1);
  t.equal(graveyard.find(text('b')), undefined);
  t.end();
});

t.test('past its size the oldest graves go, and are counted', async (t) => {
  const host = new VirtualHost();
  const graveyard = new Graveyard(host, { graveMs: 100, gravesMax: 2 });
  for (const id of ['a', 'b', 'a', 'c']) graveyard.bury(text(id), TOMBSTONE);
  t.equal(graveyard.find(text('b')), undefined);
  t.equal(graveyard.find(text('a')), TOMBSTONE);
  t.equal(graveyard.find(text('c')), TOMBSTONE);
  t.equal(host.counters.get('replica_graves_dropped'), 1);
  await host.advance(200);
  for (const id of ['d', 'e']) graveyard.bury(text(id), TOMBSTONE);
  t.equal(host.counters.get('replica_graves_dropped'), 1, 'what is over is not dropped');
  t.end();
});
