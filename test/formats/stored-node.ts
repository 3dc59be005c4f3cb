/**
 * A node with everything in its store that clients and operators can put there, and whether it is all there.
 *
 * `pin-store.ts` fills a node of its build and keeps what is on its disk; `store.test.ts` starts today's
 * node on that. What is expected is said here once, so `holdsEverything` reads what an older `fill` wrote.
 */

import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import type { Test } from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { DevCluster, type DevNode } from '../../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../../src/cli/dev-command.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { runCommand } from '../cluster/command-line.ts';
import { ENTRY_POINT, freeBasePort } from '../cluster/local-cluster.ts';

/** What lies in a node's data folder, but for LevelDB's own files. */
export interface PinnedStore {
  /** Keys and values in hexadecimal, in order. */
  readonly entries: readonly (readonly [key: string, value: string])[];
  /** Segments of the value log and files of queues, in base 64, by their path. */
  readonly files: Readonly<Record<string, string>>;
}

export interface StoredNode {
  readonly cluster: DevCluster;
  readonly node: DevNode;
  readonly configPath: string;
}

const SETTINGS = 'replication:\n  queues:\n    - name: to_south\n';
const READY_TIMEOUT_MS = 240_000;
const STOP_TIMEOUT_MS = 120_000;

/** Not started; in `folder` is nothing else. */
export async function newNode(folder: string): Promise<StoredNode> {
  const configPath = writeDevConfig({ nodes: 1, basePort: await freeBasePort(1), data: folder });
  appendFileSync(configPath, SETTINGS);
  const nodes = devNodes(configPath);
  const cluster = new DevCluster({
    configPath,
    nodes,
    entryPoint: ENTRY_POINT,
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  return { cluster, node: nodes[0] as DevNode, configPath };
}

function openLevel({ dataFolder }: DevNode): Level<Buffer, Buffer> {
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' };
  return new Level<Buffer, Buffer>(join(dataFolder, 'store'), encodings);
}

/** Of a node that has stopped. */
export async function takeStore(node: DevNode): Promise<PinnedStore> {
  const database = openLevel(node);
  const rows = await database.iterator().all();
  await database.close();
  const paths = readdirSync(node.dataFolder, { recursive: true, encoding: 'utf8' });
  const kept = paths.filter((path) => /\.(vlog|keys)$/.test(path)).sort();
  return {
    entries: rows.map(([key, value]) => [key.toString('hex'), value.toString('hex')] as const),
    files: Object.fromEntries(
      kept.map((path) => [path, readFileSync(join(node.dataFolder, path)).toString('base64')]),
    ),
  };
}

/** For a node that was never started. */
export async function putStore(node: DevNode, { entries, files }: PinnedStore): Promise<void> {
  mkdirSync(join(node.dataFolder, 'store'), { recursive: true });
  const database = openLevel(node);
  await database.batch(
    entries.map(([key, value]) => ({
      type: 'put',
      key: Buffer.from(key, 'hex'),
      value: Buffer.from(value, 'hex'),
    })),
  );
  await database.close();
  for (const [path, text] of Object.entries(files)) {
    const to = join(node.dataFolder, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, Buffer.from(text, 'base64'));
  }
}

const TYPES = {
  many: { allow_mult: true },
  latest: { last_write_wins: true, dvv_enabled: false },
  once: { write_once: true },
  counters: { datatype: 'counter', allow_mult: true },
  sets: { datatype: 'set', allow_mult: true },
  maps: { datatype: 'map', allow_mult: true },
  sketches: { datatype: 'hll', allow_mult: true },
};

const name = (text: string) => text as ByteString;
const keyOf = (type: string, key = 'k\xff'): ObjectKey => ({
  type: name(type),
  bucket: name('b'),
  key: name(key),
});

/** That `fill` writes, each of which waits in the queue. */
const KEYS = 10;

/** So large that it lies in the value log. */
const LARGE = 'large '.repeat(700);
const INDEXES = [{ field: name('f_bin'), term: name('term') }];
const METADATA = {
  contentType: name('text/plain'),
  links: [{ bucket: name('b'), key: name('l'), tag: name('next') }],
  userMetadata: [[name('who'), name('me')]] as const,
  indexes: INDEXES,
};

export async function fill({ cluster, node, configPath }: StoredNode): Promise<void> {
  await cluster.ensureBucketTypes(TYPES);
  const client = new VertebraClient({ nodes: [{ host: node.host, port: node.pbcPort }] });
  const put = (key: ObjectKey, text: string, metadata = {}) =>
    client.put(key, { value: Buffer.from(text), metadata });
  await put(keyOf('default'), 'plain', METADATA);
  await put(keyOf('default', 'large'), LARGE);
  await put(keyOf('default', 'deleted'), 'gone');
  await client.delete(keyOf('default', 'deleted'));
  for (const text of ['one', 'two']) await put(keyOf('many'), text, METADATA);
  for (const text of ['one', 'two']) await put(keyOf('latest'), text);
  await put(keyOf('once'), 'immutable');
  const { datatypes } = client;
  await datatypes.update(keyOf('counters'), { kind: 'counter', increment: -7n });
  const element = name('e\xff');
  await datatypes.update(keyOf('sets'), { kind: 'set', adds: [element], removes: [] });
  const fields = ['counter', 'flag', 'map', 'register', 'set'] as const;
  const updates = {
    counter: { kind: 'counter', increment: 2n },
    flag: { kind: 'flag', enable: true },
    map: { kind: 'map', removes: [], updates: [] },
    register: { kind: 'register', value: element },
    set: { kind: 'set', adds: [element], removes: [] },
  } as const;
  await datatypes.update(keyOf('maps'), {
    kind: 'map',
    removes: [],
    updates: fields.map((kind) => ({ field: { name: name('x'), kind }, operation: updates[kind] })),
  });
  await datatypes.update(keyOf('sketches'), { kind: 'hll', adds: [element, name('f')] });
  await client.buckets.setProperties(name('default'), name('b'), { n_val: 2 });
  client.close();
  const security = ['admin', '--config', configPath, 'security'];
  const { code, stderr } = await runCommand(...security, 'add-user', 'ann', 'password=secret');
  if (code !== 0) throw new Error(stderr);
}

/** Started, and with what `fill` has done to it, by this build or an older one. */
export async function holdsEverything(t: Test, { node, configPath }: StoredNode): Promise<void> {
  const client = new VertebraClient({ nodes: [{ host: node.host, port: node.pbcPort }] });
  t.teardown(() => client.close());
  const values = async (type: string, key?: string): Promise<string[]> => {
    const found = await client.get(keyOf(type, key));
    return found.kind === 'found' ? found.siblings.map(({ value }) => value.toString()) : [];
  };
  const plain = await client.get(keyOf('default'));
  t.match(plain, { siblings: [{ value: Buffer.from('plain'), metadata: METADATA }] });
  t.same(await values('default', 'large'), [LARGE]);
  const deleted = await client.get(keyOf('default', 'deleted'));
  t.match(deleted, { kind: 'not-found', context: Buffer }, 'its tombstone is known');
  t.same((await values('many')).sort(), ['one', 'two']);
  t.same(await values('latest'), ['two']);
  t.same(await values('once'), ['immutable']);
  const query = { ...keyOf('many'), field: name('f_bin'), from: name('term') };
  for await (const matches of client.index(query)) t.match(matches, [{ key: 'k\xff' }]);

  const held = async (type: string) => (await client.datatypes.fetch(keyOf(type))).value;
  t.match(await held('counters'), { value: -7n });
  t.match(await held('sets'), { elements: ['e\xff'] });
  const map = (await held('maps')) as { readonly fields: readonly { readonly value: object }[] };
  t.same(
    map.fields.map(({ value }) => value),
    [
      { kind: 'counter', value: 2n },
      { kind: 'register', value: 'e\xff' },
      { kind: 'map', fields: [] },
      { kind: 'flag', isEnabled: true },
      { kind: 'set', elements: ['e\xff'] },
    ],
  );
  t.match(await held('sketches'), { count: 2 });
  t.match(await client.buckets.properties(name('default'), name('b')), { n_val: 2 });

  const admin = ['admin', '--config', configPath];
  t.match(await runCommand(...admin, 'security', 'print-user', 'ann'), { code: 0, stdout: /ann/ });
  const queues = await runCommand(...admin, '--json', 'replication', 'status');
  t.match(JSON.parse(queues.stdout), {
    queues: [{ name: 'to_south', realTime: KEYS, isOverflowed: false }],
  });
}

export async function stopped({ cluster, node }: StoredNode): Promise<void> {
  const code = await cluster.mustChild(node.name).stop(STOP_TIMEOUT_MS);
  if (code !== 0) throw new Error(`it ended with ${code}`);
}
