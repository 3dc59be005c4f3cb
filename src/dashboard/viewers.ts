/**
 * Those who look: open answers of server-sent events, a bounded number, each told every round. One
 * that does not read is dropped rather than waited for; its browser comes back by itself.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Rounds } from './rounds.ts';

const UNREAD_MAX_BYTES = 8 * 1024 * 1024;

export class Viewers {
  readonly #rounds: Rounds;
  readonly #viewersMax: number;
  readonly #viewers = new Set<ServerResponse>();

  constructor(rounds: Rounds, viewersMax: number) {
    this.#rounds = rounds;
    this.#viewersMax = viewersMax;
  }

  get count(): number {
    return this.#viewers.size;
  }

  /** False: there are too many. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#viewers.size >= this.#viewersMax) return false;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (event: string, content: unknown): void => {
      if (response.writableLength > UNREAD_MAX_BYTES) response.destroy();
      else response.write(`event: ${event}\ndata: ${JSON.stringify(content)}\n\n`);
    };
    this.#viewers.add(response);
    send('history', this.#rounds.history());
    const { last } = this.#rounds;
    if (last !== undefined) send('snapshot', last);
    const leave = this.#rounds.listen({
      snapshot: (snapshot) => {
        send('snapshot', snapshot);
      },
      sample: (sample) => {
        send('sample', sample);
      },
    });
    request.socket.once('close', () => {
      leave();
      this.#viewers.delete(response);
    });
    return true;
  }

  close(): void {
    for (const response of this.#viewers) response.destroy();
  }
}
