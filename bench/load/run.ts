/**
 * A run: load, settle, warm-up, measure, fault, recover, verify.
 *
 * The parent gives orders to the worker processes, gathers their samples and watches the node
 * processes of this machine. Whatever happens, nodes that it started are stopped again.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { isFault } from '../../src/base/fault.ts';
import { Measurements } from '../report/measurements.ts';
import { describeMachine } from '../report/machine.ts';
import { RESULT_FORMAT, phaseRate } from '../report/result.ts';
import { TerminalView, phaseLine, steadyText } from '../report/terminal.ts';
import { awaitBegin } from './generators.ts';
import { EventLoopWatch } from './event-loop-watch.ts';
import { FaultTimeline, requireFaultsPossible } from './faults.ts';
import { faultEvents, orderOf, plannedLoops, startOf } from './phases.ts';
import { UsageWatch } from './process-usage.ts';
import { StopAsked, interrupted, unlessStopped } from './stop-asked.ts';
import { RateWindows } from './steady-state.ts';
import { seriesOf } from './series.ts';
import { addVerdicts } from './verify.ts';
import { WorkerPool } from './worker-pool.ts';
import { describeTarget } from '../target/target.ts';
import type { DevCluster } from '../../src/cli/dev-cluster.ts';
import type { PhaseStart } from '../report/measurements.ts';
import type {
  GeneratorShare,
  Mark,
  PhaseResult,
  PhaseRole,
  ResourceSample,
  RunResult,
} from '../report/result.ts';
import type { Credentials } from '../../src/client/credentials.ts';
import type { Target } from '../target/target.ts';
import type { Workload } from '../workload/workload.ts';
import type { StatusNode } from './event-loop-watch.ts';
import type { FaultMeans, Links } from './faults.ts';
import type { LoopOrder, Preparation, Report } from './messages.ts';
import type { PlannedLoop } from './phases.ts';
import type { WatchedProcess } from './process-usage.ts';
import type { Verdict } from './verify.ts';
import type { Series } from './series.ts';

export interface RunOptions {
  readonly workload: Workload;
  readonly target: Target;
  readonly credentials?: Credentials | undefined;
  readonly scale: number;
  readonly processes: number;
  /** Where others load the same cluster; each has as many processes. */
  readonly generator?: GeneratorShare | undefined;
  /** Milliseconds since 1970, when the loops begin. */
  readonly beginAtMs?: number | undefined;
  readonly seed: number;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** Leave out the load phase: the keys are there. */
  readonly isLoaded: boolean;
  /** 0: nothing is looked for. */
  readonly verifyKeysMax: number;
  readonly patienceMs: number;
  /** Started by this run; its nodes may be killed. */
  readonly cluster: DevCluster | undefined;
  /** Between this site and another, for faults. */
  readonly links?: Links | undefined;
  /** What can be done to its nodes for faults. */
  readonly means?: FaultMeans | undefined;
  /** Awaited before each loop after the load, and before what was written is looked for. */
  readonly beforePhase?: ((role: PhaseRole) => Promise<void>) | undefined;
  /** Asked for each sample, because nodes come and go. */
  readonly watched: () => readonly WatchedProcess[];
  /** Asked at the borders of phases how late their event loops were. */
  readonly statusNodes: readonly StatusNode[];
  /** Whose file system the report names. */
  readonly dataFolder: string;
  /** Ends the run early, with a report; without it Ctrl-C does. */
  readonly signal?: AbortSignal | undefined;
}

const TICK_MS = 250;
/** Of a node, up to which the interval is kept to. */
const SAMPLES_USUAL = 20_000;
/** In a shorter time the kernel has not counted enough to say anything. */
const BORDER_SPACING_MS = 100;
const ALONE: GeneratorShare = { number: 1, of: 1 };
/** Of a core, for each worker process. */
const SATURATED_SHARE = 0.9;

