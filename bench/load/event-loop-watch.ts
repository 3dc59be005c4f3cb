/**
 * Asks the nodes how late their event loops were, at the borders of phases.
 *
 * From their own metrics (`/metrics`), so it goes for nodes of other machines too. A target that has
 * none, as Riak, or does not answer in time, is left out.
 */

import { delaysBetween, parseReading } from '../report/event-loops.ts';
import { HttpConnection } from '../target/http-connection.ts';
import type { Login } from '../../src/client/credentials.ts';
import type { NodeAddress } from '../../src/client/client.ts';
import type { EventLoopDelays, EventLoopReading } from '../report/event-loops.ts';

export interface StatusNode {
  readonly name: string;
  /** Of its HTTP API; over TLS where there is a login. */
  readonly address: NodeAddress;
  readonly login?: Login | undefined;
}

const ANSWER_TIMEOUT_MS = 2_000;

export class EventLoopWatch {
  readonly #nodes: readonly StatusNode[];
  readonly #last = new Map<string, EventLoopReading>();

  constructor(nodes: readonly StatusNode[]) {
    this.#nodes = nodes;
  }

  /** Since it was read before; the first time there is nothing to tell. */
  async read(): Promise<EventLoopDelays[]> {
    const found = await Promise.all(this.#nodes.map((node) => this.#readNode(node)));
    return found.flatMap((delays) => delays ?? []);
  }

  async #readNode(node: StatusNode): Promise<EventLoopDelays | undefined> {
    const { name } = node;
    const text = await metricsText(node);
    const reading = text === undefined ? undefined : parseReading(text);
    if (reading === undefined) return undefined;
    const before = this.#last.get(name);
    this.#last.set(name, reading);
    return before === undefined ? undefined : delaysBetween(name, before, reading);
  }
}

/** Undefined where there is none. */
async function metricsText({ address, login }: StatusNode): Promise<string | undefined> {
  const connection = new HttpConnection(address, { timeoutMs: ANSWER_TIMEOUT_MS, login });
  try {
    const { status, body } = await connection.ask({ method: 'GET', path: '/metrics' });
    return status === 200 ? body.toString('utf8') : undefined;
  } catch {
    // A node that is down, or a target without metrics: the report has no such rows.
    return undefined;
  } finally {
    connection.close();
  }
}
