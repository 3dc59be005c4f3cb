/** Files of a replication queue in memory, which fail and lose as they are told to. */

import { Fault } from '../../src/base/fault.ts';
import type { SpoolFolder } from '../../src/node/key-spool.ts';

export class MemorySpoolFolder implements SpoolFolder {
  readonly files = new Map<string, Buffer>();
  /** Nothing can be written or removed. */
  isFailing = false;
  /** Nothing can be read. */
  isUnreadable = false;
  /** Writes of keys that have ended. */
  writes = 0;
  /** What the last sync found: what a power failure leaves at least. */
  synced: ReadonlyMap<string, Buffer> = new Map();

  async list(): ReturnType<SpoolFolder['list']> {
    return [...this.files].map(([name, { length }]) => ({ name, sizeBytes: length }));
  }

  async read(name: string): Promise<Buffer | undefined> {
    if (this.isUnreadable) throw new Fault('config', 'too many open files');
    return this.files.get(name);
  }

  async write(
    { name, position }: { readonly name: string; readonly position: number },
    bytes: Buffer,
  ): Promise<void> {
    const before = this.files.get(name) ?? Buffer.alloc(0);
    // A disk that is full takes a part of it.
    const taken = this.isFailing ? bytes.subarray(0, bytes.length / 2) : bytes;
    this.files.set(name, Buffer.concat([before.subarray(0, position), taken]));
    if (this.isFailing) throw new Fault('disk-full', 'no space left');
    if (bytes.length > 0) this.writes += 1;
  }

  async remove(name: string): Promise<void> {
    if (this.isFailing) throw new Fault('config', 'read-only');
    this.files.delete(name);
  }

  async sync(): Promise<void> {
    this.synced = new Map(this.files);
  }

  /** Names of the files with keys. */
  get segments(): string[] {
    return [...this.files.keys()].filter((name) => name.endsWith('.keys')).sort();
  }

  get sizeBytes(): number {
    return [...this.files.values()].reduce((sum, { length }) => sum + length, 0);
  }
}
