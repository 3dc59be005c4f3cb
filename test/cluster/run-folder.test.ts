/** What a chaos run that was killed has left behind is removed by the next one. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LoopDisk } from '../storage/loop-disk.ts';
import { makeRunFolder, removeDeadRuns } from './chaos/run-folder.ts';

/** A process that has ended, and whose number none has taken since. */
function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return pid;
}

t.test('a dead run’s folder goes, with its mounts; a living one’s stays', (t) => {
  const below = realpathSync(t.testdir());
  const living = makeRunFolder(below);
  const stranger = join(below, 'vertebra-other-1-x');
  const dead = join(below, `vertebra-chaos-${deadPid()}-abcdef`);
  for (const folder of [stranger, dead]) mkdirSync(folder);
  writeFileSync(join(dead, 'cluster.yml'), '');
  const disk = LoopDisk.mount(join(dead, 'loop'), { sizeMib: 8 });
  t.teardown(() => disk?.unmount());
  t.comment(disk === undefined ? 'no loop device on this machine' : 'a loop device is mounted');
  t.same(removeDeadRuns(below), [dead]);
  t.notOk(existsSync(dead));
  t.notOk(readFileSync('/proc/mounts', 'utf8').includes(dead), 'nothing is mounted there any more');
  t.ok(existsSync(living) && existsSync(stranger));
  t.same(removeDeadRuns(below), [], 'once');
  t.end();
});