export async function runLoad(options: RunOptions): Promise<RunResult> {
  requireFaultsPossible(faultEvents(options.workload), options);
  const own = options.signal === undefined ? new StopAsked() : undefined;
  const signal = options.signal ?? own?.signal ?? new AbortController().signal;
  const run = new Run(options, signal);
  const onInterrupt = (): void => run.interrupt();
  signal.addEventListener('abort', onInterrupt);
  if (signal.aborted) onInterrupt();
  try {
    return await run.run();
  } finally {
    signal.removeEventListener('abort', onInterrupt);
    await run.close();
    own?.close();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #series: readonly Series[];
  readonly #measurements: Measurements;
  readonly #view = new TerminalView();
  readonly #pool: WorkerPool;
  readonly #startedAt = new Date();
  readonly #startMs = performance.now();
  readonly #run = Math.floor(Math.random() * 2 ** 32);
  readonly #usage = new UsageWatch();
  readonly #eventLoops: EventLoopWatch;
  readonly #resources: ResourceSample[] = [];
  readonly #marks: Mark[] = [];
  readonly #progress: (readonly [done: number, total: number] | undefined)[] = [];
  readonly #faults: FaultTimeline;
  #nodes: readonly string[] = [];
  #bestPerSecond = 0;
  #sampledAtMs = 0;
  readonly #signal: AbortSignal;

  constructor(options: RunOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#eventLoops = new EventLoopWatch(options.statusNodes);
    this.#series = seriesOf(options.workload.operations);
    this.#measurements = new Measurements(this.#series, options.intervalMs);
    this.#faults = new FaultTimeline(options, (label) => this.#mark(label));
    this.#pool = new WorkerPool(options.processes, (worker, report) => {
      this.#progress[worker] = report.progress;
      this.#measurements.add(report, this.#nowMs());
    });
  }

  async run(): Promise<RunResult> {
    const { workload, isLoaded } = this.#options;
    const machine = describeMachine(this.#options.dataFolder);
    // What the first sets may be seen by the others a moment later.
    const first = await this.#pool.orderOne(0, this.#preparation(0, undefined));
    const keepsSiblings = first.kind === 'prepared' ? first.keepsSiblings : [];
    await Promise.all(
      Array.from({ length: this.#options.processes - 1 }, (_, index) =>
        this.#pool.orderOne(index + 1, this.#preparation(index + 1, keepsSiblings)),
      ),
    );
    this.#nodes = first.kind === 'prepared' ? first.nodes : [];
    const isVerifiable = first.kind === 'prepared' && first.isVerifiable;
    const notes = first.kind === 'prepared' ? first.notes : [];
    for (const note of new Set(notes)) this.#view.say(note);
    await this.#eventLoops.read();
    let verdict: Verdict | undefined;
    let brokenOff: string | undefined;
    try {
      if (workload.load.fill && !isLoaded) await this.#load();
      await this.#awaitOthers();
      for (const planned of plannedLoops(workload)) await this.#loop(planned);
      this.#faults.markUnfinished();
      if (isVerifiable && this.#options.verifyKeysMax > 0) verdict = await this.#verify();
    } catch (error) {
      // Hours that were measured are worth their report, whatever happened then.
      if (!this.#measurements.breakOff(this.#nowMs()) || !isFault(error)) throw error;
      brokenOff = error.message;
      this.#mark(`broken off: ${brokenOff}`);
    }
    return {
      format: RESULT_FORMAT,
      workload: workload.name,
      about: workload.about,
      target: describeTarget(this.#options.target),
      startedAt: this.#startedAt.toISOString(),
      seed: this.#options.seed,
      scale: this.#options.scale,
      processes: this.#options.processes,
      machine,
      ...(this.#options.generator && { generator: this.#options.generator }),
      phases: this.#measurements.phases.map((phase) => phase.result(this.#series, this.#nodes)),
      intervalMs: this.#options.intervalMs,
      timeline: this.#measurements.timeline,
      resources: this.#resources,
      marks: this.#marks,
      errors: this.#measurements.errors,
      verdict,
      ...(brokenOff === undefined ? {} : { brokenOff }),
    };
  }

  /** The run ends with what it has; what it has started is stopped in order. */
  interrupt(): void {
    this.#pool.interrupt(interrupted().message);
  }

  async close(): Promise<void> {
    await this.#faults.close();
    await this.#pool.close();
  }

  #nowMs(): number {
    return performance.now() - this.#startMs;
  }

  #mark(label: string): void {
    this.#marks.push({ atMs: this.#nowMs(), label });
    this.#view.say(`${(this.#nowMs() / 1_000).toFixed(1)} s: ${label}`);
  }

  #preparation(index: number, keepsSiblings: readonly boolean[] | undefined): Preparation {
    const { workload, target, credentials, processes, seed, timeoutMs, verifyKeysMax, isLoaded } =
      this.#options;
    const { number, of } = this.#options.generator ?? ALONE;
    const share = { index: (number - 1) * processes + index, count: of * processes };
    const run = this.#run;
    return {
      kind: 'prepare',
      workload,
      target,
      credentials,
      share,
      seed,
      run,
      timeoutMs,
      verifyKeysMax,
      isLoaded,
      keepsSiblings,
    };
  }

  async #awaitOthers(): Promise<void> {
    const { beginAtMs } = this.#options;
    if (beginAtMs === undefined) return;
    const say = (line: string): void => this.#view.say(line);
    await awaitBegin(beginAtMs, { signal: this.#signal, say });
  }

  /** Of so many of all generators. */
  #ownClients(clients: number): number {
    const { number, of } = this.#options.generator ?? ALONE;
    const { processes } = this.#options;
    const shares = Array.from({ length: processes }, (_, index) =>
      Math.ceil((clients - (number - 1) * processes - index) / (of * processes)),
    );
    return shares.reduce((sum, share) => sum + Math.max(0, share), 0);
  }

  async #load(): Promise<void> {
    const { load, settleMs } = this.#options.workload;
    const { clients } = load;
    const own = this.#ownClients(clients);
    const start = { name: 'load', role: 'load', loop: 'closed', clients: own } as const;
    await this.#phase({ ...start, offeredPerSecond: undefined }, undefined, (phase) =>
      this.#pool.order(() => ({ kind: 'load', phase, clients })),
    );
    const rest = unlessStopped(this.#signal, pause(settleMs, undefined, { ref: false }));
    await this.#watchWhile(rest, { name: 'settle', durationMs: settleMs });
    await this.#eventLoops.read();
  }

  async #loop(planned: PlannedLoop): Promise<void> {
    await this.#options.beforePhase?.(planned.role);
    const { of: generators } = this.#options.generator ?? ALONE;
    const basis = { bestPerSecond: this.#bestPerSecond, generators };
    const whole = startOf(planned, basis);
    const start = { ...whole, clients: this.#ownClients(whole.clients) };
    const order = orderOf(planned, basis, this.#options.processes);
    const { durationMs, events } = planned.step;
    if (planned.role === 'steady') {
      await this.#awaitSteadyRate(start, order);
      return;
    }
    this.#faults.begin(events);
    const result = await this.#phase(start, durationMs, (phase) =>
      this.#pool.order(() => ({ kind: 'loop', phase, order })),
    );
    await this.#faults.end();
    if (planned.role === 'measure' && planned.step.loop === 'closed') {
      this.#bestPerSecond = Math.max(this.#bestPerSecond, phaseRate(result));
    }
  }

  /** One window after the other, until the last ones agree or the time is up. */
  async #awaitSteadyRate(start: PhaseStart, order: LoopOrder): Promise<void> {
    const { steady } = this.#options.workload;
    const rates = new RateWindows(steady);
    const result = await this.#phase(start, steady.atMostMs, async (number) => {
      const phase = this.#measurements.phases[number];
      const reports: Report[] = [];
      for (let rest = Math.ceil(steady.atMostMs / steady.windowMs); rest > 0; rest -= 1) {
        const [okBefore, beganMs] = [phase?.okCount(this.#series) ?? 0, this.#nowMs()];
        reports.push(...(await this.#pool.order(() => ({ kind: 'loop', phase: number, order }))));
        const ok = (phase?.okCount(this.#series) ?? 0) - okBefore;
        rates.add((1_000 * ok) / Math.max(1, this.#nowMs() - beganMs));
        if (rates.isSteady) break;
      }
      if (phase !== undefined) phase.steady = rates.outcome();
      return reports;
    });
    this.#view.say(`  ${steadyText(result)}`);
  }

  async #verify(): Promise<Verdict> {
    const { patienceMs } = this.#options;
    await this.#options.beforePhase?.('verify');
    const start = { name: 'verify', role: 'verify', loop: 'closed', clients: 0 } as const;
    const phase = this.#measurements.begin(
      { ...start, offeredPerSecond: undefined },
      this.#nowMs(),
    );
    const reports = await this.#watchWhile(
      this.#pool.order(() => ({ kind: 'verify', phase, patienceMs })),
      { name: 'verify', durationMs: undefined },
    );
    this.#measurements.end(phase, this.#nowMs());
    return addVerdicts(reports.flatMap((one) => (one.kind === 'verdict' ? [one.verdict] : [])));
  }

  async #phase(
    start: PhaseStart,
    durationMs: number | undefined,
    work: (phase: number) => Promise<Report[]>,
  ): Promise<PhaseResult> {
    this.#sample(BORDER_SPACING_MS);
    const cpuBefore = process.cpuUsage();
    const number = this.#measurements.begin(start, this.#nowMs());
    const reports = await this.#watchWhile(work(number), { name: start.name, durationMs });
    const ended = this.#measurements.end(number, this.#nowMs());
    const { user, system } = process.cpuUsage(cpuBefore);
    ended.gatheringMicros = user + system;
    ended.eventLoops = await this.#eventLoops.read();
    for (const report of reports) if (report.kind === 'done') ended.unstarted += report.unstarted;
    const result = ended.result(this.#series, this.#nodes);
    this.#view.say(start.role === 'load' ? this.#loadLine(result) : phaseLine(result));
    // A generator that is at its end measures itself.
    if (result.generator.cores > SATURATED_SHARE * this.#options.processes) {
      this.#view.say(
        '  the generator was busy all the time: give it more --processes, or clients fewer',
      );
    }
    if ((result.generator.gatheringCores ?? 0) > SATURATED_SHARE) {
      this.#view.say(
        '  the process that gathers the latencies was busy all the time: the course over time is late',
      );
    }
    return result;
  }

  /** Draws and samples until `work` is done. */
  async #watchWhile<T>(
    work: Promise<T>,
    { name, durationMs }: { readonly name: string; readonly durationMs: number | undefined },
  ): Promise<T> {
    const startMs = this.#nowMs();
    const timer = setInterval(() => {
      this.#sample();
      const share =
        durationMs === undefined ? this.#share() : (this.#nowMs() - startMs) / durationMs;
      this.#view.draw({
        phase: name,
        progress: share,
        interval: this.#measurements.lastInterval(name),
        errorCount: this.#measurements.errors.reduce((sum, { count }) => sum + count, 0),
      });
    }, TICK_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      this.#sample(BORDER_SPACING_MS);
    }
  }

  #loadLine({ startMs, endMs }: PhaseResult): string {
    const seconds = (endMs - startMs) / 1_000;
    return `load: ${this.#counted()[0]} keys in ${seconds.toFixed(1)} s`;
  }

  /** Of a phase that counts. */
  #share(): number {
    const [done, total] = this.#counted();
    return total === 0 ? 0 : done / total;
  }

  #counted(): [done: number, total: number] {
    return this.#progress.reduce<[number, number]>(
      ([doneSum, totalSum], one) => [doneSum + (one?.[0] ?? 0), totalSum + (one?.[1] ?? 0)],
      [0, 0],
    );
  }

  /** Also at the borders of phases, so that what a phase used is its own. */
  #sample(shortestMs = this.#options.intervalMs): void {
    const nowMs = this.#nowMs();
    // A load of days is not known beforehand: the samples get rarer.
    const spacingMs = Math.max(shortestMs, nowMs / SAMPLES_USUAL);
    if (nowMs - this.#sampledAtMs < spacingMs) return;
    this.#sampledAtMs = nowMs;
    this.#resources.push(...this.#usage.sample(this.#options.watched(), nowMs));
  }
}
