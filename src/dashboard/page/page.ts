/**
 * The page: listens to the dashboard's process and shows what it says. What is shown is made by
 * pure functions of the last snapshot, the samples, and what the viewer has chosen.
 */

import { document, EventSource } from './browser.ts';
import type { BrowserElement, BrowserEvents } from './browser.ts';
import { durationText } from './amounts.ts';
import { antiEntropyPanel, hintsPanel, transfersPanel } from './healing.ts';
import { keyTracePanel } from './key-trace.ts';
import { html, type Markup } from './markup.ts';
import { GLYPHS, membersTable } from './members-table.ts';
import { alertsPanel, tiles, verdictPanel } from './overview.ts';
import { patch } from './patch.ts';
import { momentAt, plots, sampleAt, shownSpanMs } from './plots.ts';
import { hotKeysPanel, refusalsPanel, revealedName, slowLogPanel } from './requests-panels.ts';
import { ringLegend, ringPicture, type RingOptions } from './ring-picture.ts';
import type { History, LocatedKeyView, RevealedKey, Sample, Snapshot } from './snapshot.ts';
import { verdictOf } from './verdict.ts';

const RETRY_MS = 5_000;
const HAS_GIVEN_UP = 2;

class Page {
  #snapshot: Snapshot | undefined;
  #history: History = { spanMs: 1, samples: [] };
  #events: BrowserEvents | undefined;
  #connection = 'connecting …';
  #cursorMs: number | undefined;
  #colorBy: RingOptions['colorBy'] = 'node';
  #chosen: string | undefined;
  #located: LocatedKeyView | undefined;
  readonly #revealed = new Map<string, string>();

  start(): void {
    this.#listenToViewer();
    document.addEventListener('visibilitychange', () => {
      // Nobody looks: the nodes need not be asked so often.
      if (document.hidden) this.#disconnect();
      else this.#connect();
    });
    this.#connect();
  }

  #connect(): void {
    this.#disconnect();
    const events = new EventSource('events');
    this.#events = events;
    events.addEventListener('history', ({ data }) => {
      this.#history = JSON.parse(data) as History;
    });
    events.addEventListener('sample', ({ data }) => {
      this.#addSample(JSON.parse(data) as Sample);
    });
    events.addEventListener('snapshot', ({ data }) => {
      this.#snapshot = JSON.parse(data) as Snapshot;
      this.#connection = '';
      this.#show();
    });
    events.addEventListener('error', () => {
      this.#connection =
        'The dashboard’s process does not answer; what is shown is old. Trying again …';
      this.#show();
      if (events.readyState === HAS_GIVEN_UP && this.#events === events) {
        setTimeout(() => {
          if (this.#events === events && !document.hidden) this.#connect();
        }, RETRY_MS);
      }
    });
  }

