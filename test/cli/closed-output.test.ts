/** Commands whose reader has gone, as behind `| head`. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import t from 'tap';
import { spawnUntraced } from '../untraced.ts';

spawnUntraced();

const CONFIG = resolve(import.meta.dirname, '../../../cluster.yml');
const ENTRY_POINT = resolve(import.meta.dirname, '../../src/main.js');

async function runUnread(...words: readonly string[]): Promise<{ code: unknown; err: string }> {
  const child = spawn(process.execPath, [ENTRY_POINT, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', (piece: Buffer) => {
    err += piece.toString();
  });
  const [code] = await once(child, 'close');
  return { code, err };
}

t.test('a command ends as it would have ended', async (t) => {
  t.same(await runUnread('--help'), { code: 0, err: '' });
  t.same(await runUnread('config', 'describe'), { code: 0, err: '' });
  t.same(await runUnread('config', 'effective', CONFIG), { code: 0, err: '' });
  const refused = await runUnread('config', 'check', '/none/such');
  t.equal(refused.code, 1);
  t.match(refused.err, /^vertebra: .*\n$/);
});
