/**
 * The head of the page: the verdict, the cluster's own figures, and the alerts that would fire.
 */

import { countText, durationText, msText, UNKNOWN } from './amounts.ts';
import { html, type Markup, type Shown } from './markup.ts';
import { levelGlyph } from './members-table.ts';
import { nodeMark } from './node-mark.ts';
import type { AlertView, NodeFigures, Snapshot } from './snapshot.ts';
import { verdictOf } from './verdict.ts';

const REASONS_MAX = 6;

export function verdictPanel(snapshot: Snapshot): Markup {
  const { level, headline, reasons } = verdictOf(snapshot);
  const more = reasons.length - REASONS_MAX;
  return html`<p class="headline ${level}">${levelGlyph(level)} <span>${headline}</span></p>
    ${
      reasons.length > 0 &&
      html`<ul class="reasons">
        ${reasons.slice(0, REASONS_MAX).map((reason) => html`<li>${reason}</li>`)}${
          more > 0 && html`<li>and ${more} more</li>`
        }
      </ul>`
    }`;
}

/** Sums over the nodes, and of times the worst. */
export function tiles({ nodes, ...snapshot }: Snapshot): Markup {
  const alerts = snapshot.alerts.filter(isShown);
  const known = (name: keyof NodeFigures): number[] =>
    nodes.flatMap(({ figures }) => figures[name] ?? []);
  const sum = (name: keyof NodeFigures): string => {
    const values = known(name);
    return values.length === 0
      ? UNKNOWN
      : countText(values.reduce((total, value) => total + value, 0));
  };
  const worst = (name: keyof NodeFigures): string => {
    const values = known(name);
    return values.length === 0 ? UNKNOWN : msText(Math.max(...values));
  };
  const firing = new Set(alerts.filter(({ isFiring }) => isFiring).map(({ name }) => name)).size;
  const pending = new Set(alerts.map(({ name }) => name)).size - firing;
  return html`${[
    tile('Reads', sum('readsPerSecond'), 'a second'),
    tile('Writes', sum('writesPerSecond'), 'a second'),
    tile('Reads, p99', worst('readP99Ms'), 'ms, slowest node'),
    tile('Writes, p99', worst('writeP99Ms'), 'ms, slowest node'),
    tile('Owed', sum('hints'), 'copies to others'),
    tile('Refused', sum('refusedPerSecond'), 'requests a second'),
    tile('Alerts', String(firing), pending > 0 ? `fire, ${pending} on the way` : 'would fire now'),
  ]}`;
}

function tile(title: string, value: string, unit: string): Markup {
  return html`<div class="tile">
    <dt>${title}</dt>
    <dd><b>${value}</b> <small>${unit}</small></dd>
  </div>`;
}

/** What has only just begun to hold, of the time that it must, mostly passes. */
function isShown({ isFiring, holdsForMs, forMs }: AlertView): boolean {
  return isFiring || holdsForMs >= forMs / 10;
}

export function alertsPanel({ nodes, ...snapshot }: Snapshot): Markup {
  const alerts = snapshot.alerts.filter(isShown);
  if (alerts.length === 0)
    return html`<p class="empty">None would fire, and none is on the way.</p>`;
  return html`<ul class="alerts">
    ${byName(alerts).map((group) => alertItem(group, nodes))}
  </ul>`;
}

/** One item for an alert, whoever it is about. */
function byName(alerts: readonly AlertView[]): readonly (readonly AlertView[])[] {
  const groups = new Map<string, AlertView[]>();
  for (const alert of alerts) {
    const name = `${alert.name} ${String(alert.isFiring)}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [alert]);
    else group.push(alert);
  }
  return [...groups.values()];
}

function alertItem(group: readonly AlertView[], nodes: Snapshot['nodes']): Shown {
  const [first] = group;
  if (first === undefined) return undefined;
  const { name, severity, isFiring, meaning, forMs } = first;
  const level = isFiring && severity === 'page' ? 'trouble' : isFiring ? 'watch' : 'pending';
  const holdsForMs = Math.max(...group.map((alert) => alert.holdsForMs));
  const state = isFiring
    ? `fires (${severity}), has held for ${durationText(holdsForMs)}`
    : `on the way (${severity}): has held for ${durationText(holdsForMs)} of ${durationText(forMs)}`;
  return html`<li class="${level}">
    <b>${levelGlyph(isFiring && severity === 'page' ? 'trouble' : 'watch')} ${name}</b>
    <span>${group.map(({ node }) => nodeMark(node, nodes))}</span>
    <span class="state">${state}</span> <small>${meaning}</small>
  </li>`;
}
