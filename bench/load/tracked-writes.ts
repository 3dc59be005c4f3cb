/**
 * Writes with a stamp, each entered in the ledger by how it ended.
 */

import { isFault } from '../../src/base/fault.ts';
import { stampNumber, writeStamp } from './stamp.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { Session, WriteContent } from '../target/session.ts';
import type { Ledger } from './ledger.ts';

export interface TrackedKey {
  /** In the ledger. */
  readonly number: number;
  readonly key: ObjectKey;
}

/** Of one key, from before a write to it until somebody has seen it. */
export interface KeyWatch {
  /** Another write was under way, or has begun since: what this one wrote may never be seen. */
  isSuperseded: boolean;
}

export interface WriterOptions {
  /** This process's number. */
  readonly writer: number;
  /** The run's, which tells its values from older ones. */
  readonly run: number;
}

type TrackedContent = WriteContent & {
  readonly basis: readonly number[] | undefined;
  /** That this write is watched by. */
  readonly watch?: KeyWatch | undefined;
};

export class TrackedWrites {
  readonly #ledger: Ledger;
  readonly #options: WriterOptions;
  /** Writes under way, by key. */
  readonly #underWay = new Map<number, number>();
  readonly #watches = new Map<number, Set<KeyWatch>>();
  #sequence = 0;

  constructor(ledger: Ledger, options: WriterOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  /** To be ended; a write of one's own is put under it. */
  watch(number: number): KeyWatch {
    const watch = { isSuperseded: (this.#underWay.get(number) ?? 0) > 0 };
    const others = this.#watches.get(number) ?? new Set();
    this.#watches.set(number, others.add(watch));
    return watch;
  }

  unwatch(number: number, watch: KeyWatch): void {
    const watches = this.#watches.get(number);
    watches?.delete(watch);
    if (watches?.size === 0) this.#watches.delete(number);
  }

  /** `basis`: stamps that the context covers. The value is stamped in place. */
  async put(
    session: Session,
    { number, key }: TrackedKey,
    { basis, watch, ...content }: TrackedContent,
  ): Promise<'stored' | 'modified'> {
    this.#begin(number, watch);
    const stamp = this.#nextStamp();
    writeStamp(content.value, this.#options.run, stamp);
    const write = { stamp, startMs: performance.now(), isDelete: false, basis };
    try {
      const outcome = await session.put(key, content);
      if (outcome === 'stored') this.#acknowledged(number, write);
      return outcome;
    } catch (error) {
      this.#failed(number, write, error);
      throw error;
    } finally {
      this.#end(number);
    }
  }

  async delete(session: Session, { number, key }: TrackedKey): Promise<void> {
    this.#begin(number, undefined);
    const stamp = this.#nextStamp();
    const write = { stamp, startMs: performance.now(), isDelete: true, basis: undefined };
    try {
      await session.delete(key);
      this.#acknowledged(number, write);
    } catch (error) {
      this.#failed(number, write, error);
      throw error;
    } finally {
      this.#end(number);
    }
  }

  #begin(number: number, own: KeyWatch | undefined): void {
    this.#underWay.set(number, (this.#underWay.get(number) ?? 0) + 1);
    for (const watch of this.#watches.get(number) ?? []) {
      if (watch !== own) watch.isSuperseded = true;
    }
  }

  #end(number: number): void {
    const left = (this.#underWay.get(number) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(number);
    else this.#underWay.set(number, left);
  }

  #nextStamp(): number {
    this.#sequence += 1;
    return stampNumber(this.#options.writer, this.#sequence);
  }

  #acknowledged(number: number, write: Pending): void {
    this.#ledger.acknowledge(number, { ...write, endMs: performance.now(), isAcknowledged: true });
  }

  /** An error reply is no promise that nothing was written; only what was never sent is certain. */
  #failed(number: number, write: Pending, error: unknown): void {
    if (isFault(error, 'peer-unreachable')) return;
    this.#ledger.leaveOpen(number, { ...write, endMs: Infinity, isAcknowledged: false });
  }
}

interface Pending {
  readonly stamp: number;
  readonly startMs: number;
  readonly isDelete: boolean;
  readonly basis: readonly number[] | undefined;
}
