/**
 * A node joins three that are under load, and one of them leaves: real processes, real transfers, and
 * every acknowledged write is found through every node that is left.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { PlannedChanges } from '../../src/admin/cluster-commands.ts';
import type { ClusterReport } from '../../src/admin/cluster-status.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { DevCluster, type DevNode } from '../../src/cli/dev-cluster.ts';
import { devNodes } from '../../src/cli/dev-command.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { runCommand, type Ended } from './command-line.ts';
import { ENTRY_POINT, freeBasePort, startCluster } from './local-cluster.ts';

const DEADLINE_MS = 180_000;
/** Between two writes of a lane: the machine has the transfers to run too. */
const PAUSE_MS = 10;

const { nodes, close, configPath } = await startCluster(3);
const [first, second, third] = nodes as readonly [DevNode, DevNode, DevNode];
const folder = mkdtempSync(join(tmpdir(), 'vertebra-joiner-'));
const joiner = await joinerConfig();
const [fourth] = joiner.nodes as readonly [DevNode];
t.teardown(async () => {
  await joiner.stop();
  await close();
  rmSync(folder, { recursive: true, force: true });
});

/** A configuration of the same cluster that names one node, which is none of the three. */
async function joinerConfig(): Promise<DevCluster> {
  const base = await freeBasePort(1);
  const [head] = readFileSync(configPath, 'utf8').split('nodes:');
  const path = join(folder, 'joiner.yml');
  const lines = [
    'nodes:',
    '  - name: dev4@127.0.0.1',
    '    host: 127.0.0.1',
    `    http_port: ${base + 18}`,
    `    pbc_port: ${base + 17}`,
    `    peer_port: ${base + 19}`,
    `    data_dir: ${join(folder, 'data')}`,
  ];
  writeFileSync(path, `${head ?? ''}${lines.join('\n')}\n`);
  return new DevCluster({ configPath: path, nodes: devNodes(path), entryPoint: ENTRY_POINT });
}

function ask(node: DevNode, command: string, options: Record<string, unknown> = {}) {
  const request = { command: `cluster ${command}`, arguments: options };
  return askNode(adminSocketPath(node.dataFolder), request, DEADLINE_MS);
}

/** As an operator types it, at the first node. */
function clusterCommand(verb: string): Promise<Ended> {
  return runCommand('admin', '--config', configPath, 'cluster', verb);
}

/** Puts keys of its own, each once, until it is stopped. */
class Load {
  readonly acknowledged: string[] = [];
  readonly #client: VertebraClient;
  readonly #ended: Promise<unknown>;
  #isStopped = false;

  constructor(through: readonly DevNode[], prefix: string) {
    this.#client = clientOf(...through);
    this.#ended = Promise.all([0, 1].map((lane) => this.#write(`${prefix}-${lane}`)));
  }

  async more(count: number): Promise<void> {
    const enough = this.acknowledged.length + count;
    await until('more writes', () => this.acknowledged.length >= enough);
  }

  async stop(): Promise<readonly string[]> {
    this.#isStopped = true;
    await this.#ended;
    this.#client.close();
    return this.acknowledged;
  }

  async #write(prefix: string): Promise<void> {
    for (let serial = 0; !this.#isStopped; serial += 1) {
      const key = `${prefix}-${serial}`;
      try {
        await this.#client.put(named(key), { value: Buffer.from(key) });
        this.acknowledged.push(key);
      } catch {
        // It was not acknowledged, so nothing was promised.
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function settled(node: DevNode, isDone: (report: ClusterReport) => boolean): Promise<void> {
  await until('the change is carried out', async () => {
    const report = (await ask(node, 'status')) as ClusterReport;
    return report.unsettled.length === 0 && isDone(report);
  });
}

async function lostThrough(node: DevNode, keys: readonly string[]): Promise<string[]> {
  const client = clientOf(node);
  const lost: string[] = [];
  for (let from = 0; from < keys.length; from += 64) {
    const some = keys.slice(from, from + 64);
    const found = await Promise.all(some.map((key) => client.get(named(key))));
    lost.push(...some.filter((_, at) => found[at]?.kind !== 'found'));
  }
  client.close();
  return lost;
}

t.test('a fourth node is taken in under load and gets its share', async (t) => {
  await joiner.start();
  const load = new Load(nodes, 'joined');
  t.teardown(() => load.stop());
  await load.more(100);
  t.match(await ask(fourth, 'join', { address: `${first.host}:${first.peerPort}` }), {
    message: /^Success: staged join request/,
  });
  await settled(first, ({ members }) => members.length === 4);
  const { code, stdout } = await clusterCommand('plan');
  t.equal(code, 0);
  t.match(stdout, /Live copies of each key with n_val 3: 3 now, 3 at the lowest moment/);
  const { plan } = (await ask(second, 'plan')) as PlannedChanges;
  t.match(stdout, `cluster commit ${plan.hash}`, 'every node shows the same plan');
  await ask(third, 'commit', { hash: plan.hash });
  await settled(first, ({ members }) => members.every(({ partitions }) => partitions > 0));
  await load.more(50);
  const keys = await load.stop();
  for (const node of [first, fourth]) {
    t.same(await lostThrough(node, keys), [], `${node.name} finds all of ${keys.length}`);
  }
});

t.test('a node leaves under load and what it had is with the others', async (t) => {
  const left = [second, third, fourth];
  const load = new Load(left, 'left');
  t.teardown(() => load.stop());
  await load.more(50);
  await ask(first, 'leave');
  await ask(first, 'commit', { isSure: true });
  await settled(fourth, ({ members }) => members.length === 3);
  const keys = await load.stop();
  for (const node of left) {
    t.same(await lostThrough(node, keys), [], `${node.name} finds all of ${keys.length}`);
  }
  await until('the node that left says so', async () => {
    const { code, stderr } = await clusterCommand('leave');
    return code === 1 && stderr.includes('is not a member of the cluster');
  });
});

function named(key: string): ObjectKey {
  return {
    type: utf8ToByteString('default'),
    bucket: utf8ToByteString('patients'),
    key: utf8ToByteString(key),
  };
}

function clientOf(...some: readonly DevNode[]): VertebraClient {
  return new VertebraClient({ nodes: some.map(({ host, pbcPort }) => ({ host, port: pbcPort })) });
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
