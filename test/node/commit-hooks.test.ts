/** Commit hooks in a cluster: what they see, what they may do, and when they run. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import type { CommitHooks, HookedWrite } from '../../src/coordinator/commit-hooks.ts';
import { decodeState, encodeState } from '../../src/datatype/encoding.ts';
import { emptyState } from '../../src/datatype/state.ts';
import { valueOf } from '../../src/datatype/value.ts';
import type { NewContent } from '../../src/object/requests.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, Teller, content, told } from './told.ts';

/** Refuses `bad`, changes `plain`, and remembers what it was told. */
class ToldHooks implements CommitHooks {
  readonly checked: string[] = [];
  readonly told: string[] = [];

  async before(...[hooks, { content: given }]: Parameters<CommitHooks['before']>) {
    this.checked.push(`${hooks.length}:${describe(given)}`);
    if (given.value.toString() === 'bad') return { kind: 'failed', reason: 'no bad ones' } as const;
    const passed = given.value.toString() === 'plain' ? content('changed') : given;
    return { kind: 'passed', content: passed } as const;
  }

  after(hooks: readonly unknown[], write: HookedWrite): void {
    this.told.push(`${hooks.length}:${describe(write.content)}`);
  }
}

function describe({ isTombstone, value }: HookedWrite['content']): string {
  return isTombstone ? 'delete' : value.toString();
}

const HOOKS = { precommit: [{ mod: 'm', fun: 'f' }], postcommit: [{ name: 'n' }] };

async function hookedCluster() {
  const hooks = new ToldHooks();
  const cluster = await TestCluster.start({ nodeCount: 4, commitHooks: hooks });
  const teller = new Teller(cluster);
  await teller.makeType('hooked', HOOKS);
  // A key whose writes another node must coordinate.
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1), { type: 'hooked' });
  return { hooks, cluster, teller, key };
}

t.test('a pre-commit hook refuses a write, or changes it, where it is coordinated', async (t) => {
  const { hooks, teller, key } = await hookedCluster();
  t.same(await teller.put(N1, key, { text: 'bad' }), {
    kind: 'precommit-failed',
    reason: 'no bad ones',
  });
  t.equal(told(await teller.get(N2, key)), 'not-found');
  t.match(await teller.put(N1, key, { text: 'plain' }), { kind: 'stored' });
  t.same(told(await teller.get(N2, key)), ['changed']);
  t.same(hooks.checked, ['1:bad', '1:plain'], 'each write is checked once');
  t.same(hooks.told, ['1:changed'], 'what was written is told, and what was refused is not');
});

t.test('deletes are checked and told too', async (t) => {
  const { hooks, teller, key } = await hookedCluster();
  await teller.put(N1, key, { text: 'a' });
  t.match(await teller.delete(N1, key), { kind: 'deleted' });
  t.same(hooks.checked, ['1:a', '1:delete']);
  t.same(hooks.told, ['1:a', '1:delete']);
});

t.test('a write goes to those who hold the key when its hooks have seen it', async (t) => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const hooks: CommitHooks = {
    before: async (_, { content: given }) => {
      await released;
      return { kind: 'passed', content: given };
    },
    after: () => undefined,
  };
  const cluster = await TestCluster.start({ nodeCount: 4, commitHooks: hooks });
  const teller = new Teller(cluster);
  await teller.makeType('hooked', { ...HOOKS, n_val: 2 });
  await teller.makeType('hookedsets', { ...HOOKS, n_val: 2, datatype: 'set' });
  const operation = { kind: 'set', adds: ['a' as ByteString], removes: [] } as const;
  const key = cluster.keyWhere((nodes) => nodes[0] === N1, { type: 'hooked' });
  const setKey = cluster.keyWhere((nodes) => nodes[0] === N1, { type: 'hookedsets' });
  const node = cluster.node(N1);
  const writing = Promise.all([
    node.put({ key, content: content('a'), returning: 'nothing' }),
    node.updateDatatype({ key: setKey, operation, returning: 'nothing' }),
  ]);
  for (const { type, bucket } of [key, setKey]) {
    await cluster.settle(node.setBucketProperties(type, bucket, { n_val: 3 }));
  }
  release();
  t.match(await cluster.settle(writing), [{ kind: 'stored' }, { kind: 'updated' }]);
  for (const each of [key, setKey]) {
    const holders = await Promise.all(cluster.ids.map((id) => teller.copyAt(id, each)));
    t.equal(holders.filter((copy) => copy !== undefined).length, 3);
  }
});

t.test('write-once buckets have no hooks', async (t) => {
  const { hooks, cluster, teller } = await hookedCluster();
  await teller.makeType('once', { ...HOOKS, write_once: true });
  const once = cluster.keyWhere(() => true, { type: 'once' });
  t.match(await teller.put(N1, once, { text: 'bad' }), { kind: 'stored' });
  t.same(hooks.checked, []);
  t.same(hooks.told, []);
});

t.test('a hook sees an update of a data type empty before it, and whole after it', async (t) => {
  const seen: NewContent[] = [];
  const told: NewContent[] = [];
  let verdict: 'passed' | 'failed' = 'passed';
  const hooks: CommitHooks = {
    before: (_, { content: given }) => {
      seen.push(given);
      const outcome = { reason: 'not now', content: given };
      return Promise.resolve({ ...outcome, kind: verdict });
    },
    after: (_, write) => told.push(write.content),
  };
  const cluster = await TestCluster.start({ nodeCount: 4, commitHooks: hooks });
  await new Teller(cluster).makeType('sets', { ...HOOKS, datatype: 'set' });
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1), { type: 'sets' });
  const update = async (element: string) => {
    const operation = { kind: 'set', adds: [element as ByteString], removes: [] } as const;
    const updating = cluster.node(N1).updateDatatype({ key, operation, returning: 'nothing' });
    return cluster.settle(updating);
  };
  t.match(await update('a'), { kind: 'updated' });
  verdict = 'failed';
  t.same(await update('b'), { kind: 'precommit-failed', reason: 'not now' });
  const empty = encodeState(emptyState('set', 14));
  t.equal(seen.length, 2, 'each update is checked once, where it is coordinated');
  for (const content of seen) {
    t.match(content, { value: empty, metadata: { contentType: 'application/riak_set' } });
  }
  t.equal(told.length, 1, 'what was refused is not told');
  const { value } = told[0] as NewContent;
  const state = runAtOnce(decodeState(value));
  t.same(state && runAtOnce(valueOf(state)), { kind: 'set', elements: ['a'] });
  const fetched = await cluster.settle(cluster.node(N2).fetchDatatype({ key }));
  t.match(fetched, { shown: { value: { elements: ['a'] } } });
});
