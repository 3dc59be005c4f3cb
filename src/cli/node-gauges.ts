/**
 * What a node is, as gauges: its build, whether it serves, whom it sees and how well.
 *
 * All of it is looked up when somebody asks for the metrics, and costs requests nothing.
 */

import type { NodeService } from '../node/node-service.ts';
import type { QueueStatus } from '../node/replication-queue.ts';
import type { OperatorService } from '../node/operations.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { RELEASE } from './release.ts';

type ShownNode = Pick<NodeService, 'id' | 'liveMembers' | 'readiness' | 'replication' | 'state'> & {
  operations(): Pick<OperatorService, 'peerClocks' | 'transfers' | 'unsafePartitions'>;
};

/** The node has been started. */
export function showNode(metrics: MetricsRegistry, node: ShownNode): void {
  metrics.gauge(`build_info{version="${RELEASE}",runtime="${process.version}"}`, 1);
  metrics.beforeSnapshot(() => {
    metrics.gauge('node_ready', node.readiness().isReady ? 1 : 0);
    showMembers(metrics, node);
    showQueues(metrics, node);
    const { nodes, down, locations } = node.operations().unsafePartitions();
    const unsafe = new Map(Object.entries({ nodes, down, locations }));
    metrics.gaugeEach('ring_unsafe_partitions', 'reason', unsafe);
    metrics.gauge('transfers_stalled', node.operations().transfers().stalled.length);
  });
}

function showQueues(metrics: MetricsRegistry, { replication }: ShownNode): void {
  const queues = replication.status();
  const each = (valueOf: (queue: QueueStatus) => number): Map<string, number> =>
    new Map(queues.map((queue) => [queue.name, valueOf(queue)]));
  metrics.gaugeEach(
    'replication_queue_realtime_keys',
    'queue',
    each(({ realTime }) => realTime),
  );
  metrics.gaugeEach(
    'replication_queue_sync_keys',
    'queue',
    each(({ sync }) => sync),
  );
  metrics.gaugeEach(
    'replication_queue_out_keys',
    'queue',
    each(({ out }) => out),
  );
  metrics.gaugeEach(
    'replication_queue_bytes',
    'queue',
    each(({ heldBytes }) => heldBytes),
  );
  metrics.gaugeEach(
    'replication_queue_disk_bytes',
    'queue',
    each(({ diskBytes }) => diskBytes),
  );
  metrics.gaugeEach(
    'replication_queue_oldest_age_seconds',
    'queue',
    each(({ oldestAgeMs }) => (oldestAgeMs ?? 0) / 1_000),
  );
  metrics.gaugeEach(
    'replication_queue_overflowed',
    'queue',
    each(({ isOverflowed }) => (isOverflowed ? 1 : 0)),
  );
  metrics.gaugeEach(
    'replication_queue_paused',
    'queue',
    each(({ isPaused }) => (isPaused ? 1 : 0)),
  );
  metrics.gaugeEach(
    'replication_queue_consumers',
    'queue',
    each(({ consumers }) => consumers),
  );
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
