/**
 * The power of a store on simulated files: it lasts for so many steps of the disk, and what waits for
 * the disk then waits for ever. Steps take a few turns, by chance.
 */

import { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import type { LevelDbStoreOptions } from '../../src/storage/leveldb-store.ts';
import { ORIGIN_SIZE_BYTES } from '../../src/storage/segment-origins.ts';
import type { VirtualHost } from '../replica/virtual-host.ts';
import type { FilesPass, SimulatedFiles } from './simulated-files.ts';

/** So that there is always something in the log, and something to collect. */
const TINY_LOG: LevelDbStoreOptions = {
  inlineMaxBytes: 8,
  segmentSizeBytes: 300,
  wasteRatioMax: 0.3,
};

export class Power implements FilesPass {
  readonly host: VirtualHost;
  readonly isQuick: boolean;
  stepCount = 0;
  #stepsMax: number;

  constructor(host: VirtualHost, stepsMax: number, isQuick = host.random.integer(2) === 0) {
    this.host = host;
    this.#stepsMax = stepsMax;
    this.isQuick = isQuick;
  }

  get isGone(): boolean {
    return this.stepCount > this.#stepsMax;
  }

  /** It is gone now. */
  cut(): void {
    this.#stepsMax = -1;
  }

  async pass(): Promise<void> {
    this.stepCount += 1;
    for (let turns = this.host.random.integer(6); turns >= 0; turns -= 1) await Promise.resolve();
    if (this.isGone) await new Promise(() => {});
  }

  open(files: SimulatedFiles, options: LevelDbStoreOptions = TINY_LOG): Promise<LevelDbStore> {
    const ports = {
      database: files.database(this),
      folder: files.folder(this),
      defer: (run: () => void) => void Promise.resolve().then(run),
      mayHaveForgotten: false,
      origin: this.host.random.bytes(ORIGIN_SIZE_BYTES).toString('hex'),
    };
    return LevelDbStore.open(this.host, ports, options);
  }
}
