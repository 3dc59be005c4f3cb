/** What a node notes of its peers' starts, and what its next start makes of it. */

import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { extendLineage, newLineage, type Lineage } from '../../src/base/lineage.ts';
import type { NodeId } from '../../src/base/names.ts';
import { PeerStarts } from '../../src/node/peer-starts.ts';
import { encodeMetaKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { WriteOperation } from '../../src/storage/store.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const [PEER, OTHER] = ['peer@127.0.0.1' as NodeId, 'other@127.0.0.1' as NodeId];
const NOTE = encodeMetaKey(utf8ToByteString('peer-starts'));
const SURE = { mayHaveForgotten: false };

class FailingStore extends MemoryStore {
  failure: 'overload' | 'store-fenced' | undefined;

  override write(operations: readonly WriteOperation[]): Promise<void> {
    const { failure } = this;
    if (failure !== undefined) return Promise.reject(new Fault(failure, 'a test says so'));
    return super.write(operations);
  }
}

function mark(text: string, incarnation: number) {
  return { incarnation, mark: text as ByteString };
}

const FIRST: Lineage = newLineage(mark('\u0000one\u00ff', 7));
const SECOND: Lineage = extendLineage(FIRST, mark('two', 8));

async function open(store = new FailingStore(), options = SURE, members = [PEER, OTHER]) {
  const host = new VirtualHost();
  const isMember = (node: NodeId): boolean => members.includes(node);
  return { host, store, starts: await PeerStarts.open(host, { store, isMember }, options) };
}

t.test('the last start that was let in is known at the next start, and not before', async (t) => {
  const { starts, store } = await open();
  starts.note({ node: PEER, lineage: FIRST });
  starts.note({ node: PEER, lineage: SECOND });
  starts.note({ node: PEER, lineage: SECOND });
  t.equal(starts.recall(PEER), undefined, 'the gate knows it');
  const next = await open(store);
  t.same(next.starts.recall(PEER), { ...mark('two', 8), origin: FIRST.origin, isLast: true });
  t.equal(next.starts.recall(OTHER), undefined);
});

t.test('a store that may have forgotten keeps it, but that it was the last', async (t) => {
  const { starts, store } = await open();
  starts.note({ node: PEER, lineage: FIRST });
  const doubting = await open(store, { mayHaveForgotten: true });
  t.match(doubting.starts.recall(PEER), { mark: FIRST.origin.mark, isLast: false });
  const next = await open(store);
  t.match(next.starts.recall(PEER), { isLast: false }, 'at its next start too');
  next.starts.note({ node: PEER, lineage: FIRST });
  t.match((await open(store)).starts.recall(PEER), { isLast: true }, 'until it is let in again');
});

t.test('what a build without marks has let in makes what was known not the last', async (t) => {
  const { starts, store } = await open();
  starts.note({ node: PEER });
  starts.note({ node: OTHER, lineage: FIRST });
  starts.note({ node: OTHER });
  starts.note({ node: OTHER });
  const next = await open(store);
  t.equal(next.starts.recall(PEER), undefined);
  t.match(next.starts.recall(OTHER), { isLast: false });
});

t.test('a count that no clock comes to is remembered by the process only', async (t) => {
  const { starts, store, host } = await open();
  const far = host.clock.wallMicros() / 1_000 + 2 ** 43;
  starts.note({ node: PEER, lineage: newLineage(mark('far', Math.floor(far))) });
  t.equal((await open(store)).starts.recall(PEER), undefined);
});

t.test('who is no member any more is left out', async (t) => {
  const { starts, store } = await open();
  starts.note({ node: PEER, lineage: FIRST });
  const later = await open(store, SURE, [OTHER]);
  later.starts.note({ node: OTHER, lineage: FIRST });
  const last = await open(store);
  t.equal(last.starts.recall(PEER), undefined);
  t.match(last.starts.recall(OTHER), FIRST.origin);
});

t.test('what an overloaded store refuses is written later, once', async (t) => {
  const { starts, store, host } = await open();
  store.failure = 'overload';
  starts.note({ node: PEER, lineage: FIRST });
  starts.note({ node: PEER, lineage: SECOND });
  await host.advance(3_000);
  store.failure = undefined;
  await host.advance(3_000);
  t.match((await open(store)).starts.recall(PEER), { mark: 'two' });
  t.equal(host.timerCount, 0);
  store.failure = 'store-fenced';
  starts.note({ node: OTHER, lineage: FIRST });
  await host.advance(3_000);
  t.equal(host.timerCount, 0, 'nothing is written any more');
  t.ok(host.logged.includes('node.peer-starts-not-noted'));
});

t.test('bytes that no note is say nothing', async (t) => {
  for (const text of ['', '{', '{}', '[1]', '[["a",1,"b",2,"c"]]', '[["a",1,"b",2,"c","d"]]']) {
    const store = new FailingStore();
    await store.write([{ kind: 'put', key: NOTE, head: Buffer.from(text) }]);
    t.equal((await open(store)).starts.recall('a' as NodeId), undefined, text);
  }
});
