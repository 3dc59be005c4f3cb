/** `vertebra admin` as a script calls it: what was not done where it was asked for ends with another code than 0. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { AdminServer } from '../../src/admin/admin-server.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import { devConfigText } from '../../src/config/config-file.ts';
import { spawnUntraced } from '../untraced.ts';

spawnUntraced();

const ENTRY_POINT = resolve(import.meta.dirname, '../../src/main.js');

/** A file of two nodes, of which the first answers what is in `answers`, and the second does not run. */
async function world(t: Test, answers: Readonly<Record<string, unknown>>) {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-admin-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'cluster.yml');
  writeFileSync(config, devConfigText({ nodes: 2, basePort: 10_000, dataDir: folder }));
  const [first = '', second = ''] = ['dev1', 'dev2'].map((name) => join(folder, name));
  mkdirSync(first);
  mkdirSync(second);
  const commands = new Map(
    Object.entries(answers).map(([name, answer]) => [name, async () => answer]),
  );
  const server = await AdminServer.listen(adminSocketPath(first), commands, { count() {} });
  t.teardown(() => server.close());
  const admin = (...words: readonly string[]) =>
    new Promise<{ code: unknown; out: string; err: string }>((done) => {
      const argv = [ENTRY_POINT, 'admin', '--config', config, ...words];
      execFile(process.execPath, argv, (error, out, err) =>
        done({ code: error?.code ?? 0, out, err }),
      );
    });
  return { admin, second };
}

const RATE = { work: 'transfers', bytesPerSecond: 4 << 20, configured: 32 << 20 };

t.test('a change that one of all nodes did not take has failed', async (t) => {
  const { admin } = await world(t, { 'rate set': [RATE], 'rate show': [RATE] });
  const set = await admin('--all', 'rate', 'set', 'transfers', '4MiB');
  t.match(set, {
    code: 1,
    out: /dev1@127.0.0.1 +transfers +4 MiB.*dev2@127.0.0.1: the node is not/s,
  });
  t.match(await admin('--all', 'rate', 'show'), {
    code: 0,
    out: /dev2@127.0.0.1: the node is not/,
  });
});

t.test('what one node says is not given for all, nor for another folder', async (t) => {
  const { admin, second } = await world(t, {
    status: { isReady: true, reason: 'serving' },
    'audit show': [{ time: 't', event: 'login-refused', node: 'n', user: 'a\u009b2J' }],
  });
  t.match(await admin('wait', '--timeout', '1m'), { code: 0 });
  t.match(await admin('--all', 'wait', '--timeout', '1m'), { code: 2, err: /without --all/ });
  t.match(await admin('audit'), { code: 0, out: /user="a\\u009b2J"/ });
  t.match(await admin('--json', 'audit'), { code: 0, out: /"a\\u009b2J"/ });
  t.match(await admin('audit', '--folder', second), { code: 2, err: /goes with --verify/ });
});
