/** What the documents name is there. */

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync(`${PROJECT}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
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

t.test('each source file that a document names is there', (t) => {
  const files = ['src', 'test', 'bench'].flatMap((folder) => {
    return readdirSync(PROJECT + folder, { encoding: 'utf8', recursive: true }).map((path) => {
      return `/${join(folder, path)}`;
    });
  });
  const missing: string[] = [];
  let count = 0;
  for (const document of DOCUMENTS) {
    for (const [, name] of readFileSync(PROJECT + document, 'utf8').matchAll(/`([\w./-]+\.ts)`/g)) {
      count += 1;
      if (!files.some((file) => file.endsWith(`/${name}`))) missing.push(`${document}: ${name}`);
    }
  }
  t.ok(count > 100, `${count} files are named`);
  t.same(missing, []);
  t.end();
});

t.test('each document and folder that a document links to is there', (t) => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    const text = readFileSync(PROJECT + document, 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      if (!existsSync(join(PROJECT, dirname(document), target))) {
        missing.push(`${document}: ${target}`);
      }
    }
  }
  t.same(missing, []);
  t.end();
});

function anchorsOf(document: string): string[] {
  const headings = readFileSync(PROJECT + document, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) => {
    return heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-');
  });
}

t.test('each heading that a document links to is there, in its own text or in another', (t) => {
  const missing: string[] = [];
  let count = 0;
  for (const document of DOCUMENTS) {
    const text = readFileSync(PROJECT + document, 'utf8');
    for (const [, file = '', anchor = ''] of text.matchAll(/\]\(([^)#:]*)#([^)]*)\)/g)) {
      count += 1;
      const target = file === '' ? document : join(dirname(document), file);
      if (!anchorsOf(target).includes(anchor)) missing.push(`${document}: ${file}#${anchor}`);
    }
  }
  t.ok(count > 20, `${count} headings are linked to`);
  t.same(missing, []);
  t.end();
});
