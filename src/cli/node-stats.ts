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
  'node_get_fsm_rejected',
  'node_put_fsm_rejected',
  'vnode_gets',
  'vnode_heads',
  'vnode_puts',
  'vnode_index_reads',
  'vnode_index_writes',
  'vnode_index_writes_postings',
  'vnode_index_deletes',
  'vnode_index_deletes_postings',
  'object_merge',
  'write_once_puts',
  'read_repairs',
  'skipped_read_repairs',
  'precommit_fail',
  'index_fsm_create',
  'index_fsm_create_error',
  'list_fsm_create',
  'list_fsm_create_error',
  'clusteraae_fsm_create',
  'clusteraae_fsm_create_error',
];

const HISTOGRAMS = [
  'node_get_fsm_time',
  'node_put_fsm_time',
  'node_get_fsm_siblings',
  'node_get_fsm_objsize',
];

/** Gauges that appear with the first request. */
const GAUGES = [
  'node_get_fsm_active',
  'node_put_fsm_active',
  'list_fsm_active',
  'index_fsm_active',
  'clusteraae_fsm_active',
] as const;

const FIGURES = ['mean', 'median', '95', '99', '100'];

/**
 * What Riak has and a Vertebra node has not: mailboxes of vnodes, coordinators elsewhere because of
 * them, pools of workers, pipelines of jobs, gossip, strong consistency, trees to be rebuilt, what an
 * Erlang machine consists of. There is never any of it.
 */
const NOTHING_OF_THE_KIND = [
  'postcommit_fail',
  'consistent_gets',
  'consistent_gets_total',
  'consistent_puts',
  'consistent_puts_total',
  ...['get_time', 'get_objsize', 'put_time', 'put_objsize'].flatMap((name) =>
    FIGURES.map((figure) => `consistent_${name}_${figure}`),
  ),
  'gossip_received',
  'ignored_gossip_total',
  ...['converge', 'rebalance'].flatMap((name) =>
    ['min', 'max', 'mean', 'last'].map((figure) => `${name}_delay_${figure}`),
  ),
  'rejected_handoffs',
  'handoff_timeouts',
  'pipeline_active',
  'pipeline_create_error_count',
  'pipeline_create_error_one',
  'executing_mappers',
  'late_put_fsm_coordinator_ack',
  'vnode_index_refreshes',
  'vnode_index_refreshes_total',
  'soft_loaded_vnode_mbox_total',
  'vnode_mbox_check_timeout_total',
  'coord_local_soft_loaded_total',
  'coord_local_unloaded_total',
  'coord_redir_loaded_local_total',
  'coord_redir_unloaded_total',
  'coord_redir_least_loaded_total',
  'dropped_vnode_requests_total',
  ...['kv', 'pipe'].flatMap((name) =>
    ['min', 'mean', 'median', 'max', 'total'].map((figure) => `riak_${name}_vnodeq_${figure}`),
  ),
  'riak_pipe_vnodes_running',
  ...[
    'root_compare',
    'branch_compare',
    'clock_compare',
    'exchange',
    'error',
    'timeout',
    'not_supported',
    'bucket',
    'modtime',
  ].flatMap((name) => [`tictacaae_${name}`, `tictacaae_${name}_total`]),
  'tictacaae_queue_microsec_mean',
  'tictacaae_queue_microsec__max',
  ...['all', 'day', 'hour', 'range'].map((name) => `ttaaefs_${name}check_total`),
  ...['sync', 'nosync', 'fail'].flatMap((name) => [
    `ttaaefs_${name}_total`,
    `ttaaefs_${name}_time_100`,
  ]),
  'ttaaefs_src_ahead_total',
  'ttaaefs_snk_ahead_total',
  'memory_atom',
  'memory_atom_used',
  'memory_code',
  'memory_ets',
  'sys_global_heaps_size',
  'sys_monitor_count',
  'sys_port_count',
  'sys_thread_pool_size',
  ...['af1', 'af2', 'af3', 'af4', 'be', 'node', 'unregistered', 'vnode'].flatMap((pool) =>
    ['queuetime_mean', 'queuetime_100', 'worktime_mean', 'worktime_100', 'total'].map(
      (figure) => `worker_${pool}_pool_${figure}`,
    ),
  ),
];

const ZEROES: Readonly<Record<string, number>> = Object.fromEntries([
  ...COUNTERS.flatMap((name) => [
    [name, 0],
    [`${name}_total`, 0],
  ]),
  ...HISTOGRAMS.flatMap((name) => FIGURES.map((figure) => [`${name}_${figure}`, 0])),
  ...[...GAUGES, ...NOTHING_OF_THE_KIND].map((name) => [name, 0]),
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
    ...readRepairStats(counted),
    coord_redirs_total: counted['coord_redirs_total'] ?? 0,
    ...pipelineStats(counted),
    handoff_timeouts: counted['handoff_broken_off_total'] ?? 0,
    rings_reconciled: counted['states_adopted'] ?? 0,
    rings_reconciled_total: counted['states_adopted_total'] ?? 0,
    leveldb_read_block_error: counted['store_corrupt_reads_total'] ?? 0,
    pbc_connects: counted['pbc_connects'] ?? 0,
    pbc_connects_total: counted['pbc_connects_total'] ?? 0,
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
    sys_system_version: `Node.js ${process.version}`,
    sys_smp_support: true,
    sys_threads_enabled: true,
    sys_wordsize: 8,
    sys_system_architecture: `${process.arch}-${process.platform}`,
    sys_logical_processors: availableParallelism(),
  };
}

/** MapReduce jobs; each has one mapper at most, which is told as if it always ran. */
function pipelineStats(counted: Readonly<Record<string, number>>): Record<string, number> {
  const begun = counted['pipeline_create_total'] ?? 0;
  const active = begun - (counted['pipeline_end_total'] ?? 0);
  return {
    pipeline_create_one: counted['pipeline_create'] ?? 0,
    pipeline_create_count: begun,
    pipeline_active: active,
    executing_mappers: active,
  };
}

/** Where Riak says `_one` for the last minute and `_count` for all. */
function readRepairStats(counted: Readonly<Record<string, number>>): Record<string, number> {
  const stats: Record<string, number> = {};
  for (const place of ['primary', 'fallback']) {
    for (const state of ['notfound', 'outofdate']) {
      const name = `read_repairs_${place}_${state}`;
      stats[`${name}_one`] = counted[name] ?? 0;
      stats[`${name}_count`] = counted[`${name}_total`] ?? 0;
    }
  }
  return stats;
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
