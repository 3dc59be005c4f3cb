/**
 * The last minutes as small plots, all with the same times: a line for each node in its colour,
 * with its letter at the end. Where a node said nothing its line has a gap. A moment that was
 * pointed at shows its values in all plots.
 */

import { countText, msText, percentText, sizeText } from './amounts.ts';
import { html, type Markup, type Shown } from './markup.ts';
import { colorClass, dashOf, letterOf } from './node-mark.ts';
import type { History, NodeView, Sample, SeriesName } from './snapshot.ts';

interface Plot {
  readonly series: SeriesName;
  readonly title: string;
  readonly text: (value: number) => string;
  /** The axis ends here at least, so that noise near zero is not shown as mountains. */
  readonly topMin: number;
}

const PLOTS: readonly Plot[] = [
  { series: 'reads', title: 'Reads a second', text: countText, topMin: 10 },
  { series: 'writes', title: 'Writes a second', text: countText, topMin: 10 },
  { series: 'readP99', title: 'Reads: p99 of the last minute, ms', text: msText, topMin: 5 },
  { series: 'writeP99', title: 'Writes: p99 of the last minute, ms', text: msText, topMin: 5 },
  {
    series: 'loopDelay',
    title: 'Event loop late: p99 of the last minute, ms',
    text: msText,
    topMin: 10,
  },
  { series: 'hints', title: 'Copies owed to others', text: countText, topMin: 10 },
  { series: 'memory', title: 'Memory of its own', text: sizeText, topMin: 64 * 1024 * 1024 },
  { series: 'diskFree', title: 'Disk free', text: percentText, topMin: 1 },
];

const WIDTH = 320;
const HEIGHT = 118;
const LEFT = 48;
const RIGHT = 16;
const TOP = 8;
const BOTTOM = 18;
const LETTER_SPACE = 9;
/** Where nothing was said for longer a line is broken; samples are 10 s apart at most. */
const GAP_MS = 35_000;
/** Between two lengths of the time axis. */
const STEP_MS = 180_000;

export interface PlotView {
  readonly nodes: readonly Pick<NodeView, 'node'>[];
  readonly history: History;
  readonly nowMs: number;
  /** Pointed at. */
  readonly cursorMs: number | undefined;
}

export function plots(view: PlotView): readonly Markup[] {
  const spanMs = shownSpanMs(view.history, view.nowMs);
  return PLOTS.map((plot) => figure(plot, { ...view, spanMs }));
}

/** As far back as there is anything, in steps of whole minutes for each third. */
export function shownSpanMs({ samples, spanMs }: History, nowMs: number): number {
  const seenMs = nowMs - (samples[0]?.atMs ?? nowMs);
  return Math.min(spanMs, Math.max(1, Math.ceil(seenMs / STEP_MS)) * STEP_MS);
}

/** The moment under a place of a plot, 0 at its left edge and 1 at its right. */
export function momentAt(ratio: number, nowMs: number, spanMs: number): number {
  const within = (ratio * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
  return nowMs - spanMs * (1 - Math.min(1, Math.max(0, within)));
}

/** The sample next to a moment. */
export function sampleAt({ samples }: History, atMs: number): Sample | undefined {
  let best: Sample | undefined;
  for (const sample of samples) {
    if (best === undefined || Math.abs(sample.atMs - atMs) < Math.abs(best.atMs - atMs))
      best = sample;
  }
  return best;
}

interface SpannedView extends PlotView {
  readonly spanMs: number;
}

interface Line {
  readonly index: number;
  readonly points: readonly (readonly [atMs: number, value: number | null])[];
}

function figure(plot: Plot, view: SpannedView): Markup {
  const lines = view.nodes.map(({ node }, index): Line => ({
    index,
    points: view.history.samples.map(({ atMs, nodes }) => [
      atMs,
      nodes[node]?.[plot.series] ?? null,
    ]),
  }));
  const values = lines.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []));
  const top = niceTop(Math.max(plot.topMin, ...values), plot.series === 'memory');
  const scale: Scale = {
    x: (atMs) => LEFT + (WIDTH - LEFT - RIGHT) * (1 - (view.nowMs - atMs) / view.spanMs),
    y: (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(1, Math.max(0, value / top)),
  };
  const cursor = view.cursorMs === undefined ? undefined : sampleAt(view.history, view.cursorMs);
  return html`<figure>
    <figcaption>${plot.title}</figcaption>
    <svg
      class="plot"
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      role="img"
      aria-label="${plot.title}: ${lastText(plot, view)}"
    >
      ${[0, 0.5, 1].map((part) => gridLine(scale.y(part * top), plot.text(part * top)))}
      ${[...timeMarks(view.spanMs)].map((agoMs) => timeLabel(scale.x(view.nowMs - agoMs), agoMs))}
      ${lines.map((line) => lineSvg(line, scale))} ${endLetters(lines, scale)}
      ${cursor !== undefined && cursorLine(scale.x(cursor.atMs))}
    </svg>
    <p class="values">${cursor !== undefined && valuesAt(plot, view, cursor)}</p>
  </figure>`;
}

