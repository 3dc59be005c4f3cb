/** Whom a new store may come after, and by how much. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import { Succession } from '../../src/node/succession.ts';
import { openIdentity, type Identity } from '../../src/replica/identity.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { WriteOperation } from '../../src/storage/store.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const [PEER, OTHER] = ['peer@127.0.0.1' as NodeId, 'other@127.0.0.1' as NodeId];
const HOUR_MS = 3_600_000;
const YEARS = 315_576_000_000;

class RefusingStore extends MemoryStore {
  refuses = false;

  override write(operations: readonly WriteOperation[]): Promise<void> {
    if (this.refuses) return Promise.reject(new Fault('overload', 'too much to do'));
    return super.write(operations);
  }
}

interface Begun {
  readonly host: VirtualHost;
  readonly store: MemoryStore;
  readonly identity: Identity;
  readonly succession: Succession;
}

async function begin(store = new MemoryStore()): Promise<Begun> {
  const host = new VirtualHost();
  const identity = await openIdentity(store, host);
  return { host, store, identity, succession: new Succession(host, identity) };
}

/** What `refusedBy` writes is in the memory store when the turn is over. */
async function settle({ host }: Begun): Promise<void> {
  await host.advance(1);
}

t.test('a new store counts on from what a peer remembers of a lost one, durably', async (t) => {
  const begun = await begin();
  const { identity, succession, store } = begun;
  const incarnation = identity.incarnation + YEARS;
  succession.refusedBy(PEER, { incarnation, knownForMs: HOUR_MS });
  await settle(begun);
  t.equal(identity.incarnation, incarnation + 1);
  succession.refusedBy(OTHER, { incarnation: incarnation - 1, knownForMs: HOUR_MS });
  await settle(begun);
  t.equal(identity.incarnation, incarnation + 1, 'who remembers less is already followed');
  t.equal((await begin(store)).identity.incarnation, incarnation + 2);
});

t.test('so it may at its next start if no peer has let it in before', async (t) => {
  const { identity, store } = await begin();
  const again = await begin(store);
  const incarnation = identity.incarnation + YEARS;
  again.succession.refusedBy(PEER, { incarnation, knownForMs: HOUR_MS });
  await settle(again);
  t.equal(again.identity.incarnation, incarnation + 1);
});

t.test('a store that was ever let in is an old image to who remembers a later one', async (t) => {
  const first = await begin();
  first.succession.admittedBy(PEER);
  await settle(first);
  const again = await begin(first.store);
  const { incarnation } = again.identity;
  again.succession.refusedBy(OTHER, { incarnation: incarnation + YEARS, knownForMs: HOUR_MS });
  await settle(again);
  t.equal(again.identity.incarnation, incarnation);
});

t.test('who was let in and is refused now has been followed, whoever says so next', async (t) => {
  const begun = await begin();
  const { identity, succession } = begun;
  const { incarnation: own } = identity;
  const remembered = { incarnation: own + YEARS, knownForMs: HOUR_MS };
  succession.admittedBy(PEER);
  succession.refusedBy(PEER, remembered);
  succession.refusedBy(OTHER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own);
  t.ok(begun.host.logged.includes('node.outdated'));
});

t.test('being let in by one who has forgotten is no reason to stay out at the rest', async (t) => {
  const begun = await begin();
  const { identity, succession } = begun;
  succession.admittedBy(PEER);
  const remembered = { incarnation: identity.incarnation + YEARS, knownForMs: HOUR_MS };
  succession.refusedBy(OTHER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, remembered.incarnation + 1);
});

t.test(
  'who runs for longer than the other is known may be the one that was followed',
  async (t) => {
    const begun = await begin();
    const { host, identity, succession } = begun;
    const { incarnation: own } = identity;
    await host.advance(HOUR_MS);
    succession.refusedBy(PEER, { incarnation: own + YEARS, knownForMs: HOUR_MS - 1 });
    await settle(begun);
    t.equal(identity.incarnation, own);
  },
);

t.test('a peer that lies can neither count to the end nor count for ever', async (t) => {
  const begun = await begin();
  const { host, identity, succession, store } = begun;
  const { incarnation: own } = identity;
  for (const incarnation of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, own + 2 ** 43]) {
    succession.refusedBy(PEER, { incarnation, knownForMs: HOUR_MS });
  }
  await settle(begun);
  t.equal(identity.incarnation, own);
  t.equal(host.counters.get('incarnation_rises_refused'), 3);
  for (let lie = 0; lie < 1_000; lie += 1) {
    const incarnation = Math.min(identity.incarnation + 1, own + 2 ** 43 - 1);
    succession.refusedBy(PEER, { incarnation, knownForMs: HOUR_MS });
    await settle(begun);
  }
  t.ok((host.counters.get('incarnation_rises') ?? 0) < 100);
  const raised = identity.incarnation;
  t.equal((await begin(store)).identity.incarnation, raised + 1, 'the next start is another');
});

t.test('what could not be noted is not in force, and is tried again when told again', async (t) => {
  const store = new RefusingStore();
  const begun = await begin(store);
  const { identity, succession, host } = begun;
  const { incarnation: own } = identity;
  const remembered = { incarnation: own + 5, knownForMs: HOUR_MS };
  store.refuses = true;
  succession.admittedBy(OTHER);
  succession.refusedBy(PEER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own);
  t.same(
    host.logged.filter((event) => event === 'node.incarnation-not-noted'),
    ['node.incarnation-not-noted', 'node.incarnation-not-noted'],
  );
  store.refuses = false;
  succession.admittedBy(OTHER);
  succession.refusedBy(PEER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own + 6);
  t.equal((await begin(store)).identity.wasNeverLinked, false);
});
