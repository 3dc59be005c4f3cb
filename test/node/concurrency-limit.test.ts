/**
 * What is let in under overload: a model of a server with one queue, at up to ten times its capacity.
 *
 * The admission is the real one; only the server behind it is a model: it serves in order, a fixed
 * number a second, and turning a request away takes it a hundredth of serving it.
 */

import t from 'tap';
import { Admission } from '../../src/node/admission.ts';
import { CONCURRENCY_LIMIT_DEFAULTS, ConcurrencyLimit } from '../../src/node/concurrency-limit.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const CAPACITY = 5_000;
const SERVICE_MS = 1_000 / CAPACITY;
const REFUSAL_MS = SERVICE_MS / 100;
/** Clients wait so long. */
const PATIENCE_MS = 1_000;

/** A server with one queue; requests that are in it when their client has given up are served too. */
class ModelServer {
  readonly admission: Admission;
  nowMs = 0;
  /** When the server is done with all that it has taken in. */
  #freeMs = 0;
  readonly #underWay: { readonly enteredMs: number; readonly doneMs: number }[] = [];

  constructor(requestsMax: number) {
    const host = new VirtualHost();
    const clock = { ...host.clock, monotonicMs: () => this.nowMs };
    const limits = { requestsMax, bytesMax: Infinity };
    this.admission = new Admission({ clock, metrics: host.metrics }, limits);
  }

  /** Answers in time, as a share of what the server could have given, for `durationMs`. */
  load(factor: number, durationMs: number): number {
    const endMs = this.nowMs + durationMs;
    let good = 0;
    for (let dueMs = this.nowMs; dueMs < endMs; dueMs += SERVICE_MS / factor) {
      good += this.#finishUntil(dueMs);
      this.nowMs = dueMs;
      this.#freeMs = Math.max(this.#freeMs, dueMs);
      const enteredMs = this.admission.tryEnter('node_put_fsm', 0);
      if (enteredMs === undefined) this.#freeMs += REFUSAL_MS;
      else {
        this.#freeMs += SERVICE_MS;
        this.#underWay.push({ enteredMs, doneMs: this.#freeMs });
      }
    }
    return good / ((durationMs / 1_000) * CAPACITY);
  }

  #finishUntil(untilMs: number): number {
    let good = 0;
    let next = this.#underWay[0];
    while (next !== undefined && next.doneMs <= untilMs) {
      this.nowMs = next.doneMs;
      this.admission.leave('node_put_fsm', { sizeBytes: 0, atMs: next.enteredMs });
      if (next.doneMs - next.enteredMs <= PATIENCE_MS) good += 1;
      this.#underWay.shift();
      next = this.#underWay[0];
    }
    return good;
  }
}

t.test('goodput stays above 80 % of the peak at up to ten times the capacity', (t) => {
  const peak = new ModelServer(50_000).load(1, 10_000);
  t.ok(peak > 0.99, `${peak}`);
  for (const factor of [1.5, 2, 5, 10]) {
    const good = new ModelServer(50_000).load(factor, 10_000);
    t.ok(good > 0.8 * peak, `${factor} times: ${good}`);
  }
  t.end();
});

t.test('after an overload the node is itself again at once', (t) => {
  const server = new ModelServer(50_000);
  server.load(10, 10_000);
  server.load(0.5, 1_000);
  t.ok(server.load(0.5, 1_000) > 0.499, 'every request is answered in time');
  t.ok(server.load(1, 10_000) > 0.95, 'and all of the capacity is there');
  t.end();
});

t.test('slow answers that are no queue cost nobody else the entrance', (t) => {
  const limit = new ConcurrencyLimit({ ...CONCURRENCY_LIMIT_DEFAULTS, max: 1_000 });
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1) {
    limit.served(nowMs % 10 === 0 ? 5 : 3_000, 900, nowMs);
  }
  t.equal(limit.limit, 1_000);
  t.end();
});

t.test('few slow answers are no queue, and what came after a rest is not spread over it', (t) => {
  const options = { ...CONCURRENCY_LIMIT_DEFAULTS, max: 1_000 };
  const first = new ConcurrencyLimit(options);
  first.served(3_000, 1, 0);
  t.equal(first.limit, 1_000, 'the first request of all');
  const rested = new ConcurrencyLimit(options);
  for (let nowMs = 0; nowMs <= 900; nowMs += 1) rested.served(1, 100, nowMs);
  // Then 900 come at once, an hour later, and wait for each other: 3 are served in a millisecond.
  for (let count = 0; count < 900; count += 1) rested.served(250, 900, 3_600_000 + count / 3);
  t.ok(rested.limit > 500, `${rested.limit}`);
  t.end();
});

t.test('the limit stays within its bounds', (t) => {
  const limit = new ConcurrencyLimit({ ...CONCURRENCY_LIMIT_DEFAULTS, max: 1_000 });
  for (let nowMs = 0; nowMs < 10_000; nowMs += 2) limit.served(900, limit.limit, nowMs);
  t.equal(limit.limit, CONCURRENCY_LIMIT_DEFAULTS.min);
  for (let nowMs = 10_000; nowMs < 20_000; nowMs += 1) limit.served(1, limit.limit, nowMs);
  t.equal(limit.limit, 1_000);
  t.end();
});
