/** Own chains: when this node's actor of a key goes on, and when a fresh one begins. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { Dot, VersionVector } from '../../src/clock/version-vector.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import { OwnChains } from '../../src/replica/own-chains.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { text } from './replica-world.ts';
import { VirtualHost } from './virtual-host.ts';

const KEY = text('key');

async function open() {
  const [host, store] = [new VirtualHost(), new MemoryStore()];
  const identity = await openIdentity(store, host);
  const chains = new OwnChains(identity);
  return { host, store, identity, chains };
}

/** Issues a dot on a copy with this context, and gives the copy's context after it. */
function issue(chains: OwnChains, local: VersionVector | undefined, id = KEY) {
  const dot = chains.next(id, { local, client: EMPTY_VERSION_VECTOR });
  chains.begin(id);
  return { dot, context: new Map([...(local ?? []), [dot.actor, dot.counter]]) };
}

function isNextOf(dot: Dot, before: Dot): boolean {
  return dot.actor === before.actor && dot.counter === before.counter + 1;
}

t.test('a copy that is held goes on with its actor', async (t) => {
  const { chains } = await open();
  const first = issue(chains, undefined);
  t.equal(first.dot.counter, 1);
  t.ok(isNextOf(issue(chains, first.context).dot, first.dot));
});

t.test('a dot that was not issued after all does not reopen a closed chain', async (t) => {
  const { chains } = await open();
  const { dot, context } = issue(chains, undefined);
  chains.meet(KEY, context, new Map([[dot.actor, dot.counter + 1]]));
  const local = new Map([[dot.actor, dot.counter + 1]]);
  const refused = chains.next(KEY, { local, client: EMPTY_VERSION_VECTOR });
  t.not(refused.actor, dot.actor);
  const issued = chains.next(KEY, { local, client: EMPTY_VERSION_VECTOR });
  t.not(issued.actor, dot.actor);
});

t.test('dots of others, and own ones that the copy has, close nothing', async (t) => {
  const { chains, identity } = await open();
  const other = await open();
  const { dot, context } = issue(chains, undefined);
  const theirs = issue(
    new OwnChains(await openIdentity(other.store, new VirtualHost(5))),
    undefined,
  );
  chains.meet(KEY, context, new Map([...context, ...theirs.context]));
  t.ok(isNextOf(issue(chains, context).dot, dot));
  await identity.close();
});

t.test('where a dot may be lost the chain is closed, and begins anew once', async (t) => {
  const { chains } = await open();
  const keys = ['a', 'b', 'c'].map(text);
  const before = keys.map((id) => issue(chains, undefined, id));
  chains.close(text('b'));
  const after = keys.map((id, index) => issue(chains, before[index]?.context, id));
  t.same(
    after.map(({ dot }, index) => dot.actor === before[index]?.dot.actor),
    [true, false, true],
  );
  for (const [index, { dot, context }] of after.entries()) {
    t.ok(isNextOf(issue(chains, context, keys[index]).dot, dot));
  }
});

/** One more than are remembered. */
function closeAll(chains: OwnChains): void {
  for (let index = 0; index <= 65_536; index += 1) chains.close(`${index}` as ByteString);
}

t.test('more closed chains than are remembered close them all', async (t) => {
  const { chains, store, identity } = await open();
  const held = issue(chains, undefined);
  closeAll(chains);
  t.not(issue(chains, held.context).dot.actor, held.dot.actor);
  await identity.close();
  const next = await openIdentity(store, new VirtualHost(2));
  next.continueActors();
  t.not(next.prefix, identity.prefix);
});

t.test('what peers know of a chain before it is decided who goes on closes it', async (t) => {
  const { chains, store, identity } = await open();
  const { dot, context } = issue(chains, undefined);
  await identity.close();
  const next = await openIdentity(store, new VirtualHost(2));
  const after = new OwnChains(next);
  after.meet(KEY, context, new Map([[dot.actor, dot.counter + 1]]));
  next.continueActors();
  t.not(issue(after, context).dot.actor, dot.actor);
  t.ok(issue(after, context, text('other')).dot.actor === dot.actor);
});

t.test(
  'chains that were closed before it was decided are not those of who begins afresh',
  async (t) => {
    const { chains, store, identity } = await open();
    issue(chains, undefined);
    await identity.close();
    const next = await openIdentity(store, new VirtualHost(2));
    const after = new OwnChains(next);
    closeAll(after);
    const first = issue(after, undefined);
    t.ok(isNextOf(issue(after, first.context).dot, first.dot));
  },
);
