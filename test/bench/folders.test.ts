/**
 * Folders where there can be none: that is said, at once.
 */

import { execFile } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { ENTRY_POINT } from '../cluster/local-cluster.ts';
import { makeFolders } from '../../src/storage/make-folders.ts';

const TIMEOUT_MS = 120_000;

t.test('folders are made with those above them, and of what they are told', (t) => {
  const folder = join(t.testdir(), 'a', 'b', 'c');
  makeFolders(folder, 0o700);
  makeFolders(folder, 0o700);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  writeFileSync(join(folder, 'file'), '');
  t.throws(() => makeFolders(join(folder, 'file', 'below')), { code: 'ENOTDIR' });
  t.throws(() => makeFolders('/proc/vertebra/below'), { code: 'ENOENT' });
  t.notOk(existsSync('/proc/vertebra'));
  t.end();
});

t.test('a target, a report or data below /proc is refused, and not waited for', async (t) => {
  const out = t.testdir();
  const cases: readonly (readonly [parameters: readonly string[], message: RegExp])[] = [
    [
      ['--target', 'engine:/proc/vertebra/store', '--out', out],
      /\/proc\/vertebra\/store cannot be/,
    ],
    [['--target', 'null', '--out', '/proc/vertebra'], /the report cannot be written to \/proc/],
    [
      ['--start', '1', '--data', '/proc/vertebra', '--out', out],
      /data folder \/proc\/vertebra cannot/,
    ],
  ];
  for (const [parameters, message] of cases) {
    const command = [ENTRY_POINT, 'bench', 'run', 'get-1k', ...parameters];
    const run = promisify(execFile)(process.execPath, command, { timeout: TIMEOUT_MS });
    await t.rejects(run, { code: 1, message }, parameters.join(' '));
  }
});
