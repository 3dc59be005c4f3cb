/**
 * The members, one row each: whether it serves, how much it does, how quickly, and what room it
 * has. On a narrow screen each row is a card; `data-label` names the figure there.
 */

import { countText, durationText, msText, percentText, sizeText, UNKNOWN } from './amounts.ts';
import { html, type Markup } from './markup.ts';
import { nodeMark } from './node-mark.ts';
import type { NodeFigures, NodeView, Snapshot } from './snapshot.ts';
import { levelOfNode, type Level } from './verdict.ts';

const COLUMNS = [
  'Node',
  'State',
  'Ring',
  'Reads/s',
  'Reads p50 · p99 ms',
  'Writes/s',
  'Writes p50 · p99 ms',
  'Loop late, busy',
  'Memory',
  'Disk free',
  'Owes',
  'Up for',
] as const;

export const GLYPHS: Readonly<Record<Level, string>> = { well: '●', watch: '▲', trouble: '■' };

/** A shape and a colour for a level; the words stand beside it. */
export function levelGlyph(level: Level): Markup {
  return html`<span class="glyph ${level}" aria-hidden="true">${GLYPHS[level]}</span>`;
}

export function membersTable(snapshot: Snapshot): Markup {
  const head = COLUMNS.map(
    (title, index) => html`<th scope="col" class="${index < 2 && 'text'}">${title}</th>`,
  );
  return html`<table class="cards">
    <thead>
      <tr>
        ${head}
      </tr>
    </thead>
    <tbody>
      ${snapshot.nodes.map((node) => row(node, snapshot))}
    </tbody>
  </table>`;
}

function row(node: NodeView, snapshot: Snapshot): Markup {
  const { figures } = node;
  const name = html`<th scope="row" class="text">${nodeMark(node.node, snapshot.nodes)}</th>`;
  if (node.answersBy === undefined) {
    const reason = node.silence ?? 'it does not answer';
    return html`<tr class="silent ${levelOfNode(node)}">
      ${name}${stateCell(node)} ${cell(2, ringText(node, snapshot))}
      <td class="text reason" colspan="9" data-label="Why">${reason}</td>
    </tr>`;
  }
  const values = [
    ringText(node, snapshot),
    countText(figures.readsPerSecond),
    latencyText(figures.readP50Ms, figures.readP99Ms),
    countText(figures.writesPerSecond),
    latencyText(figures.writeP50Ms, figures.writeP99Ms),
    loopText(figures),
    gauge(sizeText(figures.memoryBytes), part(figures.memoryBytes, figures.memoryLimitBytes), 0.9),
    diskGauge(figures),
    countText(figures.hints),
    durationText(figures.uptimeSeconds === undefined ? undefined : figures.uptimeSeconds * 1_000),
  ];
  return html`<tr>
    ${name}${stateCell(node)}${values.map((value, index) => cell(index + 2, value))}
  </tr>`;
}

function cell(column: number, value: string | Markup): Markup {
  return html`<td data-label="${COLUMNS[column]}">${value}</td>`;
}

function stateCell(node: NodeView): Markup {
  const facts = [
    node.release,
    node.location,
    node.answersBy === 'http' && 'over HTTP',
    node.isReady === false && node.answersBy !== undefined && node.reason,
  ].filter((fact) => typeof fact === 'string' && fact !== '');
  return html`<td class="text state" data-label="State">
    ${levelGlyph(levelOfNode(node))} ${stateText(node)} <small>${facts.join(' · ')}</small>
  </td>`;
}

/** As Riak says it, and whether it serves. */
export function stateText({ status, answersBy, isReady, heardBy, askedOf }: NodeView): string {
  const standing = status === 'none' ? 'no member' : (status ?? 'standing unknown');
  if (answersBy === undefined) return `${standing}, silent`;
  const serving = isReady === false ? 'not ready' : isReady === true ? 'ready' : 'up';
  return heardBy < askedOf
    ? `${standing}, ${serving}, heard by ${heardBy}/${askedOf}`
    : `${standing}, ${serving}`;
}

function ringText({ partitions, pendingPartitions }: NodeView, { cluster }: Snapshot): string {
  if (cluster === undefined) return partitions === 0 ? UNKNOWN : String(partitions);
  const share = (count: number): string => percentText(count / cluster.ringSize);
  if (pendingPartitions === undefined || pendingPartitions === partitions) return share(partitions);
  return `${share(partitions)} → ${share(pendingPartitions)}`;
}

function latencyText(p50: number | undefined, p99: number | undefined): string {
  return p99 === undefined ? UNKNOWN : `${msText(p50)} · ${msText(p99)}`;
}

function loopText({ loopDelayMs, busyRatio }: NodeFigures): string {
  return loopDelayMs === undefined
    ? UNKNOWN
    : `${msText(loopDelayMs)} ms, ${percentText(busyRatio)}`;
}

function diskGauge({ diskFreeBytes, diskTotalBytes }: NodeFigures): Markup {
  const free = part(diskFreeBytes, diskTotalBytes);
  return gauge(sizeText(diskFreeBytes), free === undefined ? undefined : 1 - free, 0.85);
}

function part(value: number | undefined, whole: number | undefined): number | undefined {
  return value === undefined || whole === undefined || whole <= 0 ? undefined : value / whole;
}

/** The figure, and how full it is as a bar; from `highFrom` on it says so by its colour and its end. */
function gauge(text: string, fullRatio: number | undefined, highFrom: number): Markup {
  if (fullRatio === undefined) return html`${text}`;
  const width = Math.round(Math.min(1, Math.max(0.02, fullRatio)) * 48);
  const isHigh = fullRatio >= highFrom;
  return html`<span class="gauge"
    >${text}<svg
      class="bar ${isHigh && 'high'}"
      viewBox="0 0 48 6"
      role="img"
      aria-label="${percentText(fullRatio)} used"
    >
      <title>${percentText(fullRatio)} used</title>
      <rect class="track" width="48" height="6" rx="1.5" />
      <rect class="fill" width="${width}" height="6" rx="1.5" /></svg
  ></span>`;
}
