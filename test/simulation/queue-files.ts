/**
 * The files of a replication queue on a simulated disk: of what was not synced, a crash leaves some of it, may bring
 * back what was removed, and may end a file in anything.
 */

import { Fault } from '../../src/base/fault.ts';
import type { SpoolFolder } from '../../src/node/key-spool.ts';
import type { FilesPass } from '../storage/simulated-files.ts';
import type { SeededRandom } from './world.ts';

type Files = ReadonlyMap<string, Buffer>;

const GARBAGE_MAX_BYTES = 40;

export class QueueFiles {
  readonly #random: SeededRandom;
  #now: Files = new Map();
  /** What is on stable storage. */
  #synced: Files = new Map();

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** As a process sees them; each step takes its time on the disk. */
  folder(pass: FilesPass): SpoolFolder {
    return {
      list: async () => {
        await pass.pass('read');
        return [...this.#now].map(([name, { length }]) => ({ name, sizeBytes: length }));
      },
      read: async (name) => {
        await pass.pass('read');
        const file = this.#now.get(name);
        if (file === undefined) throw new Fault('config', `there is no ${name}`);
        return file;
      },
      write: async ({ name, position }, bytes) => {
        await pass.pass('write');
        const before = this.#now.get(name) ?? Buffer.alloc(0);
        this.#set(name, Buffer.concat([before.subarray(0, position), bytes]));
      },
      remove: async (name) => {
        await pass.pass('write');
        this.#now = new Map([...this.#now].filter(([each]) => each !== name));
      },
      sync: async () => {
        await pass.pass('write');
        this.#synced = this.#now;
      },
    };
  }

  /** The power is gone. */
  crash(): void {
    const left = new Map<string, Buffer>();
    for (const name of new Set([...this.#synced.keys(), ...this.#now.keys()])) {
      const [synced, now] = [this.#synced.get(name), this.#now.get(name)];
      const file = synced === now ? now : this.#leave(synced, now);
      if (file !== undefined) left.set(name, file);
    }
    this.#now = left;
    this.#synced = left;
  }

  clear(): void {
    this.#now = new Map();
    this.#synced = this.#now;
  }

  /** All of it as it is now; what is returned brings it back. */
  snapshot(): () => void {
    const files = this.#now;
    return () => {
      this.#now = files;
      this.#synced = files;
    };
  }

  #set(name: string, bytes: Buffer): void {
    this.#now = new Map(this.#now).set(name, bytes);
  }

  /** As it was at the last sync, as it is, or a part of that with something behind it. */
  #leave(synced: Buffer | undefined, now: Buffer | undefined): Buffer | undefined {
    const kind = this.#random.integer(3);
    if (kind === 0) return synced;
    if (kind === 1 || now === undefined) return now;
    const part = now.subarray(0, this.#random.integer(now.length + 1));
    return Buffer.concat([part, this.#random.bytes(this.#random.integer(GARBAGE_MAX_BYTES))]);
  }
}
