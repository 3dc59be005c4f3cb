/**
 * A slow disk for one process: Linux's own limit on the bytes a control group may write.
 *
 * Needs root and the block controller of control groups, version 1 (`blkio`) or 2 (`io`). What the
 * process syncs is held back; what others write to the same disk is not. Version 1 is what this was
 * tried on.
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const PROBE_BYTES_PER_SECOND = 1_000_000_000;

export class DiskThrottle {
  readonly #group: string;
  readonly #home: string;
  readonly #device: string;

  private constructor(group: string, home: string, device: string) {
    this.#group = group;
    this.#home = home;
    this.#device = device;
  }

  /**
   * For processes that write to the disk of `folder`; undefined where the system has no such limit, or the
   * folder is on no disk of its own, as a tmpfs or an overlay.
   */
  static open(folder: string, name: string): DiskThrottle | undefined {
    const home = [join(ROOT, 'blkio'), ROOT].find((path) => isBlockController(path));
    if (home === undefined) return undefined;
    const group = join(home, `vertebra-bench-${process.pid}-${name}`);
    try {
      mkdirSync(group);
    } catch {
      return undefined;
    }
    try {
      const throttle = new DiskThrottle(group, home, diskOf(folder));
      // What the kernel does not know as a disk it says now, and not under the load.
      throttle.limit(PROBE_BYTES_PER_SECOND);
      throttle.limit(undefined);
      return throttle;
    } catch {
      rmdirSync(group);
      return undefined;
    }
  }

  /** The process, with all its threads, belongs to the group from now on. */
  add(pid: number): void {
    writeFileSync(join(this.#group, 'cgroup.procs'), `${pid}`);
  }

  /** Undefined: as fast as the disk is. */
  limit(bytesPerSecond: number | undefined): void {
    const first = join(this.#group, 'blkio.throttle.write_bps_device');
    if (existsSync(first)) writeFileSync(first, `${this.#device} ${bytesPerSecond ?? 0}`);
    else
      writeFileSync(join(this.#group, 'io.max'), `${this.#device} wbps=${bytesPerSecond ?? 'max'}`);
  }

  /** Removes the group; processes still in it go back to where the others are. */
  close(): void {
    for (const pid of readFileSync(join(this.#group, 'cgroup.procs'), 'latin1').split('\n')) {
      if (pid !== '') writeFileSync(join(this.#home, 'cgroup.procs'), pid);
    }
    rmdirSync(this.#group);
  }
}

function isBlockController(path: string): boolean {
  if (existsSync(join(path, 'blkio.throttle.write_bps_device'))) return true;
  const controllers = join(path, 'cgroup.subtree_control');
  return existsSync(controllers) && readFileSync(controllers, 'latin1').includes('io');
}

/** `major:minor` of the whole disk, which is what is limited. */
function diskOf(folder: string): string {
  const { dev } = statSync(folder);
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const device = `${major}:${minor}`;
  const parent = `/sys/dev/block/${device}/../dev`;
  if (!existsSync(`/sys/dev/block/${device}/partition`)) return device;
  return readFileSync(parent, 'latin1').trim();
}
