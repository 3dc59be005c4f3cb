/**
 * How long an acknowledged write takes until others see it.
 *
 * Another node is asked again and again, with r=1, until it shows the write or one after it; and for the index,
 * until a query for one of the write's terms shows its key. The time is from the acknowledgement to the answer that
 * showed it, so what one such request takes is the least there can be. What another client overwrites meanwhile is
 * not waited for, and not counted.
 */

import { readStamp, stampsOf } from './stamp.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { Session, WriteContent } from '../target/session.ts';
import type { LoadClock } from './clock.ts';
import type { KeyWatch } from './tracked-writes.ts';

/** After an answer that did not show it. */
const POLL_PAUSE_MS = 1;
/** After an error: a node that refuses at once would be asked without end. */
const ERROR_PAUSE_MS = 20;

export interface Watched {
  /** As it was written: with its stamp. */
  readonly content: WriteContent;
  readonly key: ObjectKey;
  readonly run: number;
}

/** Whether what is watched for was there, at another node than `writer`'s. */
export type Look = (watcher: Session) => Promise<boolean>;

/** Its value, or one that the same process has written there since: keys have one that writes them. */
export function lookForValue({ content, key, run }: Watched): Look {
  const own = readStamp(content.value, run) ?? Infinity;
  return async (watcher) => {
    const { values } = await watcher.get(key, 1);
    return stampsOf(values, run).some((stamp) => stamp >= own);
  };
}

/** Undefined: it has no index entry. */
export function lookForTerm({ content: { indexes = [] }, key }: Watched): Look | undefined {
  const [entry] = indexes;
  if (entry === undefined) return undefined;
  const { field, term } = entry;
  const query = { type: key.type, bucket: key.bucket, field, from: term };
  return async (watcher) => (await watcher.query(query)).includes(key.key);
}

export interface Watch {
  readonly clock: LoadClock;
  readonly watcher: Session;
  /** Index of the node that has acknowledged it, which does not count. */
  readonly writtenAt: number;
  readonly endMs: number;
  /** Of the written key. */
  readonly key: KeyWatch;
}

export type Seen = 'seen' | 'late' | 'superseded';

/** Where nobody has answered until the end, rejects with the last reason. */
export async function awaitSeen(look: Look, watch: Watch): Promise<Seen> {
  const { clock, watcher, writtenAt, endMs, key } = watch;
  let error: unknown;
  do {
    try {
      const isShown = await look(watcher);
      if (isShown && watcher.node !== writtenAt) return 'seen';
      error = undefined;
      await clock.wait(POLL_PAUSE_MS);
    } catch (cause) {
      error = cause;
      await clock.wait(ERROR_PAUSE_MS);
    }
    if (key.isSuperseded) return 'superseded';
  } while (clock.nowMs() < endMs);
  if (error !== undefined) throw error;
  return 'late';
}
