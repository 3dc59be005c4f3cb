/**
 * `/stats` has every name that operators graph.
 */

import t from 'tap';
import { nodeStats } from '../../src/cli/node-stats.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { MemoryNode } from '../api/memory-node.ts';

const FIVE = ['mean', 'median', '95', '99', '100'];
const silent = (): void => {};
const LOG = { debug: silent, info: silent, warn: silent, error: silent };

/** The registry's own beat is not needed here. */
const { clock } = systemHost(LOG, { count: silent, gauge: silent, observe: silent });
const CLOCK = { ...clock, after: () => silent };

const GRAPHED = [
  'node_gets',
  'node_puts',
  'vnode_gets',
  'vnode_puts',
  'read_repairs',
  'pbc_connects',
  'object_merge',
  'rings_reconciled',
  'write_once_puts',
  'vnode_index_reads',
  'vnode_index_writes',
  'vnode_index_deletes',
].flatMap((name) => [name, `${name}_total`]);

const PLAIN = [
  'pbc_active',
  'coord_redirs_total',
  'handoff_timeouts',
  'leveldb_read_block_error',
  'node_get_fsm_active',
  'node_get_fsm_rejected',
  'node_put_fsm_active',
  'riak_kv_vnodeq_min',
  'riak_kv_vnodeq_mean',
  'riak_kv_vnodeq_max',
  'riak_kv_vnodeq_total',
  'ring_num_partitions',
  'ring_ownership',
  'connected_nodes',
  'ring_members',
  'nodename',
  'mem_total',
  'mem_allocated',
  'cpu_nprocs',
  'cpu_avg1',
  'cpu_avg5',
  'cpu_avg15',
  'disk',
  'worker_vnode_pool_queuetime_mean',
  'worker_af1_pool_worktime_100',
  'soft_loaded_vnode_mbox_total',
  'vnode_mbox_check_timeout_total',
  'coord_local_soft_loaded_total',
  'riak_kv_version',
  'pipeline_active',
  'executing_mappers',
  'list_fsm_active',
  'index_fsm_active',
  'gossip_received',
  'converge_delay_mean',
  'rebalance_delay_mean',
  'rejected_handoffs',
  'consistent_gets',
  'memory_total',
  'memory_ets',
  'sys_process_count',
  'sys_otp_release',
  'storage_backend',
  'read_repairs_primary_notfound_one',
  'read_repairs_fallback_outofdate_count',
];

/** Of what a Vertebra node has not; collectors that ask for a name find it. */
const ABSENT = [
  'consistent_get_time_mean',
  'consistent_put_objsize_100',
  'converge_delay_last',
  'index_fsm_active',
  'late_put_fsm_coordinator_ack',
  'memory_atom_used',
  'memory_code',
  'pipeline_create_error_count',
  'pipeline_create_error_one',
  'rebalance_delay_max',
  'riak_pipe_vnodeq_total',
  'riak_pipe_vnodes_running',
  'sys_global_heaps_size',
  'sys_monitor_count',
  'sys_port_count',
  'sys_thread_pool_size',
  'tictacaae_queue_microsec__max',
  'tictacaae_root_compare_total',
  'ttaaefs_allcheck_total',
  'ttaaefs_nosync_time_100',
  'vnode_index_refreshes_total',
];

const HISTOGRAMS = ['time', 'siblings', 'objsize'].map((name) => `node_get_fsm_${name}`);

t.test('every name that people graph is there from the start', (t) => {
  const metrics = new MetricsRegistry(CLOCK);
  const node = new MemoryNode(systemHost(LOG, metrics), { bucketTypes: {}, reapAfterMs: 1 });
  const stats = nodeStats({ node, metrics, dataFolder: '.' })();
  const histograms = [...HISTOGRAMS, 'node_put_fsm_time'];
  const figures = histograms.flatMap((name) => FIVE.map((suffix) => `${name}_${suffix}`));
  for (const name of [...GRAPHED, ...PLAIN, ...figures]) t.ok(name in stats, name);
  for (const name of ABSENT) t.equal(stats[name], 0, name);
  t.match(stats, { sys_wordsize: 8, sys_smp_support: true, sys_threads_enabled: true });
  t.notOk(Object.keys(stats).some((name) => name.endsWith('_total_total')));
  t.end();
});

t.test('what was counted is shown under its name', (t) => {
  const metrics = new MetricsRegistry(CLOCK);
  metrics.count('object_merge', 2);
  metrics.count('pbc_connects', 3);
  metrics.count('coord_redirs_total', 4);
  metrics.count('read_repairs_primary_notfound', 5);
  metrics.count('store_corrupt_reads_total', 6);
  metrics.count('pipeline_create', 7);
  metrics.count('pipeline_end', 5);
  const node = new MemoryNode(systemHost(LOG, metrics), { bucketTypes: {}, reapAfterMs: 1 });
  t.match(nodeStats({ node, metrics, dataFolder: '.' })(), {
    object_merge: 2,
    object_merge_total: 2,
    pbc_connects_total: 3,
    coord_redirs_total: 4,
    read_repairs_primary_notfound_one: 5,
    read_repairs_primary_notfound_count: 5,
    leveldb_read_block_error: 6,
    pipeline_create_count: 7,
    pipeline_active: 2,
  });
  t.end();
});
