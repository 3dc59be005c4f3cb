/**
 * `node build/bench/two-sites.js`: two sites that replicate both ways, the links between them cut and healed.
 *
 * Two clusters of this machine. `two-site` (the spine's general profile) runs at site a and `two-site-passive` at b, in
 * step: as they are, with the links cut, healed. Meanwhile it is asked twice a second how far each site is behind
 * the other, and while the links are cut some keys are written at both. At the end nothing may be queued any more,
 * each site is looked through for what was acknowledged there, and all keys of both are compared: the exit code is
 * 1 if anything is lost or differs. Everything shares the machine's processors; lag is by one clock.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8ToByteString } from '../src/base/bytes.ts';
import type { ObjectKey } from '../src/base/names.ts';
import { textTable } from '../src/cli/text-table.ts';
import { runLoad } from './load/run.ts';
import { isSound } from './report/result.ts';
import { summaryTable, verdictText } from './report/terminal.ts';
import { writeReport } from './report/write-report.ts';
import { compareSites } from './sites/agreement.ts';
import { Rendezvous } from './sites/rendezvous.ts';
import { startSites, type Site, type SiteState } from './sites/site-pair.ts';
import { findWorkload } from './workload/find-workload.ts';
import { withOverrides } from './workload/scaled.ts';
import type { PhaseRole, RunResult } from './report/result.ts';
import type { Workload } from './workload/workload.ts';

const { values: options } = parseArgs({
  options: {
    /** How long the links are cut. */
    'cut-seconds': { type: 'string', default: '45' },
    /** Of each site's nodes. */
    nodes: { type: 'string', default: '2,2' },
    scale: { type: 'string', default: '0.0001' },
    'base-port': { type: 'string', default: '33000' },
    out: { type: 'string' },
  },
});
const CUT_MS = 1_000 * Number(options['cut-seconds']);
const SCALE = Number(options.scale);
/** Between the end of the cut and that of its phase, and before and after it. */
const REST_MS = 5_000;
const HEALED_MS = Math.max(20_000, CUT_MS);
const WATCH_MS = 500;
const SETTLED_TIMEOUT_MS = 300_000;
/** Written at both sites while they do not hear of each other. */
const CONFLICTS = 200;
const TYPE = utf8ToByteString('siblings');
const CONFLICT_BUCKET = utf8ToByteString('conflicts');

interface Sample {
  readonly atMs: number;
  readonly phase: string;
  readonly states: readonly SiteState[];
}

function workloadOf(name: string): Workload {
  const workload = withOverrides(findWorkload(name), {
    scale: SCALE,
    durationMs: undefined,
    clients: undefined,
    rate: undefined,
    warmUpOperations: undefined,
  });
  const { fault, recover } = workload;
  return {
    ...workload,
    fault: fault && {
      ...fault,
      durationMs: CUT_MS + REST_MS,
      events: fault.events.map((event) => ({ ...event, forMs: CUT_MS })),
    },
    recover: recover && { ...recover, durationMs: HEALED_MS },
  };
}

function conflictKey(number: number): ObjectKey {
  return { type: TYPE, bucket: CONFLICT_BUCKET, key: utf8ToByteString(`both-${number}`) };
}

async function writeConflicts(sites: readonly Site[]): Promise<void> {
  for (let number = 0; number < CONFLICTS; number += 1) {
    await Promise.all(
      sites.map(({ client, name }) =>
        client.put(conflictKey(number), { value: Buffer.from(`of ${name}`) }),
      ),
    );
  }
}

/** Keys of which a site shows just what both have written. */
async function countSiblings({ client }: Site): Promise<number> {
  let both = 0;
  for (let number = 0; number < CONFLICTS; number += 1) {
    const found = await client.get(conflictKey(number));
    if (found.kind !== 'found') continue;
    const values = found.siblings.map(({ value }) => String(value)).sort();
    if (values.join() === 'of a,of b') both += 1;
  }
  return both;
}

