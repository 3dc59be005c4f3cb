/**
 * What is on its way from node to node: replicas after a change of the ring, copies that are owed,
 * and what anti-entropy compares.
 */

import { countText, counted, durationText, sizeText } from './amounts.ts';
import { html, type Markup, type Shown } from './markup.ts';
import { nodeMark } from './node-mark.ts';
import type { AntiEntropyView, NodeView, Snapshot, TransferView } from './snapshot.ts';

type Nodes = readonly NodeView[];

const KINDS: Readonly<Record<string, string>> = {
  fill: 'takes over',
  refill: 'is filled again',
  'hand-over': 'hands over',
};

export function transfersPanel({ nodes, cluster }: Snapshot): Markup {
  const items = nodes.flatMap((node) => transferItems(node, nodes));
  return html`${cluster?.step !== undefined && stepLine(cluster.step, nodes)}
  ${
    items.length === 0
      ? html`<p class="empty">Nothing moves.</p>`
      : html`<ul class="moves">
          ${items}
        </ul>`
  }`;
}

function stepLine(
  { phase, unfilled }: { readonly phase: string; readonly unfilled: readonly string[] },
  nodes: Nodes,
): Markup {
  if (phase === 'turning') return html`<p>The ring is turning: all are filled, reads follow.</p>`;
  return html`<p>
    The ring is being filled. Not full yet: ${unfilled.map((node) => nodeMark(node, nodes))}
  </p>`;
}

function transferItems({ node, transfers, figures }: NodeView, nodes: Nodes): Shown[] {
  if (transfers === undefined) {
    const rate = figures.transferBytesPerSecond ?? 0;
    if (rate <= 0) return [];
    return [
      html`<li>
        ${nodeMark(node, nodes)} takes over
        <small>${sizeText(rate)}/s; how much is left it tells over its admin socket only</small>
      </li>`,
    ];
  }
  const works = transfers.works.filter(({ trees, treesDone }) => treesDone < trees);
  const items: Shown[] = works.map((work) => workItem(node, work, { transfers, nodes }));
  if (works.length === 0 && transfers.activeCount > 0)
    items.push(activeItem(node, transfers, nodes));
  if (transfers.lastFailure !== undefined)
    items.push(failureItem(node, transfers.lastFailure, nodes));
  return items;
}

function workItem(
  node: string,
  { kind, trees, treesDone, keys, bytes, remainingMs }: TransferView['works'][number],
  { transfers, nodes }: { readonly transfers: TransferView; readonly nodes: Nodes },
): Markup {
  const isWaiting = transfers.activeCount === 0 && transfers.bytesPerSecond === 0;
  const left =
    remainingMs === undefined
      ? 'time left not known yet'
      : `about ${durationText(remainingMs)} left`;
  const pace = isWaiting ? 'waits, nothing moves now' : `${rateText(transfers)}, ${left}`;
  return html`<li>
    ${nodeMark(node, nodes)} ${KINDS[kind] ?? kind}
    <progress max="${trees}" value="${treesDone}" aria-label="${node} ${kind}">
      ${treesDone} of ${trees}
    </progress>
    <b>${treesDone} of ${trees}</b>
    <small>${countText(keys)} keys, ${sizeText(bytes)}; ${pace}</small>
  </li>`;
}

function activeItem(node: string, transfers: TransferView, nodes: Nodes): Markup {
  const peers = transfers.peers.map((peer) => nodeMark(peer, nodes));
  return html`<li>
    ${nodeMark(node, nodes)} moves ${counted(transfers.activeCount, 'partition')} with ${peers}
    <small>${rateText(transfers)}</small>
  </li>`;
}

function rateText({ keysPerSecond, bytesPerSecond }: TransferView): string {
  return `${countText(keysPerSecond)} keys/s, ${sizeText(bytesPerSecond)}/s`;
}

function failureItem(
  node: string,
  { text, agoMs }: NonNullable<TransferView['lastFailure']>,
  nodes: Nodes,
): Markup {
  return html`<li class="failed">
    ${nodeMark(node, nodes)} last failure ${durationText(agoMs)} ago: <small>${text}</small>
  </li>`;
}

/** Who owes how much to whom. */
export function hintsPanel({ nodes }: Snapshot): Markup {
  const rows = nodes.flatMap(({ node, hints, figures }): Shown[] => {
    if (hints === undefined) {
      const total = figures.hints ?? 0;
      if (total === 0) return [];
      return [
        html`<li>
          ${nodeMark(node, nodes)} owes <b>${countText(total)}</b>
          <small>to whom it tells over its admin socket only</small>
        </li>`,
      ];
    }
    return hints.map(({ target, count, isUp, retryInMs }) => {
      const when = !isUp
        ? 'which is down'
        : retryInMs > 0
          ? `tries again in ${durationText(retryInMs)}`
          : 'on their way';
      return html`<li>
        ${nodeMark(node, nodes)} owes <b>${countText(count)}</b> to ${nodeMark(target, nodes)}
        <small>${when}</small>
      </li>`;
    });
  });
  return rows.length === 0
    ? html`<p class="empty">Nobody owes anything.</p>`
    : html`<ul class="moves">
        ${rows}
      </ul>`;
}

export function antiEntropyPanel({ nodes }: Snapshot): Markup {
  const rows = nodes.flatMap(({ node, antiEntropy }) => {
    if (antiEntropy === undefined) return [];
    return [
      html`<tr>
        <th scope="row" class="text">${nodeMark(node, nodes)}</th>
        <td>${ageText(antiEntropy)}</td>
        <td>${countText(antiEntropy.roundCount)}</td>
        <td>${progressText(antiEntropy)}</td>
        <td>${antiEntropy.scrub}</td>
      </tr>`,
    ];
  });
  if (rows.length === 0) return html`<p class="empty">Nobody within reach tells.</p>`;
  return html`<table>
    <thead>
      <tr>
        <th scope="col" class="text">Node</th>
        <th scope="col">Last round</th>
        <th scope="col">Rounds</th>
        <th scope="col">Now</th>
        <th scope="col">Scrub</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function ageText({ ageMs, isAtLeast }: AntiEntropyView): string {
  if (ageMs === undefined) return 'none yet';
  return isAtLeast ? `over ${durationText(ageMs)} ago` : `${durationText(ageMs)} ago`;
}

function progressText({ isRunning, done, total }: AntiEntropyView): string {
  if (isRunning === undefined) return 'not told';
  return isRunning ? `${done} of ${total}` : 'rests';
}
