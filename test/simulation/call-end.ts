/** One end of a call between simulated processes, with the faces of gRPC's that the transport uses. */

import { EventEmitter } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { NodeId } from '../../src/base/names.ts';
import type {
  CallError,
  LinkCall,
  ServedLink,
  ServedStream,
  StreamCall,
} from '../../src/transport/carrier.ts';
import type { NodeClock } from './world.ts';

/** One incarnation of a node's process. */
export interface Process {
  readonly node: NodeId;
  readonly clock: NodeClock;
  isGone: boolean;
}

export type Item =
  | { readonly kind: 'frame'; readonly frame: Buffer; readonly written: (() => void) | undefined }
  | { readonly kind: 'end' | 'cancelled' }
  | { readonly kind: 'status'; readonly error: CallError };

export class CallEnd
  extends EventEmitter
  implements LinkCall, StreamCall, ServedLink, ServedStream
{
  readonly process: Process;
  readonly request: Buffer;
  readonly #peer: NodeId;
  readonly #events: { send(item: Item): void; over(): void };
  readonly #inbox: Item[] = [];
  #isPaused = false;
  /** It says nothing more. */
  #isDone = false;
  /** It hears nothing more. */
  #isDeaf = false;
  isBroken = false;

  constructor(
    process: Process,
    { question, peer }: { readonly question: Buffer; readonly peer: NodeId },
    events: { send(item: Item): void; over(): void },
  ) {
    super();
    this.process = process;
    this.request = question;
    this.#peer = peer;
    this.#events = events;
  }

  get isOver(): boolean {
    return this.#isDeaf || this.process.isGone;
  }

  write(frame: Buffer, written?: () => void): boolean {
    this.#send({ kind: 'frame', frame, written });
    return true;
  }

  cancel(): void {
    this.#finish({ kind: 'cancelled' });
    this.#hearNoMore();
  }

  end(): void {
    this.#finish({ kind: 'end' });
    this.#hearNoMore();
  }

  /** Of the one who serves: an error that it raises itself is the status that the other end gets. */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event === 'error' && !this.#isDone) {
      const raised = values[0] as Pick<CallError, 'code' | 'details'>;
      this.#finish({ kind: 'status', error: errorOf(raised) });
      this.#hearNoMore();
    }
    return this.#tell(event, ...values);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#flow();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  getPeer(): string {
    return this.#peer;
  }

  getAuthContext(): ReturnType<ServedLink['getAuthContext']> {
    return {};
  }

  receive(item: Item): void {
    if (this.isOver) return;
    this.#inbox.push(item);
    this.#flow();
  }

  /** The connection is gone. */
  breakOff(details = 'the connection broke'): void {
    if (this.isOver || this.isBroken) return;
    this.process.clock.whenRunning(() => {
      if (this.isOver || this.isBroken) return;
      this.isBroken = true;
      this.#isDone = true;
      this.#hearNoMore();
      this.#tell('cancelled');
      this.#tell('error', errorOf({ code: status.UNAVAILABLE, details }));
    });
  }

  #tell(event: string | symbol, ...values: unknown[]): boolean {
    return this.listenerCount(event) > 0 && super.emit(event, ...values);
  }

  #flow(): void {
    while (!this.#isPaused && !this.#isDeaf) {
      const item = this.#inbox.shift();
      if (item === undefined) return;
      this.#hear(item);
    }
  }

  #hear(item: Item): void {
    switch (item.kind) {
      case 'frame':
        this.#tell('data', item.frame);
        return;
      case 'end':
      case 'cancelled':
        this.#isDone = true;
        this.#hearNoMore();
        this.#tell(item.kind);
        return;
      case 'status':
        this.#isDone = true;
        this.#hearNoMore();
        this.#tell('error', item.error);
    }
  }

  #finish(item: Item): void {
    this.#send(item);
    this.#isDone = true;
  }

  #send(item: Item): void {
    if (!this.#isDone && !this.process.isGone) this.#events.send(item);
  }

  #hearNoMore(): void {
    this.#isDeaf = true;
    this.#inbox.length = 0;
    this.#events.over();
  }
}

function errorOf({ code, details }: Pick<CallError, 'code' | 'details'>): CallError {
  return Object.assign(new Error(details), { code, details });
}
