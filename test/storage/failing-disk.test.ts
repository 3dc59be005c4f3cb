/**
 * A kernel that turns the file system read-only, and one that cannot write its blocks, under a process
 * that writes: the store is fenced, and nothing that was acknowledged is lost without its saying so. A
 * device that fails to write a block anew takes with it what was in it: the end of the log before.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { LoopDisk } from './loop-disk.ts';
import { recordingHost } from './recording-host.ts';

const WRITER = join(import.meta.dirname, 'leveldb-writer.js');
const WRITES_BEFORE = 100;
/** Writes that may share the last blocks: the writer has 20 under way. */
const LAST_WRITES = 64;

/** Writes until the store refuses; `at` is called once some writes have been acknowledged. */
async function writeUntilRefused(
  folder: string,
  at: () => void,
): Promise<{ readonly acknowledged: string[]; readonly lines: string[] }> {
  const child = spawn(process.execPath, [WRITER, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let isTime = true;
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    if (!isTime || text.split('\n').length < WRITES_BEFORE) return;
    isTime = false;
    at();
  });
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const lines = text.split('\n').slice(0, -1);
  const acknowledged = lines.filter((line) => line.startsWith('key '));
  return { acknowledged, lines: lines.filter((line) => !line.startsWith('key ')) };
}

for (const { what, writableMib, harm, isKept } of [
  {
    what: 'a file system that turns read-only',
    writableMib: 64,
    harm: (disk: LoopDisk) => disk.turnReadOnly(),
    isKept: true,
  },
  { what: 'a device that cannot write its blocks', writableMib: 6, harm: () => {}, isKept: false },
]) {
  t.test(`${what} fences the store`, async (t) => {
    const below = mkdtempSync(join(tmpdir(), 'vertebra-disk-'));
    const disk = LoopDisk.mount(below, { sizeMib: 64, writableMib });
    t.teardown(() => {
      disk?.unmount();
      rmSync(below, { recursive: true, force: true });
    });
    if (disk === undefined) {
      t.pass('no disk can be mounted on this machine');
      return;
    }
    const folder = join(disk.folder, 'store');
    const { acknowledged, lines } = await writeUntilRefused(folder, () => harm(disk));
    t.match(lines, [
      /^health fenced a write to the disk failed: (IO error|EIO|EROFS|ENOSPC)/,
      'refused store-fenced',
      'read back true',
      'event error store.fenced',
      'closed',
    ]);
    disk.repair();
    const store = await openLevelDbStore(recordingHost(), { folder });
    const values = await Promise.all(acknowledged.map((key) => store.get(Buffer.from(key))));
    await store.close();
    t.ok(acknowledged.length > 0, `${acknowledged.length} writes`);
    const lost = acknowledged.filter((key, index) => !values[index]?.toString().startsWith(key));
    if (lost.length > 0) t.equal(store.mayHaveForgotten, true, `${lost.length} lost`);
    if (isKept) t.same(lost, []);
    t.ok(lost.length <= LAST_WRITES, 'no more than the end of the log');
  });
}
