/** What the documents name is there. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FAULTS = readFileSync(`${PROJECT}docs/faults.md`, 'utf8');

t.test('each test that the table of faults names is there', (t) => {
  const cited = [...FAULTS.matchAll(/`(test\/[^`]+\.ts)` “([^”]+)”/g)];
  t.ok(cited.length > 100, `${cited.length} tests are named`);
  for (const [, file = '', name = ''] of cited) {
    const source = existsSync(PROJECT + file) ? readFileSync(PROJECT + file, 'utf8') : '';
    t.ok(source.includes(name), `${file}: ${name}`);
  }
  t.end();
});

t.test('fifty faults and forty-six bugs are answered for', (t) => {
  const numbers = [...FAULTS.matchAll(/^\| (\d+) +\|/gm)].map(([, number]) => Number(number));
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
  t.same(numbers, [...upTo(50), ...upTo(46)]);
  t.end();
});
