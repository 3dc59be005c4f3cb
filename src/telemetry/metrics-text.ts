/**
 * Metrics as others read them: OpenMetrics text for scrapers, Riak's names for `/stats`.
 *
 * OpenMetrics: a counter `x` or `x_total` is `vertebra_x_total`, a gauge `vertebra_x`, a histogram a
 * summary with the quantiles of the last minute and the count and sum since the start. Riak: a counter `x` is `x`
 * (the last minute) and `x_total`, a histogram `x_mean`, `x_median`, `x_95`, `x_99` and `x_100`, in
 * whole units; series with labels have no Riak name. Source: OpenMetrics 1.0.
 */

import { METRIC_DESCRIPTIONS } from './metric-catalogue.ts';
import type { MetricKind } from './metric-catalogue.ts';
import type { MetricsSnapshot } from './metrics-registry.ts';
import type { HistogramSummary } from './windowed-histogram.ts';

interface Family {
  readonly type: MetricKind;
  readonly help: string | undefined;
  readonly lines: string[];
}

/** The whole exposition, `# EOF` included. */
export function snapshotToOpenMetrics(snapshot: MetricsSnapshot): string {
  const families = new Map<string, Family>();
  for (const [series, counter] of snapshot.counters) {
    const { name, labels } = splitSeries(series);
    const family = openMetricsName(name, 'counter');
    linesOf(families, name, 'counter').push(sample(`${family}_total`, labels, counter.total));
  }
  for (const [series, value] of snapshot.gauges) {
    const { name, labels } = splitSeries(series);
    linesOf(families, name, 'gauge').push(sample(openMetricsName(name, 'gauge'), labels, value));
  }
  for (const [series, histogram] of snapshot.histograms) {
    const { name, labels } = splitSeries(series);
    const family = openMetricsName(name, 'summary');
    linesOf(families, name, 'summary').push(...summaryLines(family, labels, histogram));
  }
  const text: string[] = [];
  for (const [name, { type, help, lines }] of families) {
    if (help !== undefined) text.push(`# HELP ${name} ${help}`);
    text.push(`# TYPE ${name} ${type}`, ...lines);
  }
  text.push('# EOF', '');
  return text.join('\n');
}

/** What a metric is called outside; the samples of a counter have `_total` after it. */
export function openMetricsName(name: string, kind: MetricKind): string {
  const plain = `vertebra_${name.replace(/[^a-zA-Z0-9_]/g, '_')}`;
  return kind === 'counter' ? plain.replace(/_total$/, '') : plain;
}

/** Name → number under Riak's naming rules; times and sizes are rounded to whole units. */
export function snapshotToRiakStats(snapshot: MetricsSnapshot): Record<string, number> {
  const stats: Record<string, number> = {};
  for (const [name, counter] of snapshot.counters) {
    if (hasLabels(name)) continue;
    // What is named as a total is one; its last minute would be another name.
    if (name.endsWith('_total')) stats[name] = counter.total;
    else {
      stats[name] = counter.recent;
      stats[`${name}_total`] = counter.total;
    }
  }
  for (const [name, value] of snapshot.gauges) {
    if (!hasLabels(name)) stats[name] = value;
  }
  for (const [name, histogram] of snapshot.histograms) {
    if (!hasLabels(name)) Object.assign(stats, histogramToRiakStats(name, histogram));
  }
  return stats;
}

/** The five numbers of one histogram, for names that differ from the series' own. */
export function histogramToRiakStats(
  name: string,
  histogram: HistogramSummary,
): Record<string, number> {
  return {
    [`${name}_mean`]: Math.round(histogram.mean),
    [`${name}_median`]: Math.round(histogram.median),
    [`${name}_95`]: Math.round(histogram.p95),
    [`${name}_99`]: Math.round(histogram.p99),
    [`${name}_100`]: Math.round(histogram.max),
  };
}

function summaryLines(name: string, labels: string, histogram: HistogramSummary): string[] {
  const quantiles: readonly (readonly [string, number])[] = [
    ['0.5', histogram.median],
    ['0.95', histogram.p95],
    ['0.99', histogram.p99],
    ['1.0', histogram.max],
  ];
  return [
    ...quantiles.map(([quantile, value]) =>
      sample(name, joinLabels(labels, `quantile="${quantile}"`), value),
    ),
    sample(`${name}_count`, labels, histogram.totalCount),
    sample(`${name}_sum`, labels, histogram.totalSum),
  ];
}

function linesOf(families: Map<string, Family>, name: string, type: MetricKind): string[] {
  const familyName = openMetricsName(name, type);
  let family = families.get(familyName);
  if (family === undefined) {
    family = { type, help: METRIC_DESCRIPTIONS.get(name)?.help, lines: [] };
    families.set(familyName, family);
  }
  return family.lines;
}

function splitSeries(series: string): { readonly name: string; readonly labels: string } {
  const brace = series.indexOf('{');
  if (brace === -1) return { name: series, labels: '' };
  return { name: series.slice(0, brace), labels: series.slice(brace + 1, -1) };
}

function hasLabels(series: string): boolean {
  return series.endsWith('}');
}

function joinLabels(left: string, right: string): string {
  return left === '' ? right : `${left},${right}`;
}

function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}
