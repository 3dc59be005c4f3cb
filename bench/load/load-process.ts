/**
 * One process of the load: its clients, its keys and its ledger, doing what the parent orders.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Fault, isFault } from '../../src/base/fault.ts';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { Login } from '../../src/client/credentials.ts';
import { openDriver } from '../target/open-driver.ts';
import { describeTarget } from '../target/target.ts';
import { fillQuery } from '../workload/query-documents.ts';
import { ValueSource } from '../workload/values.ts';
import { Arrivals } from './arrivals.ts';
import { REAL_CLOCK } from './clock.ts';
import { Ledger } from './ledger.ts';
import { fill } from './fill.ts';
import { BATCH_INTERVAL_MS } from './messages.ts';
import { runClosedLoop, runOpenLoop } from './loops.ts';
import { Operations, clientRandom } from './operations.ts';
import { ProcessKeys } from './process-keys.ts';
import { Recorder } from './recorder.ts';
import { TrackedWrites } from './tracked-writes.ts';
import { verify } from './verify.ts';
import type { Driver, Session } from '../target/session.ts';
import type { Target } from '../target/target.ts';
import type { OperationSpec, Workload } from '../workload/workload.ts';
import type { Operate } from './loops.ts';
import type { Order, OwnCost, Preparation, Report } from './messages.ts';
import type { LoadClient } from './operations.ts';

const LAG_RESOLUTION_MS = 5;
const VERIFY_SESSIONS = 32;

export type Tell = (report: Report) => void;

export class LoadProcess {
  readonly #preparation: Preparation;
  readonly #driver: Driver;
  readonly #tell: Tell;
  readonly #keys: ProcessKeys;
  readonly #ledger: Ledger;
  readonly #recorder: Recorder;
  readonly #operations: Operations;
  readonly #clients = new Map<number, LoadClient>();
  /** Of the clients; they are closed at the end. */
  readonly #sessions: Session[] = [];
  readonly #keepsSiblings: readonly boolean[];
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #phase = 0;
  #cpu = process.cpuUsage();
  #progress: [done: number, total: number] | undefined;

  private constructor(
    preparation: Preparation,
    driver: Driver,
    rest: { readonly tell: Tell; readonly keepsSiblings: readonly boolean[] },
  ) {
    const { workload, share, seed, run, verifyKeysMax } = preparation;
    this.#preparation = preparation;
    this.#driver = driver;
    this.#tell = rest.tell;
    this.#keepsSiblings = rest.keepsSiblings;
    this.#keys = new ProcessKeys(workload, share);
    // A target that keeps nothing is not asked for it later.
    const keysMax = driver.isVerifiable ? verifyKeysMax : 0;
    this.#ledger = new Ledger((number) => this.#keeps(number), keysMax);
    this.#recorder = new Recorder(() => this.#flush());
    this.#operations = new Operations(workload, {
      clock: REAL_CLOCK,
      keys: this.#keys,
      values: new ValueSource(seed),
      writes: new TrackedWrites(this.#ledger, { writer: share.index, run }),
      recorder: this.#recorder,
      run,
    });
    if (preparation.isLoaded) for (const { shared } of this.#keys.sets) shared?.assumeLoaded();
    this.#lag.enable();
    this.#timer = setInterval(() => this.#flush(), BATCH_INTERVAL_MS);
  }

  /** Rejects with a fault where the target cannot do what the workload wants. */
  static async prepare(preparation: Preparation, tell: Tell): Promise<LoadProcess> {
    const { workload, target, credentials, share, timeoutMs } = preparation;
    const login = credentials && new Login(credentials);
    const driver = await openDriver(target, { timeoutMs, login });
    const asks = workload.operations.find(({ op }) => op === 'query' || op === 'sweep');
    if (asks !== undefined && !driver.answersQueries) {
      throw new Fault(
        'config',
        `${workload.name} has queries (${asks.name}), which ${target.kind} cannot answer`,
      );
    }
    const watched = workload.operations.find(({ op }) => op === 'put_visible');
    if (watched !== undefined && driver.nodes.length < 2) {
      const text = `${watched.name} asks another node whether it shows what was written: the target has only one`;
      throw new Fault('config', text);
    }
    const session = driver.open(share.index);
    const posted = workload.operations.filter(({ op }) => op === 'query_api');
    if (posted.length > 0 && !driver.answersQueryApi) {
      throw new Fault(
        'config',
        needsQueryApi(posted, `only HTTP carries it: give ${ways(target)}`),
      );
    }
    const notes: string[] = [];
    let { keepsSiblings } = preparation;
    if (keepsSiblings === undefined) {
      try {
        keepsSiblings = await setBuckets(preparation, session, notes);
        await tryQueries(session, workload, posted);
      } catch (error) {
        throw unusable(target, error);
      }
    }
    session.close();
    const made = new LoadProcess(preparation, driver, { tell, keepsSiblings });
    const { nodes, isVerifiable } = driver;
    tell({ kind: 'prepared', nodes, isVerifiable, keepsSiblings, notes });
    return made;
  }

  async carryOut(order: Exclude<Order, Preparation>): Promise<void> {
    if (order.kind === 'stop') {
      await this.#close();
      return;
    }
    this.#phase = order.phase;
    this.#lag.reset();
    this.#cpu = process.cpuUsage();
    this.#progress = undefined;
    if (order.kind === 'verify') {
      await this.#verify(order.patienceMs);
      return;
    }
    const unstarted =
      order.kind === 'load' ? await this.#load(order.clients) : await this.#loop(order);
    this.#flush();
    this.#tell({ kind: 'done', phase: this.#phase, unstarted });
  }

  async #load(clients: number): Promise<number> {
    const { workload } = this.#preparation;
    const hasOwned = Object.values(workload.keys).some(({ kind }) => kind === 'owned');
    const count = hasOwned ? Math.max(clients, workload.clients) : clients;
    await fill(
      { keys: this.#keys, workload, operations: this.#operations },
      Array.from({ length: this.#shareOf(count) }, (_, index) => this.#client(index)),
      (done, total) => {
        this.#progress = [done, total];
      },
    );
    return 0;
  }

  async #loop({ order }: Extract<Order, { kind: 'loop' }>): Promise<number> {
    const operate: Operate = (index, dueMs) => this.#operations.runOne(this.#client(index), dueMs);
    const clients = this.#shareOf(order.clients);
    const startMs = REAL_CLOCK.nowMs();
    const endMs = startMs + order.durationMs;
    if (order.loop === 'closed') {
      await runClosedLoop(REAL_CLOCK, operate, { ...order, clients, endMs });
      return 0;
    }
    const { seed, share } = this.#preparation;
    const offset = (share.index + 0.5) / share.count;
    const random = clientRandom(seed, -1 - share.index);
    const arrivals = new Arrivals(order.pieces, random, { arrivals: order.arrivals, offset });
    return runOpenLoop(REAL_CLOCK, operate, { arrivals, clients, startMs, endMs });
  }

  async #verify(patienceMs: number): Promise<void> {
    const sessions = Array.from({ length: VERIFY_SESSIONS }, (_, index) =>
      this.#driver.open(index),
    );
    const verdict = await verify(
      {
        ledger: this.#ledger,
        keys: this.#keys,
        keepsSiblings: (number) => this.#keeps(number),
        sessions,
        run: this.#preparation.run,
        onProgress: (done, total) => {
          this.#progress = [done, total];
        },
      },
      patienceMs,
    );
    for (const session of sessions) session.close();
    this.#tell({ kind: 'verdict', phase: this.#phase, verdict });
  }

  /** The clients of all processes take their numbers in turn. */
  #shareOf(clients: number): number {
    const { index, count } = this.#preparation.share;
    return Math.ceil((clients - index) / count);
  }

  #client(index: number): LoadClient {
    const known = this.#clients.get(index);
    if (known !== undefined) return known;
    const { share, seed } = this.#preparation;
    const id = share.index + index * share.count;
    const session = this.#open(id);
    const watchers: Session[] = [];
    const watcher = (number: 0 | 1): Session => (watchers[number] ??= this.#open(id + 1));
    const client = { id, session, watcher, random: clientRandom(seed, id) };
    this.#clients.set(index, client);
    return client;
  }

  #open(preferred: number): Session {
    const session = this.#driver.open(preferred);
    this.#sessions.push(session);
    return session;
  }

  #keeps(ledgerNumber: number): boolean {
    return this.#keepsSiblings[this.#keys.find(ledgerNumber).set.index] === true;
  }

  #flush(): void {
    const batch = this.#recorder.takeBatch();
    const cost = this.#takeCost();
    this.#tell({ kind: 'batch', phase: this.#phase, batch, cost, progress: this.#progress });
  }

  #takeCost(): OwnCost {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    // What the timer of the measurement itself takes is no delay.
    const lagMaxMs = Math.max(0, this.#lag.max / 1e6 - LAG_RESOLUTION_MS);
    this.#lag.reset();
    return { cpuMicros: user + system, lagMaxMs };
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#lag.disable();
    for (const session of this.#sessions) session.close();
    await this.#driver.close();
  }
}

