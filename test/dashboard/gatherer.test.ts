/** The gatherer with real nodes of one process, asked by the commands that operators have. */

import t from 'tap';
import { clusterCommands } from '../../src/admin/cluster-commands.ts';
import { hotKeyCommands } from '../../src/admin/hot-key-commands.ts';
import { keyCommands } from '../../src/admin/key-commands.ts';
import { repairCommands } from '../../src/admin/repair-commands.ts';
import { slowLogCommands } from '../../src/admin/slow-log-commands.ts';
import { statusCommands } from '../../src/admin/status-commands.ts';
import { Gatherer } from '../../src/dashboard/gatherer.ts';
import { locateKey, revealHotKeys } from '../../src/dashboard/key-questions.ts';
import type { NodeSource } from '../../src/dashboard/node-source.ts';
import type { NodeId } from '../../src/base/names.ts';
import { KeyFingerprint } from '../../src/node/key-fingerprint.ts';
import { SLOW_LOG_DEFAULTS, SlowLog } from '../../src/node/slow-log.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { TestCluster } from '../node/cluster-harness.ts';
import { N1, N2, N3 } from '../node/told.ts';

const NOWHERE = { debug() {}, info() {}, warn() {}, error() {} };
const host = systemHost(NOWHERE, { count() {}, gauge() {}, observe() {} });

/** The ways to nodes of this process: whoever is gone, or has no socket, refuses. */
class Ways {
  readonly gone = new Set<string>();
  readonly remote = new Set<string>();
  readonly asked: string[] = [];
  readonly #cluster: TestCluster;
  readonly #fingerprint = new KeyFingerprint(host.random);

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  to(id: string): NodeSource {
    return {
      node: id,
      ask: async (command, options = {}) => {
        this.asked.push(`${id} ${command}`);
        if (this.gone.has(id) || this.remote.has(id)) throw new Error('connect ENOENT admin.sock');
        if (command === 'metrics') return this.#metrics(id);
        const run = this.#commands(id as NodeId).get(command);
        if (run === undefined) throw new Error(`unknown command ${command}`);
        const result = await this.#cluster.settle(run(options));
        return JSON.parse(JSON.stringify(result)) as unknown;
      },
      fetch: async (path) => {
        if (this.gone.has(id))
          throw new Error('fetch failed', { cause: new Error('ECONNREFUSED') });
        return path === '/metrics' ? this.#metrics(id) : 'serving\n';
      },
    };
  }

