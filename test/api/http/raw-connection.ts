/**
 * A bare connection: tests write bytes to it and see what comes back, and when it is closed.
 */

import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface RawConnection {
  readonly socket: Socket;
  /** All that has come, one character to a byte. */
  received(): string;
  /** Resolves when what has come matches, or rejects when the connection closes before. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with all that has come, when the connection is closed. */
  closed(): Promise<string>;
}

const DEADLINE_MS = 20_000;

export function connectRaw(port: number): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(new Raw(socket)));
    socket.once('error', reject);
  });
}

class Raw implements RawConnection {
  readonly socket: Socket;
  #text = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
    });
    // A connection that the server cuts may end in an error; 'close' follows.
    socket.on('error', () => undefined);
  }

  received(): string {
    return this.#text;
  }

  until(pattern: RegExp): Promise<string> {
    return this.#wait((isClosed) => {
      if (pattern.test(this.#text)) return true;
      if (isClosed) throw new Error(`closed after ${JSON.stringify(this.#text)}`);
      return false;
    });
  }

  closed(): Promise<string> {
    return this.#wait((isClosed) => isClosed);
  }

  #wait(isDone: (isClosed: boolean) => boolean): Promise<string> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearTimeout(deadline);
        socket.off('data', look);
        socket.off('close', look);
        if (error === undefined) resolve(this.#text);
        else reject(error);
      };
      const look = (): void => {
        try {
          if (isDone(socket.closed)) finish();
        } catch (error) {
          finish(error as Error);
        }
      };
      const deadline = setTimeout(() => {
        finish(new Error(`nothing after ${JSON.stringify(this.#text)}`));
      }, DEADLINE_MS);
      socket.on('data', look);
      socket.on('close', look);
      look();
    });
  }
}
