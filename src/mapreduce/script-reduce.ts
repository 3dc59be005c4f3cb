/**
 * The stage of a reduce phase in JavaScript.
 *
 * The function gets what it gave last and a batch of new inputs, so it may see its own results, as in
 * Riak.
 */

import { structToMissing } from './missing-object.ts';
import { phaseFailure } from './phase-input.ts';
import { expressionOf } from './script-call.ts';
import { NOT_A_LIST, isListText, itemsOf } from './script-results.ts';
import { JsonResults, termToJson } from './term-json.ts';
import type { ScriptReducePhase } from './job.ts';
import type { JobEvent } from './job-ports.ts';
import type { Stage } from './phase-stages.ts';
import type { ScriptSession, ScriptSource } from './script.ts';
import type { Crash } from './map-functions.ts';
import type { Turns } from '../base/turns.ts';
import type { Term, TermList } from './term.ts';

type Events = AsyncGenerator<JobEvent>;

/** What a reduce function may be given at once. */
const HELD_MAX_BYTES = 32 * 1024 * 1024;
const STACK_NAME = 'javascript';

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
    for await (const results of batch.finish(stage.turns)) {
      if ('crash' in results) return yield failure(stage, results, []);
      yield { kind: 'results', phase: index, results: results.map(structToMissing) };
    }
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

  /** Results in parts. With nothing to reduce, the function is asked once all the same. */
  async *finish(turns: Turns): AsyncGenerator<TermList | Crash> {
    const isDue = this.#waitingCount > 0 || !this.#wasCalled;
    const crash = isDue ? await this.#reduce() : undefined;
    if (crash === undefined) yield* itemsOf(`[${this.#last}]`, turns);
    else yield crash;
  }

  async #reduce(): Promise<Crash | undefined> {
    const waiting = this.#waiting.text();
    if (waiting === undefined || !waiting.startsWith('[')) return { crash: 'bad_json' };
    const inner = waiting.slice(1, -1);
    const parts = this.#last === '' || inner === '' ? this.#last + inner : `${this.#last},${inner}`;
    const { arg } = this.#phase;
    const outcome = await this.#session.call(`[[${parts}],${argumentJson(arg)}]`);
    if (outcome.kind === 'failed') return { crash: outcome.message };
    if (!isListText(outcome.json)) return NOT_A_LIST;
    this.#last = outcome.json.slice(1, -1);
    this.#waiting = new JsonResults();
    this.#waitingCount = 0;
    this.#wasCalled = true;
    return undefined;
  }
}

function argumentJson(arg: Term): string {
  return termToJson(arg) ?? 'null';
}

async function openSession(source: ScriptSource, stage: Stage): Promise<ScriptSession | Crash> {
  const { scripts, ports, leftMs } = stage;
  if (scripts === undefined) return { crash: 'javascript_disabled' };
  const expression = await expressionOf(source, ports, leftMs());
  return typeof expression === 'string' ? scripts.open(expression) : expression;
}

function failure(stage: Stage, { crash }: Crash, input: Term): JobEvent {
  return phaseFailure(stage.index, { crash, input, name: STACK_NAME });
}
