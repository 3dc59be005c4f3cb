/**
 * Where one key is: who should hold it, who holds what, and whether they agree.
 */

import { durationText, sizeText } from './amounts.ts';
import { html, type Markup } from './markup.ts';
import { levelGlyph } from './members-table.ts';
import { nodeMark } from './node-mark.ts';
import type { LocatedKeyView, Snapshot } from './snapshot.ts';
import type { Level } from './verdict.ts';

const VERDICTS: Readonly<Record<LocatedKeyView['verdict'], readonly [level: Level, text: string]>> =
  {
    agree: ['well', 'All replicas hold the same'],
    absent: ['watch', 'No replica holds it'],
    differ: ['trouble', 'The replicas differ'],
    unknown: ['watch', 'Not all replicas answered; those that did hold the same'],
  };

const SIBLINGS_SHOWN = 3;

export function keyTracePanel(located: LocatedKeyView, { nodes, atMs }: Snapshot): Markup {
  const [level, text] = VERDICTS[located.verdict];
  const list = located.preferenceList.map(
    ({ node, isPrimary }) =>
      html`<li>${nodeMark(node, nodes)} ${isPrimary ? 'primary' : 'fallback'}</li>`,
  );
  const rows = located.copies.map((copy) => copyRow(copy, { nodes, atMs }));
  return html`<p class="traced">
      <b>${levelGlyph(level)} ${text}</b>
      <code class="key">${located.type} / ${located.bucket} / ${located.key}</code>
    </p>
    <p>
      Partition ${located.partition}, n_val ${located.nVal}, epoch ${located.epoch},
      ${located.hintCount} hints pending. Served by, in this order:
    </p>
    <ol class="served">
      ${list}
    </ol>
    <table class="cards">
      <thead>
        <tr>
          <th scope="col" class="text">Node</th>
          <th scope="col" class="text">Role</th>
          <th scope="col" class="text">Copy</th>
          <th scope="col">Size</th>
          <th scope="col" class="text">Hash</th>
          <th scope="col" class="text">Values</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function copyRow(
  copy: LocatedKeyView['copies'][number],
  { nodes, atMs }: Pick<Snapshot, 'nodes' | 'atMs'>,
): Markup {
  const facts = [
    copy.fault === undefined ? copy.state : `${copy.state} (${copy.fault})`,
    !copy.isUp && 'node down',
    copy.isBehind && 'behind the others',
    ...copy.hintsFor.map((target) => `owed to ${target}`),
  ].filter((fact) => typeof fact === 'string');
  const values = copy.siblings
    .slice(0, SIBLINGS_SHOWN)
    .map(({ isTombstone, valueSizeBytes, lastModifiedMicros }) => {
      const agoMs = Math.max(0, atMs - lastModifiedMicros / 1_000);
      return html`<div>
        ${isTombstone ? 'tombstone' : sizeText(valueSizeBytes)}, ${durationText(agoMs)} ago
      </div>`;
    });
  const more = copy.siblings.length - SIBLINGS_SHOWN;
  return html`<tr>
    <th scope="row" class="text">${nodeMark(copy.node, nodes)}</th>
    <td class="text" data-label="Role">${copy.role}</td>
    <td class="text" data-label="Copy">${facts.join(', ')}</td>
    <td data-label="Size">${copy.sizeBytes === 0 ? '–' : sizeText(copy.sizeBytes)}</td>
    <td class="text" data-label="Hash"><code>${copy.causalHash?.slice(0, 12) ?? '–'}</code></td>
    <td class="text" data-label="Values">
      ${values}${more > 0 && html`<div>and ${more} more siblings</div>`}
    </td>
  </tr>`;
}
