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
  /** Who has told that the store is an older copy. */
  readonly tellers: readonly NodeId[];
}

async function begin(store = new MemoryStore()): Promise<Begun> {
  const host = new VirtualHost();
  const identity = await openIdentity(store, host);
  const tellers: NodeId[] = [];
  const succession = new Succession(host, identity, {
    otherMembers: () => [PEER, OTHER],
    foundOld: (peer) => tellers.push(peer),
  });
  return { host, store, identity, succession, tellers };
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

t.test(
  'a store that was ever let in is an older copy to who remembers another start',
  async (t) => {
    const first = await begin();
    first.succession.admittedBy(PEER, false);
    await settle(first);
    for (const ahead of [YEARS, 0, -1]) {
      const again = await begin(first.store);
      const { incarnation } = again.identity;
      const remembered = { incarnation: incarnation + ahead, knownForMs: HOUR_MS };
      again.succession.refusedBy(OTHER, remembered);
      again.succession.refusedBy(PEER, remembered);
      await settle(again);
      t.equal(again.identity.incarnation, incarnation);
      t.same(again.tellers, [OTHER], 'once');
    }
  },
);

t.test('a majority of the others lets actors go on after a clean stop', async (t) => {
  const first = await begin();
  first.identity.freshActor();
  await first.identity.close();
  const again = await begin(first.store);
  again.succession.admittedBy(PEER, true);
  again.succession.admittedBy(OTHER, false);
  t.ok(again.identity.isUndecided, 'one of two is none');
  again.succession.admittedBy(OTHER, true);
  t.notOk(again.identity.isUndecided);
  t.equal(again.identity.prefix, first.identity.prefix);
});

t.test('who was let in and is refused now has been followed, whoever says so next', async (t) => {
  const begun = await begin();
  const { identity, succession } = begun;
  const { incarnation: own } = identity;
  const remembered = { incarnation: own + YEARS, knownForMs: HOUR_MS };
  succession.admittedBy(PEER, false);
  succession.refusedBy(PEER, remembered);
  succession.refusedBy(OTHER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own);
  t.ok(begun.host.logged.includes('node.outdated'));
});

t.test('being let in by one who has forgotten is no reason to stay out at the rest', async (t) => {
  const begun = await begin();
  const { identity, succession } = begun;
  succession.admittedBy(PEER, false);
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
    const again = await begin(begun.store);
    again.succession.admittedBy(PEER, false);
    await settle(again);
    const linked = await begin(begun.store);
    await linked.host.advance(HOUR_MS);
    linked.succession.refusedBy(PEER, { incarnation: own + YEARS, knownForMs: HOUR_MS - 1 });
    t.same(linked.tellers, [], 'nor does it take its store for a copy');
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
  succession.admittedBy(OTHER, false);
  succession.refusedBy(PEER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own);
  t.same(
    host.logged.filter((event) => event === 'node.incarnation-not-noted'),
    ['node.incarnation-not-noted', 'node.incarnation-not-noted'],
  );
  store.refuses = false;
  succession.admittedBy(OTHER, false);
  succession.refusedBy(PEER, remembered);
  await settle(begun);
  t.equal(identity.incarnation, own + 6);
  t.equal((await begin(store)).identity.wasNeverLinked, false);
});
