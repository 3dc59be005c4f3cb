/**
 * The admin server: an operator's commands to a running node.
 *
 * One request a connection: a line of JSON `{"command": "bucket-type create", "arguments": {…},
 * "operator": "who asks"}`, one line of JSON back: `{"ok": true, "result": …}` or
 * `{"ok": false, "error": "one sentence"}`. The CLI prints results as text or JSON. Requests are
 * bounded in size and time.
 */

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Metrics } from '../base/host.ts';

/**
 * Its result is printed; a thrown `AdminRefusal` is the sentence the operator sees. `operator` is whom
 * the other end says it is: the socket's permissions tell no more than that it may.
 */
export type AdminCommand = (
  options: Readonly<Record<string, unknown>>,
  operator?: string,
) => Promise<unknown>;

export class AdminRefusal extends Error {
  override readonly name = 'AdminRefusal';
}

export type AdminReply =
  { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: string };

const REQUEST_MAX_BYTES = 1 << 20;
const IDLE_TIMEOUT_MS = 10_000;
const OPERATOR_MAX_LENGTH = 256;

export class AdminServer {
  readonly #commands: ReadonlyMap<string, AdminCommand>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;

  private constructor(path: string, commands: ReadonlyMap<string, AdminCommand>) {
    this.#path = path;
    this.#commands = commands;
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  /** A socket left by a dead process is replaced: the store's own lock keeps two nodes apart. */
  static async listen(
    path: string,
    commands: ReadonlyMap<string, AdminCommand>,
    metrics: Pick<Metrics, 'count'>,
  ): Promise<AdminServer> {
    const admin = new AdminServer(path, commands);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      admin.#server.once('error', reject);
      admin.#server.listen(path, resolve);
    });
    admin.#server.removeAllListeners('error');
    // A connection that cannot be accepted, such as without a file descriptor, must not stop the node.
    admin.#server.on('error', () => metrics.count('admin_accept_failed_total'));
    chmodSync(path, 0o600);
    return admin;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    rmSync(this.#path, { force: true });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    let received = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\n');
      if (end < 0) {
        if (received.length > REQUEST_MAX_BYTES) socket.destroy();
        return;
      }
      socket.pause();
      socket.setTimeout(0);
      void this.#answer(received.slice(0, end)).then((reply) => {
        socket.end(`${JSON.stringify(reply)}\n`);
      });
    });
  }

  async #answer(line: string): Promise<AdminReply> {
    try {
      const request: unknown = JSON.parse(line);
      if (typeof request !== 'object' || request === null) throw new AdminRefusal('not a request');
      const { command, arguments: options, operator } = request as Record<string, unknown>;
      const run = typeof command === 'string' ? this.#commands.get(command) : undefined;
      if (run === undefined) {
        const name = JSON.stringify(command);
        throw new AdminRefusal(`the release that this node runs does not have the command ${name}`);
      }
      const who = typeof operator === 'string' ? operator.slice(0, OPERATOR_MAX_LENGTH) : undefined;
      return { ok: true, result: await run((options ?? {}) as Record<string, unknown>, who) };
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }
}
