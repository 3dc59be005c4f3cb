/** What the page shows of a snapshot: pure functions, from values to markup. */

import fc from 'fast-check';
import t from 'tap';
import {
  countText,
  durationText,
  msText,
  percentText,
  sizeText,
} from '../../../src/dashboard/page/amounts.ts';
import { hintsPanel, transfersPanel } from '../../../src/dashboard/page/healing.ts';
import { html } from '../../../src/dashboard/page/markup.ts';
import { membersTable } from '../../../src/dashboard/page/members-table.ts';
import { letterOf, shortName } from '../../../src/dashboard/page/node-mark.ts';
import { alertsPanel, tiles } from '../../../src/dashboard/page/overview.ts';
import {
  momentAt,
  niceTop,
  plots,
  sampleAt,
  shownSpanMs,
} from '../../../src/dashboard/page/plots.ts';
import { hotKeysPanel } from '../../../src/dashboard/page/requests-panels.ts';
import { rangesText, ringLegend, ringPicture } from '../../../src/dashboard/page/ring-picture.ts';
import type { NodeView, Sample } from '../../../src/dashboard/page/snapshot.ts';
import { verdictOf } from '../../../src/dashboard/page/verdict.ts';
import { nodeSaying, sampleOf, snapshotOf } from './snapshots.ts';

const A = 'a@host';
const B = 'b@host';
const OPTIONS = { colorBy: 'node', chosen: undefined, partition: undefined } as const;

t.test('whatever is shown cannot become markup', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', ';', 'a') }), (text) => {
      const shown = html`<b title="${text}">${[text, html`<i>${text}</i>`]}</b>`.text;
      if (/[<>"']/.test(shown.replaceAll(/<b title="|">|<i>|<\/i>|<\/b>/g, '')))
        throw new Error(shown);
    }),
  );
  const evil = '<img src=x onerror=alert(1)>';
  const node = nodeSaying(evil, { location: evil, reason: evil, release: evil });
  const silent: NodeView = { ...nodeSaying('b'), answersBy: undefined, silence: evil };
  const snapshot = snapshotOf([node, silent], { ring: { owners: [0, 1], nextOwners: undefined } });
  const all = [
    membersTable(snapshot),
    ringPicture(snapshot, OPTIONS),
    ringLegend(snapshot, OPTIONS),
    alertsPanel(snapshot),
    hintsPanel(snapshot),
  ];
  t.notMatch(all.map(({ text }) => text).join(''), /<img/);
  t.end();
});

t.test('the verdict names what is wrong, the gravest first', (t) => {
  const verdict = (...nodes: NodeView[]) => verdictOf(snapshotOf(nodes));
  t.match(verdict(nodeSaying(A), nodeSaying(B)), {
    level: 'well',
    headline: 'All 2 members serve',
    reasons: [],
  });
  const silent = { ...nodeSaying(B, { heardBy: 0 }), answersBy: undefined, isReady: undefined };
  const trouble = verdict(nodeSaying(A, { figures: { hints: 3 } }), silent);
  t.match(trouble, { level: 'trouble', headline: '1 of 2 members serve' });
  t.same(trouble.reasons, ['b@host does not answer', '3 copies owed']);
  t.match(verdict(nodeSaying(A, { isReady: false, reason: 'the store is fenced' })), {
    level: 'trouble',
    reasons: ['a@host is not ready: the store is fenced'],
  });
  t.match(verdict(nodeSaying(A, { heardBy: 0, askedOf: 1 })), { level: 'watch' });
  t.match(verdict({ ...silent, silence: 'refused' }), {
    headline: 'No node answers',
    reasons: ['b@host: refused'],
  });
  // Who is no member, or was marked as down, is not missed.
  t.equal(verdict(nodeSaying(A), { ...silent, status: 'none' }).level, 'well');
  t.equal(verdict(nodeSaying(A), { ...silent, status: 'down' }).level, 'well');
  const { cluster } = snapshotOf([]);
  const step = { phase: 'filling', unfilled: [B] } as const;
  const filling = snapshotOf([nodeSaying(A)], { cluster: cluster && { ...cluster, step } });
  t.match(verdictOf(filling), { level: 'watch', reasons: ['the ring is being filled'] });
  t.match(verdictOf(snapshotOf([nodeSaying(A)], { cluster: undefined })), { level: 'watch' });
  t.end();
});

