/**
 * The engine: clients' JavaScript in a thread of its own, so that nothing it does can stall the node.
 *
 * The thread is made for the first call and works on one at a time; calls wait in a bounded line. Each
 * function has an isolate (`isolate.ts`) with limits; should one not answer all the same, the thread is
 * ended, the sessions in it fail, and the next call gets a new one.
 */

import { Worker } from 'node:worker_threads';
import type { Clock, Metrics } from '../base/host.ts';
import type { ScriptEngine, ScriptOutcome, ScriptSession } from '../mapreduce/script.ts';
import type { ScriptLimits, WorkerReply, WorkerRequest } from './worker-messages.ts';

export interface ScriptOptions extends ScriptLimits {
  /** Functions open at once; beyond it they are refused. */
  readonly sessionsMax: number;
}

export const SCRIPT_DEFAULTS: ScriptOptions = {
  callTimeMs: 5_000,
  memoryBytes: 64 * 1024 * 1024,
  stackBytes: 256 * 1024,
  sessionsMax: 16,
};

/** Beyond a call's own limit and the start of the thread. */
const GRACE_MS = 10_000;
const THREAD_HEAP_MEBIBYTES = 256;

interface Call {
  readonly session: Session;
  readonly args: string;
  readonly settle: (outcome: ScriptOutcome) => void;
}

export class WorkerScripts implements ScriptEngine {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #options: ScriptOptions;
  readonly #sessions = new Set<Session>();
  /** One for each session at most. */
  readonly #waiting: Call[] = [];
  #thread: Worker | undefined;
  #running: { readonly call: Call; readonly cancel: () => void } | undefined;
  #sessionCount = 0;

  constructor(
    host: { readonly clock: Clock; readonly metrics: Metrics },
    options: Partial<ScriptOptions> = {},
  ) {
    this.#clock = host.clock;
    this.#metrics = host.metrics;
    this.#options = { ...SCRIPT_DEFAULTS, ...options };
  }

  open(expression: string): ScriptSession {
    if (this.#sessions.size >= this.#options.sessionsMax) {
      this.#metrics.count('script_sessions_refused_total');
      const refused: ScriptOutcome = { kind: 'failed', message: 'too many scripts are running' };
      return { call: () => Promise.resolve(refused), close: () => undefined };
    }
    this.#sessionCount += 1;
    const session = new Session(this.#sessionCount, expression, {
      call: (args) => this.#enqueue(session, args),
      close: () => {
        this.#close(session);
      },
    });
    this.#sessions.add(session);
    this.#metrics.gauge('script_sessions', this.#sessions.size);
    return session;
  }

  /** Ends the thread; what is still running or waiting fails. Idempotent. */
  close(): void {
    this.#end('the node is closing');
    for (const call of this.#waiting.splice(0)) {
      call.settle({ kind: 'failed', message: 'the node is closing' });
    }
  }

  #enqueue(session: Session, args: string): Promise<ScriptOutcome> {
    return new Promise((settle) => {
      this.#waiting.push({ session, args, settle });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const call = this.#waiting.shift();
    if (call === undefined) return;
    const { session, args, settle } = call;
    if (session.isLost || session.isClosed) {
      settle({ kind: 'failed', message: 'the script was stopped' });
      this.#next();
      return;
    }
    this.#metrics.count('script_calls_total');
    // The isolate's own interrupt comes first; this is for what it cannot interrupt.
    const limitMs = 2 * this.#options.callTimeMs + GRACE_MS;
    const cancel = this.#clock.after(limitMs, () => {
      this.#metrics.count('script_threads_ended_total');
      this.#end('the script did not stop');
      this.#next();
    });
    this.#running = { call, cancel };
    const expression = session.isPrepared ? undefined : session.expression;
    session.isPrepared = true;
    this.#post({ kind: 'call', session: session.id, expression, args });
  }

  #post(request: WorkerRequest): void {
    this.#thread ??= this.#startThread();
    this.#thread.postMessage(request, []);
  }

  #startThread(): Worker {
    const { callTimeMs, memoryBytes, stackBytes } = this.#options;
    const workerData: ScriptLimits = { callTimeMs, memoryBytes, stackBytes };
    const thread = new Worker(new URL('./script-worker.js', import.meta.url), {
      workerData,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MEBIBYTES },
    });
    thread.unref();
    thread.on('message', (reply: WorkerReply) => {
      if (this.#thread === thread) this.#settle(reply.outcome);
    });
    thread.on('error', () => {
      if (this.#thread !== thread) return;
      this.#end('the script broke its thread');
      this.#next();
    });
    return thread;
  }

  #settle(outcome: ScriptOutcome): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.cancel();
    if (outcome.kind === 'failed') this.#metrics.count('script_failures_total');
    running.call.settle(outcome);
    this.#next();
  }

  /** Every session that has an isolate in the thread is lost with it. */
  #end(message: string): void {
    const thread = this.#thread;
    this.#thread = undefined;
    void thread?.terminate();
    for (const session of this.#sessions) if (session.isPrepared) session.isLost = true;
    const running = this.#running;
    this.#running = undefined;
    running?.cancel();
    running?.call.settle({ kind: 'failed', message });
  }

  #close(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    this.#metrics.gauge('script_sessions', this.#sessions.size);
    if (session.isPrepared && !session.isLost) this.#post({ kind: 'close', session: session.id });
  }
}

class Session implements ScriptSession {
  readonly id: number;
  readonly expression: string;
  readonly call: ScriptSession['call'];
  readonly #end: () => void;
  /** An isolate holds its function. */
  isPrepared = false;
  /** Its isolate is gone. */
  isLost = false;
  isClosed = false;

  constructor(
    id: number,
    expression: string,
    engine: { readonly call: ScriptSession['call']; readonly close: () => void },
  ) {
    this.id = id;
    this.expression = expression;
    this.call = engine.call;
    this.#end = engine.close;
  }

  close(): void {
    this.isClosed = true;
    this.#end();
  }
}