  #commands(id: NodeId) {
    const node = this.#cluster.node(id);
    const operations = node.operations();
    return new Map([
      ...statusCommands(node, operations),
      ...clusterCommands(node),
      ...repairCommands(node, operations),
      ...keyCommands({
        operator: operations,
        clients: node,
        keepsTombstones: false,
        fingerprint: this.#fingerprint,
      }),
      ...hotKeyCommands(node.hotKeys, this.#fingerprint),
      ...slowLogCommands(new SlowLog(host, this.#fingerprint, SLOW_LOG_DEFAULTS)),
    ]);
  }

  #metrics(id: string): string {
    const { epoch } = this.#cluster.node(id as NodeId).state();
    return `vertebra_node_ready 1\nvertebra_membership_epoch ${epoch}\nvertebra_handoff_hints 0\n`;
  }
}

function gathererOf(ways: Ways, ...named: string[]): Gatherer {
  return new Gatherer({
    sources: named.map((id) => ways.to(id)),
    sourceOf: ({ node }) => ways.to(node),
    showsKeys: true,
    nowMs: () => performance.now(),
    wallMs: () => 0,
  });
}

t.test('every member is gathered, also one that the configuration does not name', async (t) => {
  const ways = new Ways(await TestCluster.start({ nodeCount: 3, ringSize: 16 }));
  ways.remote.add(N3);
  const gatherer = gathererOf(ways, N1, N2);
  t.equal((await gatherer.round()).nodes.length, 3);
  const snapshot = await gatherer.round();
  t.match(snapshot.cluster, { name: 'test', epoch: 1, ringSize: 16, stagedCount: 0 });
  t.match(
    snapshot.nodes,
    [N1, N2, N3].map((node) => ({ node, status: 'valid', isReady: true, partitions: Number })),
  );
  t.same(
    snapshot.nodes.map(({ answersBy }) => answersBy),
    ['socket', 'socket', 'http'],
  );
  t.match(snapshot.nodes[2], { heardBy: 2, askedOf: 2, hints: undefined, figures: { epoch: 1 } });
  const owned = snapshot.nodes.map(
    (_, index) => snapshot.ring?.owners.filter((owner) => owner === index).length,
  );
  t.same(
    owned,
    snapshot.nodes.map(({ partitions }) => partitions),
    'the ring is as the members say',
  );
  t.equal(
    ways.asked.filter((asked) => asked.endsWith('cluster partitions')).length,
    3,
    'asked once for an epoch',
  );
  t.same(snapshot.alerts, []);
});

t.test(
  'a node that does not answer is shown as silent, and an alert about it is on the way',
  async (t) => {
    const ways = new Ways(await TestCluster.start({ nodeCount: 3 }));
    const gatherer = gathererOf(ways, N1, N2, N3);
    await gatherer.round();
    ways.gone.add(N1);
    const snapshot = await gatherer.round();
    t.match(snapshot.nodes[0], {
      node: N1,
      answersBy: undefined,
      silence: 'ECONNREFUSED',
      status: 'valid',
    });
    t.match(snapshot.nodes[1], { answersBy: 'socket' });
    t.equal(snapshot.cluster?.toldBy, N2);
    t.match(snapshot.alerts, [{ name: 'VertebraNodeNotReady', node: N1, isFiring: false }]);
    ways.gone.add(N2).add(N3);
    const dark = await gatherer.round();
    t.same(
      dark.nodes.map(({ answersBy }) => answersBy),
      [undefined, undefined, undefined],
    );
    t.equal(dark.cluster, undefined);
  },
);

t.test(
  'a node beside the cluster does not speak for it, and a change that is staged is counted',
  async (t) => {
    const cluster = await TestCluster.start({ nodeCount: 2 });
    const ways = new Ways(cluster);
    await cluster.startAlone('n9' as NodeId);
    const gatherer = gathererOf(ways, 'n9', N1, N2);
    await ways.to(N1).ask('cluster leave', { node: N2 });
    const snapshot = await gatherer.round();
    t.match(snapshot.cluster, { stagedCount: 1 });
    t.match(
      snapshot.nodes.find(({ node }) => node === 'n9'),
      { status: 'none', partitions: 0 },
    );
  },
);

t.test('keys are asked for only when somebody asks', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  const ways = new Ways(cluster);
  const gatherer = gathererOf(ways, N1, N2);
  const key = { type: 'default', bucket: 'patients', key: '9990000018' } as never;
  for (let i = 0; i < 500; i += 1) cluster.node(N1).hotKeys.note('read', key);
  const snapshot = await gatherer.round();
  t.match(snapshot.hotKeys?.reads, [
    { node: N1, bucket: 'patients', fingerprint: String, share: 1 },
  ]);
  t.notMatch(JSON.stringify(snapshot), /9990000018/);
  const fingerprint = snapshot.hotKeys?.reads[0]?.fingerprint;
  t.same(await revealHotKeys(gatherer), [{ node: N1, fingerprint, key: '9990000018' }]);
  const asked = { type: 'default', bucket: 'patients', key: '9990000018' };
  t.match(await locateKey(gatherer, asked), {
    verdict: 'absent',
    partition: Number,
    copies: [{}, {}],
  });
  await t.rejects(locateKey(gatherer, undefined), /a type is needed/);
});