/** For each set of keys, whether its bucket keeps siblings once its properties are set. */
async function setBuckets(
  preparation: Preparation,
  session: Session,
  notes: string[],
): Promise<readonly boolean[]> {
  const { workload, share } = preparation;
  const keepsSiblings: boolean[] = [];
  for (const { bucket } of new ProcessKeys(workload, share).sets) {
    const { properties } = propertiesOf(preparation, bucket);
    try {
      if (Object.keys(properties).length > 0) {
        const unset = await session.setProperties(bucket, properties);
        if (unset.length > 0) notes.push(unsetNote(bucket.bucket, unset));
      }
      keepsSiblings.push(await session.keepsSiblings(bucket));
    } catch (error) {
      if (!isFault(error, 'peer-refused')) throw error;
      // What is refused is nearly always a type that nobody has made.
      const text = `bucket ${bucket.bucket} of the bucket type ${bucket.type}: ${error.message}`;
      throw new Fault('peer-refused', text, { cause: error });
    }
  }
  return keepsSiblings;
}

/** One of each: what the target cannot do at all is said before the load, not by each request. */
async function tryQueries(
  session: Session,
  workload: Workload,
  posted: readonly OperationSpec[],
): Promise<void> {
  for (const spec of posted) {
    const bucket = new ProcessKeys(workload, { index: 0, count: 1 }).mustSet(spec.keys).bucket;
    try {
      await session.queryApi(bucket, fillQuery(spec.request ?? {}, new SeededRandom(1)));
    } catch (error) {
      if (!isFault(error, 'peer-refused')) continue;
      throw new Fault('config', needsQueryApi(posted, error.message), { cause: error });
    }
  }
}

function unusable(target: Target, error: unknown): unknown {
  if (!isFault(error) || error.code === 'config') return error;
  const hint = '; --target names another, --start starts nodes for the run';
  const why = `${error.message}${error.code === 'peer-unreachable' ? hint : ''}`;
  const text = `the target ${describeTarget(target)} cannot be used: ${why}`;
  return new Fault('config', text, { cause: error });
}

function needsQueryApi(posted: readonly OperationSpec[], why: string): string {
  const names = posted.map(({ name }) => name).join(',');
  return `the query API is needed for ${names}: ${why}; --without ${names} leaves it out`;
}

function ways({ kind }: Target): string {
  return kind === 'pb' ? '--query-nodes host:port,…' : 'an http:// target';
}

function unsetNote(bucket: string, names: readonly string[]): string {
  return (
    `${names.join(', ')} of ${bucket} cannot be set over Protocol Buffers: ` +
    'give --query-nodes, or set them by hand'
  );
}

function propertiesOf(
  { workload }: Preparation,
  bucket: { readonly bucket: string; readonly type: string },
) {
  const found = Object.values(workload.buckets).find(
    (one) => one.bucket === bucket.bucket && one.type === bucket.type,
  );
  return found ?? { properties: {} };
}
