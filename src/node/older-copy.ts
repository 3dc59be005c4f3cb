/**
 * An older copy: the note that this store was put back from before its last start.
 *
 * A peer has told so (`succession.ts`), and the node ends. Its next start takes the store for one that may
 * have forgotten, and drops the note when the new identity and all doubts are durable.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('older-copy'));

export async function isOlderCopy(store: Store): Promise<boolean> {
  return (await store.get(NOTE_KEY)) !== undefined;
}

export function noteOlderCopy(store: Store): Promise<void> {
  return store.write([{ kind: 'put', key: NOTE_KEY, head: Buffer.from([1]) }]);
}

export function dropOlderCopyNote(store: Store): Promise<void> {
  return store.write([{ kind: 'remove', key: NOTE_KEY }]);
}
