/** What nodes see of each other, as an operator and a scraper are told it. */

import t from 'tap';
import { statusCommands, type NodeStatus } from '../../src/admin/status-commands.ts';
import { clocksOfStatus } from '../../src/cli/diag/node-judge.ts';
import { showNode } from '../../src/cli/node-gauges.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3 } from './told.ts';

t.test(
  'a clock that is wrong and a node that is down show, and go when that has an end',
  async (t) => {
    const cluster = await TestCluster.start({ nodeCount: 3 });
    cluster.clockAheadMsByNode.set(N3, 800);
    const node = cluster.node(N1);
    const status = async (): Promise<NodeStatus> => {
      const command = statusCommands(node, node.operations()).get('status');
      return (await command?.({})) as NodeStatus;
    };
    const metrics = new MetricsRegistry({
      wallMicros: () => 0,
      monotonicMs: () => 0,
      after: () => () => {},
    });
    showNode(metrics, node);
    const gauge = (name: string): number | undefined => metrics.snapshot().gauges.get(name);

    await cluster.time.advance(10_000);
    t.same(clocksOfStatus(await status()), [
      { node: N2, offsetMs: 0, uncertainMs: 1 },
      { node: N3, offsetMs: 800, uncertainMs: 1 },
    ]);
    t.equal(gauge(`peer_clock_offset_seconds{peer="${N3}"}`), 0.8);
    t.equal(gauge(`peer_rtt_seconds{peer="${N3}"}`), 0.002);
    t.equal(gauge(`peer_up{peer="${N3}"}`), 1);
    const safe = { nodes: 0, down: 0, locations: 0 };
    t.match(await status(), { unsafePartitions: safe, transfersStalled: 0 });
    t.equal(gauge('ring_unsafe_partitions{reason="down"}'), 0);
    t.equal(gauge('transfers_stalled'), 0);

    cluster.crash(N3);
    await cluster.untilUp(N1, N2);
    t.same(clocksOfStatus(await status()), [{ node: N2, offsetMs: 0, uncertainMs: 1 }]);
    t.equal(
      gauge(`peer_clock_offset_seconds{peer="${N3}"}`),
      undefined,
      'an old one tells nothing',
    );
    t.equal(gauge(`peer_up{peer="${N3}"}`), 0);
    t.equal(gauge('ring_unsafe_partitions{reason="down"}'), 16);
    t.equal((await status()).unsafePartitions.down, 16);
  },
);
