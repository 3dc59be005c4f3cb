/**
 * What a node fetches from other clusters, as it is configured.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import { Login, type Credentials } from '../client/credentials.ts';
import type { ReplicationConfig, SourceLogin } from '../config/replication-settings.ts';
import type { ReplicationOptions } from '../node/replication-queue.ts';
import type { ReplicationNode, Source } from '../replication/ports.ts';
import { QueueFolder, removeOtherQueues } from '../replication/queue-folders.ts';
import { Sinks } from '../replication/sinks.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { readPassword, readPem } from './login-options.ts';

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

/** With the secrets that their files hold now. Rejects with `config` where one is of no use. */
export function readSources({ sources }: ReplicationConfig): Promise<readonly Source[]> {
  return Promise.all(
    sources.map(async ({ login, ...source }) => {
      const credentials = login && (await credentialsIn(login));
      // Certificates that cannot be used keep the node from starting before anything is open.
      const usable = credentials && new Login(credentials);
      return { ...source, credentials: usable && credentials };
    }),
  );
}

export function openSinks(
  host: Host,
  metrics: MetricsRegistry,
  { node, sources }: { readonly node: ReplicationNode; readonly sources: readonly Source[] },
): Sinks {
  const sinks = new Sinks({ host, node }, sources);
  metrics.beforeSnapshot(() => {
    const { lagSeconds, fullSyncAgeSeconds } = sinks.gauges();
    metrics.gaugeEach('replication_lag_seconds', 'source', lagSeconds);
    metrics.gaugeEach('replication_full_sync_age_seconds', 'source', fullSyncAgeSeconds);
  });
  return sinks;
}

/** Nobody is there to be asked: without a file the password is empty. */
async function credentialsIn(login: SourceLogin): Promise<Credentials> {
  const { user, passwordFile, caFile, certFile, keyFile, serverNames } = login;
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readPem));
  const password = passwordFile === undefined ? '' : await readPassword(passwordFile);
  return {
    user: utf8ToByteString(user),
    password: utf8ToByteString(password),
    ca,
    cert,
    key,
    serverNames,
  };
}
