/**
 * What a node is, as gauges: its build, whether it serves, and whom it sees.
 */

import { readFileSync } from 'node:fs';
import type { NodeService } from '../node/node-service.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';

/** From the compiled file. */
const PACKAGE = new URL('../../../package.json', import.meta.url);

/** The node has been started. */
export function showNode(metrics: MetricsRegistry, node: NodeService): void {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  metrics.gauge(`build_info{version="${version}"}`, 1);
  metrics.beforeSnapshot(() => {
    metrics.gauge('node_ready', node.readiness().isReady ? 1 : 0);
    metrics.gauge('members', node.state().members.length);
    metrics.gauge('members_up', node.liveMembers().length);
  });
}