t.test('a member that is silent is a row that says why, and the others keep theirs', (t) => {
  const silent = { ...nodeSaying(B), answersBy: undefined, silence: 'no connection' };
  const { text } = membersTable(
    snapshotOf([nodeSaying(A, { figures: { readsPerSecond: 42 } }), silent]),
  );
  t.match(text, /<tr class="silent trouble">[^]*no connection/);
  t.match(text, /data-label="Reads\/s">42</);
  t.match(
    tiles(snapshotOf([nodeSaying(A, { figures: { readsPerSecond: 42 } }), silent])).text,
    /<b>42<\/b>/,
  );
  t.end();
});

t.test('the ring has a segment for each partition, and outside it what moves', (t) => {
  const nodes = [nodeSaying(A), { ...nodeSaying(B), answersBy: undefined }, nodeSaying('c@host')];
  const ring = { owners: [0, 1, 0, 1, 0, 1, 0, 1], nextOwners: [0, 1, 0, 2, 0, 1, 0, 2] };
  const snapshot = snapshotOf(nodes, { ring });
  const { text } = ringPicture(snapshot, { ...OPTIONS, partition: 5 });
  t.equal(text.match(/class="segment/g)?.length, 8);
  t.equal(text.match(/class="hatched"/g)?.length, 4, 'those of the silent node are hatched');
  t.equal(text.match(/class="move"/g)?.length, 2);
  t.match(text, 'Partition 3 moves from b@host to c@host');
  t.match(text, 'The key is in partition 5');
  t.match(text, 'Ring of 8 partitions: a@host 50%, b@host 50%');
  t.notMatch(text, /NaN|undefined/);
  t.match(ringPicture(snapshot, { ...OPTIONS, chosen: A }).text, /segment faint/);
  t.match(
    ringPicture(snapshotOf(nodes, { ring: undefined }), OPTIONS).text,
    'over the admin socket only',
  );
  t.equal(rangesText([0, 1, 2, 5, 7, 8]), '0–2, 5, 7–8');
  t.end();
});

t.test('a plot has a line for each node, with gaps where nothing is known', (t) => {
  const nodes = [nodeSaying(A), nodeSaying(B)];
  const spanMs = 900_000;
  const samples: Sample[] = [];
  for (let atMs = 0; atMs <= 100_000; atMs += 5_000) {
    const isGap = atMs > 20_000 && atMs < 70_000;
    samples.push(
      sampleOf(atMs, { [A]: { reads: atMs / 1_000 }, [B]: { reads: isGap ? null : 7 } }),
    );
  }
  const view = { nodes, history: { spanMs, samples }, nowMs: 100_000, cursorMs: 41_000 };
  const [reads = html``, writes = html``] = plots(view);
  const [, a = '', b = ''] =
    /class="line c0"\s+d="(.*?)"[^]*class="line c1"\s+d="(.*?)"/.exec(reads.text) ?? [];
  t.equal(a.match(/M/g)?.length, 1);
  t.equal(b.match(/M/g)?.length, 2, 'its line is broken');
  t.match(reads.text, 'Reads a second: a@host 100, b@host 7', 'and told in words');
  t.match(reads.text, /1 min 0 s ago[^]*<b>A<\/b> 40<[^]*<b>B<\/b> –/);
  t.notMatch(reads.text + writes.text, /NaN|undefined/);
  t.equal(sampleAt(view.history, 41_000)?.atMs, 40_000);
  t.equal(momentAt(0, 100_000, spanMs), 100_000 - spanMs);
  t.equal(momentAt(1, 100_000, spanMs), 100_000);
  t.equal(shownSpanMs(view.history, 100_000), 180_000, 'no more time than was seen');
  t.equal(shownSpanMs(view.history, 5_000_000), spanMs);
  for (const value of [0.3, 1, 9.7, 53, 1_234])
    t.ok(niceTop(value) >= value && niceTop(value) <= 2 * value);
  t.end();
});

t.test('an alert is shown when it fires, or has held for a part of its time', (t) => {
  const alert = {
    name: 'VertebraX',
    severity: 'page',
    node: A,
    forMs: 1_000,
    meaning: '',
  } as const;
  const shown = (holdsForMs: number, isFiring: boolean): string =>
    alertsPanel(snapshotOf([nodeSaying(A)], { alerts: [{ ...alert, holdsForMs, isFiring }] })).text;
  t.match(shown(99, false), 'None would fire');
  t.match(shown(100, false), 'on the way (page): has held for 100 ms of 1 s');
  t.match(shown(1_000, true), 'fires (page)');
  t.end();
});

t.test('what moves and what is owed says from where, to where and how long still', (t) => {
  const works = [
    { kind: 'fill', trees: 20, treesDone: 5, keys: 1_200, bytes: 4e6, remainingMs: 90_000 },
  ];
  const transfers = {
    isFilled: true,
    works,
    activeCount: 1,
    peers: [A],
    keysPerSecond: 80,
    bytesPerSecond: 3e5,
    lastFailure: undefined,
  };
  const hints = [{ target: B, count: 12, isUp: false, retryInMs: 0 }];
  const snapshot = snapshotOf([nodeSaying(A, { hints }), nodeSaying(B, { transfers })]);
  t.match(transfersPanel(snapshot).text, /takes over[^]*5 of 20[^]*293 KiB\/s, about 90 s left/);
  t.match(hintsPanel(snapshot).text, /owes <b>12<\/b> to [^]*which is down/);
  const waiting = { ...transfers, activeCount: 0, bytesPerSecond: 0 };
  const stood = transfersPanel(snapshotOf([nodeSaying(B, { transfers: waiting })]));
  t.match(stood.text, 'waits, nothing moves now');
  t.match(transfersPanel(snapshotOf([nodeSaying(A)])).text, 'Nothing moves');
  t.end();
});

t.test('a hot key is a fingerprint until its name was asked for', (t) => {
  const key = {
    node: A,
    type: 'default',
    bucket: 'patients',
    fingerprint: 'f00',
    perSecond: 9,
    share: 0.4,
  };
  const snapshot = snapshotOf([nodeSaying(A)], { hotKeys: { reads: [key], writes: [] } });
  t.match(hotKeysPanel(snapshot, new Map()).text, '#f00');
  t.match(hotKeysPanel(snapshot, new Map([[`${A} f00`, '999']])).text, />999</);
  t.end();
});

t.test('figures are short and never wrong by more than their last digit', (t) => {
  t.same([0, 0.25, 7, 950, 1_234, 34_000, 5.6e6].map(countText), [
    '0',
    '0.25',
    '7',
    '950',
    '1234',
    '34k',
    '5.6M',
  ]);
  t.same([0, 999, 1_000, 3 * 1024 ** 3].map(sizeText), ['0 B', '999 B', '0.98 KiB', '3 GiB']);
  t.same([350, 12_000, 240_000, 11_400_000, 439_200_000].map(durationText), [
    '350 ms',
    '12 s',
    '4 min',
    '3 h 10 min',
    '5 d 2 h',
  ]);
  t.same([0, 0.031, 0.5, 1].map(percentText), ['0%', '3.1%', '50%', '100%']);
  t.same([undefined, 0.1234, 118.4].map(msText), ['–', '0.12', '118']);
  t.same([0, 25, 26, 27, 702].map(letterOf), ['A', 'Z', 'AA', 'AB', 'AAA']);
  t.equal(shortName('dev1@127.0.0.1', [nodeSaying('dev1@127.0.0.1'), nodeSaying(B)]), 'dev1');
  t.equal(
    shortName('n@1', [nodeSaying('n@1'), nodeSaying('n@2')]),
    'n@1',
    'not where it says nothing',
  );
  t.end();
});
