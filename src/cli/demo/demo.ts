/**
 * `vertebra demo`: patients are stored and changed while a node is killed, and all are found again.
 *
 * Two clients update the same records at once, so siblings arise; each merges what it reads. A write
 * counts as acknowledged when its reply came, and is then looked for through every node: it must be
 * there, or superseded by a write whose client had read it.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Histogram } from 'hdr-histogram-js';
import { utf8ToByteString } from '../../base/bytes.ts';
import { VertebraClient } from '../../client/client.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { GetResult } from '../../client/client-types.ts';
import { DevCluster } from '../dev-cluster.ts';
import { devNodes, writeDevConfig } from '../dev-command.ts';
import type { DemoArguments } from '../program.ts';
import { textTable } from '../text-table.ts';
import { nhsNumber, patientRecord } from './patient-records.ts';
import { ProgressBar } from './progress-bar.ts';

const BUCKET_TYPE = utf8ToByteString('patients');
const BUCKET = utf8ToByteString('demographics');
const JSON_METADATA = { contentType: utf8ToByteString('application/json') };
const WORKERS = 16;
/** One record in this many is updated, by two clients. */
const UPDATE_EVERY = 5;

/** Marks that acknowledged updates left on a record; each must be found in the end. */
type MarksByKey = Map<string, Set<string>>;

interface Timed {
  readonly histogram: Histogram;
  elapsedMs: number;
}

