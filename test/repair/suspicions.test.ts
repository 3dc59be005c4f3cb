/** What is suspected of hash trees, and for how long. */

import t from 'tap';
import { Suspicions } from '../../src/repair/suspicions.ts';

t.test('a suspicion is confirmed by the same bits, and then forgotten', (t) => {
  const suspicions = new Suspicions(10);
  t.notOk(suspicions.confirm('a', 'x'));
  t.notOk(suspicions.confirm('b', 'x'), 'each segment by itself');
  t.notOk(suspicions.confirm('a', 'y'), 'other bits are another suspicion');
  t.ok(suspicions.confirm('a', 'y'));
  t.equal(suspicions.count, 1);
  t.notOk(suspicions.confirm('a', 'y'));
  t.end();
});

t.test('where there are too many the oldest is forgotten, and new ones are confirmed', (t) => {
  const suspicions = new Suspicions(3);
  for (const name of ['a', 'b', 'c']) suspicions.confirm(name, 'x');
  suspicions.confirm('a', 'y');
  suspicions.confirm('d', 'x');
  t.equal(suspicions.count, 3);
  t.ok(suspicions.confirm('d', 'x'));
  t.ok(suspicions.confirm('a', 'y'), 'what changed last is not the oldest');
  t.notOk(suspicions.confirm('b', 'x'), 'which made room');
  t.end();
});
