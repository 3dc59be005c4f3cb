/** The identity: what survives which stop, and that no actor is ever fresh twice. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { decodeActor } from '../../src/clock/actor.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import { encodeMetaKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

const ENTRY = encodeMetaKey(utf8ToByteString('identity'));

t.test('a new store has a new identity', async (t) => {
  const host = new VirtualHost();
  const [one, other] = [
    await openIdentity(new MemoryStore(), host),
    await openIdentity(new MemoryStore(), host),
  ];
  t.not(one.identity, other.identity);
  t.equal(one.identity.length, 8);
});

t.test(
  'a store in the place of a lost one comes after all incarnations of the lost one',
  async (t) => {
    const [host, lost] = [new VirtualHost(), new MemoryStore()];
    await openIdentity(lost, host);
    await openIdentity(lost, host);
    const last = await openIdentity(lost, host);
    await host.advance(100);
    const next = await openIdentity(new MemoryStore(), host);
    t.ok(next.incarnation > last.incarnation);
  },
);

t.test('after a clean stop the actor epoch stays and key epochs go on', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  const last = before.freshActor();
  await before.close();
  await before.close();
  const after = await openIdentity(store, host);
  t.equal(after.identity, before.identity);
  t.equal(after.actorEpoch, before.actorEpoch);
  t.equal(after.incarnation, before.incarnation + 1);
  t.equal(decodeActor(after.freshActor()).keyEpoch, decodeActor(last).keyEpoch + 1);
});

t.test('after a kill the actor epoch rises', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  const after = await openIdentity(store, host);
  t.equal(after.identity, before.identity);
  t.equal(after.actorEpoch, before.actorEpoch + 1);
  t.equal(after.incarnation, before.incarnation + 1);
});

t.test('a clean stop counts once: a kill after the next start is seen', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const first = await openIdentity(store, host);
  await first.close();
  const second = await openIdentity(store, host);
  const third = await openIdentity(store, host);
  t.equal(second.actorEpoch, first.actorEpoch);
  t.equal(third.actorEpoch, first.actorEpoch + 1);
});

t.test('where dots were lost a clean stop is none', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  before.forbidCleanStop();
  await before.close();
  t.equal((await openIdentity(store, host)).actorEpoch, before.actorEpoch + 1);
});

t.test('a store that may have forgotten gets a new identity in spite of its mark', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  await before.close();
  await host.advance(100);
  const after = await openIdentity(store, host, { mayHaveForgotten: true });
  t.not(after.identity, before.identity);
  t.ok(after.incarnation > before.incarnation);
});

t.test('a restored copy of any age issues no actor that was issued after the copy', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  await openIdentity(store, host);
  const copy = await store.get(ENTRY);
  const later = [];
  for (let life = 0; life < 5; life += 1) {
    later.push((await openIdentity(store, host)).freshActor());
  }
  await store.write([{ kind: 'put', key: ENTRY, head: copy ?? Buffer.alloc(0) }]);
  const restored = await openIdentity(store, host, { mayHaveForgotten: true });
  t.notOk(later.includes(restored.freshActor()));
});

t.test('a damaged entry makes a new identity, and is reported', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  const bytes = Buffer.from((await store.get(ENTRY)) ?? Buffer.alloc(0));
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), async (at, bit) => {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
      await store.write([{ kind: 'put', key: ENTRY, head: damaged }]);
      const after = await openIdentity(store, host);
      return after.identity !== before.identity;
    }),
  );
  await store.write([{ kind: 'put', key: ENTRY, head: Buffer.alloc(0) }]);
  t.not((await openIdentity(store, host)).identity, before.identity);
  t.ok((host.counters.get('replica_identity_corrupt') ?? 0) > 1);
});

t.test('whatever the stops, no actor is fresh twice', async (t) => {
  const stops = fc.array(fc.tuple(fc.constantFrom('clean', 'kill', 'crash'), fc.nat({ max: 3 })));
  await fc.assert(
    fc.asyncProperty(fc.nat(), stops, async (seed, lives) => {
      const host = new VirtualHost(seed);
      let store = new ShakyStore(host.random);
      const seen = new Set<string>();
      for (const [stop, actorCount] of lives) {
        const identity = await openIdentity(store, host);
        for (let issued = 0; issued < actorCount; issued += 1) {
          const actor = identity.freshActor();
          if (seen.has(actor)) return false;
          seen.add(actor);
        }
        if (stop === 'clean') await identity.close();
        if (stop === 'crash') {
          // The power goes while the mark of the clean stop is on its way.
          void identity.close();
          store = store.crash();
        }
      }
      return true;
    }),
  );
  t.pass('in every history');
});
