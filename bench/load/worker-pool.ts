/**
 * The worker processes of a run, which take an order together and are done when all are.
 */

import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import type { ChildProcess } from 'node:child_process';
import type { Order, Report } from './messages.ts';

const WORKER_PATH = resolve(import.meta.dirname, 'worker.js');
const STOP_TIMEOUT_MS = 5_000;

interface Worker {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  /** Takes the report that answers an order. */
  answer: ((report: Report) => void) | undefined;
  fail: ((reason: string) => void) | undefined;
}

export class WorkerPool {
  readonly #workers: readonly Worker[];
  readonly #onBatch: (worker: number, report: Extract<Report, { kind: 'batch' }>) => void;
  #interruption: string | undefined;

  constructor(
    count: number,
    onBatch: (worker: number, report: Extract<Report, { kind: 'batch' }>) => void,
  ) {
    this.#onBatch = onBatch;
    this.#workers = Array.from({ length: count }, (_, index) => this.#start(index));
  }

  /** Orders under way, and all later ones, fail with `reason`. */
  interrupt(reason: string): void {
    this.#interruption = reason;
    for (const { fail } of this.#workers) fail?.(reason);
  }

  /** Resolves with the answers of all, in order; rejects when one fails or dies. */
  order(orderOf: (worker: number) => Order): Promise<Report[]> {
    return Promise.all(this.#workers.map((_, index) => this.orderOne(index, orderOf(index))));
  }

  orderOne(index: number, order: Order): Promise<Report> {
    if (this.#interruption !== undefined) {
      return Promise.reject(new Fault('closed', this.#interruption));
    }
    const worker = this.#workers[index] as Worker;
    return new Promise<Report>((resolve, reject) => {
      worker.answer = resolve;
      worker.fail = (reason) => reject(new Fault('config', reason));
      worker.process.send(order);
    });
  }

  /** Those that do not end by themselves are killed. */
  async close(): Promise<void> {
    for (const { process } of this.#workers) if (process.connected) process.send({ kind: 'stop' });
    const timer = setTimeout(() => {
      for (const { process } of this.#workers) process.kill('SIGKILL');
    }, STOP_TIMEOUT_MS);
    await Promise.all(this.#workers.map(({ ended }) => ended));
    clearTimeout(timer);
  }

  #start(index: number): Worker {
    const child = fork(WORKER_PATH, [], { serialization: 'advanced' });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    const worker: Worker = { process: child, ended, answer: undefined, fail: undefined };
    child.on('message', (report: Report) => {
      if (report.kind === 'batch') this.#onBatch(index, report);
      else if (report.kind === 'failed') worker.fail?.(report.reason);
      else worker.answer?.(report);
    });
    child.once('error', (error) => worker.fail?.(error.message));
    child.once('exit', () => worker.fail?.('a worker process of the load has died'));
    return worker;
  }
}
