/**
 * The report of a run as one HTML file that needs nothing else: no script, no font, no network.
 */

import { generatorCores, steadyText, unstartedText, verdictText } from './terminal.ts';
import { lineChart, escapeHtml } from './line-chart.ts';
import { EVENT_LOOP_HEADING, countFrom, eventLoopRows } from './event-loops.ts';
import {
  countedPhases,
  isSound,
  memoryText,
  percentileMs,
  phaseRate,
  phaseTotals,
  phaseUsage,
  seriesTotals,
} from './result.ts';
import type { ChartOptions, Line } from './line-chart.ts';
import type { Interval, IntervalSeries, RunResult } from './result.ts';

const MIB = 1024 * 1024;
/** Percentiles of a curve, evenly spaced by the logarithm of what lies beyond. */
const CURVE = [0, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999];

/** Where nothing was seen for longer a line has a gap. */
const GAP_INTERVALS = 3;
const DELAY_TICKS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

export function htmlReport(result: RunResult): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(result.workload)}</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>
<h1>${escapeHtml(result.workload)} <small>${escapeHtml(result.target)}</small></h1>
<p>${escapeHtml(result.about)}</p>
<p class="${isSound(result) ? 'verdict' : 'bad'}">${escapeHtml(verdictText(result))}</p>
${steadyParagraph(result)}
<h2>Latencies</h2>${latencyTable(result)}
<h2>Over time</h2>${timeCharts(result).join('\n')}
<h2>Percentiles</h2>${percentileCharts(result).join('\n')}
<h2>Node processes of this machine</h2>${usageTable(result)}
${resourceCharts(result).join('\n') || '<p>none was seen</p>'}
<h2>Event loops of the nodes</h2>${eventLoopSection(result)}
<h2>Errors</h2>${errorTable(result)}
<h2>The generator</h2>${generatorTable(result)}
<h2>The machine</h2>${machineTables(result)}
</body></html>
`;
}

function steadyParagraph({ phases }: RunResult): string {
  const phase = phases.find(({ steady }) => steady !== undefined);
  if (phase === undefined) return '<p>A steady rate was not waited for.</p>';
  const text = steadyText(phase);
  return `<p class="${phase.steady?.isReached === true ? 'verdict' : 'bad'}">${escapeHtml(text)}</p>`;
}

function latencyTable(result: RunResult): string {
  const rows = countedPhases(result).flatMap((phase) =>
    phaseTotals(phase).map((total, index) => {
      const service = [50, 95, 99, 99.9, 100].map((at) =>
        milliseconds(percentileMs(total.service, at)),
      );
      const due = [50, 95, 99, 99.9, 100].map((at) =>
        phase.loop === 'open' ? milliseconds(percentileMs(total.intended, at)) : '',
      );
      const rate = (1_000 * total.ok) / Math.max(1, phase.endMs - phase.startMs);
      const errors = [total.errors, total.conflicts].map(String);
      const counts = [...errors, unstartedText(phase, index)];
      return [phase.name, total.series, rate.toFixed(0), ...service, ...due, ...counts];
    }),
  );
  const percentiles = ['p50', 'p95', 'p99', 'p99.9', 'max'];
  const heading = [
    'phase',
    'operation',
    'ok/s',
    ...percentiles,
    ...percentiles,
    'errors',
    'conflicts',
    'never started',
  ];
  const groups =
    '<tr><th colspan="3"></th><th colspan="5">from when it was sent, ms</th>' +
    '<th colspan="5">from when it was due, ms (open loop)</th><th colspan="3"></th></tr>';
  return table(heading, rows, groups);
}

function timeCharts(result: RunResult): string[] {
  const loops = result.phases.filter(({ series }) => series.length > 0);
  const whole = new Set(
    loops
      .flatMap(({ series }) => series.filter(({ isPart }) => !isPart))
      .map(({ series }) => series),
  );
  const loopNames = new Set(loops.map(({ name }) => name));
  const intervals = result.timeline.filter(({ phase }) => loopNames.has(phase));
  /** `value`: undefined where there is nothing to show of an interval. */
  const lines = (
    value: (one: IntervalSeries | undefined, interval: Interval) => number | undefined,
  ): Line[] =>
    [...whole].map((name) => ({
      name,
      points: intervals.flatMap((interval) => {
        const one = interval.series.find(({ series }) => series === name);
        const y = value(one, interval);
        return y === undefined ? [] : [[interval.endMs / 1_000, y] as const];
      }),
    }));
  const perSecond = (count: number, { startMs, endMs }: Interval): number =>
    (1_000 * count) / Math.max(1, endMs - startMs);
  const charts: Omit<ChartOptions, 'xText'>[] = [
    {
      title: 'Operations a second that ended well',
      lines: lines((one, interval) => perSecond(one?.ok ?? 0, interval)),
      yText: compact,
    },
    {
      title: 'Errors a second',
      lines: lines((one, interval) => perSecond(one?.errors ?? 0, interval)).filter(({ points }) =>
        points.some(([, y]) => y > 0),
      ),
      yText: compact,
    },
    ...(['p50', 'p99', 'p999'] as const).map((field) => ({
      title: `Latency ${field === 'p999' ? 'p99.9' : field}, from when due, ms`,
      lines: lines((one) => (one === undefined || one.ok === 0 ? undefined : one[field] / 1_000)),
      yText: compact,
      isLogarithmic: true,
    })),
  ];
  return charts.map((chart) => lineChart({ ...chart, ...timeAxis(result) }));
}

function percentileCharts(result: RunResult): string[] {
  return countedPhases(result).map((phase) =>
    lineChart({
      title: `${phase.name}: latency by percentile, ms, from when ${phase.loop === 'open' ? 'due' : 'sent'}`,
      lines: seriesTotals(phase)
        .filter(({ intended }) => intended.totalCount > 0)
        .map(({ series, intended }) => ({
          name: series,
          points: CURVE.filter((at) => intended.totalCount * (1 - at / 100) >= 1).map(
            (at) => [beyond(at), percentileMs(intended, at)] as const,
          ),
        })),
      xTicks: [0, 90, 99, 99.9, 99.99, 99.999].map(beyond),
      xText: (x) => `${Number((100 - 100 * 10 ** -x).toFixed(5))}%`,
      yText: compact,
      isLogarithmic: true,
    }),
  );
}

/** How many nines: 1 for 90 %, 2 for 99 %. */
function beyond(percentile: number): number {
  return -Math.log10(1 - percentile / 100);
}

function resourceCharts(result: RunResult): string[] {
  const names = [...new Set(result.resources.map(({ process }) => process))];
  const chart = (
    title: string,
    value: (sample: RunResult['resources'][number]) => number,
  ): string =>
    lineChart({
      title,
      lines: names.map((name) => ({
        name,
        points: result.resources
          .filter(({ process }) => process === name)
          .map((sample) => [sample.atMs / 1_000, value(sample)] as const),
      })),
      yText: compact,
      ...timeAxis(result),
    });
  if (names.length === 0) return [];
  return [
    chart('Processor, cores', ({ cores }) => cores),
    chart('Resident memory, MiB', ({ residentBytes }) => residentBytes / MIB),
    chart('Of it without pages of files, MiB', ({ ownBytes = 0 }) => ownBytes / MIB),
    chart('Written to disk, MiB/s', ({ writtenBytesPerSecond }) => writtenBytesPerSecond / MIB),
  ];
}

function usageTable(result: RunResult): string {
  const rows = countedPhases(result).flatMap((phase) => {
    const usage = phaseUsage(result, phase);
    if (usage === undefined) return [];
    const { cpuMicros, writtenBytes } = usage;
    return [[phase.name, cpuMicros.toFixed(0), writtenBytes.toFixed(0), memoryText(usage)]];
  });
  if (rows.length === 0) return '';
  return table(
    ['phase', 'CPU, µs/operation', 'written, bytes/operation', 'memory at most, own, MiB'],
    rows,
  );
}

function eventLoopSection(result: RunResult): string {
  const phases = countedPhases(result);
  const rows = eventLoopRows(phases);
  if (rows.length === 0) return '<p>no node tells: they do where their HTTP API is known</p>';
  const about =
    '<p>Each node looks at its event loop 100 times a second and counts how late it came; ' +
    'a stall is seen at most 10 ms shorter than it was. What is its own was spent working by the ' +
    'thread of the loop; the rest it waited for a processor or a disk.</p>';
  const charts = phases.map(({ name, eventLoops = [] }) =>
    lineChart({
      title: `${name}: share of the looks that came so late or later, %`,
      lines: eventLoops.map((delays) => ({
        name: delays.node,
        points: delays.counts
          .filter(([fromMs, count]) => fromMs > 0 && count > 0)
          .map(([fromMs, count]) => {
            return [Math.log10(fromMs), (100 * count) / countFrom(delays.counts, 0)] as const;
          }),
      })),
      xTicks: DELAY_TICKS_MS.map(Math.log10),
      xText: (x) => `${compact(10 ** x)} ms`,
      yText: compact,
      isLogarithmic: true,
    }),
  );
  return `${about}${table(EVENT_LOOP_HEADING, rows)}${charts.join('\n')}`;
}

type TimeAxis = Pick<ChartOptions, 'xText' | 'bands' | 'marks' | 'gap'>;

function timeAxis({ phases, marks, intervalMs }: RunResult): TimeAxis {
  return {
    gap: (GAP_INTERVALS * intervalMs) / 1_000,
    xText: (x) => `${Number(x.toFixed(1))} s`,
    bands: phases.map(({ name, startMs, endMs }) => ({
      from: startMs / 1_000,
      to: endMs / 1_000,
      label: name,
    })),
    marks: marks.map(({ atMs, label }) => ({ at: atMs / 1_000, label })),
  };
}

function errorTable({ errors }: RunResult): string {
  if (errors.length === 0) return '<p>none</p>';
  return table(
    ['operation', 'reason', 'count'],
    errors.map(({ series, reason, count }) => [series, reason, String(count)]),
  );
}

function generatorTable(result: RunResult): string {
  const rows = result.phases.map((phase) => [
    phase.name,
    phase.loop,
    String(phase.clients),
    phaseRate(phase).toFixed(0),
    phase.offeredPerSecond?.toFixed(0) ?? '',
    String(phase.unstarted),
    generatorCores(phase),
    phase.generator.lagMaxMs.toFixed(1),
  ]);
  const heading = ['phase', 'loop', 'clients', 'ok/s', 'offered/s', 'never started'];
  return table([...heading, 'cores: load + gathering', 'event loop late by, ms'], rows);
}

/** Of each generator. */
function machineTables(result: RunResult): string {
  const { generators = [] } = result;
  if (generators.length === 0) return machineTable(result);
  return generators
    .map((one) => `<p>${escapeHtml(one.name)}</p>${machineTable({ ...result, ...one })}`)
    .join('\n');
}

function machineTable({ machine, ...result }: RunResult): string {
  return table(
    ['', ''],
    [
      ['processor', `${machine.cpu}, ${machine.cores} cores`],
      ['memory', `${(machine.memoryBytes / MIB / 1024).toFixed(1)} GiB`],
      ['kernel', machine.kernel],
      ['file system', machine.fileSystem],
      ['Node.js', machine.node],
      ['commit', machine.commit],
      ['load before the run', machine.loadBefore.toFixed(2)],
      ['started', result.startedAt],
      ['seed, scale, worker processes', `${result.seed}, ${result.scale}, ${result.processes}`],
    ],
  );
}

function table(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  groups = '',
): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((row) => cells(row, 'td')).join('');
  return `<table><thead>${groups}${cells(heading, 'th')}</thead><tbody>${body}</tbody></table>`;
}

function milliseconds(value: number): string {
  return value.toFixed(2);
}

function compact(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--faint:#888;--band:#8881}
body{font:15px/1.45 system-ui,sans-serif;max-width:1160px;margin:2em auto;padding:0 1em}
h1 small{font-size:50%;font-weight:normal;color:var(--faint)}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:2px 8px;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left;white-space:nowrap}
figure{margin:1em 0}figcaption{font-weight:600}svg{width:100%;font-size:11px;fill:currentColor}
.grid{stroke:var(--line)}.faint{fill:var(--faint)}.band{fill:var(--band)}.band.odd{fill:none}
.mark line{stroke:#c62828;stroke-dasharray:4 3}.mark text{fill:#c62828}
.verdict{color:#1b8a5a;font-weight:600}.bad{color:#c62828;font-weight:600}
`;
