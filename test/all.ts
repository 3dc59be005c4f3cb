/**
 * The whole suite: each test file in a process of its own, as tap would run them, but without tap's
 * module loader.
 *
 * The loader reads along in a thread of its own to know which files a test covers. For some two
 * hundred files that costs more than a minute of two cores, and is of use only where coverage is asked
 * for. One file, or all with coverage, are run by tap alone.
 */

import assert from 'node:assert';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { spawnUntraced } from './untraced.ts';

/** Of one file, on a slow machine. */
const TIMEOUT_MS = 600_000;

const paths = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js'))
  .sort();
assert(paths.length > 0, 'there are compiled tests beside this file');

spawnUntraced();
t.jobs = Number(process.env.TAP_JOBS ?? 1);
for (const path of paths) {
  const file = relative(process.cwd(), join(import.meta.dirname, path));
  const options = { buffered: true, timeout: TIMEOUT_MS };
  void t.spawn(process.execPath, ['--enable-source-maps', file], options, file);
}
