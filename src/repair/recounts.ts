/**
 * Recounts of hash trees, at a pace.
 *
 * A recount reads the head of every copy of a partition, some 10 µs of the event loop for each. With
 * millions of copies that goes on for minutes, so it takes a share of the time and leaves the rest to
 * clients.
 */

import type { Replica } from '../replica/replica.ts';
import type { Host } from '../base/host.ts';
import { ALL_SEGMENTS } from '../storage/hash-tree.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import type { Halt } from './halt.ts';
import type { TreeName } from './replica-sets.ts';

/** 16,384 copies a second: a sixth of the event loop. */
const BYTES_PER_SECOND = 8 * 1024 * 1024;
/** What a head counts for. */
const ENTRY_COST_BYTES = 512;

export class Recounts {
  readonly #replica: Replica;
  readonly #rateLimit: ByteRateLimit;

  constructor(ports: { readonly host: Host; readonly replica: Replica }) {
    this.#replica = ports.replica;
    this.#rateLimit = new ByteRateLimit(ports.host.clock, BYTES_PER_SECOND);
  }

  /** How many segments were wrong, and have been corrected; none after a halt. */
  run({ partition, nVal }: TreeName, halt: Halt, segments = ALL_SEGMENTS): Promise<number> {
    return this.#replica.recountTree(partition, nVal, {
      segments,
      keepPace: (entryCount) => this.#rateLimit.take(entryCount * ENTRY_COST_BYTES, halt),
    });
  }
}
