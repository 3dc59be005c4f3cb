/**
 * Line charts as SVG text: axes with round numbers, phases as bands, faults as marks.
 */

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Band {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly Line[];
  /** How a value on an axis is written. */
  readonly xText: (x: number) => string;
  readonly yText: (y: number) => string;
  readonly bands?: readonly Band[];
  readonly marks?: readonly { readonly at: number; readonly label: string }[];
  /** Powers of ten on the y axis. */
  readonly isLogarithmic?: boolean;
  /** A line is broken where two points are further apart. */
  readonly gap?: number;
  /** Where the x axis has its ticks; round numbers by default. */
  readonly xTicks?: readonly number[];
}

const WIDTH = 960;
const HEIGHT = 280;
const LEFT = 70;
const RIGHT = 20;
const TOP = 42;
const BOTTOM = 34;
const MARK_ROW = 13;
const MARK_ROWS = 8;
const NAME_MAX = 32;
const COLORS = [
  '#2463c5',
  '#d1490f',
  '#1b8a5a',
  '#8a3fc0',
  '#b08900',
  '#c2185b',
  '#00838f',
  '#5d4037',
];

interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

export function lineChart(options: ChartOptions): string {
  const lines = options.lines.filter(({ points }) => points.length > 0);
  if (lines.length === 0) return '';
  const scale = scaleOf(options, lines);
  const drawn = [
    ...(options.bands ?? []).map((band, index) => bandSvg(band, index, scale)),
    ...scale.yTicks.map((tick) => gridLine(scale.y(tick), options.yText(tick))),
    ...scale.xTicks.map((tick) => xLabel(scale.x(tick), options.xText(tick))),
    ...lines.map((line, index) => lineSvg(line, index, { scale, gap: options.gap ?? Infinity })),
    ...marksSvg(options.marks ?? [], scale),
    ...legend(lines.map(({ name }) => name)),
  ];
  return (
    `<figure><figcaption>${escapeHtml(options.title)}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(options.title)}">` +
    `${drawn.join('')}</svg></figure>`
  );
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

function scaleOf(options: ChartOptions, lines: readonly Line[]): Scale {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const [xMin, xMax] = [least(xs), Math.max(greatest(xs), least(xs) + 1e-9)];
  const x = (value: number): number =>
    LEFT + ((value - xMin) / (xMax - xMin)) * (WIDTH - LEFT - RIGHT);
  const xTicks = (options.xTicks ?? roundTicks(xMin, xMax, 10)).filter(
    (tick) => tick >= xMin && tick <= xMax,
  );
  if (options.isLogarithmic === true) return { x, xTicks, ...logarithmicScale(ys) };
  const yTicks = roundTicks(0, Math.max(greatest(ys), 1e-9), 5);
  const top = Math.max(yTicks.at(-1) ?? 1, greatest(ys));
  const y = (value: number): number => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  return { x, y, xTicks, yTicks };
}

function logarithmicScale(ys: readonly number[]): Pick<Scale, 'y' | 'yTicks'> {
  const positive = ys.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.max(1e-3, least(positive))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1e-2, greatest(positive)))));
  const factors = high - low <= 2 ? [1, 2, 5] : [1];
  const yTicks = Array.from({ length: high - low + 1 }, (_, index) => low + index)
    .flatMap((power) => factors.map((factor) => factor * 10 ** power))
    .filter((tick) => tick <= 10 ** high);
  const y = (value: number): number => {
    const share = (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  };
  return { y, yTicks };
}

/** At most about `count` multiples of 1, 2 or 5 times a power of ten. */
export function roundTicks(from: number, to: number, count: number): number[] {
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => power * factor >= rough) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(from / step); index * step <= to + step * 1e-9; index += 1) {
    ticks.push(index * step);
  }
  return ticks;
}

/** Spreading a long list over parameters would overflow the stack. */
function least(values: readonly number[]): number {
  return values.reduce((best, value) => Math.min(best, value), Infinity);
}

function greatest(values: readonly number[]): number {
  return values.reduce((best, value) => Math.max(best, value), -Infinity);
}

