/**
 * What time heals: the background rounds of a node, started and stopped together.
 */

import type { NodeId, ObjectKey } from '../base/names.ts';
import {
  AntiEntropy,
  ANTI_ENTROPY_DEFAULTS,
  type AntiEntropyOptions,
  type AntiEntropyStatus,
} from '../repair/anti-entropy.ts';
import { HANDOFF_DEFAULTS, HintedHandoff, type HandoffOptions } from '../repair/hinted-handoff.ts';
import type { RepairPorts } from '../repair/ports.ts';
import { Reaper, REAPER_DEFAULTS, type ReaperOptions } from '../repair/reaper.ts';

export interface RepairOptions {
  readonly handoff?: Partial<HandoffOptions>;
  readonly antiEntropy?: Partial<AntiEntropyOptions>;
  readonly reaper?: Partial<ReaperOptions>;
}

export class RepairRounds {
  readonly #handoff: HintedHandoff;
  readonly #antiEntropy: AntiEntropy;
  readonly #reaper: Reaper;

  constructor(ports: RepairPorts, options: RepairOptions) {
    this.#handoff = new HintedHandoff(ports, { ...HANDOFF_DEFAULTS, ...options.handoff });
    this.#antiEntropy = new AntiEntropy(ports, {
      ...ANTI_ENTROPY_DEFAULTS,
      ...options.antiEntropy,
    });
    this.#reaper = new Reaper(ports, { ...REAPER_DEFAULTS, ...options.reaper });
  }

  start(): void {
    this.#handoff.start();
    this.#antiEntropy.start();
    this.#reaper.start();
  }

  /** A member is up again: it is given at once what it is owed. */
  nodeReturned(node: NodeId): void {
    this.#handoff.nodeReturned(node);
  }

  /** A tombstone was met. */
  considerReap(key: ObjectKey): void {
    this.#reaper.considerReap(key);
  }

  antiEntropyStatus(): AntiEntropyStatus {
    return this.#antiEntropy.status();
  }

  /** Ends each round at its next step. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#handoff.stop(), this.#antiEntropy.stop(), this.#reaper.stop()]);
  }
}
