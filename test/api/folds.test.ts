/**
 * Folds over both protocols: three real nodes, objects with siblings, large ones, tombstones. What the
 * one protocol says the other says too, whichever node is asked.
 */

import t from 'tap';
import {
  RpbAaeFoldEraseKeysReq,
  RpbAaeFoldFetchClocksNValReq,
  RpbAaeFoldFetchClocksRangeReq,
  RpbAaeFoldFindKeysReq,
  RpbAaeFoldFindTombsReq,
  RpbAaeFoldListBucketsReq,
  RpbAaeFoldMergeBranchNValReq,
  RpbAaeFoldMergeRootNValReq,
  RpbAaeFoldMergeTreesRangeReq,
  RpbAaeFoldObjectStatsReq,
  RpbAaeFoldReapTombsReq,
  RpbAaeFoldRepairKeysReq,
} from '../../src/api/pbc/messages/aae-fold-messages.ts';
import { decodeContext } from '../../src/clock/context.ts';
import { digestOfKey, segmentIn } from '../../src/object/tictac-tree.ts';
import { serveCluster } from './served-cluster.ts';
import { ask } from './http/served.ts';
import { BareClient, errorText, name, until } from './pbc/served.ts';
import { differing, whole } from './tree-reader.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { Fields, MessageInput, MessageType } from '../../src/api/pbc/messages/message-type.ts';
import type { VertebraNode } from '../../src/node/node.ts';
import type { Tree } from './tree-reader.ts';

const TYPE = name('siblings');
const ALL = { key_range: false, modified_range: false };
const ALL_SEGMENTS = { ...ALL, segment_filter: false };

// Making types takes longer than all of the tests.
const cluster = await serveCluster({ reaper: { deleteMode: 'keep' }, hasTypes: false });
const { nodes, ports } = cluster;
const first = nodes[0] as VertebraNode;
for (const type of ['siblings', 'lww']) {
  await first.createBucketType(name(type), { allow_mult: type === 'siblings' });
  await first.activateBucketType(name(type));
}
const client = await BareClient.connect(cluster.pbcPorts[0] as number);
t.teardown(async () => {
  client.socket.destroy();
  await cluster.close();
  if (cluster.bugs.length > 0) throw new Error('a bug was met', { cause: cluster.bugs[0] });
});

function keyOf(key: string, bucket: string, type = TYPE): ObjectKey {
  return { type, bucket: name(bucket), key: name(key) };
}

async function put(key: ObjectKey, value: string, nodeNumber = 0): Promise<void> {
  const content = { metadata: {}, value: Buffer.from(value), isTombstone: false };
  const outcome = await nodes[nodeNumber]?.put({ key, content, returning: 'nothing', w: 3 });
  if (outcome?.kind !== 'stored') throw new Error(`not stored: ${outcome?.kind}`);
}

async function remove(key: ObjectKey): Promise<void> {
  const outcome = await first.delete({ key, w: 3 });
  if (outcome.kind !== 'deleted') throw new Error(`not deleted: ${outcome.kind}`);
}

