/**
 * How a node is told from the others in tables and pictures: by a colour and by a letter, so that
 * the colour is never needed. Colours and dashes repeat after eight and after twenty-four nodes;
 * letters do not.
 */

import { html, type Markup } from './markup.ts';
import type { NodeView } from './snapshot.ts';

const COLORS = 8;
const DASHES = ['', '5 3', '1.5 2.5'] as const;

/** A to Z, then AA, AB … */
export function letterOf(index: number): string {
  if (index < 0) return '?';
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : letterOf(Math.floor(index / 26) - 1) + last;
}

/** The class that sets `--mark`. */
export function colorClass(index: number): string {
  return index < 0 ? 'c-none' : `c${index % COLORS}`;
}

export function dashOf(index: number): string {
  return DASHES[Math.floor(Math.max(0, index) / COLORS) % DASHES.length] ?? '';
}

/** Without the host where all nodes have names of their own before it. */
export function shortName(node: string, nodes: readonly Pick<NodeView, 'node'>[]): string {
  const own = (name: string): string => name.split('@')[0] ?? name;
  const isUnique = nodes.filter((each) => own(each.node) === own(node)).length <= 1;
  return isUnique && own(node) !== '' ? own(node) : node;
}

/** Letter and name. */
export function nodeMark(node: string, nodes: readonly Pick<NodeView, 'node'>[]): Markup {
  const index = nodes.findIndex((each) => each.node === node);
  return html`<span class="mark ${colorClass(index)}" title="${node}"
    ><b aria-hidden="true">${letterOf(index)}</b>${shortName(node, nodes)}</span
  >`;
}