/** Runs both, in step, and tells what was seen of their links meanwhile. */
class TwoSites {
  readonly samples: Sample[] = [];
  readonly #sites: readonly [Site, Site];
  readonly #startMs = performance.now();
  readonly #meeting = new Rendezvous((place) => this.#met(place));
  /** From the end of the load until nothing was queued. */
  settledMs = 0;
  /** When the links came back. */
  mendedMs = 0;
  #phase = 'load';
  #isOver = false;
  #conflicts: Promise<void> | undefined;

  constructor(sites: readonly [Site, Site]) {
    this.#sites = sites;
  }

  async run(): Promise<readonly RunResult[]> {
    const watching = this.#watch();
    const names = ['two-site', 'two-site-passive'] as const;
    try {
      return await Promise.all(
        this.#sites.map((site, index) => this.#runAt(site, names[index] ?? names[0])),
      );
    } finally {
      this.#isOver = true;
      await watching;
    }
  }

  #runAt(site: Site, name: string): Promise<RunResult> {
    const { cluster, nodes } = site;
    const pbcNodes = nodes.map(({ host, pbcPort: port }) => ({ host, port }));
    const httpNodes = nodes.map(({ host, httpPort: port }) => ({ host, port }));
    return runLoad({
      workload: workloadOf(name),
      target: { kind: 'pb', nodes: pbcNodes, httpNodes },
      scale: SCALE,
      processes: 1,
      seed: 1,
      timeoutMs: 30_000,
      intervalMs: 1_000,
      isLoaded: false,
      verifyKeysMax: 1_000_000,
      patienceMs: 30_000,
      cluster,
      links: { cut: () => this.#cut(), mend: () => this.#mend() },
      beforePhase: (role) => this.#meetBefore(role),
      watched: () => nodes.flatMap((node) => watchedOf(site, node.name)),
      statusNodes: nodes.map((node) => ({
        name: node.name,
        address: { host: node.host, port: node.httpPort },
      })),
      dataFolder: nodes[0]?.dataFolder ?? process.cwd(),
    });
  }

  #meetBefore(role: PhaseRole): Promise<void> {
    // Warming up takes each its time.
    return role === 'warm-up' ? Promise.resolve() : this.#meeting.meet(role);
  }

  async #met(place: string): Promise<void> {
    this.#phase = place;
    await this.#conflicts;
    if (place !== 'verify') return;
    const startMs = performance.now();
    await this.#untilSettled();
    this.settledMs = performance.now() - startMs;
  }

  #cut(): void {
    for (const { link } of this.#sites) link.cut();
    this.#conflicts = writeConflicts(this.#sites);
  }

  #mend(): void {
    for (const { link } of this.#sites) link.mend();
    this.mendedMs = performance.now() - this.#startMs;
    this.#phase = 'recover';
  }

  async #untilSettled(): Promise<void> {
    const endMs = performance.now() + SETTLED_TIMEOUT_MS;
    while (performance.now() < endMs) {
      const states = await Promise.all(this.#sites.map((site) => site.state()));
      if (states.every(({ queued, lagMs }) => queued === 0 && lagMs < REST_MS)) return;
      await pause(WATCH_MS);
    }
    throw new Error('the sites have not settled in time');
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const phase = this.#phase;
      const states = await Promise.all(this.#sites.map((site) => site.state()));
      this.samples.push({ atMs: performance.now() - this.#startMs, phase, states });
      await pause(WATCH_MS);
    }
  }
}

function watchedOf({ cluster }: Site, name: string): { name: string; pid: number }[] {
  const { pid } = cluster.mustChild(name);
  return pid === undefined ? [] : [{ name, pid }];
}

function pause(durationMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, durationMs));
}

const SHOWN = ['measure', 'fault', 'recover', 'verify'];

