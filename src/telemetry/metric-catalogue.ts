/**
 * Every metric of a node and what it means: the HELP texts of `/metrics`, and `docs/metrics.md`.
 *
 * Names are as the rooms use them: without the prefix `vertebra_`, and of counters with or without
 * `_total`, since Riak's names have none. What the code counts and what stands here is compared by a
 * test, both ways.
 */

import { OWN_COUNTERS } from './counter-catalogue.ts';

export type MetricKind = 'counter' | 'gauge' | 'summary';

export type Catalogue = Readonly<Record<string, string>>;

const GAUGES: Catalogue = {
  audit_failing: '1 when the last event could not be recorded in the audit log',
  backup_last_success_timestamp_seconds: 'When the last backup of this node was whole',
  build_info: 'Always 1; its labels are the release and the version of Node.js',
  client_tls_certificate_expiry_timestamp_seconds: 'When the certificate shown to clients ends',
  client_tls_crl_expiry_timestamp_seconds:
    "When the first list of clients' revoked certificates ends",
  clusteraae_fsm_active: 'Folds under way that this node coordinates',
  coverage_waiting: 'Listings and index queries that wait until others have ended',
  disk_free_bytes: 'Room on the file system of the data folder',
  disk_full: '1 while new data is refused for want of room',
  disk_growth_bytes_per_second:
    'How fast the file system of the data folder fills; negative: empties',
  disk_reserve_bytes: 'Room below which no new data is taken',
  disk_total_bytes: 'Size of the file system of the data folder',
  growth_span_seconds: 'Time over which growth has been observed, 7 days at most',
  handoff_hints: 'Objects that this node owes to others',
  hooks_running: 'Commit hooks under way',
  http_connections_unread: 'HTTP connections that are not read because many requests wait for room',
  index_fsm_active: 'Index queries under way that this node coordinates',
  index_repair_owed: '1 while index entries are looked for beside the copies here, or are to be',
  list_fsm_active: 'Listings under way that this node coordinates',
  members: 'Nodes that the cluster state names',
  members_up: 'Members that answer this node, itself included',
  memory_available_bytes: 'Memory of the machine that could be had',
  memory_limit_bytes: 'Memory that the process may use: of the machine, or of its control group',
  'membership.epoch': 'Epoch of the cluster state that this node acts on',
  'membership.votes': '0 while this node may have forgotten what it promised, and does not vote',
  node_get_fsm_active: 'Reads under way that this node coordinates',
  node_put_fsm_active: 'Writes under way that this node coordinates',
  node_ready: '1 while clients are served, as /readyz says',
  peer_clock_offset_seconds: "A peer's clock less this node's, right to half a round trip",
  peer_rtt_seconds: 'Round trip of heartbeats to a peer that is up, the median of the last eight',
  peer_up: '1 while a peer answers this node',
  pbc_connections: 'Open connections of Protocol Buffers clients',
  process_event_loop_busy_ratio: 'Part of the last minute that the event loop had work, 0 to 1',
  process_heap_used_bytes: 'Of the JavaScript heap',
  process_max_fds: 'File descriptors that may be open',
  process_open_fds: 'File descriptors that are open',
  process_own_memory_bytes: 'Memory in RAM without pages of files, which the kernel may take back',
  process_resident_memory_bytes: 'Memory of the process that is in RAM',
  process_start_time_seconds: 'When the process was started',
  queries_under_way: 'Queries of the query API under way',
  query_held_bytes: 'What queries under way hold in memory',
  reaper_members_awaited: 'Members that are away: while there are any no tombstone is reaped',
  replication_full_sync_age_seconds:
    'Since all was compared with a source last, at the node that does it',
  replication_lag_seconds: 'How far this node is behind a source: 0 while nothing waits there',
  replication_queue_bytes: 'Memory that the keys of a replication queue take',
  replication_queue_consumers: 'Connections that fetch from a replication queue',
  replication_queue_disk_bytes: 'Size of the files of a replication queue',
  replication_queue_oldest_age_seconds:
    'How long the oldest key of a replication queue has waited; 0: none waits',
  replication_queue_out_keys: 'Keys that other clusters were given and have not acknowledged',
  replication_queue_overflowed:
    '1 while keys are missing from a replication queue that only a full-sync finds',
  replication_queue_paused: '1 while a replication queue gives nothing out',
  replication_queue_realtime_keys: 'Keys on a replication queue that clients have written',
  replication_queue_sync_keys:
    'Keys on a replication queue that a full-sync or a fold has put there',
  requests_limit: 'Requests of clients that may be under way at once, as it has been found',
  requests_waiting: 'Requests of clients that wait for room',
  ring_unsafe_partitions: 'Partitions whose keys have too few places now, by reason',
  script_sessions: 'MapReduce jobs that use JavaScript',
  security_hashes_under_way: 'Passwords that are being hashed',
  store_bytes: 'What the store takes on disk, about',
  store_damaged_tables: 'Tables in which the last walk of the scrub found damage',
  store_fenced: '1 when a write failed: nothing is stored until the node is started again',
  store_growth_bytes_per_second: 'How fast the store grows; negative: shrinks',
  store_log_bytes: 'Size of the value log',
  store_log_live_bytes: 'What of the value log is pointed to',
  store_log_segments: 'Segments of the value log',
  store_log_segments_waiting: 'Collected segments that somebody may still read',
  store_pending_bytes: 'Writes that wait for the disk',
  store_scans: 'Scans of the store that are open',
  tls_certificate_expiry_timestamp_seconds: 'When the certificate for the links between nodes ends',
  tls_crl_expiry_timestamp_seconds: "When the first list of nodes' revoked certificates ends",
  transfer_leftover_trees: 'Hash trees of copies that this node holds and does not own',
  transfers_stalled: 'Pieces of work on transfers that came no nearer to their end for 15 minutes',
};