export async function runDemo(options: DemoArguments, entryPoint: string): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'vertebra-demo-'));
  const configPath = writeDevConfig({ nodes: options.nodes, basePort: options.basePort, data });
  const nodes = devNodes(configPath);
  const cluster = new DevCluster({ configPath, nodes, entryPoint });
  console.log(`starting ${nodes.length} nodes (data in ${data})`);
  await cluster.start();
  try {
    await cluster.ensureBucketTypes({ [BUCKET_TYPE]: { allow_mult: true } });
    const demo = new Demo(options, cluster);
    try {
      const lostCount = await demo.run();
      process.exitCode = lostCount === 0 ? 0 : 1;
    } finally {
      demo.close();
    }
  } finally {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

class Demo {
  readonly #options: DemoArguments;
  readonly #cluster: DevCluster;
  readonly #client: VertebraClient;
  /** One to each node. */
  readonly #readers: VertebraClient[] = [];
  readonly #acknowledged: MarksByKey = new Map();
  #ackedCount = 0;
  #failedCount = 0;

  constructor(options: DemoArguments, cluster: DevCluster) {
    this.#options = options;
    this.#cluster = cluster;
    this.#client = new VertebraClient({
      nodes: cluster.nodes.map(({ host, pbcPort }) => ({ host, port: pbcPort })),
    });
  }

  /** The number of acknowledged writes that were not found. */
  async run(): Promise<number> {
    const victim = this.#cluster.nodes[1] ?? this.#cluster.nodes[0];
    if (victim === undefined) throw new Error('a demo needs a node');
    const half = Math.floor(this.#options.records / 2);
    const load = await this.#timed('store', this.#options.records, async (serial) => {
      if (serial === half) {
        console.log(`\nSIGKILL ${victim.name}`);
        this.#cluster.mustChild(victim.name).kill('SIGKILL');
      }
      await this.#store(serial);
    });
    const updates = await this.#timed(
      'update by two clients',
      2 * Math.ceil(this.#options.records / UPDATE_EVERY),
      (index) => this.#update(Math.floor(index / 2) * UPDATE_EVERY, index % 2),
    );
    console.log(`starting ${victim.name} again`);
    await this.#cluster.launch(victim).ready();
    const { lostCount, reads } = await this.#readEverything();
    printFigures({ store: load, update: updates, read: reads });
    if (this.#failedCount > 0) console.log(`${this.#failedCount} writes were refused or cut off`);
    console.log(`${lostCount} of ${this.#ackedCount} acknowledged writes lost`);
    return lostCount;
  }

  /** A client that is open keeps the process alive. */
  close(): void {
    this.#client.close();
    for (const client of this.#readers) client.close();
  }

  async #store(serial: number): Promise<void> {
    const record = patientRecord(this.#options.seed, serial);
    await this.#write(nhsNumber(serial), 'stored', async (client, key) => {
      const value = Buffer.from(JSON.stringify({ ...record, marks: ['stored'] }));
      await client.put(keyOf(key), { value, metadata: JSON_METADATA });
    });
  }

  /** Reads, merges the siblings, adds a mark, writes back with what was read. */
  async #update(serial: number, clientIndex: number): Promise<void> {
    const mark = `client-${clientIndex}`;
    await this.#write(nhsNumber(serial), mark, async (client, key) => {
      const found = await client.get(keyOf(key));
      const marks = marksIn(found);
      marks.add(mark);
      const record = { ...patientRecord(this.#options.seed, serial), version: 2 };
      const value = Buffer.from(JSON.stringify({ ...record, marks: [...marks] }));
      const { context } = found;
      await client.put(keyOf(key), { value, metadata: JSON_METADATA }, { context });
    });
  }

  async #write(
    key: string,
    mark: string,
    work: (client: VertebraClient, key: string) => Promise<void>,
  ): Promise<void> {
    try {
      await work(this.#client, key);
    } catch {
      // Not acknowledged: it may be there or not, and nothing is promised about it.
      this.#failedCount += 1;
      return;
    }
    this.#ackedCount += 1;
    const marks = this.#acknowledged.get(key) ?? new Set();
    this.#acknowledged.set(key, marks.add(mark));
  }

  async #readEverything(): Promise<{ readonly lostCount: number; readonly reads: Timed }> {
    const keys = [...this.#acknowledged.keys()];
    const lost = new Set<string>();
    const clients = this.#readers;
    for (const { host, pbcPort } of this.#cluster.nodes) {
      clients.push(new VertebraClient({ nodes: [{ host, port: pbcPort }] }));
    }
    const reads = await this.#timed(
      'read through every node',
      keys.length * clients.length,
      async (index) => {
        const key = keys[Math.floor(index / clients.length)] as string;
        const client = clients[index % clients.length] as VertebraClient;
        const marks = marksIn(await client.get(keyOf(key)));
        for (const mark of this.#acknowledged.get(key) ?? []) {
          if (!marks.has(mark)) lost.add(`${key} ${mark}`);
        }
      },
    );
    return { lostCount: lost.size, reads };
  }

  async #timed(
    label: string,
    count: number,
    work: (index: number) => Promise<void>,
  ): Promise<Timed> {
    const bar = new ProgressBar(label, count);
    const histogram = build({ highestTrackableValue: 120_000_000 });
    const startedMs = performance.now();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) {
        const beganMs = performance.now();
        await work(index);
        histogram.recordValue(Math.round((performance.now() - beganMs) * 1000));
        bar.advance();
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    return { histogram, elapsedMs: performance.now() - startedMs };
  }
}

function keyOf(key: string): ObjectKey {
  return { type: BUCKET_TYPE, bucket: BUCKET, key: utf8ToByteString(key) };
}

/** The marks on all siblings. */
function marksIn(found: GetResult): Set<string> {
  return new Set(
    found.kind === 'found' ? found.siblings.flatMap(({ value }) => marksOf(value)) : [],
  );
}

function marksOf(value: Buffer): string[] {
  return (JSON.parse(value.toString('utf8')) as { marks: string[] }).marks;
}

function printFigures(figures: Readonly<Record<string, Timed>>): void {
  const milliseconds = (histogram: Histogram, percentile: number): string =>
    (histogram.getValueAtPercentile(percentile) / 1000).toFixed(1);
  const rows = Object.entries(figures).map(([name, { histogram, elapsedMs }]) => [
    name,
    String(histogram.totalCount),
    String(Math.round(histogram.totalCount / (elapsedMs / 1000))),
    milliseconds(histogram, 50),
    milliseconds(histogram, 99),
  ]);
  console.log(`\n${textTable(['', 'count', 'per second', 'p50 ms', 'p99 ms'], rows)}\n`);
}
