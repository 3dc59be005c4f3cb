/** Files of replication queues on a real disk. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import { QueueFolder, removeOtherQueues } from '../../src/replication/queue-folders.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

t.test('what is written is read, listed and removed', async (t) => {
  const data = t.testdir();
  const folder = new QueueFolder(data, 'to_b');
  t.same(await folder.list(), [], 'no folder is made for nothing');
  await folder.sync();
  await folder.remove('nothing');
  t.same(readdirSync(data), []);
  await folder.write({ name: 'one', position: 0 }, Buffer.from('abc'));
  await folder.write({ name: 'one', position: 3 }, Buffer.from('defgh'));
  await folder.write({ name: 'one', position: 5 }, Buffer.from('x'));
  await folder.write({ name: 'two', position: 0 }, Buffer.alloc(0));
  t.equal(String(await folder.read('one')), 'abcdex', 'what lay behind is cut off');
  t.same(
    (await folder.list()).toSorted((left, right) => (left.name < right.name ? -1 : 1)),
    [
      { name: 'one', sizeBytes: 6 },
      { name: 'two', sizeBytes: 0 },
    ],
  );
  await folder.sync();
  await folder.remove('one');
  t.same(await folder.list(), [{ name: 'two', sizeBytes: 0 }]);
});

t.test('what the system refuses is a fault', async (t) => {
  const data = t.testdir({ replication: { 'queue-q': 'a file, not a folder' } });
  const folder = new QueueFolder(data, 'q');
  const refused = [
    folder.list(),
    folder.read('one'),
    folder.write({ name: 'one', position: 0 }, Buffer.from('abc')),
    folder.remove('one'),
    folder.sync(),
  ];
  for (const attempt of await Promise.allSettled(refused)) {
    t.ok(attempt.status === 'rejected' && isFault(attempt.reason, 'config'));
  }
});

t.test('no name of a queue leads out of its folder', async (t) => {
  const data = t.testdir();
  for (const name of ['.', '..', 'store']) {
    await new QueueFolder(data, name).write({ name: 'one', position: 0 }, Buffer.from('abc'));
  }
  t.same(readdirSync(data), ['replication']);
  t.same(readdirSync(join(data, 'replication')).sort(), ['queue-.', 'queue-..', 'queue-store']);
});

t.test('queues that are configured no more are removed, and nothing else', async (t) => {
  const host = new VirtualHost();
  const data = t.testdir();
  await removeOtherQueues(host, data, ['a']);
  for (const name of ['a', 'b']) {
    await new QueueFolder(data, name).write({ name: 'one', position: 0 }, Buffer.from('abc'));
  }
  mkdirSync(join(data, 'replication', 'something'));
  await removeOtherQueues(host, data, ['a']);
  t.same(readdirSync(join(data, 'replication')).sort(), ['queue-a', 'something']);
  t.same(host.logged, ['replication.queue-removed']);
  t.equal(String(readFileSync(join(data, 'replication', 'queue-a', 'one'))), 'abc');
  const other = t.testdir({ elsewhere: {} });
  writeFileSync(join(other, 'replication'), 'a file');
  chmodSync(other, 0o700);
  await removeOtherQueues(host, other, []);
  t.same(host.logged, ['replication.queue-removed', 'replication.queue-not-removed']);
});
