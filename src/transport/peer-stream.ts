/**
 * A bulk stream, seen from the node that asked.
 *
 * Items come in frames; the next frame is asked for when the items of the last have been taken, and
 * gRPC's flow control carries that brake to the sender. Waiting for a frame longer than the idle
 * time-out ends the stream with `timeout`. Leaving early (`return`) cancels the call, and with it the
 * work at the other end.
 */

import { status } from '@grpc/grpc-js';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerStreamItem } from '../peer/messages.ts';
import { malformed } from '../peer/tuple-reader.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';
import { tupleToStreamItem } from '../peer/wire.ts';
import type { CallError, Connection, StreamCall } from './carrier.ts';
import { decodeFrame, encodeFrame, wireSize } from './frame.ts';
import { readFault } from './link-message.ts';

export interface StreamPorts {
  /** The connection to use; throws `peer-unreachable`. */
  readonly connection: () => Connection;
  readonly hello: () => WireTuple;
  /** The stream holds nothing any more. */
  readonly ended: () => void;
}

export interface StreamRequest {
  readonly target: NodeId;
  readonly tuple: WireTuple;
  readonly idleTimeoutMs: number;
}

type Result = IteratorResult<PeerStreamItem, undefined>;

const DONE: Result = { done: true, value: undefined };

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export class PeerStream implements AsyncIterableIterator<PeerStreamItem> {
  readonly #host: Host;
  readonly #ports: StreamPorts;
  readonly #request: StreamRequest;
  #call: StreamCall | undefined;
  /** Entries of the last frame that have not been taken. */
  #entries: readonly unknown[] = [];
  #next = 0;
  #waiters: Waiter[] = [];
  #state: 'new' | 'open' | 'ended' = 'new';
  /** What ended it, until somebody has been told. */
  #fault: Fault | undefined;
  #cancelIdle: () => void = () => {};

  constructor(host: Host, ports: StreamPorts, request: StreamRequest) {
    this.#host = host;
    this.#ports = ports;
    this.#request = request;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#state === 'new') this.#start();
      this.#serve();
    });
  }

  return(): Promise<Result> {
    this.#drop();
    this.#finish(undefined);
    return Promise.resolve(DONE);
  }

  /** Ends the stream; whoever waits, or asks next, gets `fault`. */
  abort(fault: Fault): void {
    this.#drop();
    this.#finish(fault);
  }

  #start(): void {
    const { tuple, idleTimeoutMs } = this.#request;
    try {
      const messages = [this.#ports.hello(), [idleTimeoutMs, tuple]];
      const frame = encodeFrame(messages, wireSize(messages));
      this.#call = this.#ports.connection().openStream(frame);
    } catch (error) {
      this.#finish(error as Fault);
      return;
    }
    this.#state = 'open';
    this.#call.on('data', (frame: Buffer) => this.#receive(frame));
    this.#call.on('error', (error) => this.#finish(statusToFault(error)));
    this.#call.on('end', () => this.#finish(undefined));
    this.#call.pause();
  }

  /** Answers those who wait, as far as there is something to answer with. */
  #serve(): void {
    while (this.#waiters.length > 0) {
      if (this.#next < this.#entries.length) this.#take();
      else if (this.#state === 'ended') this.#answerEnd();
      else {
        this.#call?.resume();
        this.#watchIdle();
        return;
      }
    }
  }

  #take(): void {
    const entry = this.#entries[this.#next];
    this.#next += 1;
    try {
      const item = readEntry(entry);
      this.#waiters.shift()?.resolve({ done: false, value: item });
    } catch (error) {
      // Nothing that follows it counts any more, nor how the stream ended after it.
      this.#drop();
      if (this.#state === 'ended') this.#fault = error as Fault;
      else this.#finish(error as Fault);
    }
  }

  #drop(): void {
    this.#entries = [];
    this.#next = 0;
    this.#fault = undefined;
  }

  #answerEnd(): void {
    const waiter = this.#waiters.shift();
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault === undefined) waiter?.resolve(DONE);
    else waiter?.reject(fault);
  }

  #receive(frame: Buffer): void {
    if (this.#state === 'ended') return;
    this.#call?.pause();
    this.#cancelIdle();
    try {
      const entries = decodeFrame(frame);
      const rest = this.#entries.slice(this.#next);
      this.#entries = rest.length === 0 ? entries : [...rest, ...entries];
      this.#next = 0;
    } catch (error) {
      this.#host.metrics.count('peer_frames_malformed');
      this.#finish(error as Fault);
      return;
    }
    this.#serve();
  }

  #watchIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#host.clock.after(this.#request.idleTimeoutMs, () => {
      this.#finish(new Fault('timeout', `${this.#request.target} sent nothing in time`));
    });
  }

  #finish(fault: Fault | undefined): void {
    if (this.#state === 'ended') return;
    const wasStarted = this.#state === 'open';
    this.#state = 'ended';
    this.#fault = fault;
    this.#cancelIdle();
    if (wasStarted) this.#call?.cancel();
    this.#ports.ended();
    this.#serve();
  }
}

/** `[tuple]` is an item; `[nil, code, text]` is the fault that ends the stream. */
function readEntry(entry: unknown): PeerStreamItem {
  if (!Array.isArray(entry)) throw malformed('not an item');
  if (entry.length !== 1) throw readFault(entry as readonly unknown[]);
  return tupleToStreamItem(entry[0]);
}

function statusToFault(error: CallError): Fault {
  const code = error.code === status.RESOURCE_EXHAUSTED ? 'overload' : 'peer-closed';
  return new Fault(code, `the stream broke: ${error.details}`, { cause: error });
}
