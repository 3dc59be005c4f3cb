/**
 * One connection to one node: requests out, replies matched in order.
 *
 * The protocol answers in the order of the requests, so replies need no ids and requests may follow
 * each other without waiting. A connection that breaks fails what is on it, and is not used again.
 */

import { createConnection, type Socket } from 'node:net';
import { Fault } from '../base/fault.ts';
import { encodeFrame, FrameDecoder } from '../api/pbc/framing.ts';
import {
  decodeMessage,
  type Fields,
  type Message,
  type MessageInput,
  type MessageType,
} from '../api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../api/pbc/messages/proto-writer.ts';
import { RpbErrorResp } from '../api/pbc/messages/server-messages.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The server said no: `errmsg` of an RpbErrorResp. The connection goes on. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}

/** Takes the frames of one answer; true when it was the last. */
type Receiver = (code: number, body: Buffer) => boolean;

interface Waiting {
  readonly receive: Receiver;
  readonly fail: (error: Error) => void;
  deadlineMs: number;
  readonly timeoutMs: number;
}

const FRAME_MAX_BYTES = 128 * 1024 * 1024;
const LIMITS = { fieldCountMax: 1 << 24 };
/** How often deadlines are looked at: one timer a connection, not one a request. */
const CHECK_INTERVAL_MS = 100;

export class Connection {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(FRAME_MAX_BYTES);
  readonly #writer = new ProtoWriter();
  readonly #waiting: Waiting[] = [];
  #firstWaiting = 0;
  #checker: NodeJS.Timeout;
  #isBroken = false;
  #isCorked = false;

  private constructor(address: Address, socket: Socket) {
    this.address = address;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (piece) => this.#receive(piece));
    socket.on('error', (error) => this.#break(error));
    socket.on('close', () => this.#break(new Error('the node closed the connection')));
    this.#checker = setInterval(() => this.#check(), CHECK_INTERVAL_MS);
    this.#checker.unref();
  }

  /** Rejects with the fault `peer-unreachable`. */
  static open(address: Address, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const where = `${address.host}:${address.port}`;
      const socket = createConnection(address);
      const refuse = (cause: Error): void => {
        socket.destroy();
        reject(new Fault('peer-unreachable', `${where} cannot be reached`, { cause }));
      };
      socket.setTimeout(timeoutMs, () => refuse(new Error(`no connection in ${timeoutMs} ms`)));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.off('error', refuse);
        resolve(new Connection(address, socket));
      });
    });
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Requests on their way. */
  get inFlight(): number {
    return this.#waiting.length - this.#firstWaiting;
  }

  /**
   * Rejects with `ServerError`, or with a fault: `timeout` (the connection is given up, because a
   * late answer could be taken for another's) or `peer-closed` (it may or may not have been done).
   */
  request<Q extends Fields, R extends Fields>(
    type: MessageType<Q>,
    value: MessageInput<Q>,
    answer: { readonly type: MessageType<R>; readonly timeoutMs: number },
  ): Promise<Message<R>> {
    return new Promise((resolve, reject) => {
      this.#send(type, value, {
        timeoutMs: answer.timeoutMs,
        fail: reject,
        receive: (code, body) => {
          if (code === answer.type.code) resolve(decodeMessage(answer.type, body, LIMITS));
          else reject(errorOf(code, body));
          return true;
        },
      });
    });
  }

  /** As `request`, for answers in several messages; `isLast` says which ends it. */
  stream<Q extends Fields, R extends Fields>(
    type: MessageType<Q>,
    value: MessageInput<Q>,
    answer: {
      readonly type: MessageType<R>;
      /** Between two messages. */
      readonly timeoutMs: number;
      readonly isLast: (message: Message<R>) => boolean;
      readonly onMessage: (message: Message<R>) => void;
    },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#send(type, value, {
        timeoutMs: answer.timeoutMs,
        fail: reject,
        receive: (code, body) => {
          if (code !== answer.type.code) {
            reject(errorOf(code, body));
            return true;
          }
          const message = decodeMessage(answer.type, body, LIMITS);
          answer.onMessage(message);
          if (!answer.isLast(message)) return false;
          resolve();
          return true;
        },
      });
    });
  }

  close(): void {
    this.#break(new Error('the client was closed'));
  }

  #send<Q extends Fields>(
    type: MessageType<Q>,
    value: MessageInput<Q>,
    waiting: Omit<Waiting, 'deadlineMs'>,
  ): void {
    if (this.#isBroken) {
      waiting.fail(new Fault('peer-unreachable', 'the connection is closed'));
      return;
    }
    this.#waiting.push({ ...waiting, deadlineMs: performance.now() + waiting.timeoutMs });
    if (!this.#isCorked) {
      // What is asked within one turn leaves in one segment.
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(this.#writer, type, value));
  }

  #receive(piece: Buffer): void {
    this.#decoder.push(piece);
    for (;;) {
      const outcome = this.#decoder.next();
      if (outcome.kind === 'incomplete') return;
      if (outcome.kind !== 'frame') {
        this.#break(new Error('the node sent no frame'));
        return;
      }
      if (!this.#dispatch(outcome.frame.code, outcome.frame.body)) return;
    }
  }

  /** False when the connection broke over it. */
  #dispatch(code: number, body: Buffer): boolean {
    const waiting = this.#waiting[this.#firstWaiting];
    if (waiting === undefined) {
      this.#break(new Error('the node answered what was not asked'));
      return false;
    }
    try {
      if (waiting.receive(code, body)) this.#settleFirst();
      else waiting.deadlineMs = performance.now() + waiting.timeoutMs;
      return true;
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  #settleFirst(): void {
    this.#firstWaiting += 1;
    if (this.#firstWaiting < 64 && this.#firstWaiting < this.#waiting.length) return;
    this.#waiting.splice(0, this.#firstWaiting);
    this.#firstWaiting = 0;
  }

  #check(): void {
    const waiting = this.#waiting[this.#firstWaiting];
    if (waiting === undefined || performance.now() < waiting.deadlineMs) return;
    waiting.fail(new Fault('timeout', `no answer within ${waiting.timeoutMs} ms`));
    this.#settleFirst();
    this.#break(new Error('an answer did not come in time'));
  }

  #break(cause: Error): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    clearInterval(this.#checker);
    this.#socket.destroy();
    const left = this.#waiting.splice(this.#firstWaiting);
    this.#waiting.length = 0;
    this.#firstWaiting = 0;
    for (const { fail } of left) {
      fail(new Fault('peer-closed', `the connection broke: ${cause.message}`, { cause }));
    }
  }
}

function errorOf(code: number, body: Buffer): Error {
  if (code !== RpbErrorResp.code) return new Fault('peer-malformed', `unexpected reply ${code}`);
  const { errmsg } = decodeMessage(RpbErrorResp, body, LIMITS);
  return new ServerError(errmsg.toString());
}
