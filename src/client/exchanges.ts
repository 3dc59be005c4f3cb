/**
 * What waits for replies: one reply, or a stream of them.
 *
 * A stream is read at its consumer's pace: when that is behind, the connection is not read. Leaving a
 * stream before its end costs the connection, for the rest of the stream is still in it; so a stream
 * has a connection to itself.
 */

import { isErrorReply } from './error-reply.ts';
import type { Fault } from '../base/fault.ts';
import type { Frame } from '../api/pbc/framing.ts';
import type { Connection, Exchange } from './connection.ts';

/** Sends a request that has one reply. */
export function ask(
  connection: Connection,
  request: readonly Buffer[],
  deadlineMs: number,
): Promise<Frame> {
  return new Promise((resolve, reject) => {
    connection.start(request, {
      deadlineMs,
      isAlone: false,
      take: (frame) => {
        resolve(frame);
        return true;
      },
      lose: reject,
    });
  });
}

const REPLIES_AHEAD_MAX = 16;

export interface StreamOptions<T> {
  /** Throws a fault for an error reply, which ends the stream, and for a reply that is none. */
  readonly decode: (frame: Frame) => T;
  /** Whether a reply ends the stream. */
  readonly isLast: (reply: T) => boolean;
  /** For each reply. */
  readonly timeoutMs: number;
}

/** The replies of one request. */
export class ReplyStream<T> implements Exchange {
  readonly isAlone = true;
  readonly #connection: Connection;
  readonly #options: StreamOptions<T>;
  readonly #replies: T[] = [];
  #isComplete = false;
  #fault: unknown;
  #isPaused = false;
  #wake: (() => void) | undefined;
  #lastMs = performance.now();

  constructor(connection: Connection, options: StreamOptions<T>) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Of the next reply; a consumer that is behind does not make the node late. */
  get deadlineMs(): number {
    return this.#isPaused ? Infinity : this.#lastMs + this.#options.timeoutMs;
  }

  take(frame: Frame): boolean {
    this.#lastMs = performance.now();
    try {
      const reply = this.#options.decode(frame);
      this.#isComplete = this.#options.isLast(reply);
      this.#replies.push(reply);
    } catch (error) {
      this.#fault = error;
      this.#isComplete = isErrorReply(frame);
    }
    if (!this.#isComplete && this.#replies.length >= REPLIES_AHEAD_MAX) {
      this.#isPaused = true;
      this.#connection.pause();
    }
    // One piece may hold the rest of the stream too; others need the connection then.
    if (this.#isComplete) this.#resume();
    this.#wakeUp();
    return this.#isComplete;
  }

  lose(fault: Fault): void {
    this.#fault ??= fault;
    this.#wakeUp();
  }

  async *replies(): AsyncGenerator<T> {
    try {
      for (;;) {
        const reply = this.#replies.shift();
        if (reply !== undefined) yield reply;
        else if (this.#fault !== undefined) throw this.#fault;
        else if (this.#isComplete) return;
        else await this.#more();
      }
    } finally {
      if (!this.#isComplete) this.#connection.destroy();
    }
  }

  #more(): Promise<void> {
    this.#resume();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#lastMs = performance.now();
    this.#connection.resume();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
