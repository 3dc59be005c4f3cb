/**
 * Changed replica counts: with a new n_val a bucket's copies belong to other hash trees, and some of
 * them to other nodes.
 *
 * A tree counts copies by the n_val that they were written with. So a node notes durably which n_vals
 * its trees stand for, and where the cluster's state says otherwise it recounts the trees of those
 * partitions in which it holds copies of the buckets in question. Anti-entropy then compares them with
 * whoever is to hold them now, and what this node holds no more by the new count shows in a tree that
 * is others' (`leftovers.ts`).
 *
 * An n_val that comes and goes between two looks leaves a mark: it is given to the store before
 * anything is done by the new state, and the store writes in the order in which it is told, so no copy
 * that was counted by that n_val can be durable without the mark. It goes with the note of the recount.
 *
 *   meta 'n-vals' → JSON: a list of {type, bucket, nVal}; without a bucket: of all buckets of the type
 *   meta 'n-val-changed/' name → nothing; the name is JSON: [type, bucket] or [type]
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  bucketRange,
  decodeMetaKey,
  decodeTreeKey,
  encodeMetaKey,
  metaRange,
  partitionRange,
  treeRange,
  typeRange,
} from '../storage/keys.ts';
import type { KeyRange } from '../storage/keys.ts';
import type { WriteOperation } from '../storage/store.ts';
import { Background } from './background.ts';
import type { Halt } from './halt.ts';
import type { TransferPorts } from './ports.ts';
import {
  changedScopes,
  decodeScopes,
  encodeScopes,
  nameOf,
  scopeNamed,
  scopesOf,
  type BucketOrType,
  type ChangedScope,
  type Scopes,
} from './replica-counts.ts';
import type { Recounts } from './recounts.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('n-vals'));
const MARK_PREFIX = utf8ToByteString('n-val-changed/');
const EMPTY = Buffer.alloc(0);

export class ReplicaCountChanges {
  readonly #ports: TransferPorts;
  readonly #recounts: Recounts;
  readonly #background: Background;
  #state: ClusterState | undefined;
  /** What the trees stand for. */
  #scopes: Scopes | undefined;
  /** By the newest state that was adopted. */
  #adopted: Scopes | undefined;
  /** By name, what states have changed since a round began, also where the next state took it back. */
  #passed = new Map<string, BucketOrType>();

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

  /** Of each state, when it comes and before a copy is written by it. */
  stateAdopted(state: ClusterState): void {
    const scopes = scopesOf(state);
    const changed = changedScopes(this.#adopted ?? scopes, scopes);
    this.#adopted = scopes;
    if (changed.length > 0) this.#mark(changed);
  }

  #mark(changed: readonly BucketOrType[]): void {
    const marks = changed.map(({ type, bucket }): WriteOperation => {
      const name = nameOf({ type, bucket });
      this.#passed.set(name, { type, bucket });
      return { kind: 'put', key: markKey(name), head: EMPTY };
    });
    void this.#ports.store.write(marks).catch((error: unknown) => {
      if (!isFault(error)) throw error;
      // There was no room for it: a recount at once comes to the same.
      this.#background.wake();
    });
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Whether trees were recounted. */
  async round(halt: Halt): Promise<boolean> {
    const { host, view } = this.#ports;
    const before = (this.#scopes ??= await this.#recall());
    const state = view.state();
    if (state === this.#state) return false;
    const after = scopesOf(state);
    const passed = this.#passed;
    this.#passed = new Map();
    let treeCount: number | undefined;
    try {
      const changed = changedScopes(before, after, passed);
      treeCount = changed.length === 0 ? 0 : await this.#recount(changed, state.ringSize, halt);
      if (treeCount === undefined) return false;
      if (changed.length > 0) await this.#note(after, passed);
      this.#scopes = after;
      this.#state = state;
    } finally {
      if (this.#state !== state) this.#passed = new Map([...passed, ...this.#passed]);
    }
    if (treeCount > 0) host.log.info('repair.replica-counts-changed', { trees: treeCount });
    return treeCount > 0;
  }

  /** What the trees stood for at the last recount; what has changed since is taken up. */
  async #recall(): Promise<Scopes> {
    const { store } = this.#ports;
    for await (const marks of store.scan({ ...metaRange(MARK_PREFIX), keysOnly: true })) {
      for (const { key } of marks) {
        const name = decodeMetaKey(key).slice(MARK_PREFIX.length);
        this.#passed.set(name, scopeNamed(name));
      }
    }
    return decodeScopes(await store.get(NOTE_KEY));
  }

  /** The trees stand for `scopes`; `passed` no longer matters, unless it has changed once more. */
  #note(scopes: Scopes, passed: ReadonlyMap<string, BucketOrType>): Promise<void> {
    const marks = [...passed.keys()].filter((name) => !this.#passed.has(name));
    return this.#ports.store.write([
      { kind: 'put', key: NOTE_KEY, head: encodeScopes(scopes) },
      ...marks.map((name): WriteOperation => ({ kind: 'remove', key: markKey(name) })),
    ]);
  }

  /** How many trees; undefined: it was halted. */
  async #recount(
    changed: readonly ChangedScope[],
    ringSize: number,
    halt: Halt,
  ): Promise<number | undefined> {
    // What is on its way was counted by the n_val of before, perhaps the first copy of its tree.
    await this.#ports.store.write([]);
    let treeCount = 0;
    for (let index = 0; index < ringSize; index += 1) {
      const partition = index as Partition;
      for (const nVal of await this.#nValsToCount(partition, changed)) {
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
    changed: readonly ChangedScope[],
  ): Promise<ReadonlySet<number>> {
    const nVals = await this.#nValsOfTrees(partition);
    if (!(await this.#holdsAny(partitionRange(partition)))) return nVals;
    for (const { type, bucket, to } of changed) {
      const range =
        bucket === undefined
          ? typeRange(partition, type)
          : bucketRange(partition, { type, bucket });
      if (!(await this.#holdsAny(range))) continue;
      if (to !== undefined) nVals.add(to);
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

function markKey(name: string): Buffer {
  return encodeMetaKey((MARK_PREFIX + name) as ByteString);
}
