/**
 * An older copy: the note that this store was put back from before its last start.
 *
 * A peer has told so (`succession.ts`), and the node ends. Its next start takes the store for one that may
 * have forgotten, and drops the note when the new identity and all doubts are durable.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('older-copy'));

export async function isOlderCopy(store: Store): Promise<boolean> {
  return (await store.get(NOTE_KEY)) !== undefined;
}

/** Says so, too. What cannot be noted is told again at the next start. */
export async function noteOlderCopy(
  { log }: Host,
  store: Store,
  told: { readonly peer: NodeId; readonly remembered: number },
): Promise<void> {
  const remedy = 'start it again: it takes a new identity and is filled from its peers';
  log.error('node.older-copy', { ...told, remedy });
  try {
    await store.write([{ kind: 'put', key: NOTE_KEY, head: Buffer.from([1]) }]);
  } catch (error) {
    if (!isFault(error)) throw error;
    log.warn('node.older-copy-not-noted', { code: error.code });
  }
}

export function dropOlderCopyNote(store: Store): Promise<void> {
  return store.write([{ kind: 'remove', key: NOTE_KEY }]);
}
