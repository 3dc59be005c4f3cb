/**
 * The stage of a map or link phase: its inputs are mapped where the objects are, as far as that can be.
 *
 * Inputs are given to a run of the node's (`MapRun`) far enough ahead to keep every replica at work; it
 * gives back what each came to, in their order. What no replica could map comes as an ordinary read,
 * and is mapped here: so it is with a function that fails, for which the read finds the words.
 */

import { parseAddress } from './address.ts';
import { decodeTerm, encodeTerm } from './external-term.ts';
import { isCrash } from './map-functions.ts';
import { Mapper, encodeTask, type MapTask } from './map-task.ts';
import { NO_TYPE_CRASH, NO_TYPE_FAILURE, foundOf, inputTerm, phaseFailure } from './phase-input.ts';
import { expressionOf } from './script-call.ts';
import { UNDEFINED, isList, termSizeBytes } from './term.ts';
import type { Address } from './address.ts';
import type { LinkPhase, MapPhase, ScriptMapPhase } from './job.ts';
import type { JobEvent, MapRun } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { Turns } from '../base/turns.ts';
import type { Stage } from './phase-stages.ts';
import type { Term, TermList } from './term.ts';

type Events = AsyncGenerator<JobEvent>;

/** Inputs that are under way at once. */
const AHEAD_COUNT = 512;
/** Results that go on together, at least while more are there already, and at most. */
const RESULTS_MIN_COUNT = 8;
const RESULTS_MAX_COUNT = 512;
const RESULTS_MAX_BYTES = 1024 * 1024;

export async function* runMap(
  inputs: Events,
  phase: MapPhase | LinkPhase | ScriptMapPhase,
  stage: Stage,
): Events {
  const { index } = stage;
  const task = await taskOf(phase, stage);
  const name = nameOf(phase);
  if ('crash' in task) return yield phaseFailure(index, { ...task, input: [], name });
  const mapping = new Mapping(task, stage);
  try {
    for await (const event of inputs) {
      if (event.kind === 'failed' || event.phase !== index - 1) {
        yield event;
        continue;
      }
      if (stage.keepsInputs) yield event;
      const gathered = new Gathered(index);
      for await (const outcome of mapping.over(event.results)) {
        if (isMapCrash(outcome)) return yield failureOf(outcome, { index, name });
        if (stage.turns.spend(gathered.add(outcome))) await stage.turns.pass();
        if (gathered.isDue(mapping.isReady)) yield* gathered.take(stage.turns);
      }
      if (gathered.count > 0) yield* gathered.take(stage.turns);
    }
  } finally {
    mapping.close();
  }
}

function nameOf(phase: MapPhase | LinkPhase | ScriptMapPhase): string {
  if (phase.kind === 'script-map') return 'javascript';
  return phase.kind === 'map' ? phase.name : 'mapreduce_linkfun';
}

async function taskOf(
  phase: MapPhase | LinkPhase | ScriptMapPhase,
  { ports, leftMs, scripts }: Stage,
): Promise<MapTask | Crash> {
  if (phase.kind !== 'script-map') return phase;
  if (scripts === undefined) return { crash: 'javascript_disabled' };
  const expression = await expressionOf(phase.source, ports, leftMs());
  return typeof expression === 'string'
    ? { kind: 'script', expression, arg: phase.arg }
    : expression;
}

interface MapCrash extends Crash {
  readonly input: Term;
}

function failureOf(
  outcome: MapCrash,
  { index, name }: { readonly index: number; readonly name: string },
): JobEvent {
  return index === 0 && outcome.crash === NO_TYPE_CRASH
    ? NO_TYPE_FAILURE
    : phaseFailure(index, { ...outcome, name });
}

function isMapCrash(outcome: TermList | MapCrash): outcome is MapCrash {
  return 'crash' in outcome;
}

/** Results on their way to the next stage. */
class Gathered {
  readonly #phase: number;
  #results: Term[] = [];
  #sizeBytes = 0;

  constructor(phase: number) {
    this.#phase = phase;
  }

  get count(): number {
    return this.#results.length;
  }

