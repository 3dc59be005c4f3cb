/**
 * When all is healed, every node lists exactly the keys and index entries of the objects there are. As
 * with Riak, a deleted key is listed until its tombstone is reaped. A damaged copy that nobody can replace
 * is listed for ever, and found by its index entries: what it was nobody knows.
 */

import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { NodeService } from '../../src/node/node-service.ts';
import { indexEntriesOf } from '../../src/object/index-entries.ts';
import { isTombstone } from '../../src/object/show.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';

export interface HealedKey {
  readonly key: ObjectKey;
  readonly object: StoredObject | undefined;
  /** Whether a node has a copy of it that cannot be read. */
  readonly isDamaged: boolean;
}

/** Ends a query that gets nowhere, in virtual time. */
const TIMEOUT_MS = 5_000;
const INDEX_FIELDS = ['age_int', 'name_bin'].map(utf8ToByteString);
const TERMS = { from: utf8ToByteString('0'), to: utf8ToByteString('9') };

/** `keys`: all of one bucket. */
export async function judgeCoverage(
  node: Pick<NodeService, 'id' | 'bucketProperties' | 'listKeys' | 'index'>,
  bucket: { readonly type: ByteString; readonly bucket: ByteString },
  keys: readonly HealedKey[],
): Promise<string[]> {
  const properties = node.bucketProperties(bucket.type, bucket.bucket);
  if (properties === undefined) return [`${node.id} does not know the type`];
  const [expectedKeys, expectedEntries]: [string[], string[]] = [[], []];
  const deleted = new Set<ByteString>();
  const unknown = new Set<ByteString>();
  for (const { key, object, isDamaged } of keys) {
    if (object === undefined && isDamaged) unknown.add(key.key);
    if (object !== undefined && isTombstone(object)) deleted.add(key.key);
    if (object === undefined || isTombstone(object)) continue;
    expectedKeys.push(key.key);
    for (const { field, term } of indexEntriesOf(object, properties)) {
      expectedEntries.push(`${field} ${term} ${key.key}`);
    }
  }
  const foundKeys: string[] = [];
  const listing = node.listKeys(bucket.type, bucket.bucket, { timeoutMs: TIMEOUT_MS });
  for await (const batch of listing) {
    for (const key of batch) if (!deleted.has(key) && !unknown.has(key)) foundKeys.push(key);
  }
  const foundEntries: string[] = [];
  for (const field of INDEX_FIELDS) {
    const scan = { ...bucket, field, ...TERMS, after: undefined, limit: undefined };
    for await (const batch of node.index(scan, { timeoutMs: TIMEOUT_MS })) {
      for (const [term, key] of batch) {
        if (!unknown.has(key)) foundEntries.push(`${field} ${term} ${key}`);
      }
    }
  }
  return [
    ...differences(`${node.id} lists keys`, foundKeys, expectedKeys),
    ...differences(`${node.id} finds index entries`, foundEntries, expectedEntries),
  ];
}

function differences(what: string, found: string[], expected: string[]): string[] {
  const [left, right] = [found.sort().join(', '), [...new Set(expected)].sort().join(', ')];
  return left === right ? [] : [`${what}: ${left}; there are: ${right}`];
}
