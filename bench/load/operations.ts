/**
 * What clients do: the operations of a workload, carried out one by one.
 *
 * Each operation ends as `ok`, as an error with a reason, as a conflict, or silently: then there was
 * nothing to do, and nothing is counted (the rule of the NHS driver). Where several requests make up
 * an operation each is timed too.
 */

import { isFault } from '../../src/base/fault.ts';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { parseDurationMs } from '../../src/config/units.ts';
import { fillQuery } from '../workload/query-documents.ts';
import { makeRange, makeTerms } from '../workload/index-terms.ts';
import { numberSeries } from './series.ts';
import { awaitSeen, lookForTerm, lookForValue } from './visibility.ts';
import { stampsOf } from './stamp.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { QueryRequest, ReadAnswer, Session, WriteContent } from '../target/session.ts';
import type { ValueSource } from '../workload/values.ts';
import type { OperationSpec, Workload } from '../workload/workload.ts';
import type { LoadClock } from './clock.ts';
import type { OperationEnd } from './loops.ts';
import type { KeySet, ProcessKeys } from './process-keys.ts';
import type { OutcomeName, Recorder } from './recorder.ts';
import type { SeriesOfOperation } from './series.ts';
import type { Watched } from './visibility.ts';
import type { KeyWatch, TrackedKey, TrackedWrites } from './tracked-writes.ts';

export interface OperationParts {
  readonly clock: LoadClock;
  readonly keys: ProcessKeys;
  readonly values: ValueSource;
  readonly writes: TrackedWrites;
  readonly recorder: Recorder;
  /** Of the run. */
  readonly run: number;
}

export interface LoadClient {
  /** Of all processes. */
  readonly id: number;
  readonly session: Session;
  /** To other nodes than `session`'s, one request each at a time; opened when they are first asked. */
  readonly watcher: (number: 0 | 1) => Session;
  readonly random: SeededRandom;
}

/** What is wrong where there is no fault. */
class Failure extends Error {}

type Outcome = OutcomeName | 'silent';

interface Step {
  readonly client: LoadClient;
  readonly spec: OperationSpec;
  readonly set: KeySet;
  readonly series: SeriesOfOperation;
}

const SWEEP_MAX = 100;
/** Of answers of requests that are no plain success. */
const PART_OUTCOMES: ReadonlyMap<unknown, Outcome> = new Map([
  ['conflict', 'conflict'],
  ['superseded', 'silent'],
]);

export class Operations {
  readonly #workload: Workload;
  readonly #parts: OperationParts;
  readonly #series: readonly SeriesOfOperation[];
  readonly #sets: readonly KeySet[];
  readonly #totalWeight: number;

  constructor(workload: Workload, parts: OperationParts) {
    this.#workload = workload;
    this.#parts = parts;
    this.#series = numberSeries(workload.operations);
    this.#sets = workload.operations.map(({ keys }) => parts.keys.mustSet(keys));
    this.#totalWeight = workload.operations.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** One operation, drawn by weight. Never rejects. */
  async runOne(client: LoadClient, dueMs: number): Promise<OperationEnd> {
    const index = this.#draw(client.random);
    const step: Step = {
      client,
      spec: this.#workload.operations[index] as OperationSpec,
      set: this.#sets[index] as KeySet,
      series: this.#series[index] as SeriesOfOperation,
    };
    const { clock } = this.#parts;
    const startMs = clock.nowMs();
    const series = step.series.whole;
    let outcome: Outcome;
    try {
      outcome = await this.#run(step);
    } catch (error) {
      outcome = 'error';
      this.#parts.recorder.countError(series, reasonOf(error));
    }
    if (outcome === 'silent') return 'idle';
    this.#record(client, { series, outcome }, { dueMs, startMs });
    return outcome === 'error' ? 'failed' : 'done';
  }

  /** Writes a key of the load phase, with what the workload's operations give such a key. */
  async store(client: LoadClient, set: KeySet, number: number): Promise<void> {
    const spec = this.#workload.operations.find(
      ({ keys, value }) => keys === set.name && value !== undefined,
    );
    const tracked = this.#parts.keys.tracked(set, number);
    const content = this.#content(client, spec ?? this.#anyWriter());
    await this.#parts.writes.put(client.session, tracked, { ...content, basis: undefined });
  }

  #anyWriter(): OperationSpec {
    const [value] = Object.keys(this.#workload.values);
    return { name: 'load', op: 'put', keys: '', weight: 1, value: value ?? '' };
  }

  #draw(random: SeededRandom): number {
    let rest = random.integer(this.#totalWeight);
    for (const [index, { weight }] of this.#workload.operations.entries()) {
      rest -= weight;
      if (rest < 0) return index;
    }
    return 0;
  }

