/**
 * The stages of a job: each takes the events of the stage before and gives its own.
 *
 * A stage works on the results of the phase before it and hands everything else on: the results of
 * earlier phases that the client wants, and a failure, after which nothing follows. Stages are pulled,
 * so nothing is read before it is wanted.
 */

import { isCrash, type Crash } from './map-functions.ts';
import { runMap } from './map-stage.ts';
import { lastBatchFailure, phaseFailure, startupFailure } from './phase-input.ts';
import type { FailedEvent } from './phase-input.ts';
import { runScriptReduce } from './script-reduce.ts';
import { termSizeBytes } from './term.ts';
import type { Phase, ReducePhase, TextPhase } from './job.ts';
import type { JobEvent, JobPorts, MayMap } from './job-ports.ts';
import type { Reducer } from './reduce-functions.ts';
import type { ScriptEngine } from './script.ts';
import type { Term, TermList } from './term.ts';
import type { Turns } from '../base/turns.ts';

/** Riak gives a reduce function so many inputs at once, and tells of its failure what came last. */
const BATCH_COUNT = 20;

/** What a reduce function takes, and what it comes to, in one go. */
const RESULTS_MAX_COUNT = 512;

/** What a reduce phase may hold. */
const HELD_MAX_BYTES = 64 * 1024 * 1024;

export interface Stage {
  readonly ports: JobPorts;
  /** Time left for the job. */
  readonly leftMs: () => number;
  /** Spent from by all stages of the job. */
  readonly turns: Turns;
  /** The number of its phase. */
  readonly index: number;
  /** The results of the phase before go to the client too. */
  readonly keepsInputs: boolean;
  /** Undefined: phases in JavaScript are refused when the job is read. */
  readonly scripts: ScriptEngine | undefined;
  readonly mayMap: MayMap | undefined;
}

type Events = AsyncGenerator<JobEvent>;

export function runStage(inputs: Events, phase: Phase, stage: Stage): Events {
  switch (phase.kind) {
    case 'reduce':
      return runReduce(inputs, phase, stage);
    case 'script-reduce':
      return runScriptReduce(inputs, phase, stage);
    case 'text-map':
    case 'text-reduce':
      return runText(inputs, phase, stage);
    case 'map':
    case 'link':
    case 'script-map':
      return runMap(inputs, phase, stage);
  }
}

/** Who sends to what cannot start tells it: for a map phase that is its own reading of objects. */
async function* runText(inputs: Events, { kind }: TextPhase, { index }: Stage): Events {
  const sender = kind === 'text-map' ? index : index - 1;
  for await (const event of inputs) {
    if (event.kind === 'failed' || event.phase !== index - 1) {
      yield event;
      continue;
    }
    const [input] = event.results;
    if (input !== undefined) return yield startupFailure(sender, input);
  }
}

async function* runReduce(inputs: Events, phase: ReducePhase, stage: Stage): Events {
  const { index } = stage;
  const { name } = phase;
  const reducer = phase.makeReducer();
  let count = 0;
  for await (const event of inputs) {
    if (event.kind === 'failed') {
      yield event;
      return;
    }
    if (event.phase !== index - 1) {
      yield event;
      continue;
    }
    if (stage.keepsInputs) yield event;
    const outcome = await addInTurns(reducer, event.results, stage.turns);
    if (isCrash(outcome)) {
      const batch = {
        phase: index - 1,
        first: event.results,
        left: BATCH_COUNT - (count % BATCH_COUNT),
      };
      const last = await lastOfBatch(inputs, batch);
      if ('kind' in last) return yield last;
      const told = { ...outcome, name };
      return yield last.input === undefined
        ? lastBatchFailure(index, told)
        : phaseFailure(index, { ...told, input: last.input });
    }
    count += event.results.length;
    if (reducer.heldBytes > HELD_MAX_BYTES) {
      yield phaseFailure(index, { crash: 'system_limit', input: [], name });
      return;
    }
    if (outcome.length > 0) yield { kind: 'results', phase: index, results: outcome };
  }
  let results: Term[] = [];
  for (const result of reducer.finish()) {
    results.push(result);
    if (results.length < RESULTS_MAX_COUNT) continue;
    yield { kind: 'results', phase: index, results };
    results = [];
    await stage.turns.pass();
  }
  if (results.length > 0) yield { kind: 'results', phase: index, results };
}

/** As `reducer.add`, with turns for others. */
async function addInTurns(
  reducer: Reducer,
  inputs: TermList,
  turns: Turns,
): Promise<TermList | Crash> {
  const fresh: Term[] = [];
  for (let start = 0; start < inputs.length; start += RESULTS_MAX_COUNT) {
    const some = inputs.slice(start, start + RESULTS_MAX_COUNT);
    if (turns.spend(termSizeBytes(some))) await turns.pass();
    const outcome = reducer.add(some);
    if (isCrash(outcome)) return outcome;
    for (const result of outcome) fresh.push(result);
  }
  return fresh;
}

/** Without an input: there are not that many. A failure of a phase before is what the client is told. */
async function lastOfBatch(
  inputs: Events,
  batch: { readonly phase: number; readonly first: TermList; readonly left: number },
): Promise<{ readonly input: Term | undefined } | FailedEvent> {
  let { first: results, left } = batch;
  for (;;) {
    if (results.length >= left) return { input: results[left - 1] };
    left -= results.length;
    const next = await inputs.next();
    if (next.done === true) return { input: undefined };
    const { value: event } = next;
    if (event.kind === 'failed') return event;
    results = event.phase === batch.phase ? event.results : [];
  }
}
