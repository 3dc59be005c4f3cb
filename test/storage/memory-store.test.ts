/**
 * The store in memory keeps what every store promises, and takes nothing by reference.
 */

import t from 'tap';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { checkStoreCompliance } from './store-compliance.ts';

checkStoreCompliance(t, { open: () => Promise.resolve(new MemoryStore()) });

t.test('what the caller does to its buffers afterwards changes nothing', async (t) => {
  const store = new MemoryStore();
  const [key, head] = [Buffer.from('key'), Buffer.from('head')];
  await store.write([{ kind: 'put', key, head }]);
  key.fill('x');
  head.fill('x');
  t.same(await store.get(Buffer.from('key')), Buffer.from('head'));
});
