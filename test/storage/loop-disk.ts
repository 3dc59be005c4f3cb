/**
 * A disk of a test's own: ext4 on a loop device, which the kernel turns read-only at an error, or whose
 * blocks it cannot write, as with a device that fails. Needs the right to mount; where the machine does
 * not give it there is none, and who asks says so.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface LoopDiskSize {
  readonly sizeMib: number;
  /** Of its blocks only so many can be written. Default: all. */
  readonly writableMib?: number;
}

export class LoopDisk {
  readonly folder: string;
  readonly #sizeMib: number;
  readonly #image: string;
  readonly #room: string;

  private constructor(below: string, sizeMib: number) {
    this.#sizeMib = sizeMib;
    this.#room = join(below, 'room');
    this.#image = join(this.#room, 'image');
    this.folder = join(this.#room, 'disk');
  }

  /** Undefined: the machine does not allow it. */
  static mount(
    below: string,
    { sizeMib, writableMib = 2 * sizeMib }: LoopDiskSize,
  ): LoopDisk | undefined {
    const disk = new LoopDisk(below, sizeMib);
    mkdirSync(disk.#room, { recursive: true });
    try {
      run('mount', '-t', 'tmpfs', '-o', `size=${writableMib}m`, 'tmpfs', disk.#room);
      // So that it can be taken from processes in mount namespaces of their own too.
      run('mount', '--make-shared', disk.#room);
      mkdirSync(disk.folder);
      run('truncate', '-s', `${sizeMib}M`, disk.#image);
      run('mkfs.ext4', '-q', disk.#image);
      disk.#mount();
      return disk;
    } catch {
      disk.unmount();
      return undefined;
    }
  }

  /** What the kernel does when it finds the file system damaged. */
  turnReadOnly(): void {
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((line) => line.split(' ')[1] === this.folder);
    const device = basename(mount?.split(' ')[0] ?? '');
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
  }

  /** As after a repair of the device and a restart of the machine. Nobody may use it. */
  repair(): void {
    run('umount', this.folder);
    run('mount', '-o', `remount,size=${2 * this.#sizeMib}m`, this.#room);
    try {
      run('e2fsck', '-fy', this.#image);
    } catch (error) {
      // 1: it has mended something.
      if ((error as { status?: number }).status !== 1) throw error;
    }
    this.#mount();
  }

  /** Idempotent. */
  unmount(): void {
    for (const folder of [this.folder, this.#room]) {
      try {
        run('umount', '--lazy', folder);
      } catch {
        // It was never mounted.
      }
    }
  }

  #mount(): void {
    run('mount', '-o', 'loop,errors=remount-ro', this.#image, this.folder);
  }
}

function run(...[command = '', ...words]: readonly string[]): void {
  execFileSync(command, words, { stdio: 'pipe' });
}
