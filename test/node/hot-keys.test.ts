/** Which keys are called hot, and for how long. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { HALF_LIFE_MS, HotKeys } from '../../src/node/hot-keys.ts';

function key(name: string, bucket = 'patients'): ObjectKey {
  return { type: 'records' as ByteString, bucket: bucket as ByteString, key: name as ByteString };
}

function world() {
  const time = { nowMs: 5_000 };
  const counts = new Map<string, number>();
  const hotKeys = new HotKeys({
    clock: { wallMicros: () => 0, monotonicMs: () => time.nowMs, after: () => () => {} },
    metrics: {
      count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
      gauge() {},
      observe() {},
    },
  });
  return { hotKeys, time, counts };
}

t.test('a key with a share stands out among many without, reads and writes apart', (t) => {
  const { hotKeys, time } = world();
  for (let i = 0; i < 100_000; i += 1) {
    // As regular as a client can be: every tenth read, every fourth write.
    hotKeys.note('read', i % 10 === 0 ? key('3:4:hot', '1:2:') : key(`${i}`));
    if (i % 2 === 0) hotKeys.note('write', i % 8 === 0 ? key('written') : key(`${i}`));
    time.nowMs += 0.1;
  }
  const reads = hotKeys.report('read', 5);
  const writes = hotKeys.report('write', 5);
  t.same(
    reads.keys.map((each) => each.key),
    [key('3:4:hot', '1:2:')],
  );
  t.same(
    writes.keys.map((each) => each.key),
    [key('written')],
  );
  const [hot] = reads.keys;
  t.ok(Math.abs((hot?.share ?? 0) - 0.1) <= (hot?.margin ?? 0), `${hot?.share} ± ${hot?.margin}`);
  t.ok((hot?.margin ?? 1) < 0.02);
  t.ok(Math.abs(reads.perSecond - 10_000) < 500, `${reads.perSecond} reads a second`);
  t.ok(Math.abs(writes.perSecond - 5_000) < 500, `${writes.perSecond} writes a second`);
  t.end();
});

t.test('what was hot cools down, and what becomes hot is seen', (t) => {
  const { hotKeys, time } = world();
  const run = (name: string, minutes: number) => {
    for (let i = 0; i < minutes * 1_000; i += 1) {
      hotKeys.note('read', key(name));
      time.nowMs += HALF_LIFE_MS / 1_000;
    }
  };
  run('before', 10);
  run('after', 3);
  const [first, second] = hotKeys.report('read', 5).keys;
  t.same([first?.key, second?.key], [key('after'), key('before')]);
  t.ok((first?.share ?? 0) > 0.8);
  time.nowMs += 1_000 * HALF_LIFE_MS;
  t.match(hotKeys.report('read', 5), { keys: [] });
  t.ok(hotKeys.report('read', 5).perSecond < 0.001);
  run('again', 2);
  t.same(hotKeys.report('read', 5).keys[0]?.key, key('again'));
  t.end();
});

t.test('even load has no hot keys, and long keys are not kept', (t) => {
  const { hotKeys, counts } = world();
  for (let i = 0; i < 20_000; i += 1) hotKeys.note('read', key(`${i % 5_000}`));
  t.same(hotKeys.report('read', 5).keys, []);
  for (let i = 0; i < 20_000; i += 1) hotKeys.note('write', key('x'.repeat(2_000)));
  t.same(hotKeys.report('write', 5).keys, []);
  t.ok(hotKeys.report('write', 5).perSecond > 0);
  t.ok((counts.get('hot_keys_long_total') ?? 0) > 1_000);
  t.end();
});