  #disconnect(): void {
    this.#events?.close();
    this.#events = undefined;
  }

  #addSample(sample: Sample): void {
    const { spanMs, samples } = this.#history;
    const fromMs = sample.atMs - spanMs;
    this.#history = { spanMs, samples: [...samples.filter(({ atMs }) => atMs >= fromMs), sample] };
  }

  #show(): void {
    show('connection', html`${this.#connection}`);
    mustFind('connection').hidden = this.#connection === '';
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    document.title = titleOf(snapshot);
    show('gathered', gatheredText(snapshot));
    show('verdict', verdictPanel(snapshot));
    show('tiles', tiles(snapshot));
    show('alerts', alertsPanel(snapshot));
    show('members', membersTable(snapshot));
    show('transfers', transfersPanel(snapshot));
    show('hints', hintsPanel(snapshot));
    show('anti-entropy', antiEntropyPanel(snapshot));
    show('hot-keys', hotKeysPanel(snapshot, this.#revealed));
    show('slow-log', slowLogPanel(snapshot, this.#revealed));
    show('refusals', refusalsPanel(snapshot));
    mustFind('keys').hidden = !snapshot.showsKeys;
    mustFind('reveal').hidden = !snapshot.showsKeys;
    if (this.#located !== undefined) show('located', keyTracePanel(this.#located, snapshot));
    this.#showRing(snapshot);
    this.#showPlots(snapshot);
  }

  #showRing(snapshot: Snapshot): void {
    const partition = this.#located?.partition;
    const options = { colorBy: this.#colorBy, chosen: this.#chosen, partition };
    show('ring', ringPicture(snapshot, options));
    show('ring-legend', ringLegend(snapshot, options));
    const locations = new Set(snapshot.nodes.map(({ location }) => location));
    mustFind('ring-colors').hidden = locations.size < 2;
  }

  #showPlots({ nodes, atMs }: Snapshot): void {
    const view = { nodes, history: this.#history, nowMs: atMs, cursorMs: this.#cursorMs };
    show('plots', html`${plots(view)}`);
  }

  #listenToViewer(): void {
    const plotArea = mustFind('plots');
    plotArea.addEventListener('pointermove', ({ target, clientX }) => {
      const svg = target.closest('svg');
      if (svg === null || this.#snapshot === undefined) return;
      const { left, width } = svg.getBoundingClientRect();
      const ratio = (clientX - left) / Math.max(1, width);
      const { atMs } = this.#snapshot;
      this.#pointAt(momentAt(ratio, atMs, shownSpanMs(this.#history, atMs)));
    });
    for (const leaving of ['pointerleave', 'blur']) {
      plotArea.addEventListener(leaving, () => {
        this.#pointAt(undefined);
      });
    }
    plotArea.addEventListener('keydown', (event) => {
      this.#movePointer(event.key, () => {
        event.preventDefault();
      });
    });
    mustFind('ring-legend').addEventListener('click', ({ target }) => {
      const node = target.closest('button')?.getAttribute('data-choose') ?? undefined;
      this.#chosen = node === this.#chosen ? undefined : node;
      if (this.#snapshot !== undefined) this.#showRing(this.#snapshot);
    });
    mustFind('color-by').addEventListener('change', ({ target }) => {
      this.#colorBy = target.value === 'location' ? 'location' : 'node';
      if (this.#snapshot !== undefined) this.#showRing(this.#snapshot);
    });
    mustFind('reveal').addEventListener('click', () => void this.#reveal());
    mustFind('trace').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#locate();
    });
  }

  #pointAt(atMs: number | undefined): void {
    this.#cursorMs = atMs;
    if (this.#snapshot !== undefined) this.#showPlots(this.#snapshot);
  }

  /** With the arrow keys from sample to sample; Escape takes the pointer away. */
  #movePointer(key: string, taken: () => void): void {
    const { samples } = this.#history;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -samples.length, End: samples.length }[key];
    if (key === 'Escape') this.#pointAt(undefined);
    if (step === undefined || samples.length === 0) return;
    taken();
    const shown =
      this.#cursorMs === undefined ? undefined : sampleAt(this.#history, this.#cursorMs);
    const from = shown === undefined ? samples.length : samples.indexOf(shown);
    this.#pointAt(samples[Math.min(samples.length - 1, Math.max(0, from + step))]?.atMs);
  }

  async #reveal(): Promise<void> {
    await asked('reveal', 'revealed', async () => {
      const keys = (await post('keys/hot', {})) as readonly RevealedKey[];
      for (const key of keys) this.#revealed.set(revealedName(key), key.key);
      this.#show();
      return html`${keys.length === 0 ? 'There are none now.' : ''}`;
    });
  }

  async #locate(): Promise<void> {
    await asked('locate', 'located', async () => {
      const [type, bucket, key] = ['type', 'bucket', 'key'].map(
        (name) => mustFind(`trace-${name}`).value,
      );
      this.#located = undefined;
      const snapshot = this.#snapshot;
      const located = (await post('keys/locate', { type, bucket, key })) as LocatedKeyView;
      this.#located = located;
      if (snapshot === undefined) return html``;
      this.#showRing(snapshot);
      return keyTracePanel(located, snapshot);
    });
  }
}

/** So that it is seen among other tabs. */
function titleOf(snapshot: Snapshot): string {
  const { level, headline } = verdictOf(snapshot);
  return `${GLYPHS[level]} ${snapshot.cluster?.name ?? 'Vertebra'}: ${headline}`;
}

function gatheredText({ atMs, tookMs, cluster }: Snapshot): Markup {
  const at = new Date(atMs).toLocaleTimeString();
  const by = cluster === undefined ? '' : `, ring as ${cluster.toldBy} knows it`;
  return html`Gathered at <time>${at}</time> in ${durationText(tookMs)}${by}`;
}

/** The button waits meanwhile, and `place` shows the answer or why there is none. */
async function asked(button: string, place: string, ask: () => Promise<Markup>): Promise<void> {
  const element = mustFind(button);
  element.disabled = true;
  try {
    show(place, await ask());
  } catch (error) {
    show(
      place,
      html`<p class="failed">${error instanceof Error ? error.message : String(error)}</p>`,
    );
  } finally {
    element.disabled = false;
  }
}

/** Keys go in the body, so that no history and no log has them. */
async function post(path: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error((await reply.text()).trim());
  return reply.json();
}

function show(id: string, markup: Markup): void {
  patch(mustFind(id), markup);
}

function mustFind(id: string): BrowserElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

new Page().start();
