/**
 * The backup of a cluster holds what could be had of each node, says what is missing, and the same
 * command again makes it. Real stores, without the sockets between.
 */

import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ClusterManifest } from '../../src/backup/cluster-manifest.ts';
import { verifyClusterBackup } from '../../src/backup/verify-cluster-backup.ts';
import { clusterBackupText, clusterVerdictText } from '../../src/cli/backup-text.ts';
import { backUpCluster, type ClusterBackupPorts } from '../../src/cli/cluster-backup.ts';
import type { NodeConfig } from '../../src/config/cluster-config.ts';
import { fill, made, openBackedUp, until, type BackedUpStore } from '../backup/backed-up-store.ts';

const NAMES = ['a@h', 'b@h', 'far@i'];

interface Bench {
  readonly ports: ClusterBackupPorts;
  readonly stores: ReadonlyMap<string, BackedUpStore>;
  readonly folder: string;
  /** Nodes that do not answer. */
  readonly silent: Set<string>;
  readonly told: string[];
}

/** Two nodes on this machine and one elsewhere. */
async function bench(t: Test): Promise<Bench> {
  const folder = t.testdir();
  const stores = new Map<string, BackedUpStore>();
  const silent = new Set<string>();
  const told: string[] = [];
  for (const name of ['a@h', 'b@h']) {
    const opened = await openBackedUp(join(folder, 'data', name), name);
    t.teardown(() => opened.store.close());
    await fill(opened.store, 1);
    stores.set(name, opened);
  }
  const ports: ClusterBackupPorts = {
    cluster: 'test',
    nodes: NAMES.map((name) => ({ name, dataDir: join(folder, 'data', name) })) as NodeConfig[],
    backUp: async ({ name }, request) => {
      const opened = stores.get(name);
      if (opened === undefined || silent.has(name)) throw new Error('the node is not running');
      const base = request.base && { base: { folder: request.base, isTrusted: false } };
      await made(opened.backups, { folder: request.folder, ...base });
    },
    tell: (line) => void told.push(line),
  };
  return { ports, stores, folder, silent, told };
}

t.test('what fails does not keep the others, and is made by the same command again', async (t) => {
  const { ports, folder, silent, told, stores } = await bench(t);
  const first = join(folder, 'first');
  silent.add('a@h');
  const request = { folder: first, base: undefined };
  const missing = await backUpCluster(request, ports);
  const outcomes = [
    { node: 'a@h', outcome: 'failed', reason: 'the node is not running' },
    { node: 'b@h', outcome: 'done', epoch: 7, sharedBytes: 0 },
    { node: 'far@i', outcome: 'failed', reason: /not on this machine: run this there/ },
  ];
  t.match(missing.nodes, outcomes);
  t.match(told, [/^a@h: the node is not/, 'b@h: done', /^far@i: its data folder/]);
  const lines = clusterBackupText(missing).split('\n');
  t.match(lines.slice(2), [
    /^a@h +MISSING$/,
    /^b@h +done +20.* 7 /,
    /^far@i +MISSING$/,
    '',
    /^a@h: /,
  ]);
  t.match(await verifyClusterBackup(first), { isSound: false, manifest: { nodes: outcomes } });

  silent.clear();
  const { mtimeMs } = statSync(join(first, 'b@h'));
  const here = { ...ports, nodes: ports.nodes.slice(0, 2) };
  t.match((await backUpCluster(request, here)).nodes, [{ outcome: 'done' }, { outcome: 'done' }]);
  t.equal(statSync(join(first, 'b@h')).mtimeMs, mtimeMs, 'what was there is not made again');
  t.match(await verifyClusterBackup(first), { isSound: true, problems: [] });

  const second = join(folder, 'second');
  rmSync(join(first, 'b@h'), { recursive: true });
  await stores.get('a@h')?.store.write([{ kind: 'remove', key: Buffer.from('key 1') }]);
  const onBase = await backUpCluster({ folder: second, base: first }, here);
  t.match(onBase, { base: first, nodes: [{ outcome: 'done' }, { sharedBytes: 0 }] });
  t.ok(onBase.nodes.some((each) => each.outcome === 'done' && each.sharedBytes > 0));
  t.match(told.at(-1), 'b@h: done; all is copied, because the base has no backup of it');
  rmSync(first, { recursive: true });
  t.match(await verifyClusterBackup(second), { isSound: true });
});

