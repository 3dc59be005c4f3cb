/**
 * What a node is, as gauges: its build, whether it serves, whom it sees and how well.
 *
 * All of it is looked up when somebody asks for the metrics, and costs requests nothing.
 */

import type { NodeService } from '../node/node-service.ts';
import type { OperatorService } from '../node/operations.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { RELEASE } from './release.ts';

type ShownNode = Pick<NodeService, 'id' | 'liveMembers' | 'readiness' | 'state'> & {
  operations(): Pick<OperatorService, 'peerClocks' | 'transfers' | 'unsafePartitions'>;
};

/** The node has been started. */
export function showNode(metrics: MetricsRegistry, node: ShownNode): void {
  metrics.gauge(`build_info{version="${RELEASE}",runtime="${process.version}"}`, 1);
  metrics.beforeSnapshot(() => {
    metrics.gauge('node_ready', node.readiness().isReady ? 1 : 0);
    showMembers(metrics, node);
    const { nodes, down, locations } = node.operations().unsafePartitions();
    const unsafe = new Map(Object.entries({ nodes, down, locations }));
    metrics.gaugeEach('ring_unsafe_partitions', 'reason', unsafe);
    metrics.gauge('transfers_stalled', node.operations().transfers().stalled.length);
  });
}

function showMembers(metrics: MetricsRegistry, node: ShownNode): void {
  const members = node.state().members.map(({ id }) => id);
  const live = new Set(node.liveMembers());
  metrics.gauge('members', members.length);
  metrics.gauge('members_up', live.size);
  const others = members.filter((id) => id !== node.id);
  metrics.gaugeEach('peer_up', 'peer', new Map(others.map((id) => [id, live.has(id) ? 1 : 0])));

  const rttSeconds = new Map<string, number>();
  const offsetSeconds = new Map<string, number>();
  for (const { node: peer, rttMs, offsetMs } of node.operations().peerClocks()) {
    rttSeconds.set(peer, rttMs / 1_000);
    if (offsetMs !== undefined) offsetSeconds.set(peer, offsetMs / 1_000);
  }
  metrics.gaugeEach('peer_rtt_seconds', 'peer', rttSeconds);
  metrics.gaugeEach('peer_clock_offset_seconds', 'peer', offsetSeconds);
}
