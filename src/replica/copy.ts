/**
 * A copy of an object as the write path holds it: decoded as far as was needed.
 *
 * A merge that one side dominates needs the heads only, which is nearly every merge; so a copy is
 * read by its head, and its values when siblings of it live on beside new ones.
 */

import { decodeHead, decodeRecord, encodeRecord, joinRecord } from '../object/record.ts';
import type { ObjectHead, StoredObject } from '../object/stored-object.ts';

export interface Copy {
  readonly head: ObjectHead;
  /** The whole record, or undefined where only the head was read. */
  readonly record: Buffer | undefined;
  /** The object, where it has been decoded already. */
  readonly object: StoredObject | undefined;
}

/** What a read of the store found. */
export type FoundCopy =
  | { readonly kind: 'absent' }
  | { readonly kind: 'copy'; readonly copy: Copy }
  /** No copy for its readers; its index entries and its hash are known if its head is sound. */
  | {
      readonly kind: 'damaged';
      readonly head: ObjectHead | undefined;
      /** Whether the disk has refused to read it, and may yet do so: nothing shows it to be wrong. */
      readonly isRefused?: boolean;
    };

/** `bytes`: at least the head of a record. */
export function readHead(bytes: Buffer | undefined): FoundCopy {
  if (bytes === undefined) return { kind: 'absent' };
  const head = decodeHead(bytes);
  if (head === undefined) return { kind: 'damaged', head: undefined };
  return { kind: 'copy', copy: { head, record: undefined, object: undefined } };
}

/** `bytes`: a whole record. */
export function readWhole(bytes: Buffer | undefined): FoundCopy {
  if (bytes === undefined) return { kind: 'absent' };
  const object = decodeRecord(bytes);
  if (object === undefined) return { kind: 'damaged', head: decodeHead(bytes) };
  return { kind: 'copy', copy: { head: object, record: bytes, object } };
}

export function copyOf(object: StoredObject): Copy & { readonly record: Buffer } {
  return { head: object, record: joinRecord(encodeRecord(object)), object };
}

/** The object with its values; undefined where only the head was read. */
export function objectOf(copy: Copy): StoredObject | undefined {
  return copy.object ?? (copy.record === undefined ? undefined : decodeRecord(copy.record));
}
