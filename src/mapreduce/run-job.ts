/**
 * Running a job: inputs, stages, and one deadline over all.
 *
 * The node that was asked coordinates: inputs come from coverage queries, map functions run where the
 * objects are, and results leave as they come, at the pace of who takes them. What a job holds is a
 * batch for each stage, the inputs under way and what reduce phases gather; all are bounded.
 */

import { isFault } from '../base/fault.ts';
import { Turns } from '../base/turns.ts';
import { readInputs } from './job-source.ts';
import { runStage } from './phase-stages.ts';
import type { Clock, Metrics } from '../base/host.ts';
import type { Job } from './job.ts';
import type { JobEvent, JobFailure, JobPorts, MayMap } from './job-ports.ts';
import type { Stage } from './phase-stages.ts';
import type { ScriptEngine } from './script.ts';

export interface JobHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly scripts: ScriptEngine | undefined;
  /** Whether objects of a bucket may be mapped; undefined: all may. */
  readonly mayMap: MayMap | undefined;
  /** Whether someone still waits for results. */
  readonly isWanted: () => boolean;
}

/**
 * The job's results in the order in which they come, phases mixed; a failure is the last event. Throws
 * the faults of its ports but for `timeout`, which is a failure, and `closed` once nobody waits. Ends its
 * reads when it is returned.
 */
export async function* runJob(job: Job, ports: JobPorts, host: JobHost): AsyncGenerator<JobEvent> {
  host.metrics.count('mapreduce_jobs_total');
  host.metrics.count('pipeline_create');
  const deadline = new Deadline(host.clock, job.timeoutMs);
  const { scripts, mayMap, metrics, isWanted } = host;
  const events = connectStages(job, ports, {
    deadline,
    turns: new Turns(host.clock),
    scripts,
    mayMap,
    metrics,
    isWanted,
  });
  const last = job.phases.length - 1;
  try {
    for (;;) {
      const next = await deadline.wait(events.next());
      if (next === 'late') return yield failed(host, { reason: 'timeout' });
      if (next.done === true) return;
      const event = next.value;
      if (event.kind === 'failed') return yield failed(host, event.failure);
      const isKept = event.phase < last || job.phases[last]?.isKept !== false;
      if (isKept) yield { ...event, phase: Math.max(event.phase, 0) };
    }
  } catch (error) {
    if (!isFault(error, 'timeout')) throw error;
    yield failed(host, { reason: 'timeout' });
  } finally {
    host.metrics.count('pipeline_end');
    deadline.end();
    // A stage that is still reading ends when that read does, which no one waits for.
    events.return(undefined).catch(() => undefined);
  }
}

function connectStages(
  job: Job,
  ports: JobPorts,
  {
    deadline,
    metrics,
    isWanted,
    ...rights
  }: { readonly deadline: Deadline } & Pick<JobHost, 'metrics' | 'isWanted'> &
    Pick<Stage, 'turns' | 'scripts' | 'mayMap'>,
): AsyncGenerator<JobEvent> {
  let events = readInputs(job.inputs, ports, {
    timeoutMs: Math.max(job.timeoutMs, 1),
    turns: rights.turns,
    metrics,
    isWanted,
  });
  for (const [index, phase] of job.phases.entries()) {
    const keepsInputs = job.phases[index - 1]?.isKept === true;
    const leftMs = (): number => deadline.leftMs();
    events = runStage(events, phase, { ports, index, keepsInputs, leftMs, ...rights });
  }
  return events;
}

function failed({ metrics }: JobHost, failure: JobFailure): JobEvent {
  metrics.count('mapreduce_failures_total');
  if (failure.reason === 'timeout') metrics.count('mapreduce_timeouts_total');
  return { kind: 'failed', failure };
}

/** Never enough, as with Riak, however quick the nodes are: clients test their time-outs with it. */
const LEAST_TIME_MS = 1;

/** One moment in time, and waits that it ends. */
class Deadline {
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #cancel: () => void;
  #isOver: boolean;
  #onOver: (() => void) | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + timeoutMs;
    this.#isOver = timeoutMs <= LEAST_TIME_MS;
    this.#cancel = clock.after(timeoutMs, () => {
      this.#isOver = true;
      this.#onOver?.();
    });
  }

  /** At least 1. */
  leftMs(): number {
    return Math.max(Math.ceil(this.#endMs - this.#clock.monotonicMs()), 1);
  }

  /** What `promise` comes to, unless the moment comes first. One wait at a time. */
  wait<T>(promise: Promise<T>): Promise<T | 'late'> {
    return new Promise((resolve, reject) => {
      this.#onOver = () => resolve('late');
      if (this.#isOver) this.#onOver();
      promise.then(resolve, reject);
    });
  }

  end(): void {
    this.#cancel();
  }
}
