/**
 * One Protocol Buffers connection with one request under way, as a client of the load has it.
 *
 * Leaner than the typed client, whose pools and retries the load does not want: the generator shares
 * its machine with the nodes, and what it costs itself is taken from them. A connection that fails,
 * or does not answer in time, is over.
 */

import { connect } from 'node:net';
import { FrameDecoder } from '../../src/api/pbc/framing.ts';
import { Fault, assert } from '../../src/base/fault.ts';
import type { Socket } from 'node:net';
import type { Frame } from '../../src/api/pbc/framing.ts';
import { LOGIN_TIMEOUT_MS, logIn } from '../../src/client/log-in.ts';
import type { NodeAddress } from '../../src/client/client.ts';
import type { DriverOptions } from './session.ts';

const REPLY_SIZE_MAX_BYTES = 256 * 1024 * 1024;

interface Waiting {
  readonly sinceMs: number;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (fault: Fault) => void;
}

export class PbConnection {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(REPLY_SIZE_MAX_BYTES);
  readonly #timeoutMs: number;
  #waiting: Waiting | undefined;
  #fault: Fault | undefined;

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on('data', (piece: Buffer) => this.#receive(piece));
    socket.on('error', (error) => this.#end('peer-closed', error.message));
    socket.on('close', () => this.#end('peer-closed', 'the connection was lost'));
    // An idle timer: it counts only while a reply is owed.
    socket.setTimeout(timeoutMs, () => {
      if (this.#waiting !== undefined) this.#end('timeout', 'no answer in time');
    });
  }

  /** Rejects with `peer-unreachable` or `login-refused`. */
  static async open(address: NodeAddress, options: DriverOptions): Promise<PbConnection> {
    const { timeoutMs, login } = options;
    const socket = await reach(address, timeoutMs);
    if (login === undefined) return new PbConnection(socket, timeoutMs);
    const timer = setTimeout(() => socket.destroy(), LOGIN_TIMEOUT_MS);
    try {
      return new PbConnection(await logIn(socket, address.host, login), timeoutMs);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isOpen(): boolean {
    return this.#fault === undefined;
  }

  /** Rejects with `timeout` or `peer-closed`; the request may have been carried out. */
  ask(frame: Buffer): Promise<Frame> {
    assert(this.#waiting === undefined, 'a connection has one request under way');
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      this.#waiting = { sinceMs: performance.now(), resolve, reject };
      this.#socket.write(frame);
    });
  }

  close(): void {
    this.#end('closed', 'the session was closed');
  }

  #receive(piece: Buffer): void {
    this.#decoder.push(piece);
    const outcome = this.#decoder.next();
    const waiting = this.#waiting;
    if (outcome.kind === 'incomplete') {
      // One that is sent byte by byte is never idle.
      const isLate = performance.now() - (waiting?.sinceMs ?? Infinity) > this.#timeoutMs;
      if (isLate) this.#end('timeout', 'no whole answer in time');
      return;
    }
    if (outcome.kind !== 'frame' || waiting === undefined) {
      this.#end('peer-malformed', 'the node sent what was not asked for');
      return;
    }
    this.#waiting = undefined;
    waiting.resolve(outcome.frame);
    // It would be taken for the reply to the next request.
    if (this.#decoder.bufferedBytes > 0)
      this.#end('peer-malformed', 'the node sent more than a reply');
  }

  #end(code: 'timeout' | 'peer-closed' | 'peer-malformed' | 'closed', why: string): void {
    if (this.#fault !== undefined) return;
    this.#fault = new Fault(code, why);
    this.#socket.destroy();
    this.#waiting?.reject(this.#fault);
    this.#waiting = undefined;
  }
}

function reach({ host, port }: NodeAddress, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const fail = (why: string) => {
      socket.destroy();
      reject(new Fault('peer-unreachable', `${host}:${port}: ${why}`));
    };
    socket.setTimeout(timeoutMs, () => fail('no connection in time'));
    socket.once('error', (error) => fail(error.message));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeAllListeners();
      resolve(socket);
    });
  });
}
