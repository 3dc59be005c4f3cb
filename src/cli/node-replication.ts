/**
 * What a node fetches from other clusters, as it is configured.
 */

import type { Host } from '../base/host.ts';
import type { ReplicationConfig } from '../config/replication-settings.ts';
import type { ReplicationOptions } from '../node/replication-queue.ts';
import { DIALLER } from '../replication/dialler.ts';
import type { ReplicationNode, Source } from '../replication/ports.ts';
import { QueueFolder, removeOtherQueues } from '../replication/queue-folders.ts';
import { Sinks } from '../replication/sinks.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { SourceSecrets } from './source-secrets.ts';

/** What other clusters fetch from a node, with files in its data folder. */
export function queuesIn(
  dataFolder: string,
  { queueMaxBytes, queueDiskMaxBytes, queues }: ReplicationConfig,
): ReplicationOptions {
  const folderOf = (queue: string): QueueFolder => new QueueFolder(dataFolder, queue);
  return { queueMaxBytes, queueDiskMaxBytes, queues, folderOf };
}

/** The files of queues that are no more. */
export function removeOldQueues(
  host: Pick<Host, 'log'>,
  dataFolder: string,
  { queues }: ReplicationConfig,
): Promise<void> {
  const names = queues.map(({ name }) => name);
  return removeOtherQueues(host, dataFolder, names);
}

export interface OpenSources {
  readonly sources: readonly Source[];
  /** Of those with a login. */
  readonly secrets: readonly SourceSecrets[];
}

/** Rejects with `config` where a secret is of no use, before anything else is open. */
export async function readSources(
  host: Pick<Host, 'clock' | 'log' | 'metrics'>,
  { sources }: ReplicationConfig,
): Promise<OpenSources> {
  const secrets: SourceSecrets[] = [];
  const read: Source[] = [];
  for (const { login, ...source } of sources) {
    const own = login && (await SourceSecrets.open(host, { source: source.name, login }));
    if (own !== undefined) secrets.push(own);
    read.push({ ...source, credentials: own && (() => own.current()) });
  }
  return { sources: read, secrets };
}

export function openSinks(
  host: Host,
  metrics: MetricsRegistry,
  { node, sources }: { readonly node: ReplicationNode; readonly sources: readonly Source[] },
): Sinks {
  const sinks = new Sinks({ host, node, dialler: DIALLER }, sources);
  metrics.beforeSnapshot(() => {
    const { lagSeconds, fullSyncAgeSeconds } = sinks.gauges();
    metrics.gaugeEach('replication_lag_seconds', 'source', lagSeconds);
    metrics.gaugeEach('replication_full_sync_age_seconds', 'source', fullSyncAgeSeconds);
  });
  return sinks;
}