/** Forty keys: every tenth with three siblings, every seventh large, the last five deleted. */
const NAMES = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, '0')}`);
const WITH_SIBLINGS = NAMES.filter((_, index) => index % 10 === 0);
const LARGE = NAMES.filter((_, index) => index % 7 === 3);
const DELETED = NAMES.slice(35);

async function fill(bucket: string): Promise<void> {
  for (const each of NAMES) {
    const key = keyOf(each, bucket);
    await put(key, LARGE.includes(each) ? 'v'.repeat(5_000) : 'v');
    if (!WITH_SIBLINGS.includes(each)) continue;
    await put(key, 'w', 1);
    await put(key, 'x', 2);
  }
  for (const each of DELETED) await remove(keyOf(each, bucket));
}

interface Counts {
  readonly response_type: string;
  readonly keys_count: readonly {
    readonly tag: string;
    readonly order?: number;
    readonly count: number;
  }[];
}

async function value<F extends Fields>(
  type: MessageType<F>,
  message: MessageInput<F>,
): Promise<unknown> {
  const reply = await client.ask(type, message);
  if (reply.name === 'RpbErrorResp') throw new Error(errorText(reply));
  return reply.value;
}

async function dispatched<F extends Fields>(
  type: MessageType<F>,
  message: MessageInput<F>,
): Promise<unknown> {
  const { response_type, keys_count } = (await value(type, message)) as Counts;
  return [response_type, ...keys_count.map(({ tag, count }) => [tag, count])];
}

async function json(port: number | undefined, path: string): Promise<unknown> {
  const { status, body, headers } = await ask(port ?? 0, `GET ${path}`);
  if (status !== 200) return `${status} ${body.toString()}`;
  if (headers['content-type'] !== 'application/json') return headers['content-type'];
  return JSON.parse(body.toString());
}

function filter(document: unknown): string {
  return `filter=${encodeURIComponent(Buffer.from(JSON.stringify(document)).toString('base64'))}`;
}

t.test('keys with many siblings, and large ones, are found', async (t) => {
  await fill('b0');
  const find = async (fields: object): Promise<unknown> => {
    const message = { type: TYPE, bucket: name('b0'), ...ALL, ...fields };
    const found = await value(RpbAaeFoldFindKeysReq, message as never);
    const { response_type, keys_count } = found as Counts;
    t.equal(response_type, 'find_keys');
    return keys_count.map(({ tag, count }) => [tag, count]);
  };
  const siblings = WITH_SIBLINGS.map((each) => [each, 3]);
  t.same(await find({ finder: 'sibling_count', find_limit: 1 }), siblings);
  t.same(await find({ finder: 'sibling_count', find_limit: 3 }), [], 'more than, not as many');
  t.same(
    await find({
      finder: 'sibling_count',
      find_limit: 1,
      key_range: true,
      start_key: name('k10'),
      end_key: name('k20'),
    }),
    siblings.slice(1, 3),
    'both ends of a range count',
  );
  const large = (await find({ finder: 'object_size', find_limit: 5_000 })) as [string, number][];
  const largeNames = LARGE.filter((each) => !DELETED.includes(each));
  t.same(
    large.map(([key]) => key),
    largeNames,
  );
  for (const [, size] of large) t.ok(size > 5_000 && size < 5_600);

  for (const port of ports) {
    const results = siblings.map(([key, count]) => ({ key, value: count }));
    t.same(await json(port, '/siblings/types/siblings/buckets/b0/counts/1'), { results });
    const sizes = large.map(([key, size]) => ({ key, value: size }));
    t.same(await json(port, '/objectsizes/types/siblings/buckets/b0/sizes/5000'), {
      results: sizes,
    });
    const range = filter({ key_range: { start: 'k10', end: 'k20' }, date_range: 'all' });
    t.same(await json(port, `/siblings/types/siblings/buckets/b0/counts/1?${range}`), {
      results: results.slice(1, 3),
    });
  }
  t.same(await json(ports[0], '/siblings/buckets/b0/counts/1'), { results: [] }, 'another type');
});

t.test('statistics count every copy once, tombstones too', async (t) => {
  await fill('b1');
  const message = { type: TYPE, bucket: name('b1'), ...ALL };
  const found = (await value(RpbAaeFoldObjectStatsReq, message)) as Counts;
  t.equal(found.response_type, 'stats');
  const [count, size, ...classes] = found.keys_count;
  t.match(count, { tag: 'total_count', count: 40 });
  t.match(size, { tag: 'total_size' });
  const largeCount = LARGE.filter((each) => !DELETED.includes(each)).length;
  const sizes = classes.filter(({ tag }) => tag === 'sizes');
  const byOrder = Object.fromEntries(sizes.map((each) => [each.order, each.count]));
  t.equal(byOrder[3], largeCount, 'of thousands of bytes');
  t.equal(
    sizes.reduce((sum, each) => sum + each.count, 0),
    40,
  );
  const siblings = classes.filter(({ tag }) => tag === 'siblings');
  t.same(
    siblings.map((each) => [each.order, each.count]),
    [
      [1, 36],
      [3, 4],
    ],
  );
  t.same(await json(ports[2], '/objectstats/types/siblings/buckets/b1'), {
    total_count: 40,
    total_size: size?.count,
    sizes: byOrder,
    siblings: { 1: 36, 3: 4 },
  });
  const nothing = { total_count: 0, total_size: 0, sizes: [], siblings: [] };
  t.same(await json(ports[0], '/objectstats/buckets/b1'), nothing);
  const old = filter({ date_range: { start: 0, end: 1_000 } });
  t.same(await json(ports[0], `/objectstats/types/siblings/buckets/b1?${old}`), nothing);
  const now = Math.floor(Date.now() / 1_000);
  const range = { modified_range: true, last_mod_start: now - 600, last_mod_end: now + 600 };
  const recent = (await value(RpbAaeFoldObjectStatsReq, {
    ...message,
    ...range,
  })) as Counts;
  t.equal(recent.keys_count[0]?.count, 40);
});

interface KeysValues {
  readonly response_type: string;
  readonly keys_value: readonly {
    readonly type?: string;
    readonly bucket: string;
    readonly key: string;
    readonly value: Buffer;
  }[];
}

function tombstoneCounts(): Promise<readonly number[]> {
  return Promise.all(nodes.map(async (node) => (await node.operations().tombstones()).total));
}

t.test('tombstones are found with their clocks, counted, and reaped', async (t) => {
  const before = await tombstoneCounts();
  await fill('b2');
  const bucket = { type: TYPE, bucket: name('b2'), ...ALL_SEGMENTS };
  const found = (await value(RpbAaeFoldFindTombsReq, bucket)) as KeysValues;
  t.equal(found.response_type, 'clock');
  t.same(
    found.keys_value.map(({ type, bucket, key }) => [type, bucket, key]),
    DELETED.map((each) => ['siblings', 'b2', each]),
  );
  for (const { value } of found.keys_value) t.ok(decodeContext(value));
  const clocks = found.keys_value.map(({ key, value }) => {
    return { 'bucket-type': 'siblings', bucket: 'b2', key, clock: value.toString('base64') };
  });
  t.same(await json(ports[1], '/tombs/types/siblings/buckets/b2'), { 'keys-clocks': clocks });
  // Who writes with a tombstone's clock supersedes it.
  const [first] = found.keys_value;
  const key = keyOf(first?.key ?? '', 'b2');
  const context = decodeContext(first?.value ?? Buffer.alloc(0));
  const content = { metadata: {}, value: Buffer.from('back'), isTombstone: false };
  await nodes[0]?.put({ key, content, returning: 'nothing', w: 3, ...(context && { context }) });
  const reap = (change_method: 'count' | 'local' | 'job'): Promise<unknown> => {
    return dispatched(RpbAaeFoldReapTombsReq, { ...bucket, change_method, job_id: 1 });
  };
  t.same(await reap('count'), ['reap_tombs', ['dispatched_count', 4]]);
  t.same(
    await json(ports[0], '/reap/types/siblings/buckets/b2'),
    { dispatched_count: 4 },
    'counts',
  );
  const some = filter({ change_method: 'local', key_range: { start: 'k36', end: 'k37' } });
  t.same(await json(ports[0], `/reap/types/siblings/buckets/b2?${some}`), { dispatched_count: 2 });
  t.same(await reap('count'), ['reap_tombs', ['dispatched_count', 2]]);
  t.same(await reap('job'), ['reap_tombs', ['dispatched_count', 2]]);
  t.same(await reap('local'), ['reap_tombs', ['dispatched_count', 0]]);
  t.same(await json(ports[0], '/tombs/types/siblings/buckets/b2'), { 'keys-clocks': [] });
  t.same(await tombstoneCounts(), before, 'at no node');
});

t.test('keys of a range are erased, and tombstones are not erased again', async (t) => {
  await fill('b3');
  const bucket = { type: TYPE, bucket: name('b3'), ...ALL_SEGMENTS };
  const erase = (change_method: 'count' | 'local' | 'job', more: object = {}): Promise<unknown> => {
    const message = { ...bucket, change_method, ...more };
    return dispatched(RpbAaeFoldEraseKeysReq, message);
  };
  t.same(await erase('count'), ['erase_keys', ['dispatched_count', 35]]);
  t.same(await json(ports[0], '/erase/types/siblings/buckets/b3'), { dispatched_count: 35 });
  const range = { key_range: true, start_key: name('k00'), end_key: name('k09') };
  t.same(await erase('local', range), ['erase_keys', ['dispatched_count', 10]]);
  t.same(await erase('count'), ['erase_keys', ['dispatched_count', 25]]);
  t.equal(
    (await nodes[1]?.get({ key: keyOf('k00', 'b3') }))?.kind,
    'not-found',
    'with its siblings',
  );
  t.equal((await nodes[1]?.get({ key: keyOf('k10', 'b3') }))?.kind, 'found');
  const now = Math.floor(Date.now() / 1_000);
  const old = filter({ change_method: 'local', date_range: { start: 0, end: now - 3_600 } });
  t.same(await json(ports[1], `/erase/types/siblings/buckets/b3?${old}`), { dispatched_count: 0 });
  const job = filter({ change_method: { job_id: 7 } });
  t.same(await json(ports[1], `/erase/types/siblings/buckets/b3?${job}`), { dispatched_count: 25 });
  t.same(await erase('count'), ['erase_keys', ['dispatched_count', 0]]);
  const head = await ask(ports[0] as number, `HEAD /erase/types/siblings/buckets/b3?${job}`);
  t.equal(head.status, 200);
  t.equal(head.body.length, 0);
});

t.test('buckets of all types are listed', async (t) => {
  await put(keyOf('k', 'one', name('default')), 'v');
  await put(keyOf('k', 'two', name('default')), 'v');
  await put(keyOf('k', 'one', TYPE), 'v');
  await put(keyOf('k', 'lww', name('lww')), 'v');
  const { bucket_list: all } = (await value(RpbAaeFoldListBucketsReq, {})) as {
    bucket_list: { type?: string; bucket: string }[];
  };
  const bucket_list = all.filter(({ bucket }) => !/^b\d/.test(bucket));
  t.same(
    bucket_list.map(({ type, bucket }) => [type, bucket]),
    [
      ['lww', 'lww'],
      ['siblings', 'one'],
      [undefined, 'one'],
      [undefined, 'two'],
    ],
  );
  const results = all.map(({ type, bucket }) => {
    return type === undefined ? { bucket } : { 'bucket-type': type, bucket };
  });
  t.same(await json(ports[1], '/aaebucketlist'), { results });
  t.same(await json(ports[1], '/aaebucketlist?nval=3'), { results });
  t.equal(await json(ports[1], '/aaebucketlist?nval=x'), '400 Invalid n_val "x"');
});

t.test('trees tell which segments changed, and clocks of those which keys', async (t) => {
  await fill('b5');
  const bucket = { type: TYPE, bucket: name('b5'), ...ALL_SEGMENTS };
  const treeOf = async (more: object = {}): Promise<Tree> => {
    const message = { ...bucket, tree_size: 'small' as const, use_prehash: true, ...more };
    return (await value(RpbAaeFoldMergeTreesRangeReq, message)) as Tree;
  };
  const before = await treeOf();
  t.equal(before.size, 'small');
  t.equal(before.level_one.length, 1_024);
  t.equal(before.level_two.length, 256);
  t.same(differing(before, await treeOf()), []);
  const shown = (await json(ports[2], '/rangetrees/types/siblings/buckets/b5/trees/small')) as {
    tree: { level1: string; level2: Record<string, string> };
  };
  t.equal(shown.tree.level1, before.level_one.toString('base64'));
  t.same(
    Object.values(shown.tree.level2),
    before.level_two.map((packed) => packed.subarray(4).toString('base64')),
  );
  t.not(differing(before, await treeOf({ use_prehash: false, init_vector: 3 })).length, 0);
  const seeded = await json(
    ports[2],
    `/rangetrees/types/siblings/buckets/b5/trees/small?${filter({ hash_iv: 3 })}`,
  );
  t.not((seeded as typeof shown).tree.level1, shown.tree.level1);

  await put(keyOf('k20', 'b5'), 'once more');
  const changed = differing(before, await treeOf());
  const segment = segmentIn('small', digestOfKey(keyOf('k20', 'b5')));
  t.same(changed, [segment]);
  const expected = NAMES.filter((each) => {
    return segmentIn('small', digestOfKey(keyOf(each, 'b5'))) === segment;
  });
  const segments = { segment_filter: true, id_filter: changed, filter_tree_size: 'small' as const };
  const message = { ...bucket, ...segments };
  const clocks = (await value(RpbAaeFoldFetchClocksRangeReq, message)) as KeysValues;
  t.same(
    clocks.keys_value.map(({ key }) => key),
    expected,
  );
  const path = '/rangetrees/types/siblings/buckets/b5/keysclocks';
  // Riak's Erlang client says the size as a list of characters.
  for (const size of ['small', [...Buffer.from('small')]]) {
    const asJson = filter({ segment_filter: { segments: changed, tree_size: size } });
    t.same(await json(ports[1], `${path}?${asJson}`), {
      'keys-clocks': clocks.keys_value.map(({ key, value }) => {
        return { 'bucket-type': 'siblings', bucket: 'b5', key, clock: value.toString('base64') };
      }),
    });
  }
  for (const size of ['tiny', [...Buffer.from('tiny')], [[115]], [-1], [1e9], [], 7, undefined]) {
    const asJson = filter({ segment_filter: { segments: changed, tree_size: size } });
    t.match(await json(ports[1], `${path}?${asJson}`), /^400 Invalid range filter /);
  }
});

t.test('trees and clocks of all buckets of an n_val', async (t) => {
  await nodes[0]?.setBucketProperties(name('default'), name('two'), { n_val: 2 });
  await put(keyOf('k', 'one', name('default')), 'v');
  await put(keyOf('k', 'other'), 'v');
  const key = keyOf('k', 'two', name('default'));
  const content = { metadata: {}, value: Buffer.from('v'), isTombstone: false };
  await nodes[0]?.put({ key, content, returning: 'nothing', w: 2 });

  const rootOf = async (n_val: number): Promise<Tree> => {
    return (await value(RpbAaeFoldMergeRootNValReq, { n_val })) as Tree;
  };
  const root = await rootOf(2);
  t.equal(root.size, 'large');
  t.equal(root.level_one.length, 4_096 * 4);
  t.same(root.level_two, []);
  const branch = segmentIn('large', digestOfKey(key)) >>> 8;
  const used = Array.from({ length: 4_096 }, (_, index) => index).filter((index) => {
    return root.level_one.readUInt32BE(index * 4) !== 0;
  });
  t.same(used, [branch]);
  t.not((await rootOf(3)).level_one.equals(root.level_one), true);
  t.same(await json(ports[0], '/cachedtrees/nvals/2/root'), {
    root: root.level_one.toString('base64'),
  });
  const ids = { n_val: 2, id_filter: [branch, 0] };
  const { level_two, level_one } = (await value(RpbAaeFoldMergeBranchNValReq, ids)) as Tree;
  t.equal(level_one.length, 0);
  t.same(
    level_two.map((packed) => packed.readUInt32BE(0)),
    [branch, 0],
  );
  const path = '/cachedtrees/nvals/2';
  t.same(await json(ports[0], `${path}/branch?${filter([branch])}`), {
    branches: [{ 'branch-id': branch, branch: whole(level_two[0] as Buffer).toString('base64') }],
  });
  const segment = segmentIn('large', digestOfKey(key));
  const fields = { n_val: 2, id_filter: [segment] };
  const { keys_value } = (await value(RpbAaeFoldFetchClocksNValReq, fields)) as KeysValues;
  t.same(
    keys_value.map(({ type, bucket, key }) => [type, bucket, key]),
    [[undefined, 'two', 'k']],
  );
  const clock = keys_value[0]?.value.toString('base64');
  const clocks = { 'keys-clocks': [{ bucket: 'two', key: 'k', clock }] };
  t.same(await json(ports[0], `${path}/keysclocks?${filter([segment])}`), clocks);
  const dates = { start: 0, end: 2_000_000_000 };
  const both = { segment_filter: { segments: [segment], tree_size: 'large' }, date_range: dates };
  t.same(await json(ports[0], `${path}/keysclocks?${filter(both)}`), clocks);
  const old = { ...both, date_range: { start: 0, end: 1 } };
  t.same(await json(ports[0], `${path}/keysclocks?${filter(old)}`), { 'keys-clocks': [] });
});

t.test('keys of a range are repaired', async (t) => {
  await fill('b8');
  const bucket = { type: TYPE, bucket: name('b8'), ...ALL };
  t.same(await dispatched(RpbAaeFoldRepairKeysReq, bucket), [
    'repair_keys',
    ['dispatched_count', 40],
  ]);
  const range = filter({ key_range: { start: 'k00', end: 'k04' } });
  t.same(await json(ports[0], `/rangerepair/types/siblings/buckets/b8?${range}`), {
    dispatched_count: 5,
  });
});

t.test('the buckets of a type that there is not are not folded over', async (t) => {
  const message = { type: name('nowhere'), bucket: name('b'), ...ALL_SEGMENTS };
  const unknown = await client.ask(RpbAaeFoldFindTombsReq, message);
  t.equal(errorText(unknown), "No bucket-type named 'nowhere'");
  t.match(await json(ports[0], '/objectstats/types/nowhere/buckets/b'), /^404/);
});

t.test('a fold ends when its time is up', async (t) => {
  t.match(await json(ports[0], '/objectstats/buckets/b?timeout=0'), /^503 request timed out/);
});

t.test('names that JSON cannot hold are told over Protocol Buffers', async (t) => {
  const key = { ...keyOf('', 'b12'), key: '\xff\xfe' as ByteString };
  await put(key, 'v');
  const bucket = { type: TYPE, bucket: name('b12'), ...ALL_SEGMENTS };
  const found = await value(RpbAaeFoldFetchClocksRangeReq, bucket);
  t.equal((found as KeysValues).keys_value[0]?.key, '\xff\xfe');
  const path = '/rangetrees/types/siblings/buckets/b12/keysclocks';
  t.match(await json(ports[0], path), /^500 Error:\nnot_utf8/);
});

t.test('with a node down folds tell the same, erase all the same, and reap nothing', async (t) => {
  await fill('b7');
  const before = await json(ports[0], '/objectstats/types/siblings/buckets/b7');
  await nodes[2]?.stop();
  await until(() => nodes[0]?.liveMembers().length === 2 && nodes[1]?.liveMembers().length === 2);
  t.same(await json(ports[0], '/objectstats/types/siblings/buckets/b7'), before);
  t.same(await json(ports[1], '/siblings/types/siblings/buckets/b7/counts/1'), {
    results: WITH_SIBLINGS.map((key) => ({ key, value: 3 })),
  });
  const bucket = { type: TYPE, bucket: name('b7'), ...ALL_SEGMENTS };
  const local = { ...bucket, change_method: 'local' as const };
  t.same(
    await dispatched(RpbAaeFoldReapTombsReq, local),
    ['reap_tombs', ['dispatched_count', 5]],
    'counted as Riak counts',
  );
  const count = { ...bucket, change_method: 'count' as const };
  t.same(
    await dispatched(RpbAaeFoldReapTombsReq, count),
    ['reap_tombs', ['dispatched_count', 5]],
    'and not one has gone while a member is away',
  );
  t.same(await dispatched(RpbAaeFoldEraseKeysReq, local), ['erase_keys', ['dispatched_count', 35]]);
  t.same(await dispatched(RpbAaeFoldEraseKeysReq, count), ['erase_keys', ['dispatched_count', 0]]);
});
