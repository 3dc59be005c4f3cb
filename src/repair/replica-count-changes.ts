/**
 * Changed replica counts: with a new n_val a bucket's copies belong to other hash trees, and some of
 * them to other nodes.
 *
 * Where an n_val has changed (`replica-count-ledger.ts` knows), the trees of those partitions in which
 * this node holds copies of the buckets in question are recounted. Anti-entropy then compares them with
 * whoever is to hold them now, and what this node holds no more by the new count shows in a tree that
 * is others' (`leftovers.ts`).
 */

import { isFault } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  bucketRange,
  decodeTreeKey,
  partitionRange,
  treeRange,
  typeRange,
} from '../storage/keys.ts';
import type { KeyRange } from '../storage/keys.ts';
import { Background } from './background.ts';
import type { Halt } from './halt.ts';
import type { TransferPorts } from './ports.ts';
import type { Recounts } from './recounts.ts';
import { ReplicaCountLedger, type OwedRecount } from './replica-count-ledger.ts';
import { nValIn } from './replica-counts.ts';

export class ReplicaCountChanges {
  readonly #ports: TransferPorts;
  readonly #ledger: ReplicaCountLedger;
  readonly #recounts: Recounts;
  readonly #background: Background;

  /** `changed`: called when trees have been recounted. */
  constructor(
    ports: TransferPorts,
    options: {
      readonly restMs: number;
      readonly recounts: Recounts;
      readonly changed: () => void;
    },
  ) {
    this.#ports = ports;
    this.#ledger = new ReplicaCountLedger(ports.store, ports.view.state());
    this.#recounts = options.recounts;
    const { restMs, changed } = options;
    const background = { name: 'replica_counts', restMs };
    this.#background = new Background(ports.host, background, async (halt) => {
      if (await this.round(halt)) changed();
    });
  }

  start(): void {
    // The store of a new node is still empty now, and nothing is to be counted.
    this.#background.wake();
    this.#background.start();
  }

  /** As `ReplicaCountLedger.adopt`. */
  stateAdopted(state: ClusterState): void {
    this.#ledger.adopt(state).catch((error: unknown) => {
      if (!isFault(error)) throw error;
      // There was no room to note it: a recount at once comes to the same.
      this.#background.wake();
    });
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Whether trees were recounted. */
  async round(halt: Halt): Promise<boolean> {
    const owed = await this.#ledger.owed();
    if (owed.changed.size === 0) return false;
    const treeCount = await this.#recount(owed, halt);
    if (treeCount === undefined) return false;
    await this.#ledger.settle(owed);
    if (treeCount === 0) return false;
    this.#ports.host.log.info('repair.replica-counts-changed', { trees: treeCount });
    return true;
  }

  /** How many trees; undefined: it was halted. */
  async #recount(owed: OwedRecount, halt: Halt): Promise<number | undefined> {
    const { store, view } = this.#ports;
    // What is on its way was counted by the n_val of before, perhaps the first copy of its tree.
    await store.write([]);
    const { ringSize } = view.state();
    let treeCount = 0;
    for (let index = 0; index < ringSize; index += 1) {
      const partition = index as Partition;
      for (const nVal of await this.#nValsToCount(partition, owed)) {
        if (halt.isSet) return undefined;
        treeCount += 1;
        await this.#recounts.run({ partition, nVal }, halt);
      }
    }
    return halt.isSet ? undefined : treeCount;
  }

  /**
   * The n_vals of the partition's trees, and the new ones of copies that this node holds in it. Not the
   * old ones alone: a copy may have been counted by an n_val that came and went between two looks, and
   * nobody would look at that tree again.
   */
  async #nValsToCount(
    partition: Partition,
    { changed, counts }: OwedRecount,
  ): Promise<ReadonlySet<number>> {
    const nVals = await this.#nValsOfTrees(partition);
    if (!(await this.#holdsAny(partitionRange(partition)))) return nVals;
    for (const scope of changed.values()) {
      const { type, bucket } = scope;
      const nVal = nValIn(counts, scope);
      const range =
        bucket === undefined
          ? typeRange(partition, type)
          : bucketRange(partition, { type, bucket });
      if (nVal !== undefined && (await this.#holdsAny(range))) nVals.add(nVal);
    }
    return nVals;
  }

  async #nValsOfTrees(partition: Partition): Promise<Set<number>> {
    const nVals = new Set<number>();
    let range = treeRange(partition);
    for (;;) {
      const first = await this.#firstKey(range);
      if (first === undefined) return nVals;
      const { nVal } = decodeTreeKey(first);
      nVals.add(nVal);
      range = { from: treeRange(partition, nVal).to, to: range.to };
    }
  }

  async #holdsAny(range: KeyRange): Promise<boolean> {
    return (await this.#firstKey(range)) !== undefined;
  }

  async #firstKey(range: KeyRange): Promise<Buffer | undefined> {
    const scan = this.#ports.store.scan({ ...range, keysOnly: true, limit: 1 });
    for await (const [entry] of scan) return entry?.key;
    return undefined;
  }
}
