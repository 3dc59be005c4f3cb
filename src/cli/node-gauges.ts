/**
 * What a node is, as gauges: its build, whether it serves, and whom it sees.
 */

import type { NodeService } from '../node/node-service.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { RELEASE } from './release.ts';

/** The node has been started. */
export function showNode(metrics: MetricsRegistry, node: NodeService): void {
  metrics.gauge(`build_info{version="${RELEASE}"}`, 1);
  metrics.beforeSnapshot(() => {
    metrics.gauge('node_ready', node.readiness().isReady ? 1 : 0);
    metrics.gauge('members', node.state().members.length);
    metrics.gauge('members_up', node.liveMembers().length);
  });
}
