/**
 * `/stats`: what a node counts, under the names that people graph.
 *
 * Rooms count under Riak's own names (`node_gets`, `vnode_puts`, …); here the rest is added that only
 * the process knows. A name that means nothing here is left out rather than shown as a made-up zero.
 */

import { statfsSync } from 'node:fs';
import { availableParallelism, loadavg, totalmem } from 'node:os';
import { memoryUsage } from 'node:process';
import type { NodeService } from '../node/node-service.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { snapshotToRiakStats } from '../telemetry/metrics-text.ts';

/** The release that clients are told: of Riak's 3.2 line, because they turn features on by it. */
export const RIAK_RELEASE = '3.2.1';

export interface StatsSources {
  readonly dataFolder: string;
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

/** Counters that appear when they first count; until then they are truly 0. */
const COUNTERS = [
  'node_gets',
  'node_puts',
  'node_get_fsm_errors',
  'vnode_gets',
  'vnode_heads',
  'vnode_puts',
  'read_repairs',
  'skipped_read_repairs',
  'precommit_fail',
  'index_fsm_create',
  'list_fsm_create',
];

const HISTOGRAMS = [
  'node_get_fsm_time',
  'node_put_fsm_time',
  'node_get_fsm_siblings',
  'node_get_fsm_objsize',
];

/**
 * What Riak has and a Vertebra node has not: no gossip, no mailboxes, no strong consistency. Merges
 * and index writes are not counted yet, and read 0 too.
 */
const NOTHING_OF_THE_KIND = [
  'coord_redirs_total',
  'postcommit_fail',
  'consistent_gets',
  'consistent_puts',
  'gossip_received',
  'converge_delay_mean',
  'rebalance_delay_mean',
  'handoff_timeouts',
  'rejected_handoffs',
  'list_fsm_active',
  'index_fsm_active',
  'pipeline_active',
  'executing_mappers',
  'object_merge',
  'vnode_index_reads',
  'vnode_index_writes',
  'write_once_puts',
  'riak_kv_vnodeq_min',
  'riak_kv_vnodeq_mean',
  'riak_kv_vnodeq_median',
  'riak_kv_vnodeq_max',
  'riak_kv_vnodeq_total',
  'memory_ets',
];

const ZEROES: Readonly<Record<string, number>> = Object.fromEntries([
  ...COUNTERS.flatMap((name) => [
    [name, 0],
    [`${name}_total`, 0],
  ]),
  ...HISTOGRAMS.flatMap((name) =>
    ['mean', 'median', '95', '99', '100'].map((suffix) => [`${name}_${suffix}`, 0]),
  ),
  ...NOTHING_OF_THE_KIND.map((name) => [name, 0]),
]) as Record<string, number>;

function compute(sources: StatsSources): Readonly<Record<string, unknown>> {
  const { node, metrics, dataFolder } = sources;
  const state = node.state();
  const live = node.liveMembers();
  const memory = memoryUsage();
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  const counted = snapshotToRiakStats(metrics.snapshot());
  return {
    ...ZEROES,
    ...counted,
    coord_redirs_total: counted['coord_redirs_total_total'] ?? 0,
    pbc_connects: counted['pbc_connections_total'] ?? 0,
    pbc_connects_total: counted['pbc_connections_total_total'] ?? 0,
    pbc_active: counted['pbc_connections'] ?? 0,
    riak_kv_vnodes_running: partitionCounts(node).get(node.id) ?? 0,
    disk: diskOf(dataFolder),
    sys_process_count: 1,
    memory_system: memory.rss - memory.heapTotal,
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
  const counts = [...partitionCounts(node)].map(([id, count]) => `{'${id}',${count}}`);
  return `[${counts.join(',')}]`;
}

function partitionCounts(node: NodeService): Map<string, number> {
  const { members, ownerByPartition } = node.state();
  return new Map(
    members.map(({ id }, index) => [
      id,
      ownerByPartition.filter((owner) => owner === index).length,
    ]),
  );
}

/** The file system of the data: size in KB, used in per cent. */
function diskOf(dataFolder: string): readonly unknown[] {
  try {
    const { blocks, bsize, bavail } = statfsSync(dataFolder);
    const used = blocks === 0 ? 0 : Math.round((100 * (blocks - bavail)) / blocks);
    return [{ id: dataFolder, size: Math.round((blocks * bsize) / 1024), used }];
  } catch {
    // A folder that cannot be looked at is the store's to complain about.
    return [];
  }
}
