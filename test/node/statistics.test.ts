/**
 * What is counted under the names that people graph.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../../src/base/names.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, content, contextOf } from './told.ts';

const KEY: ObjectKey = {
  type: DEFAULT_BUCKET_TYPE,
  bucket: utf8ToByteString('b'),
  key: utf8ToByteString('k'),
};
const FIELD = utf8ToByteString('word_bin');

function withWords(text: string, words: readonly string[]) {
  const indexes = words.map((word) => ({ field: FIELD, term: utf8ToByteString(word) }));
  return { ...content(text), metadata: { indexes } };
}

t.test('index work is counted by objects and by entries, at each replica', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const counted = (name: string): number => cluster.counted(N2, `vnode_index_${name}`);
  await teller.put(N1, KEY, { text: '', w: 3, dw: 3, content: withWords('x', ['ann', 'bob']) });
  t.same([counted('writes'), counted('writes_postings'), counted('deletes')], [1, 2, 0]);
  await teller.put(N1, KEY, { text: '', w: 3, dw: 3, content: withWords('y', ['bob', 'cyd']) });
  t.same([counted('writes'), counted('writes_postings')], [2, 3]);
  t.same([counted('deletes'), counted('deletes_postings')], [1, 1]);
  await teller.put(N1, { ...KEY, key: utf8ToByteString('l') }, { text: 'no entries', w: 3, dw: 3 });
  t.equal(counted('writes'), 2);
  const scan = {
    type: KEY.type,
    bucket: KEY.bucket,
    field: FIELD,
    after: undefined,
    limit: undefined,
    from: utf8ToByteString('a'),
    to: utf8ToByteString('z'),
  };
  const query = cluster.node(N1).index(scan, { timeoutMs: 5_000 });
  while ((await cluster.settle(query.next())).done !== true);
  const reads = [N1, N2, N3].map((id) => cluster.counted(id, 'vnode_index_reads'));
  t.ok(reads.reduce((sum, count) => sum + count, 0) > 0);
  t.equal(cluster.counted(N1, 'index_fsm_create'), 1);
  t.equal(cluster.counted(N1, 'list_fsm_create'), 0);
});

t.test('copies that differ are counted when they are merged', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  await teller.makeType('siblings', { allow_mult: true });
  const key = { ...KEY, type: utf8ToByteString('siblings') };
  const merges = (): number =>
    [N1, N2, N3].reduce((sum, id) => sum + cluster.counted(id, 'object_merge'), 0);
  await teller.put(N1, key, { text: 'x', w: 3, dw: 3 });
  const context = contextOf(await teller.get(N1, key));
  await teller.put(N1, key, { text: 'y', w: 3, dw: 3, context });
  t.equal(merges(), 0, 'what supersedes needs no merge');
  await cluster.settle(
    Promise.all(
      [N1, N2].map((id) =>
        cluster.node(id).put({ key, content: content(`at ${id}`), returning: 'nothing', w: 3 }),
      ),
    ),
  );
  t.ok(merges() > 0);
});

t.test('a write to a write-once bucket is counted', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  await teller.makeType('once', { write_once: true });
  await teller.put(N1, { ...KEY, type: utf8ToByteString('once') }, { text: 'x', w: 3 });
  await teller.put(N1, KEY, { text: 'x', w: 3 });
  t.equal(teller.cluster.counted(N1, 'write_once_puts'), 1);
  t.equal(teller.cluster.counted(N1, 'node_puts'), 2);
});
