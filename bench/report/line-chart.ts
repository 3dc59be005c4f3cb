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
  /** Where the x axis has its ticks; round numbers by default. */
  readonly xTicks?: readonly number[];
}

const WIDTH = 960;
const HEIGHT = 280;
const LEFT = 70;
const RIGHT = 20;
const TOP = 42;
const BOTTOM = 34;
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
    ...lines.map((line, index) => polyline(line, index, scale)),
    ...(options.marks ?? []).map((mark) => markSvg(scale.x(mark.at), mark.label)),
    ...lines.map(({ name }, index) => legend(name, index)),
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
  const xTicks = options.xTicks ?? roundTicks(xMin, xMax, 10);
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

function polyline({ points }: Line, index: number, scale: Scale): string {
  const text = points.map(([x, y]) => `${round(scale.x(x))},${round(scale.y(y))}`).join(' ');
  return `<polyline points="${text}" fill="none" stroke="${color(index)}" stroke-width="1.5"/>`;
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

function markSvg(x: number, label: string): string {
  const title = `<title>${escapeHtml(label)}</title>`;
  return (
    `<g class="mark"><line x1="${round(x)}" x2="${round(x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` +
    `<text x="${round(x + 3)}" y="${TOP + 26}">${escapeHtml(label)}</text>${title}</g>`
  );
}

function gridLine(y: number, text: string): string {
  return (
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y)}" y2="${round(y)}" class="grid"/>` +
    `<text x="${LEFT - 6}" y="${round(y + 4)}" text-anchor="end">${escapeHtml(text)}</text>`
  );
}

function xLabel(x: number, text: string): string {
  return `<text x="${round(x)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escapeHtml(text)}</text>`;
}

function legend(name: string, index: number): string {
  const x = LEFT + (index % 6) * 145;
  const y = 12 + Math.floor(index / 6) * 14;
  return (
    `<rect x="${x}" y="${y - 8}" width="10" height="10" fill="${color(index)}"/>` +
    `<text x="${x + 14}" y="${y}">${escapeHtml(name.slice(0, 22))}</text>`
  );
}

function color(index: number): string {
  return COLORS[index % COLORS.length] as string;
}

function round(value: number): string {
  return value.toFixed(1);
}
