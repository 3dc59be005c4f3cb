/**
 * Tests without tap's watch over promises and processes.
 *
 * To tell which test an error belongs to that nobody caught, tap follows every promise from its making to
 * its end: a test that makes millions of them spends a third of its time on that. To tell what a test
 * covers, it loads itself into every process that the test starts, which doubles what the start of
 * one costs. A test can opt out of the first: then such an error ends the file, which fails just so,
 * without the name of the test. The second is of use only where coverage is asked for.
 */

import processOnSpawn from 'process-on-spawn';
import type { Test } from 'tap';

/** For the rest of `t`, until the next test of the file begins. */
export function runUntraced(t: Test): void {
  for (let base: Test['parent'] = t; base !== undefined; base = base.parent) {
    base.hookDomain.destroy();
  }
}

const TRACE = /"?--import=\S*\/@tapjs\/processinfo\/\S*"?/g;

/** Processes that this one starts from now on run as they do for everyone else. */
export function spawnUntraced(): void {
  if (process.env._TAPJS_PROCESSINFO_COVERAGE_ !== '0') return;
  // Tap's own listener came first, and has put itself into the environment.
  processOnSpawn.addListener((spawned) => {
    const { NODE_OPTIONS: options = '' } = spawned.env;
    spawned.env = { ...spawned.env, NODE_OPTIONS: options.replace(TRACE, '').trim() };
  });
}
