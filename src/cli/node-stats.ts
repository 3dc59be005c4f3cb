/**
 * `/stats`: what a node counts, under the names that people graph.
 *
 * Rooms count under Riak's own names (`node_gets`, `vnode_puts`, …); here the rest is added that only
 * the process knows. A name that means nothing here is left out rather than shown as a made-up zero.
 */

import { availableParallelism, loadavg, totalmem } from 'node:os';
import { memoryUsage } from 'node:process';
import type { NodeService } from '../node/node-service.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { snapshotToRiakStats } from '../telemetry/metrics-text.ts';

/** The release that clients are told: of Riak's 3.2 line, because they turn features on by it. */
export const RIAK_RELEASE = '3.2.1';

export interface StatsSources {
  readonly node: NodeService;
  readonly metrics: MetricsRegistry;
}

/** Computed at most once a second, as Riak does. */
export function nodeStats(sources: StatsSources): () => Readonly<Record<string, unknown>> {
  let stats: Readonly<Record<string, unknown>> = {};
  let computedAtMs = -Infinity;
  return () => {
    const nowMs = performance.now();
    if (nowMs - computedAtMs >= 1_000) {
      stats = compute(sources);
      computedAtMs = nowMs;
    }
    return stats;
  };
}

function compute({ node, metrics }: StatsSources): Readonly<Record<string, unknown>> {
  const state = node.state();
  const live = node.liveMembers();
  const memory = memoryUsage();
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  return {
    ...snapshotToRiakStats(metrics.snapshot()),
    nodename: node.id,
    connected_nodes: live.filter((id) => id !== node.id),
    ring_members: state.members.map(({ id }) => id),
    ring_num_partitions: state.ringSize,
    ring_creation_size: state.ringSize,
    ring_ownership: ownershipText(node),
    storage_backend: 'riak_kv_eleveldb_backend',
    riak_kv_version: RIAK_RELEASE,
    riak_core_version: RIAK_RELEASE,
    cpu_nprocs: availableParallelism(),
    cpu_avg1: Math.round(load1 * 256),
    cpu_avg5: Math.round(load5 * 256),
    cpu_avg15: Math.round(load15 * 256),
    mem_total: totalmem(),
    mem_allocated: memory.rss,
    memory_total: memory.rss,
    memory_processes: memory.heapTotal,
    memory_processes_used: memory.heapUsed,
    memory_binary: memory.external,
    sys_otp_release: process.version,
    sys_system_architecture: `${process.arch}-${process.platform}`,
    sys_logical_processors: availableParallelism(),
  };
}

/** `[{'a@x',22},{'b@y',21}]`, an Erlang term as Riak prints it. */
function ownershipText(node: NodeService): string {
  const { members, ownerByPartition } = node.state();
  const counts = members.map(
    ({ id }, index) => `{'${id}',${ownerByPartition.filter((owner) => owner === index).length}}`,
  );
  return `[${counts.join(',')}]`;
}