  #run(step: Step): Promise<Outcome> {
    switch (step.spec.op) {
      case 'get':
        return this.#get(step);
      case 'put':
        return this.#put(step);
      case 'insert':
        return this.#insert(step);
      case 'update':
        return this.#update(step);
      case 'delete':
        return this.#delete(step);
      case 'query':
        return this.#query(step);
      case 'query_api':
        return this.#queryApi(step);
      case 'put_visible':
        return this.#putVisible(step);
      case 'sweep':
        return this.#sweep(step);
    }
  }

  async #get({ client, set, spec }: Step): Promise<Outcome> {
    const { keys } = this.#parts;
    const queued = keys.queueOf(set, client.id)?.existing(client.random);
    const number =
      queued?.number ??
      set.shared?.any(client.random) ??
      keys.ownedBy(set, client.id)?.existing(client.random);
    if (number === undefined) return 'silent';
    const { values } = await client.session.get(keys.tracked(set, number).key);
    if (values.length > 0) return 'ok';
    if (spec.not_found === 'error' && queued?.isCertain !== false) throw new Failure('not found');
    return 'ok';
  }

  async #put(step: Step): Promise<Outcome> {
    const { client, set, spec } = step;
    const number = set.shared?.own(client.random);
    if (number === undefined) return this.#insert(step);
    const content = this.#content(client, spec);
    const tracked = this.#parts.keys.tracked(set, number);
    await this.#parts.writes.put(client.session, tracked, { ...content, basis: undefined });
    return 'ok';
  }

  /** Writes, and waits until another node shows it; the time of each is a part of its own. */
  async #putVisible(step: Step): Promise<Outcome> {
    const { client, set } = step;
    const { keys, writes } = this.#parts;
    const own = set.shared?.own(client.random);
    const number = own ?? this.#newNumber(client, set);
    const content = this.#content(client, step.spec);
    const tracked = keys.tracked(set, number);
    const watch = writes.watch(tracked.number);
    try {
      await this.#timed(step, 'put', () =>
        writes.put(client.session, tracked, { ...content, watch, basis: undefined }),
      );
      if (own === undefined) this.#confirm(client, set);
      await this.#awaitVisible(step, { content, key: tracked.key, run: this.#parts.run }, watch);
    } finally {
      writes.unwatch(tracked.number, watch);
    }
    return 'ok';
  }

  async #awaitVisible(step: Step, watched: Watched, key: KeyWatch): Promise<void> {
    const { client, spec } = step;
    const { clock } = this.#parts;
    const endMs = clock.nowMs() + (parseDurationMs(spec.within ?? '') ?? 0);
    const writtenAt = client.session.node;
    const parts = [
      ['visible', lookForValue(watched)],
      ['indexed', lookForTerm(watched)],
    ] as const;
    const waits = parts.flatMap(([part, look], index) => {
      if (look === undefined) return [];
      const watcher = client.watcher(index as 0 | 1);
      return this.#timed(step, part, async () => {
        const seen = await awaitSeen(look, { clock, watcher, writtenAt, endMs, key });
        if (seen === 'late') throw new Failure(`not ${part} within ${spec.within}`);
        return seen;
      });
    });
    // Both have ended before the client's next operation: a session does one thing at a time.
    const ends = await Promise.allSettled(waits);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #newNumber({ id }: LoadClient, set: KeySet): number {
    const { keys } = this.#parts;
    return keys.queueOf(set, id)?.next() ?? keys.ownedBy(set, id)?.next() ?? set.shared?.add() ?? 0;
  }

  /** What was written under a new number is there. */
  #confirm({ id }: LoadClient, set: KeySet): void {
    const { keys } = this.#parts;
    keys.queueOf(set, id)?.confirm();
    set.shared?.confirm();
    const owned = keys.ownedBy(set, id);
    if (owned !== undefined) owned.count += 1;
  }

  async #insert({ client, set, spec }: Step): Promise<Outcome> {
    const number = this.#newNumber(client, set);
    const content = this.#content(client, spec);
    const tracked = this.#parts.keys.tracked(set, number);
    await this.#parts.writes.put(client.session, tracked, { ...content, basis: undefined });
    this.#confirm(client, set);
    return 'ok';
  }

  /** Reads, and writes with what was read; an owned set grows instead while it is small. */
  async #update(step: Step): Promise<Outcome> {
    const { client, set } = step;
    const { keys } = this.#parts;
    const owned = keys.ownedBy(set, client.id);
    const number =
      owned === undefined ? set.shared?.own(client.random) : owned.toUpdate(client.random);
    if (number === undefined) return this.#insert(step);
    const tracked = keys.tracked(set, number);
    const read = await this.#timed(step, 'get', () => client.session.get(tracked.key));
    if (read.values.length === 0 && step.spec.not_found === 'error') {
      throw new Failure('not found');
    }
    return this.#timed(step, 'put', () => this.#writeBack(step, tracked, read));
  }

  async #writeBack(
    { client, spec }: Step,
    tracked: TrackedKey,
    { values, context }: ReadAnswer,
  ): Promise<Outcome> {
    const { writes, run } = this.#parts;
    const isConditional = spec.conditional === true && context !== undefined;
    const content = this.#content(client, spec);
    const basis = stampsOf(values, run);
    const changed = { ...content, context, isConditional, basis };
    const outcome = await writes.put(client.session, tracked, changed);
    return outcome === 'modified' ? 'conflict' : 'ok';
  }

  async #delete({ client, set }: Step): Promise<Outcome> {
    const { keys, writes } = this.#parts;
    const queue = keys.queueOf(set, client.id);
    const number = queue === undefined ? set.shared?.own(client.random) : queue.takeOldest();
    if (number === undefined) return 'silent';
    await writes.delete(client.session, keys.tracked(set, number));
    return 'ok';
  }

  async #query(step: Step): Promise<Outcome> {
    await step.client.session.query(this.#request(step));
    return 'ok';
  }

  async #queryApi({ client, set, spec }: Step): Promise<Outcome> {
    const body = fillQuery(spec.request ?? {}, client.random);
    await client.session.queryApi(set.bucket, body);
    return 'ok';
  }

  /** Deletes what a query finds, as far as it is this process's. */
  async #sweep(step: Step): Promise<Outcome> {
    const { client, set } = step;
    const { keys, writes } = this.#parts;
    const found = await this.#timed(step, 'query', () =>
      client.session.query({ maxResults: SWEEP_MAX, ...this.#request(step) }),
    );
    for (const name of found.slice(0, SWEEP_MAX)) {
      const number = set.shared?.numberOfOwn(name);
      if (number === undefined) continue;
      const tracked = keys.tracked(set, number);
      await this.#timed(step, 'delete', () => writes.delete(client.session, tracked));
    }
    return 'ok';
  }

  #request({ client, set, spec }: Step): QueryRequest {
    const { random } = client;
    const maxResults = spec.max_results ?? 0;
    if (spec.query === 'key_range' || spec.query === undefined) {
      const from = this.#parts.keys.tracked(set, set.shared?.any(random) ?? 0).key.key;
      const length = 1 + random.integer(Math.max(1, maxResults));
      return { ...set.bucket, field: KEY_INDEX, from, to: KEY_END, maxResults: length };
    }
    const range = makeRange(spec.query, random, Date.now());
    return { ...set.bucket, ...range, ...(maxResults > 0 ? { maxResults } : {}) };
  }

  #content({ random }: LoadClient, spec: OperationSpec): WriteContent {
    const value = this.#parts.values.make(random, this.#workload.values[spec.value ?? ''] ?? SMALL);
    const options = { postcodes: spec.postcodes ?? 3, nowMs: Date.now() };
    const terms = spec.terms ?? 'none';
    if (terms === 'none') return { value };
    return { value, indexes: makeTerms(terms, random, options) };
  }

  async #timed<T>(step: Step, part: string, ask: () => Promise<T>): Promise<T> {
    const startMs = this.#parts.clock.nowMs();
    const series = step.series.parts[part] as number;
    let outcome: Outcome = 'error';
    try {
      const answer = await ask();
      outcome = PART_OUTCOMES.get(answer) ?? 'ok';
      return answer;
    } finally {
      if (outcome !== 'silent') {
        this.#record(step.client, { series, outcome }, { dueMs: startMs, startMs });
      }
    }
  }

  #record(
    client: LoadClient,
    { series, outcome }: { readonly series: number; readonly outcome: OutcomeName },
    { dueMs, startMs }: { readonly dueMs: number; readonly startMs: number },
  ): void {
    const endMs = this.#parts.clock.nowMs();
    const sample = {
      series,
      node: client.session.node,
      outcome,
      intendedMicros: 1_000 * (endMs - dueMs),
      serviceMicros: 1_000 * (endMs - startMs),
    };
    this.#parts.recorder.record(sample, endMs);
  }
}

const KEY_INDEX = utf8ToByteString('$key');
const KEY_END = '\xff' as ByteString;
const SMALL = {
  kind: 'fixed',
  content: 'random',
  minBytes: 16,
  spanBytes: 0,
  largeFactor: 1,
  largeShare: 0,
} as const;

/** Short, and the same for the same trouble: a fault's code, or what a server said. */
function reasonOf(error: unknown): string {
  if (isFault(error, 'peer-refused')) return `refused: ${error.message}`;
  if (isFault(error)) return error.code;
  return error instanceof Error ? error.message : String(error);
}

/** Of the same seed the same numbers for each client. */
export function clientRandom(seed: number, client: number): SeededRandom {
  return new SeededRandom(seed ^ Math.imul(client + 1, 0x9e3779b1));
}
