/**
 * The stages of a job: each takes the events of the stage before and gives its own.
 *
 * A stage works on the results of the phase before it and hands everything else on: the results of
 * earlier phases that the client wants, and a failure, after which nothing follows. Stages are pulled,
 * so nothing is read before it is wanted, and a map phase has a fixed number of reads under way.
 */

import { parseAddress, linkAddress } from './address.ts';
import { isCrash } from './map-functions.ts';
import { printTerm } from './term-print.ts';
import { NOT_FOUND, UNDEFINED, atom, binary, tuple } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Failure, GetOutcome } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { Address } from './address.ts';
import type { LinkPhase, MapPhase, Phase, ReducePhase } from './job.ts';
import type { JobEvent, JobPorts } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { ObjectTerm, Term, TermList } from './term.ts';

/** Objects may be large, and all that are read together are in memory. */
const READS_AT_ONCE = 8;
/** What a reduce phase may hold. */
const HELD_MAX_BYTES = 64 * 1024 * 1024;

export interface Stage {
  readonly ports: JobPorts;
  /** The number of its phase. */
  readonly index: number;
  /** The results of the phase before go to the client too. */
  readonly keepsInputs: boolean;
  /** Time left for one read. */
  readonly leftMs: () => number;
}

type Events = AsyncGenerator<JobEvent>;
type Failed = Extract<JobEvent, { kind: 'failed' }>;

export function runStage(inputs: Events, phase: Phase, stage: Stage): Events {
  return phase.kind === 'reduce'
    ? runReduce(inputs, phase, stage)
    : runReading(inputs, phase, stage);
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
      const reads = await Promise.all(some.map((term) => read(term, stage)));
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

interface Found {
  readonly address: Address;
  readonly object: ObjectTerm | undefined;
}

async function read(term: Term, { ports, leftMs }: Stage): Promise<Found | Crash> {
  if (typeof term === 'object' && 'kind' in term && term.kind === 'object') {
    return { address: { key: term.key, keyData: UNDEFINED }, object: term };
  }
  const address = parseAddress(term);
  if (address === undefined) return { crash: 'bad_input' };
  const outcome = await ports.get({ key: address.key, timeoutMs: leftMs() });
  if (outcome.kind === 'found') {
    return { address, object: { kind: 'object', key: address.key, object: outcome.object } };
  }
  return outcome.kind === 'not-found'
    ? { address, object: tombstoneOf(address.key, outcome) }
    : { crash: failureName(outcome) };
}

function failureName(failure: Failure): string {
  return failure.kind.replaceAll('-', '_');
}

/** What was deleted and not reaped yet is an object whose value is empty, as in Riak. */
function tombstoneOf(
  key: ObjectKey,
  { tombstoneContext }: Extract<GetOutcome, { kind: 'not-found' }>,
): ObjectTerm | undefined {
  const [actor, counter] = tombstoneContext?.entries().next().value ?? [];
  if (tombstoneContext === undefined || actor === undefined || counter === undefined) {
    return undefined;
  }
  const object: StoredObject = {
    context: tombstoneContext,
    siblings: [
      {
        dot: { actor, counter },
        lastModifiedMicros: 0,
        vtag: '',
        metadata: {},
        isTombstone: true,
        valueSizeBytes: 0,
        value: Buffer.alloc(0),
      },
    ],
  };
  return { kind: 'object', key, object };
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

interface PhaseCrash extends Crash {
  readonly input: Term;
  readonly name: string;
}

function phaseFailure(phase: number, { crash, input, name }: PhaseCrash): Failed {
  const stack = printTerm([tuple(atom('riak_kv_mapreduce'), atom(name))]);
  return {
    kind: 'failed',
    failure: {
      reason: 'phase',
      phase,
      error: crash,
      input: printTerm(input),
      type: 'error',
      stack,
    },
  };
}

/** `{ok, Object, KeyData}` or `{{error, notfound}, Address, KeyData}`. */
function inputTerm({ address: { key, keyData }, object }: Found): Term {
  return object === undefined
    ? tuple(NOT_FOUND, tuple(binary(key.bucket), binary(key.key)), keyData)
    : tuple(atom('ok'), object, keyData);
}

function nameOf(phase: MapPhase | LinkPhase): string {
  return phase.kind === 'map' ? phase.name : 'mapreduce_linkfun';
}
