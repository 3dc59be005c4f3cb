/** A bucket whose n_val has changed is owed a recount until it was recounted, over restarts too. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../src/base/names.ts';
import { bucketId, type ClusterState } from '../../src/membership/cluster-state.ts';
import { ReplicaCountLedger } from '../../src/repair/replica-count-ledger.ts';
import { encodeMetaKey, metaRange } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { Store } from '../../src/storage/store.ts';
import { stateOf } from '../membership/states.ts';
import { ShakyStore } from '../replica/shaky-store.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const PATIENTS = 'patients' as ByteString;
const VISITS = 'visits' as ByteString;

/** A state in which these buckets have n_vals of their own. */
function stateWith(nVals: Readonly<Record<string, number>>): ClusterState {
  const bucketProperties = Object.entries(nVals).map(([bucket, n_val]) => {
    return [bucketId(DEFAULT_BUCKET_TYPE, bucket as ByteString), { n_val }] as const;
  });
  return { ...stateOf(3), bucketProperties: new Map(bucketProperties) };
}

/** With all that was there at first settled. */
async function settled(store: Store, state: ClusterState): Promise<ReplicaCountLedger> {
  const ledger = new ReplicaCountLedger(store, state);
  await ledger.settle(await ledger.owed());
  return ledger;
}

/** In order; a type as a whole is `all`. */
async function bucketsOwed(ledger: ReplicaCountLedger): Promise<string[]> {
  const { changed } = await ledger.owed();
  return Array.from(changed.values(), ({ bucket }): string => bucket ?? 'all').sort();
}

t.test('a store without a note owes a recount of everything, and then of nothing', async (t) => {
  const store = new MemoryStore();
  const state = stateWith({ patients: 2 });
  const ledger = new ReplicaCountLedger(store, state);
  t.same(await bucketsOwed(ledger), ['all', PATIENTS]);
  await ledger.settle(await ledger.owed());
  t.same(await bucketsOwed(ledger), []);
  t.same(await bucketsOwed(new ReplicaCountLedger(store, state)), []);
});

t.test('an n_val that came and went is owed, over a restart too', async (t) => {
  const store = new MemoryStore();
  const ledger = await settled(store, stateWith({ patients: 2 }));
  await ledger.adopt(stateWith({ patients: 4 }));
  await ledger.adopt(stateWith({ patients: 2 }));
  t.same(await bucketsOwed(ledger), [PATIENTS]);
  const again = new ReplicaCountLedger(store, stateWith({ patients: 2 }));
  t.same(await bucketsOwed(again), [PATIENTS]);
  await again.settle(await again.owed());
  t.same(await bucketsOwed(new ReplicaCountLedger(store, stateWith({ patients: 2 }))), []);
});

t.test(
  'what changes while it is recounted is owed once more, and the rest is settled',
  async (t) => {
    const store = new MemoryStore();
    const ledger = await settled(store, stateWith({}));
    await ledger.adopt(stateWith({ patients: 2, visits: 2 }));
    const owed = await ledger.owed();
    await ledger.adopt(stateWith({ patients: 4, visits: 2 }));
    await ledger.settle(owed);
    t.same(await bucketsOwed(ledger), [PATIENTS]);
    t.same(
      await bucketsOwed(new ReplicaCountLedger(store, stateWith({ patients: 4, visits: 2 }))),
      [PATIENTS],
    );
  },
);

t.test('what changes while the recount is noted is owed once more', async (t) => {
  const store = new MemoryStore();
  const ledger = await settled(store, stateWith({}));
  await ledger.adopt(stateWith({ visits: 2 }));
  const noting = ledger.settle(await ledger.owed());
  await ledger.adopt(stateWith({ visits: 4 }));
  await noting;
  t.same(await bucketsOwed(ledger), [VISITS]);
  t.same(await bucketsOwed(new ReplicaCountLedger(store, stateWith({ visits: 4 }))), [VISITS]);
});

t.test('where a mark found no room the change shows in what was noted', async (t) => {
  const store = new MemoryStore();
  await settled(store, stateWith({ patients: 2 }));
  // The process ended before it could give the mark to the store.
  t.same(await bucketsOwed(new ReplicaCountLedger(store, stateWith({ patients: 4 }))), [PATIENTS]);
});

t.test('a change that could not be marked is owed all the same', async (t) => {
  const store = new MemoryStore();
  const ledger = await settled(store, stateWith({}));
  const owedBefore = await ledger.owed();
  store.write = () => Promise.reject(new Error('no room'));
  await t.rejects(ledger.adopt(stateWith({ patients: 2 })), { message: 'no room' });
  t.same([...owedBefore.changed], []);
  t.same(await bucketsOwed(ledger), [PATIENTS]);
});

t.test('a mark that is damaged owes a recount of everything, and is gone after it', async (t) => {
  for (const name of ['["default","patients', '{"default"}', '[7]', '["default","a","b"]']) {
    const store = new MemoryStore();
    const state = stateWith({ patients: 2 });
    await settled(store, state);
    const key = encodeMetaKey(`n-val-changed/${name}` as ByteString);
    await store.write([{ kind: 'put', key, head: Buffer.alloc(0) }]);
    const ledger = new ReplicaCountLedger(store, state);
    t.same(await bucketsOwed(ledger), ['all', PATIENTS], name);
    await ledger.settle(await ledger.owed());
    t.same(await bucketsOwed(new ReplicaCountLedger(store, state)), [], name);
  }
});

t.test('marks and a note that cannot be read owe a recount of everything', async (t) => {
  const harms = {
    corruptScanFrom: metaRange('n-val-changed/' as ByteString).from,
    corruptKey: encodeMetaKey('n-vals' as ByteString),
  };
  for (const [harmed, key] of Object.entries(harms)) {
    const host = new VirtualHost();
    const memory = new MemoryStore();
    const state = stateWith({ patients: 2 });
    await settled(memory, state);
    const store = Object.assign(new ShakyStore(host.random, memory), { [harmed]: key });
    const ledger = new ReplicaCountLedger(store, state);
    t.same(await bucketsOwed(ledger), ['all', PATIENTS], harmed);
  }
});
