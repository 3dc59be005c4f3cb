/**
 * `vertebra bench run`: one workload against one target, with its report.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '../src/base/fault.ts';
import { credentialsOf } from '../src/cli/login-options.ts';
import { Login } from '../src/client/credentials.ts';
import { parseDurationMs } from '../src/config/units.ts';
import { reportIntervalMs } from './load/report-interval.ts';
import { findListener } from './load/process-usage.ts';
import { StopAsked, unlessStopped } from './load/stop-asked.ts';
import { parseBegin, parseGenerator } from './load/generators.ts';
import { faultEvents } from './load/phases.ts';
import { runLoad } from './load/run.ts';
import { makeFolders } from '../src/storage/make-folders.ts';
import { runInNamespace } from './machine/user-namespace.ts';
import { OwnCluster, needsRights } from './own-cluster.ts';
import { makeReportFolder } from './report/write-report.ts';
import { showResult } from './show-result.ts';
import { addressText, mustFitLogin, parseTarget } from './target/target.ts';
import { findWorkload } from './workload/find-workload.ts';
import { withOverrides } from './workload/scaled.ts';
import { parseRate } from './workload/workload.ts';
import type { StatusNode } from './load/event-loop-watch.ts';
import type { WatchedProcess } from './load/process-usage.ts';
import type { RunResult } from './report/result.ts';
import type { LoginArguments } from '../src/cli/login-options.ts';
import type { DevCluster } from '../src/cli/dev-cluster.ts';
import type { Credentials } from '../src/client/credentials.ts';
import type { Target } from './target/target.ts';
import type { Workload } from './workload/workload.ts';

export interface RunArguments extends LoginArguments {
  readonly target?: string;
  readonly queryNodes?: string;
  readonly start?: number;
  readonly basePort: number;
  readonly data?: string;
  readonly scale: number;
  readonly duration?: string;
  readonly clients?: number;
  readonly rate?: string;
  readonly warmUp?: number;
  /** Operations to leave out, with commas between. */
  readonly without?: string;
  /** Longest wait for a steady rate. */
  readonly steady?: string;
  readonly processes?: number;
  /** Which of several that load one cluster together, as `2/3`. */
  readonly generator?: string;
  /** When the loops after the load begin. */
  readonly begin?: string;
  readonly seed: number;
  readonly timeout: string;
  readonly interval?: string;
  /** False: the keys are there already. */
  readonly load: boolean;
  /** False: acknowledged writes are not looked for. */
  readonly verify: boolean;
  readonly verifyKeys: number;
  readonly patience: string;
  /** Runs, one after the other, for `compare`. */
  readonly repeat: number;
  readonly out?: string;
}

/** Ends with exit code 1 where an acknowledged write or delete is lost, or the run was broken off. */
export async function runCommand(
  name: string,
  options: RunArguments,
  entryPoint: string,
): Promise<void> {
  const workload = overridden(findWorkload(name), options);
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const isForOwn = options.start !== undefined && needsRights(faultEvents(workload));
  const exitCode = await runInNamespace(isForOwn, command);
  if (exitCode !== undefined) {
    process.exitCode = exitCode;
    return;
  }
  const startedAt = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const credentials = await credentialsOf(options);
  const folder = resolve(options.out ?? join('data', 'bench', `${workload.name}-${startedAt}`));
  makeReportFolder(folder);
  if (name.endsWith('.config')) console.log(workload.about);
  for (let number = 1; number <= options.repeat; number += 1) {
    const result = await runWorkload(workload, { ...options, credentials }, entryPoint);
    showResult(result, options.repeat === 1 ? folder : join(folder, String(number)));
    if (result.brokenOff !== undefined) return;
  }
}

