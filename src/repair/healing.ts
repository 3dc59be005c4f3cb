/**
 * Healing: the objects in which two replicas differ go one way or the other, many at a time.
 *
 * Where both have a copy their heads tell which holds all of the other; where neither does, what is
 * the peer's is merged here and the outcome is sent back. What is fetched, and what is delivered, is
 * bounded in bytes, and each lot is merged as one group, so that it shares the syncs of the store.
 * An object that one side refuses or cannot read keeps no other from being healed.
 */

import { allEnded } from '../base/all-ended.ts';
import { isFault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import { mergeHeads } from '../object/reconcile.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import type { FetchedCopy, KeyRecord } from '../peer/messages.ts';
import { segmentOf } from '../storage/hash-tree.ts';
import type { ByteRateLimit } from './byte-rate-limit.ts';
import type { DifferingKey } from './differing-keys.ts';
import type { Halt } from './halt.ts';
import type { RepairPorts } from './ports.ts';
import type { SharedTree } from './replica-sets.ts';
import { isAboutObject, type RepairRequests } from './requests.ts';
import { isStillHeld } from './still-held.ts';

export interface HealingMeans {
  readonly requests: RepairRequests;
  readonly rateLimit: ByteRateLimit;
  readonly halt: Halt;
}

type Remedy = 'none' | 'push' | 'pull' | 'both';

/** A lot is delivered when it has reached one of these. */
const DELIVERY_BYTES = 256 * 1024;
const DELIVERY_COUNT = 256;
/** Records that are read at once: few, for each may be as large as an object can be. */
const READS_MAX = 8;

/** What one exchange heals. */
export class Healing {
  /** Where something differed. */
  readonly segments = new Set<number>();
  pushed = 0;
  pulled = 0;
  readonly #ports: RepairPorts;
  readonly #shared: SharedTree;
  readonly #means: HealingMeans;

  constructor(ports: RepairPorts, shared: SharedTree, means: HealingMeans) {
    this.#ports = ports;
    this.#shared = shared;
    this.#means = means;
  }

  async heal(differing: readonly DifferingKey[]): Promise<void> {
    const pulls: ObjectKey[] = [];
    const pushes: ObjectKey[] = [];
    for (const [index, remedy] of (await this.#remedies(differing)).entries()) {
      const key = differing[index]?.key;
      if (key === undefined || remedy === 'none') continue;
      this.segments.add(segmentOf(key));
      if (remedy !== 'push') pulls.push(key);
      if (remedy !== 'pull') pushes.push(key);
    }
    // What a peer cannot read it can still be given.
    const unread = await this.#pull(pulls);
    await this.#push([...new Set([...pushes, ...unread])]);
  }

  async #remedies(differing: readonly DifferingKey[]): Promise<Remedy[]> {
    const { partition } = this.#shared;
    for (const { key } of differing) this.#ports.replica.doubt(key);
    const shared = differing.filter(({ local, remote }) => local && remote).map(({ key }) => key);
    const theirs = new Map<ObjectKey, FetchedCopy>();
    await this.#fetch(shared, true, async (key, head) => {
      theirs.set(key, head);
    });
    return Promise.all(
      differing.map(async ({ key, local, remote }): Promise<Remedy> => {
        if (local === undefined) return 'pull';
        if (remote === undefined) return 'push';
        const head = theirs.get(key);
        if (head === undefined) return 'none';
        const mine = await this.#ports.replica.getRecord(key, partition, true);
        return remedyFor(mine, typeof head === 'string' ? undefined : head);
      }),
    );
  }

  /** The keys that could not be fetched, or not taken. */
  async #pull(keys: readonly ObjectKey[]): Promise<ObjectKey[]> {
    const unread: ObjectKey[] = [];
    await this.#fetch(keys, false, async (key, record) => {
      const isTaken = typeof record !== 'string' && (await this.#take(key, record));
      if (!isTaken) unread.push(key);
    });
    return unread;
  }

  /** Hands each copy that came to `take`, those of one reply side by side; all, unless it is halted. */
  async #fetch(
    keys: readonly ObjectKey[],
    headsOnly: boolean,
    take: (key: ObjectKey, copy: FetchedCopy) => Promise<void>,
  ): Promise<void> {
    const { halt, rateLimit, requests } = this.#means;
    for (let from = 0; from < keys.length && !halt.isSet;) {
      const asked = keys.slice(from);
      const copies = await requests.fetch(this.#shared.peer, asked, headsOnly);
      const takes = copies.map((copy, index) => take(asked[index] as ObjectKey, copy));
      await allEnded(takes);
      // Afterwards: by the end of a long wait what was fetched may have been deleted, and forgotten.
      if (!(await rateLimit.take(sizeOf(copies), halt))) return;
      from += copies.length;
    }
  }

  /** False: this object cannot go that way. */
  async #take(key: ObjectKey, record: Buffer): Promise<boolean> {
    const { host, replica, view } = this.#ports;
    const placement = view.place(key);
    if (placement === undefined || placement.partition !== this.#shared.partition) return true;
    try {
      await replica.merge(key, placement, record, undefined);
    } catch (error) {
      if (!isFault(error) || !isAboutObject(error)) throw error;
      host.metrics.count('anti_entropy_refused');
      return false;
    }
    this.pulled += 1;
    return true;
  }

  async #push(keys: readonly ObjectKey[]): Promise<void> {
    let lot: KeyRecord[] = [];
    let sizeBytes = 0;
    for (let from = 0; from < keys.length && !this.#means.halt.isSet; from += READS_MAX) {
      for (const read of await this.#records(keys.slice(from, from + READS_MAX))) {
        lot.push(read);
        sizeBytes += read.record.length;
        if (sizeBytes < DELIVERY_BYTES && lot.length < DELIVERY_COUNT) continue;
        await this.#deliver(lot, sizeBytes);
        lot = [];
        sizeBytes = 0;
      }
    }
    if (lot.length > 0) await this.#deliver(lot, sizeBytes);
  }

  async #records(keys: readonly ObjectKey[]): Promise<KeyRecord[]> {
    const { partition } = this.#shared;
    const reads = keys.map(async (key) => {
      const record = await this.#ports.replica.getRecord(key, partition, false);
      return record === undefined ? [] : [{ key, record }];
    });
    return (await Promise.all(reads)).flat();
  }

  async #deliver(records: readonly KeyRecord[], sizeBytes: number): Promise<void> {
    const { halt, rateLimit, requests } = this.#means;
    const { partition, peer } = this.#shared;
    if (!(await rateLimit.take(sizeBytes, halt))) return;
    const areHeld = await Promise.all(
      records.map(({ key, record }) => {
        return isStillHeld(this.#ports.replica, { key, partition }, record);
      }),
    );
    const held = records.filter((_, index) => areHeld[index] === true);
    if (held.length === 0) return;
    const refused = await requests.deliver(peer, held);
    this.pushed += held.length - refused.size;
    if (refused.size > 0) this.#ports.host.metrics.count('anti_entropy_refused', refused.size);
  }
}

/** What makes the two copies equal. A head that is not sound is none. */
function remedyFor(local: Buffer | undefined, remote: Buffer | undefined): Remedy {
  const mine = local && recordCausalHash(local);
  const theirs = remote && recordCausalHash(remote);
  if (mine === undefined) return theirs === undefined ? 'none' : 'pull';
  if (theirs === undefined) return 'push';
  if (mine.equals(theirs)) return 'none';
  const left = local && decodeHead(local);
  const right = remote && decodeHead(remote);
  if (left === undefined || right === undefined) return 'both';
  const merged = mergeHeads(left, right);
  if (merged === left) return 'push';
  return merged === right ? 'pull' : 'both';
}

function sizeOf(copies: readonly FetchedCopy[]): number {
  return copies.reduce((sum, copy) => sum + (typeof copy === 'string' ? 0 : copy.length), 0);
}
