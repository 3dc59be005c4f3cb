/**
 * The history: what clients did, what they had seen, and what they were told.
 *
 * Every value is a token of its own, so that records on disks and on the wire tell which write made
 * which dot. With the dots known, what a write had seen is exactly what its context covers.
 */

import { dotToString, type Dot, type VersionVector } from '../../src/clock/version-vector.ts';
import { keyToString, type ObjectKey } from '../../src/base/names.ts';
import { decodeRecord } from '../../src/object/record.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { PeerRequest } from '../../src/peer/messages.ts';

export interface WriteRecord {
  /** The value; empty for a delete. */
  readonly token: string;
  readonly key: ObjectKey;
  readonly isDelete: boolean;
  /** What the client had seen. */
  readonly context: VersionVector | undefined;
  readonly startedMs: number;
  /** Distinct nodes that had to be durable before the acknowledgement. */
  readonly needed: number;
  /** Whether a majority of the primaries had to be among them. */
  readonly isStrict: boolean;
  ackedMs: number | undefined;
  dot: Dot | undefined;
}

export class History {
  readonly writes: WriteRecord[] = [];
  readonly keys = new Map<string, ObjectKey>();
  /** Broken promises, found while it runs. */
  readonly violations: string[] = [];
  readCount = 0;
  failureCount = 0;
  readonly #byToken = new Map<string, WriteRecord>();
  readonly #tokenByDot = new Map<string, string>();

  begin(write: {
    readonly key: ObjectKey;
    readonly isDelete: boolean;
    readonly context: VersionVector | undefined;
    readonly startedMs: number;
    readonly needed: number;
    readonly isStrict: boolean;
  }): WriteRecord {
    const token = write.isDelete ? '' : `w${this.writes.length}`;
    const record: WriteRecord = { ...write, token, ackedMs: undefined, dot: undefined };
    this.writes.push(record);
    this.keys.set(keyToString(write.key), write.key);
    if (token !== '') this.#byToken.set(token, record);
    return record;
  }

  /** Invariant 3, on everything that is stored or sent: a dot names one write, for ever. */
  observe(key: ObjectKey, object: StoredObject): void {
    for (const sibling of object.siblings) {
      const dot = `${keyToString(key)} ${dotToString(sibling.dot)}`;
      const token = sibling.isTombstone ? 'tombstone' : sibling.value.toString('latin1');
      const known = this.#tokenByDot.get(dot);
      if (known === undefined) {
        this.#tokenByDot.set(dot, token);
        const write = this.#byToken.get(token);
        if (write !== undefined) write.dot ??= sibling.dot;
      } else if (known !== token) {
        this.violations.push(`one dot, two writes: ${known} and ${token} (${dot})`);
      }
    }
  }

  /** The same, of what one node tells another. */
  observeSent(request: PeerRequest): void {
    const records = request.verb === 'deliver' ? request.records : [request];
    for (const sent of records) {
      if (!('record' in sent)) continue;
      const object = decodeRecord(sent.record);
      if (object !== undefined) this.observe(sent.key, object);
    }
  }

  ofKey(key: ObjectKey): WriteRecord[] {
    const id = keyToString(key);
    return this.writes.filter((write) => keyToString(write.key) === id);
  }
}
