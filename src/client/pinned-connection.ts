/**
 * One connection to one node, for those to whom it matters which: nothing is ever asked elsewhere.
 *
 * Once it is gone it stays gone; each call fails with the fault that `Connection` names, and its caller
 * opens another.
 */

import { encodeFrame } from '../api/pbc/framing.ts';
import { ProtoWriter } from '../api/pbc/messages/proto-writer.ts';
import type {
  Fields,
  Message,
  MessageInput,
  MessageType,
} from '../api/pbc/messages/message-type.ts';
import { Fault } from '../base/fault.ts';
import { FlushRound } from '../base/flush-round.ts';
import { Connection, type NodeAddress } from './connection.ts';
import type { Login } from './credentials.ts';
import { decodeReply } from './error-reply.ts';
import { ask } from './exchanges.ts';

export interface PinnedOptions {
  readonly address: NodeAddress;
  /** Undefined: the cluster's security is off. */
  readonly login: Login | undefined;
  readonly connectTimeoutMs: number;
  readonly replySizeMaxBytes: number;
}

export interface PinnedCall<Q extends Fields, R extends Fields> {
  readonly request: MessageType<Q>;
  readonly value: MessageInput<Q>;
  readonly reply: MessageType<R>;
  readonly timeoutMs: number;
}

const CHECK_INTERVAL_MS = 100;

export class PinnedConnection {
  readonly #connection: Connection;
  readonly #writer = new ProtoWriter();
  readonly #check: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PinnedOptions) {
    this.#connection = new Connection({
      ...options,
      round: new FlushRound(setImmediate),
      onReply: () => {},
      onFree: () => {},
      onClosed: () => this.#closed(),
    });
    this.#check = setInterval(() => {
      this.#connection.checkTimeouts(performance.now(), Infinity);
    }, CHECK_INTERVAL_MS);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async call<Q extends Fields, R extends Fields>(call: PinnedCall<Q, R>): Promise<Message<R>> {
    if (this.#isClosed) throw new Fault('peer-closed', 'the connection was lost');
    const frame = encodeFrame(this.#writer, call.request, call.value);
    const deadlineMs = performance.now() + call.timeoutMs;
    return decodeReply(call.reply, await ask(this.#connection, frame, deadlineMs));
  }

  /** Calls under way fail with `closed`; may be called again. */
  close(): void {
    this.#connection.destroy(new Fault('closed', 'the connection was closed'));
  }

  #closed(): void {
    this.#isClosed = true;
    clearInterval(this.#check);
  }
}
