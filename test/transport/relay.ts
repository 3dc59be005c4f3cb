/** A TCP relay that can stop to pass anything on, without closing; without a port it never does. */

import { connect, createServer } from 'node:net';
import type { Server as NetServer, Socket } from 'node:net';

export class Relay {
  readonly #sockets: Socket[] = [];
  #server: NetServer | undefined;
  #isRefusing = false;
  /** Connections that came and were not taken. */
  refused = 0;

  open(port?: number): Promise<number> {
    this.#server = createServer((near) => {
      this.#keep(near);
      if (this.#isRefusing) {
        this.refused += 1;
        near.destroy();
        return;
      }
      if (port === undefined) return;
      const far = connect(port, '127.0.0.1');
      this.#keep(far);
      near.pipe(far);
      far.pipe(near);
    });
    return new Promise((resolve) => {
      this.#server?.listen(0, '127.0.0.1', () => {
        const address = this.#server?.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  #keep(socket: Socket): void {
    socket.on('error', () => {});
    this.#sockets.push(socket);
  }

  freeze(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Whether connections are taken from now on; those that are open stay. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  /** The connections from the second on are cut. */
  cutAllButFirst(): void {
    for (const socket of this.#sockets.slice(2)) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }
}
