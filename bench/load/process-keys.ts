/**
 * The sets of keys of one process, and each key's number in the ledger.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import { assert } from '../../src/base/fault.ts';
import { OwnedKeys, QueueKeys, SharedKeys, clientKeyName } from '../workload/key-sets.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { BucketName } from '../target/session.ts';
import type { ProcessShare } from '../workload/key-sets.ts';
import type { Workload } from '../workload/workload.ts';
import type { TrackedKey } from './tracked-writes.ts';

/** Numbers within a set are below this. */
const NUMBERS = 2 ** 45;

export interface KeySet {
  readonly name: string;
  readonly index: number;
  readonly bucket: BucketName;
  readonly shared: SharedKeys | undefined;
  /** By client. */
  readonly owned: Map<number, OwnedKeys>;
  readonly queues: Map<number, QueueKeys>;
}

export class ProcessKeys {
  readonly sets: readonly KeySet[];
  readonly #workload: Workload;

  constructor(workload: Workload, share: ProcessShare) {
    this.#workload = workload;
    this.sets = Object.entries(workload.keys).map(([name, spec], index) => {
      const bucket = workload.buckets[spec.bucket];
      assert(bucket !== undefined, 'references have been checked');
      return {
        name,
        index,
        bucket: {
          type: utf8ToByteString(bucket.type),
          bucket: utf8ToByteString(bucket.bucket),
        },
        shared: spec.kind === 'shared' ? new SharedKeys(spec, share) : undefined,
        owned: new Map(),
        queues: new Map(),
      };
    });
  }

  mustSet(name: string): KeySet {
    const set = this.sets.find((one) => one.name === name);
    assert(set !== undefined, 'references have been checked');
    return set;
  }

  ownedBy(set: KeySet, client: number): OwnedKeys | undefined {
    const spec = this.#workload.keys[set.name];
    if (spec?.kind !== 'owned') return undefined;
    const known = set.owned.get(client);
    if (known !== undefined) return known;
    const made = new OwnedKeys(client, spec);
    set.owned.set(client, made);
    return made;
  }

  queueOf(set: KeySet, client: number): QueueKeys | undefined {
    const spec = this.#workload.keys[set.name];
    if (spec?.kind !== 'queue') return undefined;
    const known = set.queues.get(client);
    if (known !== undefined) return known;
    const made = new QueueKeys(client, spec.order);
    set.queues.set(client, made);
    return made;
  }

  /** The key of a number within the set. */
  tracked(set: KeySet, number: number): TrackedKey {
    const name = set.shared === undefined ? clientKeyName(number) : set.shared.nameOf(number);
    const key: ObjectKey = { type: set.bucket.type, bucket: set.bucket.bucket, key: name };
    return { number: set.index * NUMBERS + number, key };
  }

  /** The set and key of a number in the ledger. */
  find(ledgerNumber: number): { readonly set: KeySet; readonly tracked: TrackedKey } {
    const set = this.sets[Math.floor(ledgerNumber / NUMBERS)];
    assert(set !== undefined, 'the ledger has numbers of these sets only');
    return { set, tracked: this.tracked(set, ledgerNumber % NUMBERS) };
  }
}
