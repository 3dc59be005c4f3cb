/** What the code counts, what the catalogue says of it, and what the documents tell are the same. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { METRIC_DESCRIPTIONS } from '../../src/telemetry/metric-catalogue.ts';
import type { MetricDescription } from '../../src/telemetry/metric-catalogue.ts';
import { openMetricsName } from '../../src/telemetry/metrics-text.ts';

const root = resolve(import.meta.dirname, '../../..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('-catalogue.ts'))
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
  .join('\n');

const KIND_BY_CALL = {
  count: 'counter',
  gauge: 'gauge',
  gaugeEach: 'gauge',
  observe: 'summary',
} as const;

/** Each literal name, or pattern of names, that is counted, set or observed, and as what. */
const uses = [
  ...sources.matchAll(/[mM]etrics\s*\.(count|gauge|gaugeEach|observe)\(([^,;]*)/g),
].flatMap(([, call = '', parameter = '']) =>
  [...parameter.matchAll(/'([a-z][a-z0-9_.]*)'|`([^`]+)`/g)].map(([, literal, template]) => ({
    kind: KIND_BY_CALL[call as keyof typeof KIND_BY_CALL],
    names: literal ?? (template ?? '').replace(/\{\w+="\$\{\w+\}"\}$/, ''),
  })),
);

/** What is scraped. */
function sampleName({ name, kind }: Pick<MetricDescription, 'name' | 'kind'>): string {
  return openMetricsName(name, kind) + (kind === 'counter' ? '_total' : '');
}

/** `${work}_create` as a pattern: `[a-z_]+_create`. */
function patternOf(names: string): RegExp {
  return new RegExp(`^${names.replaceAll('.', '\\.').replace(/\$\{\w+\}/g, '[a-z_]+')}$`);
}

t.test('whatever is counted is in the catalogue, as what it is', (t) => {
  t.ok(uses.length > 150, `${uses.length} uses were found`);
  const all = [...METRIC_DESCRIPTIONS.values()];
  const strange = uses.filter(({ kind, names }) => {
    const pattern = patternOf(names);
    return !all.some((metric) => metric.kind === kind && pattern.test(metric.name));
  });
  t.same(strange, []);
  t.end();
});

t.test('whatever is in the catalogue is counted', (t) => {
  const templates = uses.filter(({ names }) => names.includes('$')).map(({ names }) => names);
  const unused = [...METRIC_DESCRIPTIONS.keys()].filter(
    (name) =>
      !sources.includes(`'${name}'`) &&
      !uses.some(({ names }) => names === name) &&
      !templates.some((template) => patternOf(template).test(name)),
  );
  t.same(unused, []);
  t.end();
});

t.test('names and texts keep to the conventions, and no two are one outside', (t) => {
  const outside = new Set<string>();
  for (const { name, kind, help } of METRIC_DESCRIPTIONS.values()) {
    const family = openMetricsName(name, kind);
    t.match(family, /^vertebra_[a-z][a-z0-9_]*[a-z0-9]$/);
    t.notMatch(family, /_(total|count|sum|bucket)$/, 'a suffix that belongs to samples');
    t.match(help, /^[A-Z0-9][^\n\\]*[^.\s]$/, 'one line, no full stop');
    outside.add(family);
  }
  t.equal(outside.size, METRIC_DESCRIPTIONS.size);
  t.end();
});

t.test('docs/metrics.md lists each metric with its text, and no other', (t) => {
  const text = readFileSync(join(root, 'docs', 'metrics.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z0-9_]+)` +\| (\w+) +\| (.*?) +\|$/gm)];
  const told = rows.map(([, name, kind, help]) => `${name} ${kind} ${help}`);
  t.same(
    told.sort(),
    [...METRIC_DESCRIPTIONS.values()]
      .map((metric) => `${sampleName(metric)} ${metric.kind} ${metric.help}`)
      .sort(),
  );
  t.end();
});

t.test('each alert has its row on what to do, and the other way round', (t) => {
  const alerts = readFileSync(join(root, 'docs', 'alerts.yml'), 'utf8');
  const rules = [...alerts.matchAll(/^ +- alert: Vertebra(\w+)$/gm)].map(([, name = '']) => name);
  const [table = ''] = readFileSync(join(root, 'docs', 'metrics.md'), 'utf8').split('\n## All of');
  const rows = [...table.matchAll(/^\| ([A-Z][A-Za-z, ]*?) +\|/gm)].flatMap(([, names = '']) =>
    names.split(', '),
  );
  t.ok(rules.length > 20, `${rules.length} alerts were found`);
  t.same(rows.sort(), rules.sort());
  t.end();
});

t.test('the dashboard is one: its panels have numbers of their own and do not overlap', (t) => {
  const text = readFileSync(join(root, 'docs', 'deploy', 'grafana.json'), 'utf8');
  const { panels } = JSON.parse(text) as { readonly panels: readonly Panel[] };
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const overlapping = panels.filter((left, index) =>
    panels.slice(index + 1).some((right) => overlap(left.gridPos, right.gridPos)),
  );
  t.same(
    overlapping.map(({ title }) => title),
    [],
  );
  t.end();
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: Place;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

function overlap(left: Place, right: Place): boolean {
  const isApart =
    left.x + left.w <= right.x ||
    right.x + right.w <= left.x ||
    left.y + left.h <= right.y ||
    right.y + right.h <= left.y;
  return !isApart;
}

t.test('alerts and documents name metrics that there are', (t) => {
  const known = new Set([...METRIC_DESCRIPTIONS.values()].map(sampleName));
  const documents = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  for (const file of [
    ...documents.map((name) => `docs/${name}`),
    'docs/alerts.yml',
    'docs/deploy/grafana.json',
    'README.md',
  ]) {
    const named = readFileSync(join(root, file), 'utf8').matchAll(/\bvertebra_[a-z0-9_]+/g);
    const unknown = [...named].map(([name]) => name).filter((name) => !known.has(name));
    t.same(unknown, [], file);
  }
  t.end();
});
