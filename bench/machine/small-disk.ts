/**
 * A file system of its own in a folder, which a ballast file can fill. It is in memory (tmpfs), so what is
 * synced to it is no disk's work. Needs the right to mount.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export class SmallDisk {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined: the machine does not allow it. */
  static mount(folder: string, sizeMib: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder], {
        stdio: 'pipe',
      });
      return new SmallDisk(folder);
    } catch {
      return undefined;
    }
  }

  /** Leaves only so much room. */
  fill(leftBytes: number): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    const ballastBytes = bavail * bsize - leftBytes;
    if (ballastBytes <= 0) return;
    execFileSync('fallocate', ['--length', `${ballastBytes}`, this.#ballast()], { stdio: 'pipe' });
  }

  free(): void {
    rmSync(this.#ballast(), { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.#folder], { stdio: 'pipe' });
  }

  #ballast(): string {
    return join(this.#folder, 'ballast');
  }
}