/** How far each site was behind the other, by phase. */
function lagTable(samples: readonly Sample[], sites: readonly Site[]): string {
  const rows = SHOWN.flatMap((phase) =>
    sites.map(({ name }, index) => {
      const states = samples
        .filter((sample) => sample.phase === phase)
        .flatMap(({ states: all }) => all[index] ?? []);
      const lags = states.map(({ lagMs }) => lagMs).sort((left, right) => left - right);
      const largest = (valueOf: (state: SiteState) => number): number =>
        Math.max(0, ...states.map(valueOf));
      return [
        phase === 'fault' ? 'cut' : phase === 'recover' ? 'healed' : phase,
        name,
        seconds(lags[Math.floor(lags.length / 2)] ?? 0),
        seconds(lags.at(-1) ?? 0),
        `${largest(({ queued }) => queued)}`,
        `${Math.round(largest(({ diskBytes }) => diskBytes) / 1024)}`,
        `${largest(({ dropped }) => dropped)}`,
      ];
    }),
  );
  const columns = ['behind, p50 s', 'most s', 'its queues, keys', 'on disk KiB', 'dropped'];
  return textTable(['links', 'site', ...columns], rows);
}

/** From the end of the cut until both are less than a second behind. */
function caughtUpAfter({ samples, mendedMs }: TwoSites): string {
  const first = samples.find(
    ({ atMs, states }) => atMs > mendedMs && states.every(({ lagMs }) => lagMs < 1_000),
  );
  return first === undefined ? 'never' : seconds(first.atMs - mendedMs);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(2);
}

async function main(sites: readonly [Site, Site]): Promise<boolean> {
  const [a, b] = sites;
  const run = new TwoSites(sites);
  const results = await run.run();
  for (const [index, result] of results.entries()) {
    const name = sites[index]?.name ?? '';
    console.log(`\nsite ${name}, ${result.workload}:\n${summaryTable(result)}`);
    console.log(verdictText(result));
    if (options.out !== undefined) writeReport(result, resolve(options.out, name));
  }
  console.log(`\n${lagTable(run.samples, sites)}`);
  console.log(`\ncut for ${seconds(CUT_MS)} s; both less than a second behind`);
  console.log(
    `${caughtUpAfter(run)} s after it; nothing queued ${seconds(run.settledMs)} s after the load`,
  );
  const buckets = results.flatMap((_, index) =>
    Object.values(workloadOf(index === 0 ? 'two-site' : 'two-site-passive').buckets).map(
      ({ bucket, type }) => ({ type: utf8ToByteString(type), bucket: utf8ToByteString(bucket) }),
    ),
  );
  const conflicts = { type: TYPE, bucket: CONFLICT_BUCKET };
  const { keys, onlyA, onlyB, differing } = await compareSites(a.client, b.client, [
    ...buckets,
    conflicts,
  ]);
  const siblings = await Promise.all(sites.map(countSiblings));
  console.log(`${keys} keys at both: ${onlyA} only at a, ${onlyB} only at b, ${differing} differ`);
  console.log(
    `${CONFLICTS} keys written at both while cut: ${siblings.join(' and ')} have just both values`,
  );
  const isOne = onlyA + onlyB + differing === 0 && siblings.every((count) => count === CONFLICTS);
  return isOne && results.every(isSound);
}

const folder = mkdtempSync(join(tmpdir(), 'vertebra-sites-'));
const [first = 2, second = 2] = options.nodes.split(',').map(Number);
const sites = await startSites({
  folder,
  basePort: Number(options['base-port']),
  nodes: [first, second],
  entryPoint: resolve(import.meta.dirname, '../src/main.js'),
  types: { siblings: { allow_mult: true } },
});
let isWell = false;
try {
  isWell = await main(sites);
} finally {
  await Promise.all(sites.map((site) => site.stop()));
  rmSync(folder, { recursive: true, force: true });
}
// A run whose partner has failed would wait for it.
process.exit(isWell ? 0 : 1);
