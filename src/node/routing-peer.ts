/**
 * The peer port of a node: to itself without encoding, to all others by the transport.
 *
 * So a coordinator has one path, whoever holds the replica. When a peer is found to be down, what was
 * asked of it is given up at once: nobody waits out a deadline for a node that is gone, and nothing
 * that was on its way to it stays in memory.
 */

import { Fault } from '../base/fault.ts';
import { PassingMap } from '../base/passing-map.ts';
import type { NodeId } from '../base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { Peer, PeerHandler } from '../peer/peer.ts';

type Abandon = (fault: Fault) => void;

export class RoutingPeer implements Peer {
  readonly #self: NodeId;
  readonly #local: PeerHandler;
  readonly #remote: Peer;
  /** Requests under way to each node; the transport bounds them. */
  readonly #underWay = new Map<NodeId, PassingMap<number, Abandon>>();
  readonly #streams = new Set<EndableStream>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(self: NodeId, local: PeerHandler, remote: Peer) {
    this.#self = self;
    this.#local = local;
    this.#remote = remote;
  }

  request(target: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    if (target === this.#self) return this.#local.handle(this.#self, request, timeoutMs);
    if (this.#isClosed) return Promise.reject(stopping());
    const underWay = this.#underWayTo(target);
    return new Promise((resolve, reject) => {
      this.#lastNumber += 1;
      const number = this.#lastNumber;
      underWay.set(number, reject);
      this.#remote.request(target, request, timeoutMs).then(
        (reply) => {
          underWay.take(number);
          resolve(reply);
        },
        (error: unknown) => {
          underWay.take(number);
          reject(error);
        },
      );
    });
  }

  stream(
    target: NodeId,
    request: PeerStreamRequest,
    idleTimeoutMs: number,
  ): AsyncIterableIterator<PeerStreamItem> {
    if (target === this.#self) return this.#local.handleStream(this.#self, request);
    if (this.#isClosed) return failedStream(stopping());
    const items = this.#remote.stream(target, request, idleTimeoutMs);
    const stream = new EndableStream(items, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    return stream;
  }

  /** The node stops: what is asked of others ends with `peer-closed`, and nothing more is asked of them. */
  close(): void {
    this.#isClosed = true;
    for (const target of this.#underWay.keys()) this.abandon(target);
    for (const stream of this.#streams) stream.end(stopping());
  }

  /** Requests under way to `target`. */
  underWay(target: NodeId): number {
    return this.#underWay.get(target)?.size ?? 0;
  }

  /** Ends every request under way to `target` with `peer-closed`: it may have been carried out. */
  abandon(target: NodeId): void {
    const underWay = this.#underWay.get(target);
    if (underWay === undefined || underWay.size === 0) return;
    this.#underWay.delete(target);
    const fault = new Fault('peer-closed', `${target} is down`);
    for (const abandon of underWay.values()) abandon(fault);
  }

  #underWayTo(target: NodeId): PassingMap<number, Abandon> {
    let underWay = this.#underWay.get(target);
    if (underWay === undefined) {
      underWay = new PassingMap();
      this.#underWay.set(target, underWay);
    }
    return underWay;
  }
}

function stopping(): Fault {
  return new Fault('peer-closed', 'this node stops');
}

/** Of another node; whoever reads it is not kept waiting when it is ended. */
class EndableStream implements AsyncIterableIterator<PeerStreamItem> {
  readonly #items: AsyncIterableIterator<PeerStreamItem>;
  readonly #over: () => void;
  #ended: Fault | undefined;
  #fail: ((fault: Fault) => void) | undefined;

  /** `over` is told when nothing more will come. */
  constructor(items: AsyncIterableIterator<PeerStreamItem>, over: () => void) {
    this.#items = items;
    this.#over = over;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<PeerStreamItem>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#items.next().then(
        (result) => {
          if (result.done === true) this.#over();
          resolve(result);
        },
        (error: unknown) => {
          this.#over();
          reject(error);
        },
      );
    });
  }

  async return(): Promise<IteratorResult<PeerStreamItem>> {
    this.#over();
    return (await this.#items.return?.()) ?? { done: true, value: undefined };
  }

  end(fault: Fault): void {
    this.#ended = fault;
    this.#fail?.(fault);
    // What it fails with the reader has been told in other words.
    this.return().catch(() => undefined);
  }
}

/** A stream whose first `next` throws. */
export function failedStream(fault: Fault): AsyncIterableIterator<PeerStreamItem> {
  const stream: AsyncIterableIterator<PeerStreamItem> = {
    [Symbol.asyncIterator]: () => stream,
    next: () => Promise.reject(fault),
  };
  return stream;
}
