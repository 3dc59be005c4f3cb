/**
 * The stages of a job: each takes the events of the stage before and gives its own.
 *
 * A stage works on the results of the phase before it and hands everything else on: the results of
 * earlier phases that the client wants, and a failure, after which nothing follows. Stages are pulled,
 * so nothing is read before it is wanted, and a map phase has a fixed number of reads under way.
 */

import { linkAddress } from './address.ts';
import { isCrash } from './map-functions.ts';
import { READS_AT_ONCE, inputTerm, phaseFailure, readInput } from './phase-input.ts';
import { runScriptMap, runScriptReduce } from './script-stages.ts';
import type { ByteString } from '../base/bytes.ts';
import type { LinkPhase, MapPhase, Phase, ReducePhase } from './job.ts';
import type { JobEvent } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { Found, Reading } from './phase-input.ts';
import type { ScriptEngine } from './script.ts';
import type { ObjectTerm, Term, TermList } from './term.ts';

/** What a reduce phase may hold. */
const HELD_MAX_BYTES = 64 * 1024 * 1024;

export interface Stage extends Reading {
  /** The number of its phase. */
  readonly index: number;
  /** The results of the phase before go to the client too. */
  readonly keepsInputs: boolean;
  /** Undefined: phases in JavaScript are refused when the job is read. */
  readonly scripts: ScriptEngine | undefined;
}

type Events = AsyncGenerator<JobEvent>;

export function runStage(inputs: Events, phase: Phase, stage: Stage): Events {
  switch (phase.kind) {
    case 'reduce':
      return runReduce(inputs, phase, stage);
    case 'script-map':
      return runScriptMap(inputs, phase, stage);
    case 'script-reduce':
      return runScriptReduce(inputs, phase, stage);
    case 'map':
    case 'link':
      return runReading(inputs, phase, stage);
  }
}

/** A map or link phase: reads its inputs, some at a time, and makes results of each. */
async function* runReading(inputs: Events, phase: MapPhase | LinkPhase, stage: Stage): Events {
  for await (const event of inputs) {
    if (event.kind === 'failed' || event.phase !== stage.index - 1) {
      yield event;
      continue;
    }
    if (stage.keepsInputs) yield event;
    const terms = event.results;
    for (let start = 0; start < terms.length; start += READS_AT_ONCE) {
      const some = terms.slice(start, start + READS_AT_ONCE);
      const reads = await Promise.all(some.map((term) => readInput(term, stage)));
      const results: Term[] = [];
      for (const [index, found] of reads.entries()) {
        const outcome = 'crash' in found ? found : applyReading(phase, found);
        if ('crash' in outcome) {
          const input = 'crash' in found ? (some[index] as Term) : inputTerm(found);
          yield phaseFailure(stage.index, { crash: outcome.crash, input, name: nameOf(phase) });
          return;
        }
        for (const result of outcome) results.push(result);
      }
      if (results.length > 0) yield { kind: 'results', phase: stage.index, results };
    }
  }
}

function applyReading(phase: MapPhase | LinkPhase, found: Found): TermList | Crash {
  const { object, address } = found;
  if (phase.kind === 'map') return phase.run({ object, keyData: address.keyData }, phase.arg);
  return object === undefined ? [] : linksOf(object, phase);
}

/** Of all siblings; a link that names no key leads nowhere. */
function linksOf({ key, object }: ObjectTerm, wanted: LinkPhase): TermList {
  const results: Term[] = [];
  for (const { metadata } of object.siblings) {
    for (const link of metadata.links ?? []) {
      if (link.bucket === undefined || link.key === undefined) continue;
      if (wanted.bucket !== undefined && wanted.bucket !== link.bucket) continue;
      if (wanted.tag !== undefined && wanted.tag !== link.tag) continue;
      const tag = link.tag ?? ('' as ByteString);
      results.push(linkAddress(key.type, [link.bucket, link.key, tag]));
    }
  }
  return results;
}

async function* runReduce(inputs: Events, phase: ReducePhase, stage: Stage): Events {
  const { index } = stage;
  const reducer = phase.makeReducer();
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
    const outcome = reducer.add(event.results);
    if (isCrash(outcome)) {
      yield phaseFailure(index, { ...outcome, input: event.results, name: phase.name });
      return;
    }
    if (reducer.heldBytes > HELD_MAX_BYTES) {
      yield phaseFailure(index, { crash: 'system_limit', input: [], name: phase.name });
      return;
    }
    if (outcome.length > 0) yield { kind: 'results', phase: index, results: outcome };
  }
  const results = reducer.finish();
  if (results.length > 0) yield { kind: 'results', phase: index, results };
}

function nameOf(phase: MapPhase | LinkPhase): string {
  return phase.kind === 'map' ? phase.name : 'mapreduce_linkfun';
}
