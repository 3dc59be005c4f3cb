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

export interface WriterOptions {
  /** This process's number. */
  readonly writer: number;
  /** The run's, which tells its values from older ones. */
  readonly run: number;
}

export class TrackedWrites {
  readonly #ledger: Ledger;
  readonly #options: WriterOptions;
  #sequence = 0;

  constructor(ledger: Ledger, options: WriterOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  /** `basis`: stamps that the context covers. The value is stamped in place. */
  async put(
    session: Session,
    { number, key }: TrackedKey,
    { basis, ...content }: WriteContent & { readonly basis: readonly number[] | undefined },
  ): Promise<'stored' | 'modified'> {
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
    }
  }

  async delete(session: Session, { number, key }: TrackedKey): Promise<void> {
    const stamp = this.#nextStamp();
    const write = { stamp, startMs: performance.now(), isDelete: true, basis: undefined };
    try {
      await session.delete(key);
      this.#acknowledged(number, write);
    } catch (error) {
      this.#failed(number, write, error);
      throw error;
    }
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
