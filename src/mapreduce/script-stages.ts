/**
 * The stages of phases in JavaScript.
 *
 * A map function gets one object at a time; a reduce function what it gave last and a batch of new
 * inputs, so it may see its own results, as in Riak. What functions take and give crosses as JSON.
 */

import { jsonDepth } from '../base/json-depth.ts';
import { isScriptName } from './script.ts';
import { readInput, inputTerm, phaseFailure, READS_AT_ONCE } from './phase-input.ts';
import { objectToJson } from './object-json.ts';
import { JsonResults, jsonToTerm, termToJson } from './term-json.ts';
import type { ScriptMapPhase, ScriptReducePhase } from './job.ts';
import type { JobEvent } from './job-ports.ts';
import type { Found } from './phase-input.ts';
import type { Stage } from './phase-stages.ts';
import type { ScriptSession, ScriptSource } from './script.ts';
import type { Crash } from './map-functions.ts';
import type { Term, TermList } from './term.ts';

type Events = AsyncGenerator<JobEvent>;

/** What a reduce function may be given at once. */
const HELD_MAX_BYTES = 32 * 1024 * 1024;
const DEPTH_MAX = 64;
const STACK_NAME = 'javascript';

export async function* runScriptMap(inputs: Events, phase: ScriptMapPhase, stage: Stage): Events {
  const { index } = stage;
  const session = await openSession(phase.source, stage);
  if ('crash' in session) return yield failure(stage, session, []);
  try {
    for await (const event of inputs) {
      if (event.kind === 'failed' || event.phase !== index - 1) {
        yield event;
        continue;
      }
      if (stage.keepsInputs) yield event;
      const terms = event.results;
      for (let start = 0; start < terms.length; start += READS_AT_ONCE) {
        const some = terms.slice(start, start + READS_AT_ONCE);
        const reads = await Promise.all(some.map((term) => readInput(term, stage)));
        for (const [position, found] of reads.entries()) {
          const results = 'crash' in found ? found : await mapOne(session, found, phase);
          if ('crash' in results) {
            const input = 'crash' in found ? (some[position] as Term) : inputTerm(found);
            return yield failure(stage, results, input);
          }
          if (results.length > 0) yield { kind: 'results', phase: index, results };
        }
      }
    }
  } finally {
    session.close();
  }
}

async function mapOne(
  session: ScriptSession,
  { address: { key, keyData }, object }: Found,
  { arg }: ScriptMapPhase,
): Promise<TermList | Crash> {
  const value = objectToJson(object, key, keyData);
  const data = termToJson(keyData);
  if (value === undefined || data === undefined) return { crash: 'invalid_utf8' };
  return call(session, `[${value},${data},${argumentJson(arg)}]`);
}

export async function* runScriptReduce(
  inputs: Events,
  phase: ScriptReducePhase,
  stage: Stage,
): Events {
  const { index } = stage;
  const session = await openSession(phase.source, stage);
  if ('crash' in session) return yield failure(stage, session, []);
  const batch = new Batch(session, phase);
  try {
    for await (const event of inputs) {
      if (event.kind === 'failed') return yield event;
      if (event.phase !== index - 1) {
        yield event;
        continue;
      }
      if (stage.keepsInputs) yield event;
      const crash = await batch.add(event.results);
      if (crash !== undefined) return yield failure(stage, crash, event.results);
    }
    const results = await batch.finish();
    if ('crash' in results) return yield failure(stage, results, []);
    if (results.length > 0) yield { kind: 'results', phase: index, results };
  } finally {
    session.close();
  }
}

/** What a reduce function gave last, and the inputs that are to join it. */
class Batch {
  readonly #session: ScriptSession;
  readonly #phase: ScriptReducePhase;
  #waiting = new JsonResults();
  #waitingCount = 0;
  #wasCalled = false;
  #last = '';

  constructor(session: ScriptSession, phase: ScriptReducePhase) {
    this.#session = session;
    this.#phase = phase;
  }

  async add(inputs: TermList): Promise<Crash | undefined> {
    for (const input of inputs) {
      this.#waiting.add([input]);
      this.#waitingCount += 1;
      if (this.#waiting.sizeBytes + this.#last.length > HELD_MAX_BYTES) {
        return { crash: 'system_limit' };
      }
      if (this.#waitingCount < this.#phase.batchCount) continue;
      const crash = await this.#reduce();
      if (crash !== undefined) return crash;
    }
    return undefined;
  }

  /** With nothing to reduce, the function is asked once all the same. */
  async finish(): Promise<TermList | Crash> {
    const isDue = this.#waitingCount > 0 || !this.#wasCalled;
    const crash = isDue ? await this.#reduce() : undefined;
    return crash ?? listOf(`[${this.#last}]`);
  }

  async #reduce(): Promise<Crash | undefined> {
    const waiting = this.#waiting.text();
    if (waiting === undefined || !waiting.startsWith('[')) return { crash: 'bad_json' };
    const inner = waiting.slice(1, -1);
    const parts = this.#last === '' || inner === '' ? this.#last + inner : `${this.#last},${inner}`;
    const { arg } = this.#phase;
    const outcome = await this.#session.call(`[[${parts}],${argumentJson(arg)}]`);
    if (outcome.kind === 'failed') return { crash: outcome.message };
    const results = listOf(outcome.json);
    if ('crash' in results) return results;
    this.#last = outcome.json.slice(1, -1);
    this.#waiting = new JsonResults();
    this.#waitingCount = 0;
    this.#wasCalled = true;
    return undefined;
  }
}

async function call(session: ScriptSession, args: string): Promise<TermList | Crash> {
  const outcome = await session.call(args);
  return outcome.kind === 'failed' ? { crash: outcome.message } : listOf(outcome.json);
}

function listOf(json: string): TermList | Crash {
  if (jsonDepth(Buffer.from(json)) > DEPTH_MAX) return { crash: 'too_deep' };
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.map(jsonToTerm) : { crash: 'the function gave no list' };
}

function argumentJson(arg: Term): string {
  return termToJson(arg) ?? 'null';
}

async function openSession(source: ScriptSource, stage: Stage): Promise<ScriptSession | Crash> {
  const { scripts, ports, leftMs } = stage;
  if (scripts === undefined) return { crash: 'javascript_disabled' };
  switch (source.kind) {
    case 'name':
      return isScriptName(source.name) ? scripts.open(source.name) : { crash: 'no_function' };
    case 'text':
      return scripts.open(source.text);
    case 'stored': {
      const outcome = await ports.get({ key: source.key, timeoutMs: leftMs() });
      const value = outcome.kind === 'found' ? outcome.object.siblings[0]?.value : undefined;
      return value === undefined ? { crash: 'no_function' } : scripts.open(value.toString());
    }
  }
}

function failure(stage: Stage, { crash }: Crash, input: Term): JobEvent {
  return phaseFailure(stage.index, { crash, input, name: STACK_NAME });
}
