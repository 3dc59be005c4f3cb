/**
 * Two clusters to move objects between: servers on ephemeral ports over nodes in memory, a client of
 * each, and the migration's own view of them.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VertebraClient } from '../../src/client/client.ts';
import { ClusterEnd } from '../../src/migrate/cluster-end.ts';
import { copy } from '../../src/migrate/copy.ts';
import { KeyFile } from '../../src/migrate/key-file.ts';
import { Ledger } from '../../src/migrate/ledger.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { Fault } from '../../src/base/fault.ts';
import { initialState } from '../../src/membership/initial-state.ts';
import { VertebraNode } from '../../src/node/node.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { name, serve } from '../api/pbc/served.ts';
import { Security, certificatesIn } from '../api/secured.ts';
import type { Test } from 'tap';
import type { CopyOptions, CopySummary } from '../../src/migrate/copy.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { Peer } from '../../src/peer/peer.ts';
import type { ServeOptions } from '../api/pbc/served.ts';

export const TYPE = name('siblings');
export const BUCKET = name('patients');

export function keyOf(text: string) {
  return { type: TYPE, bucket: BUCKET, key: name(text) };
}

export interface OneEnd {
  readonly client: VertebraClient;
  readonly end: ClusterEnd;
  readonly port: number;
}

export async function serveEnd(t: Test, options: ServeOptions = {}): Promise<OneEnd> {
  const { server, port } = await serve(options);
  t.teardown(() => server.close());
  return { ...endAt(t, port), port };
}

export function endAt(t: Test, port: number, patienceMs = 20_000): Pick<OneEnd, 'client' | 'end'> {
  const nodes = [{ host: '127.0.0.1', port }];
  const client = new VertebraClient({ nodes });
  t.teardown(() => client.close());
  const end = new ClusterEnd({ nodes, concurrency: 8, timeoutMs: 20_000, patienceMs });
  t.teardown(() => end.close());
  return { client, end };
}

export function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-migrate-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface CopyRun extends Partial<CopyOptions> {
  readonly ledger: string;
  readonly isReverse?: boolean;
  readonly keysTo?: string;
}

/** One `vertebra migrate copy`. */
export async function copyOnce(
  source: Pick<OneEnd, 'end'>,
  target: Pick<OneEnd, 'end'>,
  { ledger: folder, isReverse = false, keysTo, ...options }: CopyRun,
): Promise<CopySummary> {
  const places = isReverse ? { from: ['b:1'], to: ['a:1'] } : { from: ['a:1'], to: ['b:1'] };
  const ledger = await Ledger.open({ folder, ...places, isReverse });
  const keyFile = await KeyFile.open(keysTo);
  try {
    const ends = { source: source.end, target: target.end, ledger, keyFile };
    return await copy(ends, {
      scope: scopeOf([TYPE], undefined),
      carriesDeletes: false,
      deletesMax: 100,
      onConflict: 'keep',
      concurrency: 8,
      rate: undefined,
      failuresMax: 10,
      expected: undefined,
      isQuiet: true,
      ...options,
    });
  } finally {
    await keyFile.close();
    await ledger.close();
  }
}

/** The values that a client sees, sorted. */
export async function valuesOf({ client }: Pick<OneEnd, 'client'>, text: string) {
  const got = await client.get(keyOf(text));
  return got.kind === 'found' ? got.siblings.map(({ value }) => String(value)).sort() : [];
}

/** As a client writes that has read before. */
export async function change({ client }: Pick<OneEnd, 'client'>, text: string, value: string) {
  const { context } = await client.get(keyOf(text));
  await client.put(keyOf(text), { value: Buffer.from(value) }, { context });
}

export async function remove({ client }: Pick<OneEnd, 'client'>, text: string) {
  const { context } = await client.get(keyOf(text));
  await client.delete(keyOf(text), { context });
}

/** With a real node behind it. */
export async function serveRealEnd(t: Test): Promise<OneEnd> {
  const silent = (): void => {};
  const host = systemHost(
    { debug: silent, info: silent, warn: silent, error: silent },
    { count: silent, gauge: silent, observe: silent },
  );
  const id = 'dev1@127.0.0.1' as NodeId;
  const member = { host: '127.0.0.1', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' };
  const { state } = initialState({
    clusterName: 'test',
    ringSize: 8,
    members: [{ id, ...member }],
    defaultProperties: {},
  });
  const alone: Peer = {
    request: () => Promise.reject(new Fault('peer-unreachable', 'there is nobody else')),
    // eslint-disable-next-line require-yield
    stream: async function* nothing() {
      throw new Fault('peer-unreachable', 'there is nobody else');
    },
  };
  const node = new VertebraNode(host, new MemoryStore(), alone, { id, initialState: state });
  await node.start();
  t.teardown(() => node.stop());
  for (const [type, properties] of Object.entries(REAL_TYPES)) {
    await node.createBucketType(name(type), properties);
    await node.activateBucketType(name(type));
  }
  return serveEnd(t, { around: () => node });
}

const REAL_TYPES: Readonly<Record<string, PartialProperties>> = {
  siblings: { allow_mult: true },
  once: { write_once: true },
  maps: { datatype: 'map' },
  counters: { datatype: 'counter' },
  sets: { datatype: 'set' },
  gsets: { datatype: 'gset' },
  hlls: { datatype: 'hll' },
};

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = systemHost(SILENT, { count() {}, gauge() {}, observe() {} });

/** With security on: `bob` may do what a migration needs, with `PASSWORD`. */
export async function serveSecuredEnd(t: Test) {
  const { files, certificates } = certificatesIn(newFolder(t), HOST);
  const { server, port, node } = await serve({ certificates });
  t.teardown(() => server.close());
  const security = new Security();
  security.isEnabled = false;
  node.gatekeeper = security.gatekeeper;
  security.grant('bob', [...MIGRATION_PERMISSIONS]);
  return { ...endAt(t, port), port, security, caFile: files.caFile };
}

const MIGRATION_PERMISSIONS = [
  'riak_kv.get',
  'riak_kv.put',
  'riak_kv.delete',
  'riak_kv.list_buckets',
  'riak_kv.index',
  'riak_core.get_bucket',
  'riak_core.get_bucket_type',
] as const;
