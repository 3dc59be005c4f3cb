/**
 * What this node's hash trees may be wrong about: whose n_val has changed since they were counted.
 *
 * A tree counts each copy by the n_val that it was written with, so after a change of n_val it stands for
 * what no longer is. Here, and nowhere else, is what has changed since the last recount: a bucket or type
 * is owed a recount from the state that changes its n_val until `settle`, also where the next state takes
 * the change back, since a copy may have been written in between.
 *
 * It is so over a crash as well. Of each state the changes are given to the store as marks before anything
 * is done by that state, and the store writes in the order in which it is told: no copy that was counted by
 * an n_val can be durable without its mark. Where there was no room for a mark, the n_vals that were noted
 * at the last recount still differ from those of now.
 *
 *   meta 'n-vals' → JSON: a list of {type, bucket, nVal}; without a bucket: of all buckets of the type
 *   meta 'n-val-changed/' name → nothing; the name is JSON: [type, bucket] or [type]
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { decodeMetaKey, encodeMetaKey, metaRange } from '../storage/keys.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import {
  changedBetween,
  countsOf,
  decodeCounts,
  encodeCounts,
  nameOf,
  scopeNamed,
  type BucketOrType,
  type ReplicaCounts,
} from './replica-counts.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('n-vals'));
const MARK_PREFIX = utf8ToByteString('n-val-changed/');
const EMPTY = Buffer.alloc(0);

/** What is owed a recount, and by which n_vals it is to be counted. */
export interface OwedRecount {
  /** Of now. */
  readonly counts: ReplicaCounts;
  /** By name. */
  readonly changed: ReadonlyMap<string, BucketOrType>;
}

export class ReplicaCountLedger {
  readonly #store: Store;
  #counts: ReplicaCounts;
  /** Owed a recount, by name; a new value each time that it changes. */
  #changed = new Map<string, BucketOrType>();
  /** Keys of the store; they go when all has been recounted. */
  #damagedMarks: readonly Buffer[] = [];
  #isRecalled = false;

  /** `state`: that which the node acts on at first. */
  constructor(store: Store, state: ClusterState) {
    this.#store = store;
    this.#counts = countsOf(state);
  }

  /** Of each later state, when it comes and before a copy is written by it. Rejects if there was no room. */
  adopt(state: ClusterState): Promise<void> {
    const counts = countsOf(state);
    const changed = changedBetween(this.#counts, counts);
    this.#counts = counts;
    if (changed.length === 0) return Promise.resolve();
    const marks = changed.map((scope): WriteOperation => {
      const name = nameOf(scope);
      this.#changed.set(name, scope);
      return { kind: 'put', key: markKey(name), head: EMPTY };
    });
    return this.#store.write(marks);
  }

  async owed(): Promise<OwedRecount> {
    if (!this.#isRecalled) await this.#recall();
    return { counts: this.#counts, changed: new Map(this.#changed) };
  }

  /** All of it has been recounted. What has changed once more since then is still owed. */
  async settle({ counts, changed }: OwedRecount): Promise<void> {
    const isSettled = ([name, scope]: readonly [string, BucketOrType]): boolean => {
      return this.#changed.get(name) === scope;
    };
    const settled = [...changed].filter(isSettled);
    await this.#store.write([
      { kind: 'put', key: NOTE_KEY, head: encodeCounts(counts) },
      ...settled.map(([name]): WriteOperation => ({ kind: 'remove', key: markKey(name) })),
      ...this.#damagedMarks.map((key): WriteOperation => ({ kind: 'remove', key })),
    ]);
    this.#damagedMarks = [];
    for (const [name] of settled.filter(isSettled)) this.#changed.delete(name);
  }

  /** Takes up what processes before this one have left. What cannot be read may have named anything. */
  async #recall(): Promise<void> {
    const recalled = new Map<string, BucketOrType>();
    const damagedMarks: Buffer[] = [];
    const isRead = await this.#isRead(async () => {
      const marked = this.#store.scan({ ...metaRange(MARK_PREFIX), keysOnly: true });
      for await (const marks of marked) {
        for (const { key } of marks) {
          const name = decodeMetaKey(key).slice(MARK_PREFIX.length);
          const scope = scopeNamed(name);
          if (scope === undefined) damagedMarks.push(key);
          else recalled.set(name, scope);
        }
      }
    });
    let note: Buffer | undefined;
    const isNoteRead = await this.#isRead(async () => {
      note = await this.#store.get(NOTE_KEY);
    });
    const isTold = isRead && isNoteRead && damagedMarks.length === 0;
    for (const scope of changedBetween(decodeCounts(isTold ? note : undefined), this.#counts)) {
      recalled.set(nameOf(scope), scope);
    }
    this.#damagedMarks = damagedMarks;
    this.#changed = new Map([...recalled, ...this.#changed]);
    this.#isRecalled = true;
  }

  async #isRead(read: () => Promise<void>): Promise<boolean> {
    try {
      await read();
      return true;
    } catch (error) {
      if (!isFault(error, 'store-corrupt')) throw error;
      return false;
    }
  }
}

function markKey(name: string): Buffer {
  return encodeMetaKey((MARK_PREFIX + name) as ByteString);
}
