/** Comparisons of two clusters: what is found, and that nothing is written. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compare } from '../../src/migrate/compare.ts';
import { KeyFile } from '../../src/migrate/key-file.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { TYPE, change, newFolder, remove, serveEnd } from './two-ends.ts';
import type { OneEnd } from './two-ends.ts';

async function compareOnce(source: OneEnd, target: OneEnd, keysTo?: string) {
  const keyFile = await KeyFile.open(keysTo);
  const ends = { source: source.end, target: target.end, keyFile };
  const summary = await compare(ends, {
    scope: scopeOf([TYPE], undefined),
    concurrency: 8,
    rate: undefined,
    expected: undefined,
    isQuiet: true,
  });
  await keyFile.close();
  return summary;
}

t.test('what is missing, differs or is extra is counted, and named where asked for', async (t) => {
  const [source, target] = [await serveEnd(t), await serveEnd(t)];
  for (const end of [source, target]) {
    for (let index = 0; index < 50; index += 1) await change(end, `same${index}`, `${index}`);
  }
  t.match(await compareOnce(source, target), { isSame: true, objects: 50, equal: 50 });
  await change(source, 'missing', 'v');
  await change(target, 'extra', 'v');
  await change(target, 'same7', 'other');
  await change(source, 'deleted', 'v');
  await remove(source, 'deleted');
  const keysTo = join(newFolder(t), 'keys');
  t.match(await compareOnce(source, target, keysTo), {
    isSame: false,
    objects: 52,
    equal: 49,
    missing: 1,
    differing: 1,
    extra: 1,
    failed: 0,
  });
  const lines = readFileSync(keysTo, 'utf8').trimEnd().split('\n').sort();
  t.same(
    lines.map((line) => JSON.parse(line)).map(({ key, outcome }) => `${outcome} ${key}`),
    ['extra extra', 'missing missing', 'differing same7'],
  );
  t.equal(statSync(keysTo).mode & 0o777, 0o600);
});
