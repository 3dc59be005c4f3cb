/** Commands for a folder leave alone what is not theirs in it. */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeDevConfig } from '../../src/cli/dev-command.ts';
import { recoverCluster } from '../../src/cli/recover-command.ts';

t.test('a development cluster writes over its own file only', (t) => {
  const data = t.testdir({});
  const write = (nodes: number) => writeDevConfig({ nodes, basePort: 10_000, data });
  const path = write(3);
  t.equal(write(5), path, 'as it was written');
  const five = readFileSync(path, 'utf8');
  t.match(five, 'dev5@127.0.0.1');
  appendFileSync(path, 'audit:\n  when_failing: allow\n');
  const changed = readFileSync(path, 'utf8');
  t.throws(() => write(3), { message: /not as `dev` wrote it, and would be written over/ });
  t.equal(readFileSync(path, 'utf8'), changed);
  for (const other of [
    'cluster: patients\n',
    '',
    five.replace('cluster: dev', 'cluster: patients'),
  ]) {
    writeFileSync(path, other);
    t.throws(() => write(3), { message: /would be written over/ });
    t.equal(readFileSync(path, 'utf8'), other);
  }
  t.end();
});

t.test('a folder without a store is not given one by the recovery of a cluster', async (t) => {
  const folder = t.testdir({ mountpoint: {} });
  for (const name of ['mountpoint', 'misspelled']) {
    const data = join(folder, name);
    await t.rejects(recoverCluster({ data, survivors: 'a@b' }), { message: /holds no store/ });
    t.notOk(existsSync(join(data, 'store')));
  }
});
