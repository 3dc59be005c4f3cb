/**
 * The folder of a chaos run, named after its process, so that the next run can tell a dead one's.
 *
 * A run that is killed unmounts nothing: its disks, and the loop device below one, would stay for as long as
 * the machine runs. Its nodes stop by themselves when their parent is gone.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';

const PREFIX = 'vertebra-chaos-';
const NAME = new RegExp(`^${PREFIX}(\\d+)-`);

export function makeRunFolder(below: string): string {
  return mkdtempSync(join(below, `${PREFIX}${process.pid}-`));
}

/** The folders that were removed, with what was mounted in them. */
export function removeDeadRuns(below: string): readonly string[] {
  const dead = readdirSync(below).filter((name) => {
    const [, pid] = NAME.exec(name) ?? [];
    return pid !== undefined && !isRunning(Number(pid));
  });
  return dead.map((name) => join(below, name)).filter(remove);
}

/** Also of another user, who is not to be signalled. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** False: it is not ours to remove. */
function remove(folder: string): boolean {
  try {
    for (const mount of mountsBelow(folder)) {
      execFileSync('umount', ['--lazy', mount], { stdio: 'pipe' });
    }
    rmSync(folder, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

/** The innermost first. */
function mountsBelow(folder: string): readonly string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(folder + sep))
    .reverse();
}
