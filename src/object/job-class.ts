/**
 * The classes of expensive work that an operator can switch off (`cluster.job.riak_kv.*` in Riak), and
 * what a client is told who asks for one that is.
 */

export const JOB_CLASSES = [
  'list_buckets',
  'stream_list_buckets',
  'list_keys',
  'stream_list_keys',
  'secondary_index',
  'stream_secondary_index',
  'map_reduce',
  'map_reduce_js',
] as const;

export type JobClass = (typeof JOB_CLASSES)[number];

export function jobRefusalText(job: JobClass): string {
  return `Operation '{riak_kv,${job}}' is not enabled`;
}
