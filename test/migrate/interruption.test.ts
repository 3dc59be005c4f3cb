/** Copies that are killed, as real processes: nothing is lost, nothing stands twice, little is repeated. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { spawnUntraced } from '../untraced.ts';
import { serve } from '../api/pbc/served.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import { TYPE, change, endAt, keyOf, newFolder, serveEnd, valuesOf } from './two-ends.ts';

spawnUntraced();

const ENTRY_POINT = resolve(import.meta.dirname, '../../src/main.js');
const CONCURRENCY = 8;
const SIBLINGS = ['one', 'three', 'two'];

/** As the log is left by one that is killed while it writes: with the beginning of a record. */
function tearLog(folder: string): void {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
  appendFileSync(join(folder, logs.sort().at(-1) ?? ''), Buffer.of(1, 2, 3, 4, 90, 0, 1, 1, 7));
}

t.test('a copy that was killed ends as if it had not been', async (t) => {
  const [source, served] = [await serveEnd(t), await serve()];
  t.teardown(() => served.server.close());
  const target = endAt(t, served.port);
  const names = Array.from({ length: 200 }, (_, index) => `k${index}`);
  const isMany = (text: string): boolean => text.endsWith('7');
  for (const text of names) {
    if (!isMany(text)) await change(source, text, text);
    else
      for (const value of SIBLINGS)
        await source.client.put(keyOf(text), { value: Buffer.from(value) });
  }
  const put = served.node.put.bind(served.node);
  let puts = 0;
  let onPut = (_key: ByteString): void => {};
  served.node.put = (request) => {
    puts += 1;
    if (request.key.key !== undefined) onPut(request.key.key);
    return put(request);
  };
  const ledger = newFolder(t);
  /** Killed between the siblings of an object. */
  const run = async (killAfter: number) => {
    const ends = ['--from', `127.0.0.1:${source.port}`, '--to', `127.0.0.1:${served.port}`];
    const words = ['copy', ...ends, '--type', TYPE, '--ledger', ledger, '--quiet', '--json'];
    const child = spawn(
      process.execPath,
      [ENTRY_POINT, 'migrate', ...words, '--concurrency', String(CONCURRENCY)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const end = puts + killAfter;
    const written = new Set<ByteString>();
    onPut = (key) => {
      if (puts > end && written.has(key)) child.kill('SIGKILL');
      written.add(key);
    };
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, said };
  };
  t.match(await run(50), { code: null, said: '' });
  tearLog(ledger);
  const { code, said } = await run(Infinity);
  t.equal(code, 0, said);
  const outcomes = { completed: Number, 'done-before': Number };
  t.match(JSON.parse(said), { isSettled: true, isResumed: true, pass: 1, outcomes });
  const wanted = names.map((text) => (isMany(text) ? SIBLINGS : [text]));
  t.same(await Promise.all(names.map((text) => valuesOf(target, text))), wanted);
  const needed = names.reduce((sum, text) => sum + (isMany(text) ? SIBLINGS.length : 1), 0);
  t.ok(puts <= needed + CONCURRENCY * SIBLINGS.length, `${puts} writes for ${needed}`);
});
