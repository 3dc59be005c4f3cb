/**
 * The ring as a picture: a segment for each partition, clockwise from the top, in its owner's
 * colour and with its letter where there is room. Outside it, while a step is open, who will own
 * what moves. What belongs to a node that does not answer is hatched.
 */

import { counted, percentText } from './amounts.ts';
import { html, type Markup } from './markup.ts';
import { colorClass, letterOf, nodeMark } from './node-mark.ts';
import type { NodeView, RingView, Snapshot } from './snapshot.ts';

export interface RingOptions {
  readonly colorBy: 'node' | 'location';
  /** Everyone else's partitions are faint. */
  readonly chosen: string | undefined;
  /** Marked with a pointer: where a key is. */
  readonly partition: number | undefined;
}

const CENTER = 200;
const INNER = 112;
const OUTER = 158;
const MOVE_INNER = 163;
const MOVE_OUTER = 177;
/** Degrees between two segments, where segments are large enough. */
const GAP = 0.5;
const LETTERS_MAX = 96;

export function ringPicture(snapshot: Snapshot, options: RingOptions): Markup {
  const { ring, cluster } = snapshot;
  if (ring === undefined || cluster === undefined) {
    return html`<p class="empty">
      Who owns which partition is told over the admin socket only: start the dashboard on the
      machine of a member, as the user who runs it.
    </p>`;
  }
  const segments = ring.owners.map((owner, partition) =>
    segment(snapshot, options, { owner, partition }),
  );
  const moving = movesOf(ring);
  return html`<svg class="ring" viewBox="0 0 400 400" role="img" aria-labelledby="ring-title">
    <title id="ring-title">${ringSummary(snapshot)}</title>
    <defs>
      <pattern
        id="hatch"
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect class="hatch" width="2.4" height="6" />
      </pattern>
    </defs>
    ${segments} ${moving.map((move) => moveArc(snapshot, move, ring.owners.length))}
    ${ring.owners.length <= LETTERS_MAX && letters(snapshot, options)} ${ticks(ring.owners.length)}
    ${options.partition !== undefined && pointer(options.partition, ring.owners.length)}
    ${middle(snapshot, moving.length)}
  </svg>`;
}

/** For who cannot see the picture, and in its place on a page of text. */
export function ringSummary({ ring, cluster, nodes }: Snapshot): string {
  if (ring === undefined || cluster === undefined) return 'The ring is not known';
  const shares = nodes.flatMap(({ node }, index) => {
    const count = ring.owners.filter((owner) => owner === index).length;
    return count === 0 ? [] : [`${node} ${percentText(count / ring.owners.length)}`];
  });
  return `Ring of ${ring.owners.length} partitions: ${shares.join(', ')}`;
}

/** A row for each node: what it owns, will own, and a button that shows it in the picture. */
export function ringLegend(snapshot: Snapshot, { chosen }: RingOptions): Markup {
  const { ring, nodes } = snapshot;
  if (ring === undefined) return html``;
  const rows = nodes.map(({ node, location, pendingPartitions, status }, index) => {
    const owned = placesOf(ring.owners, index);
    if (owned.length === 0 && status === 'none') return undefined;
    const gains = movesOf(ring).filter(({ to }) => to === index).length;
    const losses = movesOf(ring).filter(({ from }) => from === index).length;
    const change =
      pendingPartitions === undefined
        ? ''
        : `${gains > 0 ? ` +${gains}` : ''}${losses > 0 ? ` −${losses}` : ''}`;
    return html`<li>
      <button
        type="button"
        data-choose="${node}"
        aria-pressed="${String(chosen === node)}"
        title="Partitions ${rangesText(owned)}"
      >
        ${nodeMark(node, nodes)}
      </button>
      <span>${owned.length}<b>${change}</b></span
      ><small>${location}</small>
    </li>`;
  });
  return html`<ul class="legend">
    ${rows}
  </ul>`;
}

/** `0–3, 7, 9–10`. */
export function rangesText(partitions: readonly number[]): string {
  const ranges: [from: number, to: number][] = [];
  for (const partition of partitions) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === partition - 1) last[1] = partition;
    else ranges.push([partition, partition]);
  }
  return (
    ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ') || 'none'
  );
}

