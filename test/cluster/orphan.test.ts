/** A node that was started as a child does not outlive its parent, however early that has gone. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { writeDevConfig } from '../../src/cli/dev-command.ts';
import { ENTRY_POINT, freeBasePort } from './local-cluster.ts';

const STOP_TIMEOUT_MS = 60_000;

t.test('a node whose parent has gone before it was loaded stops all the same', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vertebra-orphan-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const config = writeDevConfig({ nodes: 1, basePort: await freeBasePort(1), data });
  const node = fork(ENTRY_POINT, ['start', '--config', config, '--node', 'dev1@127.0.0.1'], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  node.disconnect();
  const timer = setTimeout(() => node.kill('SIGKILL'), STOP_TIMEOUT_MS);
  const [code, signal] = (await once(node, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  t.same([code, signal], [0, null]);
});
