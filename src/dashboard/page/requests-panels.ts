/**
 * What clients ask that is worth a look: hot keys, notable requests, and what was refused. Keys
 * are shown as the node's own fingerprints; what one stands for is known only where it was asked
 * for.
 */

import { countText, durationText, msText, percentText, sizeText } from './amounts.ts';
import { html, type Markup } from './markup.ts';
import { nodeMark } from './node-mark.ts';
import type {
  HotKeyView,
  RefusalView,
  RevealedKey,
  SlowRequestView,
  Snapshot,
} from './snapshot.ts';

const HOT_KEYS_MAX = 7;
const REQUESTS_MAX = 12;
/** Of these nothing need be said. */
const WELL_ENDED: ReadonlySet<string> = new Set(['ok', '200', '201', '204']);

/** `revealed`: by node and fingerprint. */
export type Revealed = ReadonlyMap<string, string>;

export function revealedName({
  node,
  fingerprint,
}: Pick<RevealedKey, 'node' | 'fingerprint'>): string {
  return `${node} ${fingerprint}`;
}

export function hotKeysPanel(snapshot: Snapshot, revealed: Revealed): Markup {
  const { hotKeys } = snapshot;
  if (hotKeys === undefined) return html`<p class="empty">Nobody within reach tells.</p>`;
  return html`${hotTable('Read most', hotKeys.reads, { snapshot, revealed })}
  ${hotTable('Written most', hotKeys.writes, { snapshot, revealed })}`;
}

function hotTable(
  title: string,
  keys: readonly HotKeyView[],
  { snapshot, revealed }: { readonly snapshot: Snapshot; readonly revealed: Revealed },
): Markup {
  if (keys.length === 0)
    return html`<h3>${title}</h3>
      <p class="empty">None stands out.</p>`;
  const rows = keys.slice(0, HOT_KEYS_MAX).map((key) => {
    return html`<tr>
      <td class="text">${bucketText(key)}</td>
      <td class="text">${keyText(key, revealed)}</td>
      <td class="text">${nodeMark(key.node, snapshot.nodes)}</td>
      <td>${countText(key.perSecond)}</td>
      <td>${percentText(key.share)}</td>
    </tr>`;
  });
  return html`<h3>${title}</h3>
    <table>
      <thead>
        <tr>
          <th scope="col" class="text">Bucket</th>
          <th scope="col" class="text">Key</th>
          <th scope="col" class="text">Through</th>
          <th scope="col">A second</th>
          <th scope="col">Share</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function bucketText({ type, bucket }: HotKeyView): string {
  return type === 'default' ? bucket : `${type} / ${bucket}`;
}

function keyText(key: Pick<RevealedKey, 'node' | 'fingerprint'>, revealed: Revealed): Markup {
  const known = revealed.get(revealedName(key));
  return known === undefined
    ? html`<code>#${key.fingerprint}</code>`
    : html`<code class="key">${known}</code>`;
}

export function slowLogPanel({ slowLog, nodes, atMs }: Snapshot, revealed: Revealed): Markup {
  if (slowLog === undefined) return html`<p class="empty">Nobody within reach tells.</p>`;
  const { noted, slowMs, entries } = slowLog;
  if (entries.length === 0) {
    return html`<p class="empty">
      No request was slow (${slowMs} ms), large, or met many siblings.
    </p>`;
  }
  const rows = entries
    .slice(0, REQUESTS_MAX)
    .map((entry) => slowRow(entry, { nodes, atMs, revealed }));
  return html`<p><b>${countText(noted)}</b> noted since the nodes were started.</p>
    <table class="cards">
      <thead>
        <tr>
          <th scope="col" class="text">When</th>
          <th scope="col" class="text">Node</th>
          <th scope="col" class="text">Request</th>
          <th scope="col" class="text">Bucket, key</th>
          <th scope="col" class="text">Notable</th>
          <th scope="col">ms</th>
          <th scope="col">Size</th>
          <th scope="col">Siblings</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function slowRow(
  entry: SlowRequestView,
  { nodes, atMs, revealed }: Pick<Snapshot, 'nodes' | 'atMs'> & { readonly revealed: Revealed },
): Markup {
  const { node, time, api, operation, notable, ms, bytes, siblings, outcome, bucket, fingerprint } =
    entry;
  const agoMs = Math.max(0, atMs - Date.parse(time));
  return html`<tr>
    <th scope="row" class="text">
      <time datetime="${time}" title="${time}">${durationText(agoMs)} ago</time>
    </th>
    <td class="text" data-label="Node">${nodeMark(node, nodes)}</td>
    <td class="text close" data-label="Request">
      ${api} ${operation}${!WELL_ENDED.has(outcome) && `: ${outcome}`}
    </td>
    <td class="text close" data-label="Bucket, key">
      ${bucket ?? ''} ${fingerprint !== undefined && keyText({ node, fingerprint }, revealed)}
    </td>
    <td class="text" data-label="Notable">${notable.join(', ')}</td>
    <td data-label="ms">${msText(ms)}</td>
    <td data-label="Size">${sizeText(bytes)}</td>
    <td data-label="Siblings">${siblings === 0 ? '–' : siblings}</td>
  </tr>`;
}

/** Counters that have counted; the newest rise first. */
export function refusalsPanel({ refusals, nodes }: Snapshot): Markup {
  if (refusals.length === 0)
    return html`<p class="empty">Nothing was refused, and nothing failed.</p>`;
  const rows = refusals.map(({ meaning, counter, byNode }: RefusalView) => {
    const last = Math.min(...byNode.map(({ lastAgoMs }) => lastAgoMs ?? Infinity));
    const risen = byNode.reduce((sum, each) => sum + each.risen, 0);
    return html`<tr class="${last === Infinity && 'old'}">
      <th scope="row" class="text" title="${counter}">${meaning}</th>
      <td data-label="New">${risen > 0 ? `+${countText(risen)}` : '–'}</td>
      <td data-label="Last">
        ${last === Infinity ? 'before this dashboard' : `${durationText(last)} ago`}
      </td>
      <td class="text" data-label="In all">
        ${byNode.map(({ node, total }) => html`${nodeMark(node, nodes)} ${countText(total)} `)}
      </td>
    </tr>`;
  });
  return html`<table class="cards">
    <thead>
      <tr>
        <th scope="col" class="text">What</th>
        <th scope="col">New</th>
        <th scope="col">Last</th>
        <th scope="col" class="text">Since each node’s start</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}
