/**
 * The traces of one node, where they are configured: a tracer, and what it records on its way out.
 *
 * The packages of OpenTelemetry take a while to load and some memory, so a node that is not to trace
 * never loads them.
 */

import { readFile } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { Tracer } from '../base/span.ts';
import type { ClusterConfig, NodeConfig, TracingConfig } from '../config/cluster-config.ts';
import type { KeyFingerprint } from '../node/key-fingerprint.ts';
import { RecordingTracer } from '../telemetry/recording-tracer.ts';
import { SpanQueue } from '../telemetry/span-queue.ts';
import { RELEASE } from './release.ts';

/** For one batch; the queue holds what comes meanwhile. */
const EXPORT_TIMEOUT_MS = 5_000;
/** For what waits when the node stops. */
const CLOSE_TIMEOUT_MS = 2_000;

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*?)[ \t]*$/;

export interface TracedNode {
  readonly config: Pick<ClusterConfig, 'clusterName'>;
  readonly self: Pick<NodeConfig, 'name'>;
  readonly host: Host;
}

export class NodeTracing {
  readonly tracer: Tracer;
  readonly #queue: SpanQueue;

  private constructor(host: Host, queue: SpanQueue, tracing: TracingConfig) {
    this.#queue = queue;
    this.tracer = new RecordingTracer(host, (span) => queue.offer(span), tracing);
  }

  /** Rejects with the fault `config` where the headers cannot be read. */
  static async start(
    { config, self, host }: TracedNode,
    tracing: TracingConfig,
    fingerprint: KeyFingerprint,
  ): Promise<NodeTracing> {
    const headers = () => readHeaders(tracing.headersFile);
    await headers();
    const { OtlpSender } = await import('../telemetry/otlp-sender.ts');
    const sender = new OtlpSender({
      endpoint: tracing.endpoint,
      headers,
      timeoutMs: EXPORT_TIMEOUT_MS,
      resource: {
        'service.name': 'vertebra',
        'service.namespace': config.clusterName,
        'service.instance.id': self.name,
        'service.version': RELEASE,
      },
      release: RELEASE,
      fingerprint: (key) => fingerprint.of(key),
    });
    return new NodeTracing(host, new SpanQueue(host, sender), tracing);
  }

  /** Sends what waits, for two seconds at most. */
  close(): Promise<void> {
    return this.#queue.close(CLOSE_TIMEOUT_MS);
  }
}

async function readHeaders(file: string | undefined): Promise<Record<string, string>> {
  const headers: Record<string, string> = {};
  if (file === undefined) return headers;
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new Fault('config', `tracing.headers_file cannot be read: ${cause.message}`, { cause });
  });
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const match = HEADER.exec(line);
    // The line itself is a secret.
    if (match === null) {
      throw new Fault('config', `line ${index + 1} of tracing.headers_file is not NAME: VALUE`);
    }
    const [, name = '', value = ''] = match;
    headers[name] = value;
  }
  return headers;
}