  /** Returns their size in bytes. */
  add(results: TermList): number {
    for (const result of results) this.#results.push(result);
    const sizeBytes = termSizeBytes(results);
    this.#sizeBytes += sizeBytes;
    return sizeBytes;
  }

  /** They wait for more only if more are at hand, or they are few. */
  isDue(hasMore: boolean): boolean {
    const { length } = this.#results;
    if (this.#sizeBytes >= RESULTS_MAX_BYTES || length >= RESULTS_MAX_COUNT) return true;
    return !hasMore && length >= RESULTS_MIN_COUNT;
  }

  /** In parts: one function may have given very many. */
  async *take(turns: Turns): Events {
    const results = this.#results;
    this.#results = [];
    this.#sizeBytes = 0;
    for (let start = 0; start < results.length; start += RESULTS_MAX_COUNT) {
      if (start > 0) await turns.pass();
      const some = results.slice(start, start + RESULTS_MAX_COUNT);
      yield { kind: 'results', phase: this.#phase, results: some };
    }
  }
}

/** A task over the inputs of its phase. */
class Mapping {
  readonly #stage: Stage;
  readonly #run: MapRun;
  readonly #mapper: Mapper;
  /** Only functions in JavaScript see it where there is an object. */
  readonly #needsKeyData: boolean;

  constructor(task: MapTask, stage: Stage) {
    this.#stage = stage;
    this.#run = stage.ports.mapRun(encodeTask(task), stage.leftMs);
    this.#mapper = new Mapper(task, stage.scripts, stage.turns);
    this.#needsKeyData = task.kind === 'script';
  }

  /** What the next input came to is known. */
  get isReady(): boolean {
    return this.#run.isReady;
  }

  close(): void {
    this.#run.close();
    this.#mapper.close();
  }

  /** What each input comes to, in order. */
  async *over(terms: TermList): AsyncGenerator<TermList | MapCrash> {
    const addresses: Begun[] = [];
    for (const [index, term] of terms.entries()) {
      while (addresses.length < terms.length && addresses.length - index < AHEAD_COUNT) {
        addresses.push(this.#begin(terms[addresses.length] as Term));
      }
      yield await this.#finish(term, addresses[index]);
    }
  }

  #begin(term: Term): Begun {
    const address = isObject(term) ? undefined : parseAddress(term);
    if (address === undefined) return undefined;
    const { key, keyData } = address;
    if (this.#stage.mayMap?.(key) === false) return 'denied';
    if (!this.#needsKeyData || keyData === UNDEFINED) this.#run.add({ key, keyData: undefined });
    else {
      const bytes = encodeTerm(keyData);
      if (bytes === undefined) this.#run.addRead(key);
      else this.#run.add({ key, keyData: bytes });
    }
    return address;
  }

  async #finish(term: Term, address: Begun): Promise<TermList | MapCrash> {
    if (isObject(term)) {
      return this.#map({ address: { key: term.key, keyData: UNDEFINED }, object: term });
    }
    if (address === undefined) return { crash: 'bad_input', input: term };
    if (address === 'denied') return { crash: 'permission_denied', input: term };
    let outcome = await this.#run.take();
    if (Buffer.isBuffer(outcome)) {
      const results = decodeTerm(outcome);
      if (results !== undefined && isList(results)) return results;
      // Deeper than may be read; here nothing has to be.
      const { ports, leftMs } = this.#stage;
      outcome = await ports.get({ key: address.key, timeoutMs: leftMs() });
    }
    const found = foundOf(address, outcome);
    return 'crash' in found ? { ...found, input: term } : this.#map(found);
  }

  async #map(found: Parameters<Mapper['map']>[0]): Promise<TermList | MapCrash> {
    const outcome = await this.#mapper.map(found);
    return isCrash(outcome) ? { ...outcome, input: inputTerm(found) } : outcome;
  }
}

/** Undefined: there is nothing to read. */
type Begun = Address | 'denied' | undefined;

function isObject(term: Term): term is Extract<Term, { kind: 'object' }> {
  return typeof term === 'object' && 'kind' in term && term.kind === 'object';
}
