/** The identity: what survives which stop, and that no actor is ever fresh twice. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { newLineage } from '../../src/base/lineage.ts';
import { decodeActor } from '../../src/clock/actor.ts';
import { openIdentity, type Identity } from '../../src/replica/identity.ts';
import { encodeMetaKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { Store } from '../../src/storage/store.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

const ENTRY = encodeMetaKey(utf8ToByteString('identity'));
const STARTS = encodeMetaKey(utf8ToByteString('starts'));

/** A start whose peers vouch for it. */
async function openVouched(store: Store, host: VirtualHost): Promise<Identity> {
  const identity = await openIdentity(store, host);
  identity.continueActors();
  return identity;
}

function originOf({ lineage }: Identity): ByteString {
  return lineage.origin.mark;
}

/** What is on a disk that is copied as it runs. */
async function copyOf(store: MemoryStore): Promise<MemoryStore> {
  const copy = new MemoryStore();
  for (const key of [ENTRY, STARTS]) {
    const head = await store.get(key);
    if (head !== undefined) await copy.write([{ kind: 'put', key, head }]);
  }
  return copy;
}

t.test('a new store begins a lineage, and each start has a mark of its own', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const [one, other] = [
    await openIdentity(store, host),
    await openIdentity(new MemoryStore(), host),
  ];
  t.not(originOf(one), originOf(other));
  t.equal(one.mark.length, 8);
  await one.noteLinked();
  const next = await openIdentity(store, host);
  t.not(next.mark, one.mark);
  t.equal(originOf(next), originOf(one));
  t.same(
    next.lineage.starts.map(({ mark }) => mark),
    [one.mark, next.mark],
  );
});

t.test(
  'nobody knows a start that nobody has let in: the lineage begins with the next',
  async (t) => {
    const [host, store] = [new VirtualHost(), new MemoryStore()];
    const first = await openIdentity(store, host);
    await first.raiseIncarnation(first.incarnation + 100);
    const next = await openIdentity(store, host);
    t.equal(next.incarnation, first.incarnation + 1);
    t.same(next.lineage, newLineage({ incarnation: next.incarnation, mark: next.mark }));
  },
);

t.test('a raised start is known under its new number', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const first = await openIdentity(store, host);
  const raising = first.raiseIncarnation(first.incarnation + 100);
  await first.noteLinked();
  await raising;
  const { incarnation, mark } = first;
  const { lineage } = await openIdentity(store, host);
  t.same(lineage.starts[0], { incarnation, mark });
  t.same(lineage.origin, { incarnation, mark });
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

t.test('after a clean stop that peers vouch for the actors go on', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  const last = before.freshActor();
  await before.close();
  await before.close();
  const after = await openIdentity(store, host);
  t.ok(after.isUndecided);
  t.equal(after.prefix, before.prefix, 'they may');
  after.continueActors();
  after.beginAfresh();
  t.equal(after.prefix, before.prefix);
  t.equal(after.incarnation, before.incarnation + 1);
  const { identity, keyEpoch } = decodeActor(last);
  t.match(decodeActor(after.freshActor()), { identity, keyEpoch: keyEpoch + 1 });
});

t.test('who issues before anybody has vouched has actors of its own', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  before.freshActor();
  await before.close();
  const after = await openIdentity(store, host);
  const actor = decodeActor(after.freshActor());
  t.match(actor, { identity: after.mark, keyEpoch: 1 });
  after.continueActors();
  t.notOk(after.isUndecided);
  t.not(after.prefix, before.prefix, 'it is too late');
  await after.close();
  t.equal((await openIdentity(store, host)).prefix, after.prefix, 'its own go on next');
});

t.test('after a kill the actors are others', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  const after = await openVouched(store, host);
  t.not(after.prefix, before.prefix);
  t.equal(after.incarnation, before.incarnation + 1);
});

t.test('a clean stop counts once: a kill after the next start is seen', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const first = await openIdentity(store, host);
  await first.close();
  const second = await openVouched(store, host);
  const third = await openVouched(store, host);
  t.equal(second.prefix, first.prefix);
  t.not(third.prefix, first.prefix);
});

t.test('where dots were lost a clean stop is none', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  before.forbidCleanStop();
  await before.close();
  t.not((await openVouched(store, host)).prefix, before.prefix);
});

t.test('a clean stop of a build that knows no marks is none that could be told', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  await before.noteLinked();
  await before.close();
  const marks = (await store.get(STARTS)) ?? Buffer.alloc(0);
  const between = await openVouched(store, host);
  await between.close();
  await store.write([{ kind: 'put', key: STARTS, head: marks }]);
  const after = await openIdentity(store, host);
  t.notOk(after.isUndecided);
  t.equal(originOf(after), originOf(before));
  await store.write([{ kind: 'put', key: STARTS, head: Buffer.from([1, 2]) }]);
  const blank = await openIdentity(store, host);
  t.equal(originOf(blank), blank.mark, 'damaged marks begin a lineage');
});

t.test('a store that may have forgotten gets a new identity in spite of its mark', async (t) => {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const before = await openIdentity(store, host);
  await before.close();
  await host.advance(100);
  const after = await openIdentity(store, host, { mayHaveForgotten: true });
  t.not(originOf(after), originOf(before));
  t.notOk(after.isUndecided);
  t.ok(after.incarnation > before.incarnation);
});

t.test('a copy of any age issues no actor that was issued after it, told of or not', async (t) => {
  const stops = fc.array(fc.constantFrom('clean', 'kill'), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.nat(), stops, fc.nat(), fc.boolean(), async (seed, lives, age, isTold) => {
      const [host, store] = [new VirtualHost(seed), new MemoryStore()];
      const copies = [];
      const seen = new Set<string>();
      for (const stop of lives) {
        const identity = await openVouched(store, host);
        seen.add(identity.freshActor());
        if (stop === 'clean') await identity.close();
        copies.push(await copyOf(store));
      }
      // Its last copy is the disk itself: whoever starts from it has been followed by nobody.
      const copy = copies[age % copies.length] ?? store;
      (await openVouched(store, host)).freshActor();
      const restored = await openIdentity(copy, host, { mayHaveForgotten: isTold });
      return !seen.has(restored.freshActor());
    }),
  );
  t.pass('in every history');
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
      return originOf(after) !== originOf(before);
    }),
  );
  await store.write([{ kind: 'put', key: ENTRY, head: Buffer.alloc(0) }]);
  t.not(originOf(await openIdentity(store, host)), originOf(before));
  t.ok((host.counters.get('replica_identity_corrupt') ?? 0) > 1);
});

t.test('whatever the stops, no actor is fresh twice', async (t) => {
  const stops = fc.array(
    fc.tuple(fc.constantFrom('clean', 'kill', 'crash'), fc.nat({ max: 3 }), fc.boolean()),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(), stops, async (seed, lives) => {
      const host = new VirtualHost(seed);
      let store = new ShakyStore(host.random);
      const seen = new Set<string>();
      for (const [stop, actorCount, isVouched] of lives) {
        const identity = await openIdentity(store, host);
        if (isVouched) identity.continueActors();
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