interface Move {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

function movesOf({ owners, nextOwners = [] }: RingView): Move[] {
  return nextOwners.flatMap((to, partition) => {
    const from = owners[partition] ?? -1;
    return to === from || to < 0 ? [] : [{ partition, from, to }];
  });
}

function placesOf(owners: readonly number[], index: number): number[] {
  return owners.flatMap((owner, partition) => (owner === index ? [partition] : []));
}

function segment(
  snapshot: Snapshot,
  { colorBy, chosen }: RingOptions,
  { owner, partition }: { readonly owner: number; readonly partition: number },
): Markup {
  const node = snapshot.nodes[owner];
  const path = arcPath(partition, snapshot.ring?.owners.length ?? 1, INNER, OUTER);
  const isFaint = chosen !== undefined && node?.node !== chosen;
  const title = `Partition ${partition}: ${node?.node ?? 'nobody known'}${placeText(node)}`;
  const color = colorClass(colorBy === 'node' ? owner : locationIndex(snapshot.nodes, node));
  const isSilent = node === undefined || node.answersBy === undefined;
  return html`<g class="segment ${isFaint && 'faint'}"
    ><title>${title}</title><path class="${color}" d="${path}" />${
      isSilent && html`<path class="hatched" d="${path}" />`
    }</g
  >`;
}

function placeText(node: NodeView | undefined): string {
  if (node === undefined) return '';
  const silent = node.answersBy === undefined ? ', does not answer' : '';
  return `${node.location === '' ? '' : `, ${node.location}`}${silent}`;
}

/** Locations have colours of their own, in the order in which members name them. */
function locationIndex(nodes: readonly NodeView[], node: NodeView | undefined): number {
  return [...new Set(nodes.map(({ location }) => location))].indexOf(node?.location ?? '');
}

function moveArc({ nodes }: Snapshot, { partition, from, to }: Move, ringSize: number): Markup {
  const nameOf = (index: number): string => nodes[index]?.node ?? 'nobody';
  const title = `Partition ${partition} moves from ${nameOf(from)} to ${nameOf(to)}`;
  const path = arcPath(partition, ringSize, MOVE_INNER, MOVE_OUTER);
  const [x, y] = pointAt(middleOf(partition, ringSize), (MOVE_INNER + MOVE_OUTER) / 2);
  return html`<g class="move"
    ><title>${title}</title><path class="${colorClass(to)}" d="${path}" />${
      ringSize <= LETTERS_MAX && html`<text x="${x}" y="${y}">${letterOf(to)}</text>`
    }</g
  >`;
}

function letters({ ring, nodes }: Snapshot, { chosen }: RingOptions): readonly Markup[] {
  const owners = ring?.owners ?? [];
  return owners.map((owner, partition) => {
    const isFaint = chosen !== undefined && nodes[owner]?.node !== chosen;
    const [x, y] = pointAt(middleOf(partition, owners.length), (INNER + OUTER) / 2);
    return html`<text class="letter ${isFaint && 'faint'}" x="${x}" y="${y}"
      >${letterOf(owner)}</text
    >`;
  });
}

function ticks(ringSize: number): readonly Markup[] {
  return [0, 1, 2, 3].map((quarter) => {
    const [x, y] = pointAt(quarter * 90, 190);
    return html`<text class="tick" x="${x}" y="${y}">${(quarter * ringSize) / 4}</text>`;
  });
}

function pointer(partition: number, ringSize: number): Markup {
  const degrees = middleOf(partition, ringSize);
  const [tipX, tipY] = pointAt(degrees, INNER - 3);
  const [leftX, leftY] = pointAt(degrees - 5, INNER - 18);
  const [rightX, rightY] = pointAt(degrees + 5, INNER - 18);
  return html`<path class="pointer" d="M${tipX} ${tipY}L${leftX} ${leftY}L${rightX} ${rightY}Z"
    ><title>The key is in partition ${partition}</title></path
  >`;
}

function middle({ cluster }: Snapshot, moveCount: number): Markup {
  const state = moveCount === 0 ? 'settled' : `${counted(moveCount, 'partition')} moving`;
  return html`<text class="middle name" x="200" y="184">${cluster?.name}</text>
    <text class="middle" x="200" y="207">${cluster?.ringSize} partitions</text>
    <text class="middle" x="200" y="226"
      >epoch ${cluster?.epoch}, ${cluster?.step?.phase ?? state}</text
    >`;
}

function middleOf(partition: number, ringSize: number): number {
  return ((partition + 0.5) * 360) / ringSize;
}

function arcPath(partition: number, ringSize: number, inner: number, outer: number): string {
  const width = 360 / ringSize;
  const gap = width > 4 * GAP ? GAP : 0;
  const from = partition * width + gap / 2;
  const to = Math.min((partition + 1) * width - gap / 2, from + 359.9);
  const isLarge = to - from > 180 ? 1 : 0;
  const [x1, y1] = pointAt(from, outer);
  const [x2, y2] = pointAt(to, outer);
  const [x3, y3] = pointAt(to, inner);
  const [x4, y4] = pointAt(from, inner);
  const outerArc = `M${x1} ${y1}A${outer} ${outer} 0 ${isLarge} 1 ${x2} ${y2}`;
  return `${outerArc}L${x3} ${y3}A${inner} ${inner} 0 ${isLarge} 0 ${x4} ${y4}Z`;
}

/** Degrees clockwise from the top. */
function pointAt(degrees: number, radius: number): readonly [x: number, y: number] {
  const angle = ((degrees - 90) * Math.PI) / 180;
  const round = (value: number): number => Math.round(value * 100) / 100;
  return [round(CENTER + radius * Math.cos(angle)), round(CENTER + radius * Math.sin(angle))];
}
