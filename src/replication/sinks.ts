/**
 * All sources of a node: what its operator sees of them and does to them, and what they show as metrics.
 */

import type { Host } from '../base/host.ts';
import { FullSyncs, type FullSyncStatus } from './full-syncs.ts';
import type { ReplicationPorts, Source } from './ports.ts';
import { Sink, type SinkStatus } from './sink.ts';

export interface SourceStatus extends SinkStatus {
  readonly source: string;
  readonly queue: string;
  readonly fullSync: FullSyncStatus;
}

/** What replication shows of a source: name → value. */
export interface SourceGauges {
  readonly lagSeconds: ReadonlyMap<string, number>;
  /** Of those that this node compares. */
  readonly fullSyncAgeSeconds: ReadonlyMap<string, number>;
}

interface Running {
  readonly source: Source;
  readonly sink: Sink;
  readonly fullSyncs: FullSyncs;
}

export class Sinks {
  readonly #running: readonly Running[];
  readonly #host: Host;

  /** Throws a `config` fault where certificates cannot be used. */
  constructor(ports: ReplicationPorts, sources: readonly Source[]) {
    this.#host = ports.host;
    this.#running = sources.map((source) => ({
      source,
      sink: new Sink(ports, source),
      fullSyncs: new FullSyncs(ports, source),
    }));
  }

  /** `onBug` is told of what must stop the node. */
  start(onBug: (error: unknown) => void): void {
    for (const { sink, fullSyncs } of this.#running) {
      sink.start(onBug);
      fullSyncs.start(onBug);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#running.flatMap(({ sink, fullSyncs }) => [sink.stop(), fullSyncs.stop()]),
    );
  }

  get names(): readonly string[] {
    return this.#running.map(({ source }) => source.name);
  }

  status(): readonly SourceStatus[] {
    return this.#running.map(({ source, sink, fullSyncs }) => ({
      source: source.name,
      queue: source.queue,
      ...sink.status(),
      fullSync: fullSyncs.status(),
    }));
  }

  /** False: there is no such source. Until this node is started again. */
  setPaused(name: string, isPaused: boolean): boolean {
    const found = this.#find(name);
    if (found === undefined) return false;
    if (isPaused) found.sink.pause();
    else found.sink.resume();
    found.fullSyncs.setPaused(isPaused);
    this.#host.log.info(isPaused ? 'replication.paused' : 'replication.resumed', { source: name });
    return true;
  }

  /** Compares everything now; false: that is under way, or the source is paused. */
  sync(name: string): boolean {
    return this.#find(name)?.fullSyncs.ask() ?? false;
  }

  gauges(): SourceGauges {
    const lagSeconds = new Map<string, number>();
    const fullSyncAgeSeconds = new Map<string, number>();
    for (const { source, sink, fullSyncs } of this.#running) {
      lagSeconds.set(source.name, sink.lagMs() / 1_000);
      const { ageMs } = fullSyncs.status();
      if (ageMs !== undefined) fullSyncAgeSeconds.set(source.name, ageMs / 1_000);
    }
    return { lagSeconds, fullSyncAgeSeconds };
  }

  #find(name: string): Running | undefined {
    return this.#running.find(({ source }) => source.name === name);
  }
}
