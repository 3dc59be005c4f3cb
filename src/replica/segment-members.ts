/**
 * Members: the copies of a partition as they are filed under the segments of its hash trees.
 *
 * Each copy has an entry beside it, with its causal hash, in the order of segments and then of keys.
 * So what lies in a few segments is read without walking the partition, and without its heads. The
 * entry is written in the copy's own batch; a store of before there were such entries gets them when
 * it is opened, from the last copy to the first, so that the first copy has one when all have.
 */

import type { Host } from '../base/host.ts';
import type { ObjectKey, Partition } from '../base/names.ts';
import { recordCausalHash } from '../object/record.ts';
import type { KeyHash } from '../peer/messages.ts';
import { segmentOf } from '../storage/hash-tree.ts';
import {
  allObjectsRange,
  decodeMemberKey,
  decodeObjectKey,
  encodeMemberKey,
  keyAfter,
  membersRange,
} from '../storage/keys.ts';
import { readable } from '../storage/readable.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import { headPages } from './key-pages.ts';

export interface HashScan {
  readonly partition: Partition;
  readonly segments: readonly number[];
  /** Whether a copy is to be listed. */
  readonly isListed: (key: ObjectKey) => boolean;
}

/** Segments between two that are wanted that are read over rather than begun anew behind. */
const GAP_MAX = 3;

/** Of a copy whose head cannot be read: no copy has it, so that every peer's differs. */
const UNKNOWN_HASH = Buffer.alloc(16);

/**
 * By segment and then by key. A batch may be empty, as a sign of life. What cannot be read is left out:
 * who compares has it from elsewhere, and a merge of what is there changes nothing.
 */
export async function* scanHashes(store: Store, scan: HashScan): AsyncIterableIterator<KeyHash[]> {
  const wanted = new Set(scan.segments);
  for (const run of runsOf(scan.segments)) {
    for await (const batch of readable(headPages(store, membersRange(scan.partition, run)))) {
      const hashes: KeyHash[] = [];
      for (const { key: entry, value: hash } of batch) {
        const { segment, key } = decodeMemberKey(entry);
        if (wanted.has(segment) && scan.isListed(key)) hashes.push({ key, hash });
      }
      yield hashes;
    }
  }
}

/** Files all copies, unless they are; once for a store, before anything is written to it. */
export async function fileMembers(host: Host, store: Store): Promise<void> {
  if (await isFirstFiled(store)) return;
  host.log.info('replica.members.filing');
  const scan = store.scan({ ...allObjectsRange(), reverse: true, headsOnly: true });
  for await (const batch of readable(scan)) {
    await store.write(
      batch.map(({ key: entry, value }): WriteOperation => {
        const key = encodeMemberKey(entry, segmentOf(decodeObjectKey(entry).key));
        return { kind: 'put', key, head: recordCausalHash(value) ?? UNKNOWN_HASH };
      }),
    );
  }
  host.log.info('replica.members.filed');
}

async function isFirstFiled(store: Store): Promise<boolean> {
  const scan = store.scan({ ...allObjectsRange(), keysOnly: true, limit: 1 });
  for await (const [first] of readable(scan)) {
    if (first === undefined) return true;
    const { key } = decodeObjectKey(first.key);
    const member = encodeMemberKey(first.key, segmentOf(key));
    for await (const found of readable(store.scan({ from: member, to: keyAfter(member) }))) {
      return found.length > 0;
    }
    return false;
  }
  return true;
}

/** The segments, ascending, as few ranges that hold them all. */
function runsOf(segments: readonly number[]): { readonly first: number; readonly last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const segment of segments.toSorted((left, right) => left - right)) {
    const run = runs.at(-1);
    if (run !== undefined && segment - run.last <= GAP_MAX + 1) run.last = segment;
    else runs.push({ first: segment, last: segment });
  }
  return runs;
}