interface Scale {
  readonly x: (atMs: number) => number;
  readonly y: (value: number) => number;
}

/** One or two digits, so that half of it reads well too; a power of two, or half as much more, for sizes. */
export function niceTop(value: number, isBinary = false): number {
  if (isBinary) {
    const unit = 2 ** Math.floor(Math.log2(value));
    return [1, 1.5, 2].map((each) => each * unit).find((each) => each >= value) ?? value;
  }
  const unit = 10 ** Math.floor(Math.log10(value));
  return (
    [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10]
      .map((each) => each * unit)
      .find((each) => each >= value * 0.999) ?? value
  );
}

function gridLine(y: number, label: string): Markup {
  return html`<line
      class="grid"
      x1="${LEFT}"
      x2="${WIDTH - RIGHT}"
      y1="${fixed(y)}"
      y2="${fixed(y)}"
    /><text class="y" x="${LEFT - 5}" y="${fixed(y + 3.5)}">${label}</text>`;
}

function* timeMarks(spanMs: number): Iterable<number> {
  for (let agoMs = 0; agoMs <= spanMs; agoMs += spanMs / 3) yield agoMs;
}

function timeLabel(x: number, agoMs: number): Markup {
  const text = agoMs === 0 ? 'now' : `−${Math.round(agoMs / 60_000)} min`;
  return html`<text class="x" x="${fixed(x)}" y="${HEIGHT - 4}">${text}</text>`;
}

function lineSvg({ index, points }: Line, scale: Scale): Markup {
  let path = '';
  let lastMs = -Infinity;
  let isAlone = false;
  const dots: Markup[] = [];
  const endRun = (): void => {
    const [x, y] = /M(\S+) (\S+)$/.exec(path)?.slice(1) ?? [];
    if (isAlone && x !== undefined)
      dots.push(html`<circle class="${colorClass(index)}" cx="${x}" cy="${y}" r="1.6" />`);
  };
  for (const [atMs, value] of points) {
    if (value === null) continue;
    const isNew = atMs - lastMs > GAP_MS;
    if (isNew) endRun();
    path += `${isNew ? 'M' : 'L'}${fixed(scale.x(atMs))} ${fixed(scale.y(value))}`;
    isAlone = isNew;
    lastMs = atMs;
  }
  endRun();
  const dash = dashOf(index);
  return html`<path
      class="line ${colorClass(index)}"
      d="${path}"
      ${dash !== '' && html` stroke-dasharray="${dash}"`}
    />${dots}`;
}

/** Beside the newest values, moved apart where they would cover each other. */
function endLetters(lines: readonly Line[], scale: Scale): readonly Markup[] {
  const ends = lines
    .flatMap(({ index, points }) => {
      const [, value] = points.at(-1) ?? [];
      return value === null || value === undefined ? [] : [{ index, y: scale.y(value) }];
    })
    .sort((left, right) => left.y - right.y);
  if (ends.length > (HEIGHT - TOP) / LETTER_SPACE) return [];
  let below = -Infinity;
  const placed = ends.map(({ index, y }) => {
    below = Math.max(y, below + LETTER_SPACE);
    return { index, y: below };
  });
  const overflow = Math.max(0, below - (HEIGHT - BOTTOM + 2));
  return placed.map(({ index, y }) => {
    return html`<text
      class="end ${colorClass(index)}"
      x="${WIDTH - RIGHT + 4}"
      y="${fixed(y - overflow + 3)}"
      >${letterOf(index)}</text
    >`;
  });
}

function cursorLine(x: number): Markup {
  return html`<line
    class="cursor"
    x1="${fixed(x)}"
    x2="${fixed(x)}"
    y1="${TOP}"
    y2="${HEIGHT - BOTTOM}"
  />`;
}

function valuesAt(
  { series, text }: Plot,
  { nodes, nowMs }: PlotView,
  { atMs, nodes: samples }: Sample,
): Shown {
  const agoSeconds = Math.round((nowMs - atMs) / 1_000);
  const ago =
    agoSeconds < 60 ? `${agoSeconds} s` : `${Math.floor(agoSeconds / 60)} min ${agoSeconds % 60} s`;
  const values = nodes.map(({ node }, index) => {
    const value = samples[node]?.[series] ?? null;
    return html`<span class="${colorClass(index)}"
      ><b>${letterOf(index)}</b> ${value === null ? '–' : text(value)}</span
    > `;
  });
  return [html`<small>${ago} ago</small> `, ...values];
}

function lastText({ series, text }: Plot, { nodes, history }: PlotView): string {
  const last = history.samples.at(-1);
  return nodes
    .map(({ node }) => {
      const value = last?.nodes[node]?.[series] ?? null;
      return `${node} ${value === null ? 'unknown' : text(value)}`;
    })
    .join(', ');
}

function fixed(value: number): number {
  return Math.round(value * 10) / 10;
}