/** Runs it, on nodes of its own where the options say so. */
export async function runWorkload(
  workload: Workload,
  options: RunArguments & Partial<Pick<Place, 'credentials'>>,
  entryPoint: string,
): Promise<RunResult> {
  const { credentials } = options;
  if (options.start === undefined) {
    const target = parseTarget(options.target ?? 'pb://127.0.0.1:10017', options.queryNodes);
    mustFitLogin(target, credentials !== undefined);
    const own = undefined;
    return load(workload, options, { target, credentials, own, dataFolder: process.cwd() });
  }
  if (credentials !== undefined) {
    throw new Fault('config', 'nodes that the run starts itself have no users');
  }
  if (options.data !== undefined) makeDataFolder(options.data);
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'vertebra-bench-'));
  try {
    return await runOnOwnNodes(workload, options, { entryPoint, data });
  } finally {
    if (options.data === undefined) rmSync(data, { recursive: true, force: true });
  }
}

function makeDataFolder(folder: string): void {
  try {
    makeFolders(folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('config', `the data folder ${folder} cannot be used: ${why}`, { cause });
  }
}

async function runOnOwnNodes(
  workload: Workload,
  options: RunArguments,
  { entryPoint, data }: { readonly entryPoint: string; readonly data: string },
): Promise<RunResult> {
  const { basePort, start: nodes = 1 } = options;
  const events = faultEvents(workload);
  const own = new OwnCluster({ nodes, basePort, data, entryPoint, events });
  const { cluster } = own;
  const stopAsked = new StopAsked();
  const { signal } = stopAsked;
  const started = own.start();
  try {
    await unlessStopped(signal, started);
    await unlessStopped(signal, cluster.ensureBucketTypes(typesOf(workload)));
    const target = targetOf(cluster, options);
    const place = { target, credentials: undefined, own, dataFolder: data, signal };
    return await load(workload, options, place);
  } finally {
    await cluster.stop();
    // Where it was stopped while it started, that goes on to its end.
    await started.catch(() => undefined);
    await own.stop();
    stopAsked.close();
  }
}

interface Place {
  readonly target: Target;
  readonly credentials: Credentials | undefined;
  readonly own: OwnCluster | undefined;
  readonly dataFolder: string;
  readonly signal?: AbortSignal;
}

function load(
  workload: Workload,
  options: RunArguments,
  { target, credentials, own, dataFolder, signal }: Place,
): Promise<RunResult> {
  const isAlone = target.kind === 'engine';
  const generator = options.generator === undefined ? undefined : parseGenerator(options.generator);
  const processes = processesFor(workload, options.processes, generator?.of);
  if (options.processes !== undefined && processes < options.processes) {
    console.log(`${processes} worker processes: there are no more clients`);
  }
  return runLoad({
    workload,
    target,
    credentials,
    cluster: own?.cluster,
    means: own,
    dataFolder,
    signal,
    scale: options.scale,
    processes: isAlone ? 1 : processes,
    generator,
    beginAtMs: options.begin === undefined ? undefined : parseBegin(options.begin, Date.now()),
    seed: options.seed,
    timeoutMs: mustDuration('timeout', options.timeout),
    intervalMs: reportIntervalMs(workload, options.interval),
    isLoaded: !options.load,
    verifyKeysMax: options.verify ? options.verifyKeys : 0,
    patienceMs: mustDuration('patience', options.patience),
    statusNodes: statusNodesOf({ target, credentials, own }),
    watched: own === undefined ? listeners(target) : () => own.processes(),
  });
}

/** Each takes an even share of an open loop, so each must have a client. */
export function processesFor(
  workload: Workload,
  asked: number | undefined,
  generators = 1,
): number {
  const { measure, fault, recover, clients } = workload;
  const steps = [...measure, ...(fault ? [fault] : []), ...(recover ? [recover] : [])];
  const fewest = Math.min(clients, ...steps.map((step) => step.clients));
  if (fewest < generators) {
    throw new Fault('config', `${fewest} clients are too few for ${generators} generators`);
  }
  return Math.min(
    Math.floor(fewest / generators),
    Math.max(1, asked ?? Math.floor(availableParallelism() / 4)),
  );
}

/** With all that the command line asks for, which is judged here, before anything is started. */
export function overridden(workload: Workload, options: RunArguments): Workload {
  const { rate } = options;
  if (rate !== undefined && !/^\d{1,9}(\.\d+)?(\/s|%)$/.test(rate)) {
    throw new Fault('config', `--rate ${rate} is not of the form 2000/s or 60%`);
  }
  if (rate !== undefined && parseRate(rate).value === 0) {
    throw new Fault('config', `--rate ${rate}: must be above 0`);
  }
  mustDuration('timeout', options.timeout);
  mustDuration('patience', options.patience);
  const { generator, begin, start, repeat } = options;
  if (begin !== undefined) parseBegin(begin, Date.now());
  if (begin !== undefined && repeat > 1) throw new Fault('config', '--begin is of one run');
  if (generator !== undefined && start !== undefined) {
    throw new Fault(
      'config',
      '--generator is for a cluster that others load too, and not for --start',
    );
  }
  if (generator !== undefined) parseGenerator(generator);
  return withOverrides(workload, {
    scale: options.scale,
    durationMs:
      options.duration === undefined ? undefined : mustDuration('duration', options.duration),
    clients: options.clients,
    rate: options.rate === undefined ? undefined : parseRate(options.rate),
    warmUpOperations: options.warmUp,
    steadyMs: options.steady === undefined ? undefined : mustDuration('steady', options.steady),
    without: options.without?.split(',') ?? [],
  });
}

/** The bucket types that the workload's buckets are of, with the properties that it sets on them. */
function typesOf({ buckets }: Workload): Record<string, unknown> {
  const types = Object.values(buckets)
    .filter(({ type }) => type !== 'default')
    .map(({ type, properties }) => [type, properties] as const);
  return Object.fromEntries(types);
}

function targetOf(cluster: DevCluster, options: RunArguments): Target {
  const httpNodes = cluster.nodes.map(({ host, httpPort: port }) => ({ host, port }));
  if (options.target === 'http') return { kind: 'http', nodes: httpNodes };
  const nodes = cluster.nodes.map(({ host, pbcPort: port }) => ({ host, port }));
  return { kind: 'pb', nodes, httpNodes };
}

/** Those whose HTTP API is known. */
function statusNodesOf({
  target,
  credentials,
  own,
}: Omit<Place, 'dataFolder' | 'signal'>): StatusNode[] {
  if (own !== undefined) {
    return own.nodes.map(({ name, host, httpPort: port }) => {
      return { name, address: { host, port } };
    });
  }
  if (!('nodes' in target)) return [];
  const login = credentials && new Login(credentials);
  const addresses = target.kind === 'pb' ? target.httpNodes : target.nodes;
  return addresses.map((address) => ({ name: addressText(address), address, login }));
}

/** Node processes of this machine that somebody else has started; looked for once. */
function listeners(target: Target): () => readonly WatchedProcess[] {
  if (!('nodes' in target)) return () => [];
  const found = target.nodes.flatMap(({ host, port }) => {
    const isHere = host === '127.0.0.1' || host === '::1' || host === 'localhost';
    const pid = isHere ? findListener(port) : undefined;
    return pid === undefined ? [] : [{ name: `${host}:${port}`, pid }];
  });
  return () => found;
}

/** Of workload files, too. */
const BOUNDS = {
  duration: ['1ms', '30d'],
  timeout: ['1ms', '1h'],
  patience: ['0s', '1d'],
  steady: ['0s', '1d'],
} as const;

function mustDuration(option: keyof typeof BOUNDS, text: string): number {
  const parsed = parseDurationMs(text);
  if (parsed === undefined) {
    throw new Fault('config', `--${option} ${text} is no duration like 30s`);
  }
  const [from, to] = BOUNDS[option];
  if (parsed >= (parseDurationMs(from) ?? 0) && parsed <= (parseDurationMs(to) ?? 0)) return parsed;
  throw new Fault('config', `--${option} ${text}: must be from ${from} to ${to}`);
}