/** In pieces where there are gaps; a point by itself is a dot. */
function lineSvg(
  { points }: Line,
  index: number,
  { scale, gap }: { readonly scale: Scale; readonly gap: number },
): string {
  const pieces: string[][] = [];
  let lastX = -Infinity;
  for (const [x, y] of points) {
    if (pieces.length === 0 || x - lastX > gap) pieces.push([]);
    pieces.at(-1)?.push(`${round(scale.x(x))},${round(scale.y(y))}`);
    lastX = x;
  }
  const stroke = color(index);
  const drawn = pieces.map((piece) => {
    if (piece.length > 1) {
      return `<polyline points="${piece.join(' ')}" fill="none" ${strokeOf(index)} stroke-width="1.5"/>`;
    }
    const [x, y] = (piece[0] ?? '').split(',');
    return `<circle cx="${x}" cy="${y}" r="1.5" fill="${stroke}"/>`;
  });
  return drawn.join('');
}

function bandSvg({ from, to, label }: Band, index: number, { x }: Scale): string {
  const left = Math.max(LEFT, x(from));
  const width = Math.min(WIDTH - RIGHT, x(to)) - left;
  if (width <= 0) return '';
  const fill = index % 2 === 0 ? 'band' : 'band odd';
  const height = HEIGHT - TOP - BOTTOM;
  const text =
    width > 7 * label.length
      ? `<text x="${round(left + 4)}" y="${TOP + 12}" class="faint">${escapeHtml(label)}</text>`
      : '';
  return `<rect x="${round(left)}" y="${TOP}" width="${round(width)}" height="${height}" class="${fill}"/>${text}`;
}

/** Labels of marks that are near each other stand in rows below each other. */
function marksSvg(marks: NonNullable<ChartOptions['marks']>, scale: Scale): string[] {
  const rowEnds: number[] = [];
  return marks.map(({ at, label }) => {
    const x = scale.x(at);
    const width = textWidth(label);
    // What would leave the chart on the right stands on the left of its line.
    const isLeft = x + 3 + width > WIDTH;
    const left = isLeft ? x - 3 - width : x + 3;
    const free = rowEnds.findIndex((end) => end < left);
    const row = free === -1 ? rowEnds.length : free;
    rowEnds[row] = left + width + 6;
    const y = TOP + 26 + MARK_ROW * Math.min(row, MARK_ROWS - 1);
    return (
      `<g class="mark"><line x1="${round(x)}" x2="${round(x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` +
      `<text x="${round(left)}" y="${y}">${escapeHtml(label)}</text></g>`
    );
  });
}

function gridLine(y: number, text: string): string {
  return (
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y)}" y2="${round(y)}" class="grid"/>` +
    `<text x="${LEFT - 6}" y="${round(y + 4)}" text-anchor="end">${escapeHtml(text)}</text>`
  );
}

function xLabel(x: number, text: string): string {
  const center = Math.min(x, WIDTH - textWidth(text) / 2);
  return `<text x="${round(center)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escapeHtml(text)}</text>`;
}

/** One name after the other, in as many rows as are above the chart. */
function legend(names: readonly string[]): string[] {
  let x = LEFT;
  let row = 0;
  return names.map((name, index) => {
    const text = name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
    const width = 14 + textWidth(text) + 16;
    if (x + width > WIDTH && x > LEFT) {
      x = LEFT;
      row += 1;
    }
    const y = 12 + 14 * row;
    const drawn =
      `<line x1="${round(x)}" x2="${round(x + 11)}" y1="${y - 4}" y2="${y - 4}" ${strokeOf(index)} stroke-width="4"/>` +
      `<text x="${round(x + 14)}" y="${y}">${escapeHtml(text)}</text>`;
    x += width;
    return drawn;
  });
}

/** About as wide as text is here: there is nothing to measure it with. */
function textWidth(text: string): number {
  return 6.2 * text.length;
}

/** Dashed where the colours begin anew. */
function strokeOf(index: number): string {
  const dashes = index < COLORS.length ? '' : ' stroke-dasharray="4 2"';
  return `stroke="${color(index)}"${dashes}`;
}

function color(index: number): string {
  return COLORS[index % COLORS.length] as string;
}

function round(value: number): string {
  return value.toFixed(1);
}
