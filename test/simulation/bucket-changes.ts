/**
 * Buckets that change while they are in use: an operator who sets another n_val, allow_mult or
 * last_write_wins, one command after the other, each to some node, whatever else happens meanwhile.
 *
 * An acknowledged write outlives each of these. A greater n_val spreads it to the new replicas, a smaller
 * one keeps it until those that remain have confirmed it; until all has been moved a quorum of the new
 * replicas may miss it, so reads are judged when all is healed. Two things are given up by whoever asks
 * for them: with an n_val of 1 a disk that is lost takes what it held, and where one value is shown the
 * next write supersedes all that its coordinator knows. A command whose fate is unknown may take effect at
 * any time, so what it gives up is given up from its beginning.
 */

import type { ByteString } from '../../src/base/bytes.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { SimulatedCluster } from './cluster.ts';
import { SeededRandom } from './world.ts';

export interface ChangedBucket {
  readonly type: ByteString;
  readonly bucket: ByteString;
  /** Whether one value is shown from the beginning. */
  readonly keepsOne: boolean;
}

/** What the writes of a bucket can no longer be held to. */
interface GivenUp {
  /** It may have been shown with one value at some time. */
  keepsOne: boolean;
  /** It may have had one replica at some time. */
  isSingle: boolean;
  /** Index entries are of what was shown when a copy was last written. */
  hasStaleEntries: boolean;
}

/** 5 is more than some clusters have nodes: some then hold two positions. */
const REPLICA_COUNTS = [2, 2, 3, 3, 4, 5];
/** Agreement gives up by itself before that, unless the node died. */
const PATIENCE_MS = 40_000;
/** Draws of its own, so that seeds without such changes are what they were. */
const STREAM = 0x62636b74;

export class BucketChanges {
  ackedCount = 0;
  readonly #cluster: SimulatedCluster;
  readonly #intervalMs: number;
  readonly #random: SeededRandom;
  readonly #buckets: readonly ChangedBucket[];
  readonly #givenUp = new Map<ByteString, GivenUp>();
  /** Else the judges are as strict as without changes. */
  readonly #changesShowing: boolean;
  readonly #replicaCounts: readonly number[];
  #isOver = false;
  #work: Promise<void> = Promise.resolve();

  /** `intervalMs`: the mean pause between two commands. */
  constructor(
    cluster: SimulatedCluster,
    buckets: readonly ChangedBucket[],
    options: { readonly seed: number; readonly intervalMs: number },
  ) {
    this.#cluster = cluster;
    this.#buckets = buckets;
    this.#intervalMs = options.intervalMs;
    this.#random = new SeededRandom(options.seed ^ STREAM);
    this.#changesShowing = this.#random.chance(0.5);
    this.#replicaCounts = this.#random.chance(0.3) ? [1, ...REPLICA_COUNTS] : REPLICA_COUNTS;
    for (const { bucket, keepsOne } of buckets) {
      this.#givenUp.set(bucket, { keepsOne, isSingle: false, hasStaleEntries: false });
    }
  }

  start(): void {
    this.#work = this.#changeOnAndOn();
  }

  /** Resolves when the last command that was begun is done. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  givenUpIn(bucket: ByteString): Readonly<GivenUp> {
    const givenUp = this.#givenUp.get(bucket);
    if (givenUp === undefined) throw new Error('the bucket is none of those that are judged');
    return givenUp;
  }

  async #changeOnAndOn(): Promise<void> {
    const { world } = this.#cluster;
    for (;;) {
      await world.sleep(this.#random.integer(2 * this.#intervalMs));
      if (this.#isOver) return;
      await this.#change(this.#random.pick(this.#buckets));
    }
  }

  async #change({ type, bucket }: ChangedBucket): Promise<void> {
    const { nodes, world } = this.#cluster;
    const serving = nodes.filter(({ node }) => node?.readiness().isReady === true);
    if (serving.length === 0) return;
    const machine = this.#random.pick(serving);
    const { node } = machine;
    const changes = this.#someProperties();
    if (node === undefined) return;
    const givenUp = this.#givenUp.get(bucket);
    if (givenUp !== undefined) {
      givenUp.isSingle ||= changes.n_val === 1;
      givenUp.hasStaleEntries ||= changes.allow_mult !== undefined;
      givenUp.keepsOne ||= changes.allow_mult === false || changes.last_write_wins === true;
    }
    const outcome = await Promise.race([
      machine.ask(() => node.setBucketProperties(type, bucket, changes)),
      world.sleep(PATIENCE_MS).then(() => undefined),
    ]);
    if (outcome?.kind === 'changed') this.ackedCount += 1;
  }

  #someProperties(): PartialProperties {
    if (this.#changesShowing && this.#random.chance(0.4)) {
      const allow_mult = this.#random.chance(0.5);
      const last_write_wins = !allow_mult && this.#random.chance(0.5);
      // Without it a write that has not seen all siblings leaves those that it has seen too.
      return { allow_mult, last_write_wins, dvv_enabled: true };
    }
    return { n_val: this.#random.pick(this.#replicaCounts) };
  }
}
