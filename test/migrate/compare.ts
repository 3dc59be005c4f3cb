/** Comparisons of two clusters: what is found, and that nothing is written. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compare } from '../../src/migrate/compare.ts';
import { KeyFile } from '../../src/migrate/key-file.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { Fault } from '../../src/base/fault.ts';
import { serve } from '../api/pbc/served.ts';
import { TYPE, change, endAt, newFolder, remove, serveEnd } from './two-ends.ts';
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

t.test(
  'a list that is not read yet is not asked for: an end gives up what nobody takes',
  async (t) => {
    const [source, served] = [await serveEnd(t), await serve()];
    t.teardown(() => served.server.close());
    const target = { ...endAt(t, served.port), port: served.port };
    for (let index = 0; index < 300; index += 1) await change(source, `k${index}`, 'v');
    for (let index = 0; index < 301; index += 1) await change(target, `k${index}`, 'v');
    target.end.keysPage = () => {
      const reason = '{error,{indexes_not_supported,riak_kv_bitcask_backend}}';
      return Promise.reject(new Fault('peer-refused', reason));
    };
    const read = new Set<string>();
    const get = served.node.get.bind(served.node);
    served.node.get = (request) => get(request).finally(() => read.add(request.key.key));
    const listKeys = served.node.listKeys.bind(served.node);
    served.node.listKeys = async function* impatient(...args) {
      for await (const keys of listKeys(...args)) {
        yield keys;
        // As one whose time is over: the source's keys are read first.
        if (read.size < 300) throw new Fault('timeout', 'nobody takes the keys');
      }
    };
    t.match(await compareOnce(source, target), { brokenOff: undefined, equal: 300, extra: 1 });
  },
);
