/** A map for moments: it holds what a map holds, and nothing that has passed. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { PassingMap } from '../../src/base/passing-map.ts';

const step = fc.record({
  kind: fc.constantFrom('set', 'set', 'take', 'clear'),
  key: fc.nat({ max: 6 }),
});

t.test('it holds what a map holds, in its order', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const passing = new PassingMap<number, { readonly at: number }>();
      const model = new Map<number, { readonly at: number }>();
      for (const [at, { kind, key }] of steps.entries()) {
        if (kind === 'set') {
          passing.set(key, { at });
          model.set(key, { at });
        } else if (kind === 'take') {
          t.same(passing.take(key), model.get(key));
          model.delete(key);
        } else if (at % 5 === 0) {
          passing.clear();
          model.clear();
        }
        t.equal(passing.get(key)?.at, model.get(key)?.at);
        t.equal(passing.size, model.size);
        t.same([...passing.values()], [...model.values()]);
      }
    }),
    { numRuns: 30 },
  );
  t.end();
});

t.test('what has passed is free for the collector of the young', (t) => {
  const keeper = fileURLToPath(new URL('passing-keeper.js', import.meta.url));
  const run = spawnSync(process.execPath, ['--expose-gc', keeper], { encoding: 'utf8' });
  const { passing, plain } = JSON.parse(run.stdout) as { passing: number; plain: number };
  // Of 64 MiB. How much a map keeps is V8's affair, and may be less one day.
  t.ok(passing < 16, `${passing} MiB are left by it, ${plain} by a map`);
  t.end();
});
