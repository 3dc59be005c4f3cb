/**
 * Room for a backup: what it may take of the file system that it is made on.
 *
 * Where that is the one of the node's data too, a reserve stays free: below it the node takes no writes,
 * and at its end the store is fenced. It is looked at before, and again while it fills.
 */

import { statfs } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';

/** What has to stay free on the file system that holds the folder, in bytes. */
export type ReserveAt = (folder: string) => Promise<number>;

const MIB = 1024 * 1024;
const LOOK_BYTES = 16 * MIB;

export class BackupRoom {
  readonly #folder: string;
  readonly #reserveAt: ReserveAt;
  #unlookedBytes = 0;

  /** Of a folder that is there. */
  constructor(folder: string, reserveAt: ReserveAt) {
    this.#folder = folder;
    this.#reserveAt = reserveAt;
  }

  /** Rejects with `disk-full` unless so much more can be written. */
  async mustHold(expectedBytes: number): Promise<void> {
    const { bavail, bsize, blocks } = await statfs(this.#folder);
    const freeBytes = bavail * bsize;
    const reserveBytes = await this.#reserveAt(this.#folder);
    // Some file systems do not say how large they are.
    if (blocks === 0 || freeBytes > expectedBytes + reserveBytes) return;
    const [needed, free, kept] = [expectedBytes, freeBytes, reserveBytes].map((bytes) =>
      Math.ceil(bytes / MIB),
    );
    const reserve = reserveBytes > 0 ? `, of which ${kept} stay for the node (disk.reserve)` : '';
    const reason = `the backup needs about ${needed} MiB more, and ${free} MiB are free${reserve}`;
    throw new Fault('disk-full', `${this.#folder}: ${reason}`);
  }

  /** To be told of all that is written. Rejects as `mustHold`. */
  async taken(sizeBytes: number): Promise<void> {
    this.#unlookedBytes += sizeBytes;
    if (this.#unlookedBytes < LOOK_BYTES) return;
    this.#unlookedBytes = 0;
    await this.mustHold(0);
  }
}