t.test('two machines may be at one folder at the same time', async (t) => {
  const { ports, folder } = await bench(t);
  const far = await openBackedUp(join(folder, 'data', 'far@i'), 'far@i');
  t.teardown(() => far.store.close());
  const request = { folder: join(folder, 'shared'), base: undefined };
  const isThere = (name: string): boolean => name === 'far@i';
  const dataOf = (isHere: boolean, name: string): string =>
    join(folder, isHere ? 'data' : '-', name);
  const nodesOf = (isHere: (name: string) => boolean): NodeConfig[] =>
    NAMES.map((name) => ({ name, dataDir: dataOf(isHere(name), name) })) as NodeConfig[];
  let toldThere = 0;
  let there: Promise<unknown> | undefined;
  const here = backUpCluster(request, {
    ...ports,
    nodes: nodesOf((name) => !isThere(name)),
    backUp: async (node, own) => {
      there ??= backUpCluster(request, {
        ...ports,
        nodes: nodesOf(isThere),
        tell: () => void (toldThere += 1),
        backUp: async (_, { folder: place }) => {
          await here;
          await made(far.backups, { folder: place });
        },
      });
      // The other has looked what there is, and begun its own.
      await until(() => toldThere === 2);
      await ports.backUp(node, own);
    },
  });
  t.match((await here).nodes, [{ outcome: 'done' }, { outcome: 'done' }, { outcome: 'failed' }]);
  t.match(await there, { nodes: NAMES.map((node) => ({ node, outcome: 'done' })) });
  t.match(await verifyClusterBackup(request.folder), { isSound: true, problems: [] });
});

t.test('machines whose timers go off together do not keep each other', async (t) => {
  const folder = t.testdir();
  const names = ['a@h', 'b@i', 'c@j', 'd@k', 'e@l'];
  const request = { folder: join(folder, 'shared'), base: undefined };
  const machine = async (own: string): Promise<() => Promise<ClusterManifest>> => {
    const opened = await openBackedUp(join(folder, 'data', own), own);
    t.teardown(() => opened.store.close());
    const dataOf = (name: string): string => join(folder, name === own ? 'data' : '-', name);
    return () =>
      backUpCluster(request, {
        cluster: 'test',
        nodes: names.map((name) => ({ name, dataDir: dataOf(name) })) as NodeConfig[],
        backUp: async (_, { folder: place }) =>
          void (await made(opened.backups, { folder: place })),
        tell: () => undefined,
      });
  };
  const machines = await Promise.all(names.map(machine));
  const manifests = await Promise.all(machines.map((begin) => begin()));
  const ownOf = (manifest: ClusterManifest, index: number) => manifest.nodes[index]?.outcome;
  t.same(
    manifests.map(ownOf),
    names.map(() => 'done'),
  );
  writeFileSync(join(request.folder, 'cluster-backup.json.0badcafe.new'), 'of one that was killed');
  t.match(await machines[0]?.(), { nodes: names.map(() => ({ outcome: 'done' })) });
  t.match(await verifyClusterBackup(request.folder), { isSound: true, problems: [] });
});

t.test(
  'a folder or base of something else is refused, and verifying tells what is not as made',
  async (t) => {
    const { ports, folder } = await bench(t);
    const backups = join(folder, 'backups');
    const here = { ...ports, nodes: ports.nodes.slice(0, 2) };
    await backUpCluster({ folder: backups, base: undefined }, here);
    const another = { ...here, cluster: 'another' };
    const next = join(folder, 'next');
    await t.rejects(
      backUpCluster({ folder: next, base: backups }, another),
      /is a backup of test, not of another/,
    );
    t.notOk(existsSync(next));
    await t.rejects(
      backUpCluster({ folder: backups, base: undefined }, another),
      /is a backup of test, not of another/,
    );
    await t.rejects(
      backUpCluster({ folder: join(folder, 'data'), base: undefined }, here),
      /data is there already, and takes no backup: .* cluster-backup.json cannot be read/,
    );
    await t.rejects(backUpCluster({ folder: next, base: folder }, here), /is no whole backup/);

    mkdirSync(join(backups, 'c@h.partial'));
    renameSync(join(backups, 'a@h'), join(backups, 'x'));
    renameSync(join(backups, 'b@h'), join(backups, 'a@h'));
    renameSync(join(backups, 'x'), join(backups, 'b@h'));
    const verdict = await verifyClusterBackup(backups);
    t.match(verdict, {
      isSound: false,
      problems: ['c@h.partial does not belong to it'],
      nodes: [{ problems: [/is a backup of b@h/] }, { problems: [/is a backup of a@h/] }],
    });
    t.match(
      clusterVerdictText(verdict),
      /: not sound\n\nnode[^]*a@h +NOT SOUND +20[^]*\nb@h: .*of a@h/,
    );
    rmSync(join(backups, 'a@h', 'backup.json'));
    t.match((await verifyClusterBackup(backups)).nodes, [{ problems: [/is no whole backup/] }, {}]);
    writeFileSync(join(backups, 'cluster-backup.json'), '{}');
    await t.rejects(verifyClusterBackup(backups), /is not of the form/);
  },
);