const SUMMARIES: Catalogue = {
  anti_entropy_round_ms: 'How long a round of exchanges took',
  event_loop_delay_ms: 'How late timers fire: what everything on this node waits at least',
  node_get_fsm_objsize: 'Bytes of objects read by clients',
  node_get_fsm_siblings: 'Siblings of objects read by clients',
  node_get_fsm_time: 'Microseconds from a read to its answer at the coordinator',
  node_put_fsm_time: 'Microseconds from a write to its answer at the coordinator',
  query_ms: 'How long a query of the query API took',
  replication_lag_ms: "From a client's write elsewhere to its being safe here, by source",
  store_batch_bytes: 'Size of a batch of writes',
  store_batch_writes: 'Writes that shared a batch',
  store_commit_ms: 'How long a batch took to be on stable storage',
  store_read_keys: 'Keys read together on another thread',
  store_read_ms: 'How long these took',
  store_write_wait_ms: 'From a write to its being on stable storage',
};

const RIAK_COUNTERS: Catalogue = {
  clusteraae_fsm_create: 'Folds begun',
  clusteraae_fsm_create_error: 'Folds refused because too many were under way',
  coord_redirs_total: 'Writes passed on to a node that holds the key',
  index_fsm_create: 'Index queries begun',
  index_fsm_create_error: 'Index queries refused because too many waited',
  list_fsm_create: 'Listings begun',
  list_fsm_create_error: 'Listings refused because too many waited',
  node_get_fsm_errors: 'Reads that ended with an error',
  node_get_fsm_rejected: 'Reads refused for overload',
  node_gets: 'Reads coordinated',
  node_put_fsm_rejected: 'Writes refused for overload',
  node_puts: 'Writes coordinated',
  object_merge: 'Merges of copies of which neither had all',
  pbc_connects: 'Connections of Protocol Buffers clients accepted',
  pipeline_create: 'MapReduce jobs begun',
  pipeline_end: 'MapReduce jobs ended',
  postcommit_fail: 'Post-commit hooks that failed or ran out of time',
  precommit_fail: 'Writes that a pre-commit hook refused',
  read_repairs: 'Reads that found stale or missing copies and mended them',
  read_repairs_fallback_notfound: 'Copies missing at stand-ins, mended after a read',
  read_repairs_fallback_outofdate: 'Stale copies at stand-ins, mended after a read',
  read_repairs_primary_notfound: 'Copies missing at owners, mended after a read',
  read_repairs_primary_outofdate: 'Stale copies at owners, mended after a read',
  skipped_read_repairs: 'Read repairs left out because too many were under way',
  vnode_gets: 'Objects read of this node by coordinators',
  vnode_heads: 'Heads read of this node by coordinators',
  vnode_index_deletes: 'Writes here that removed index entries',
  vnode_index_deletes_postings: 'Index entries removed here',
  vnode_index_reads: 'Scans of indexes here',
  vnode_index_writes: 'Writes here that added index entries',
  vnode_index_writes_postings: 'Index entries added here',
  vnode_puts: 'Copies stored here for coordinators',
  write_once_puts: 'Writes to write-once buckets',
};

const BY_KIND: readonly (readonly [kind: MetricKind, catalogue: Catalogue])[] = [
  ['gauge', GAUGES],
  ['summary', SUMMARIES],
  ['counter', RIAK_COUNTERS],
  ['counter', OWN_COUNTERS],
];

export interface MetricDescription {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
}

/** All of them, by name. */
export const METRIC_DESCRIPTIONS: ReadonlyMap<string, MetricDescription> = new Map(
  BY_KIND.flatMap(([kind, catalogue]) =>
    Object.entries(catalogue).map(([name, help]) => [name, { name, kind, help }] as const),
  ).sort(([left], [right]) => (left < right ? -1 : 1)),
);
