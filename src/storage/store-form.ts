/**
 * The form of a store: which releases can read what is in it.
 *
 *   entry = | form 4, big-endian | CRC-32 of it 4 |
 *
 * A store without the entry is of form 1; in form 2 the copies of objects are tied to their keys
 * (`stored-value.ts`). A release that is about to store what the one before cannot read (another
 * record, another key, another state) first raises the number, durably. Whoever opens a store of a
 * later form than its own would take for damage what it cannot read, and "mend" it: so it is refused,
 * and nothing in it is touched.
 */

import { crc32 } from 'node:zlib';

/** The newest form that this release reads, and the one that it writes. */
const FORM = 2;
const ENTRY_SIZE_BYTES = 8;

/** What is stored under `storeFormKey` before anything else is. */
export function formEntry(): Buffer {
  const entry = Buffer.alloc(ENTRY_SIZE_BYTES);
  entry.writeUInt32BE(FORM, 0);
  entry.writeUInt32BE(crc32(entry.subarray(0, 4)), 4);
  return entry;
}

/** `entry`: what is stored under `storeFormKey`. A sentence for the operator; undefined: it can be read. */
export function formRefusal(entry: Buffer | undefined): string | undefined {
  if (entry === undefined) return undefined;
  const isSound =
    entry.length === ENTRY_SIZE_BYTES && crc32(entry.subarray(0, 4)) === entry.readUInt32BE(4);
  const form = isSound ? entry.readUInt32BE(0) : undefined;
  if (form !== undefined && form <= FORM) return undefined;
  return (
    `it was written by a later release (form ${form ?? 'unknown'}; this release reads form ${FORM}): ` +
    'start that release again, or move the folder away and start this node with an empty one, ' +
    'which its peers fill'
  );
}
