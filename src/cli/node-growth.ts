/**
 * How large a node's data is and how fast it and its disk fill: gauges for `vertebra admin capacity` and
 * for alerts. The disk counts whatever else is on it, because that fills it too.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { ReadDiskSpace } from '../node/disk-guard.ts';
import { Growth } from '../telemetry/growth.ts';

const INTERVAL_MS = 20_000;

export interface GrowthSources {
  readonly storeBytes: () => Promise<number>;
  readonly diskSpace: ReadDiskSpace;
}

export class NodeGrowth {
  readonly #host: Host;
  readonly #sources: GrowthSources;
  readonly #store = new Growth();
  readonly #disk = new Growth();
  #cancelNext: () => void = () => undefined;
  #isStopped = false;

  constructor(host: Host, sources: GrowthSources) {
    this.#host = host;
    this.#sources = sources;
  }

  /** Resolves when it has been looked at once; from then on it is looked at regularly. */
  async start(): Promise<void> {
    await this.#look();
    if (this.#isStopped) return;
    this.#cancelNext = this.#host.clock.after(INTERVAL_MS, () => void this.start());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext();
  }

  async #look(): Promise<void> {
    const { clock, metrics } = this.#host;
    const nowMs = clock.monotonicMs();
    try {
      const storeBytes = await this.#sources.storeBytes();
      this.#store.note(nowMs, storeBytes);
      metrics.gauge('store_bytes', storeBytes);
    } catch (error) {
      // The store is being closed, or cannot be read: others say so.
      if (!isFault(error)) throw error;
    }
    const space = await this.#sources.diskSpace();
    if (space !== undefined) this.#disk.note(nowMs, space.totalBytes - space.freeBytes);
    metrics.gauge('growth_span_seconds', this.#disk.spanMs / 1_000);
    const [storeRate, diskRate] = [this.#store.perSecond(), this.#disk.perSecond()];
    if (storeRate !== undefined) metrics.gauge('store_growth_bytes_per_second', storeRate);
    if (diskRate !== undefined) metrics.gauge('disk_growth_bytes_per_second', diskRate);
  }
}
