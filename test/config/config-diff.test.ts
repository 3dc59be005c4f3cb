/** What differs between a file, the defaults and a running node is told, and nothing else. */

import t from 'tap';
import { configDifferences } from '../../src/config/config-diff.ts';
import { parseClusterDocument } from '../../src/config/config-file.ts';

const NODES = 'cluster: c\nnodes: [{ name: a@h, data_dir: d }]\n';

function documentOf(text: string, base = NODES) {
  return parseClusterDocument('x.yml', `${base}${text}`);
}

t.test('a file that says the defaults in other words differs in nothing', (t) => {
  const text = 'timeouts: { request: 1m, shutdown: 30000ms }\nlimits: { body: 51200KiB }\n';
  t.same(configDifferences(documentOf(text), undefined), []);
  t.same(configDifferences(documentOf(text), documentOf('')), []);
  t.end();
});

t.test('what is chosen is told, and what waits for a restart is marked', (t) => {
  const file = documentOf('limits: { siblings: 50 }\nbucket_defaults: { n_val: 5 }\n');
  const [siblings, n] = [
    { key: 'limits.siblings', default: 100, file: 50, isPending: false },
    { key: 'bucket_defaults.n_val', default: undefined, file: 5, isPending: false },
  ];
  t.match(configDifferences(file, undefined).sort(byKey), [n, siblings]);
  t.match(configDifferences(file, file).sort(byKey), [n, siblings]);
  const running = documentOf('limits: { siblings: 50 }\nhooks: { folder: h }\n');
  t.match(configDifferences(file, running).sort(byKey), [
    { ...n, running: undefined, isPending: true },
    { key: 'hooks.folder', default: undefined, file: undefined, running: 'h', isPending: true },
    siblings,
  ]);
  t.end();
});

t.test('nodes are told by name, however they are ordered', (t) => {
  const entry = (name: string, port: number): string =>
    `  - { name: ${name}, data_dir: ${name}, http_port: ${port} }\n`;
  const base = 'cluster: c\nnodes:\n';
  const file = documentOf(entry('a@x', 1) + entry('b@y', 2), base);
  t.same(configDifferences(file, documentOf(entry('b@y', 2) + entry('a@x', 1), base)), []);
  const other = documentOf(entry('b@y', 3) + entry('a@x', 1), base);
  const key = 'nodes[b@y].http_port';
  t.match(configDifferences(file, other), [{ key, file: 2, running: 3, isPending: true }]);
  t.end();
});

function byKey(left: { readonly key: string }, right: { readonly key: string }): number {
  return left.key < right.key ? -1 : 1;
}
