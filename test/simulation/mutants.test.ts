/** The bugs that `npm run mutate` plants can still be planted. */

import { readFileSync } from 'node:fs';
import t from 'tap';
import { MUTANTS } from './mutants.ts';

const SOURCE = new URL('../../src/', import.meta.url);

t.test('each mutant changes one line of the code that runs', (t) => {
  t.ok(MUTANTS.length >= 25, `${MUTANTS.length} mutants`);
  for (const { name, file, from, to } of MUTANTS) {
    const code = readFileSync(new URL(`${file}.js`, SOURCE), 'utf8');
    t.equal(code.split(from).length - 1, 1, `${name}: ${file}`);
    t.not(from, to);
  }
  t.end();
});
