/**
 * The network: delays, reorders, drops, duplicates and cuts.
 *
 * Messages go through the real encoding both ways, so that nothing but bytes crosses. Every message
 * takes its own random time, so they overtake each other. A cut is per direction. A request to a
 * process that is gone fails at once or never, as chance has it, like a refused or a silent port.
 * Duplicates are harsher than real links, whose streams deliver once: the one request that must not
 * be carried out twice, an update of a data type, is spared.
 */

import { Fault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../../src/peer/messages.ts';
import {
  joinReplyToTuple,
  joinRequestToTuple,
  tupleToJoinReply,
  tupleToJoinRequest,
  type JoinHandler,
  type JoinPort,
} from '../../src/peer/join.ts';
import type { Peer, PeerHandler } from '../../src/peer/peer.ts';
import {
  decodeReply,
  decodeRequest,
  decodeStreamItem,
  decodeStreamRequest,
  encodeReply,
  encodeRequest,
  encodeStreamItem,
  encodeStreamRequest,
} from '../../src/peer/wire.ts';
import type { NodeClock, SeededRandom, World } from './world.ts';

export interface NetworkOptions {
  latencyMaxMs: number;
  /** Probability of each, 0 to 1, for each message. */
  dropRate: number;
  duplicateRate: number;
}

/** One incarnation of a node's process on the network. */
interface Port {
  readonly handler: PeerHandler & JoinHandler;
  readonly clock: NodeClock;
  isGone: boolean;
}

export class SimulatedNetwork {
  readonly world: World;
  readonly options: NetworkOptions;
  readonly #random: SeededRandom;
  readonly #ports = new Map<NodeId, Port>();
  /** Answers in a node's place, for tests that plant a bug; undefined: the node is asked. */
  impostor: (target: NodeId, request: PeerRequest) => PeerReply | undefined = () => undefined;
  /** Shown every request as it is sent; for judges. */
  onRequest: (request: PeerRequest) => void = () => undefined;
  /** Delivers every update of a data type twice; for tests that plant a bug. */
  repeatsUpdates = false;
  /** `source>target` of each direction that is cut. */
  readonly #cuts = new Set<string>();

  constructor(world: World, options: NetworkOptions) {
    this.world = world;
    this.options = options;
    this.#random = world.random.fork();
  }

  /** Each node listens where its name's number says: dev1 at 10,000. */
  readonly joinPort: JoinPort = {
    askToJoin: async ({ port }, request) => {
      const latencyMs = (): number => 1 + this.#random.integer(this.options.latencyMaxMs);
      await this.world.sleep(latencyMs());
      const target = this.#ports.get(`dev${port - 9_999}@127.0.0.1` as NodeId);
      if (target === undefined || this.#random.chance(this.options.dropRate)) {
        throw new Fault('peer-unreachable', 'nobody listens there');
      }
      const reply = tupleToJoinReply(
        joinReplyToTuple(
          await target.handler.admit(tupleToJoinRequest(joinRequestToTuple(request))),
        ),
      );
      await this.world.sleep(latencyMs());
      return reply;
    },
  };

  attach(id: NodeId, handler: PeerHandler & JoinHandler, clock: NodeClock): void {
    this.#ports.set(id, { handler, clock, isGone: false });
  }

  detach(id: NodeId): void {
    const port = this.#ports.get(id);
    if (port !== undefined) port.isGone = true;
    this.#ports.delete(id);
  }

  cut(source: NodeId, target: NodeId): void {
    this.#cuts.add(`${source}>${target}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** The port through which `source` asks its peers; it belongs to one incarnation. */
  peerOf(source: NodeId): Peer {
    return {
      request: (target, request, timeoutMs) =>
        this.#request(source, target, { request, timeoutMs }),
      stream: (target, request, idleTimeoutMs) =>
        this.#stream(source, target, { request, idleTimeoutMs }),
    };
  }

  #request(
    source: NodeId,
    target: NodeId,
    call: { readonly request: PeerRequest; readonly timeoutMs: number },
  ): Promise<PeerReply> {
    const bytes = encodeRequest(call.request);
    this.onRequest(call.request);
    return new Promise((resolve, reject) => {
      const cancel = this.world.after(call.timeoutMs, () => {
        reject(new Fault('timeout', `no reply from ${target} within ${call.timeoutMs} ms`));
      });
      const settle = (act: () => void): void => {
        cancel();
        act();
      };
      if (!this.#ports.has(target) && this.#random.chance(0.5)) {
        settle(() => {
          reject(new Fault('peer-unreachable', `${target} refuses connections`));
        });
        return;
      }
      const deliver = (): void => {
        void this.#serve(source, target, { bytes, timeoutMs: call.timeoutMs }).then((reply) => {
          this.#carry(target, source, () => {
            settle(() => {
              if (reply instanceof Fault) reject(reply);
              else resolve(decodeReply(reply));
            });
          });
        });
      };
      if (call.request.verb !== 'update') this.#carry(source, target, deliver);
      else {
        this.#carryOnce(source, target, deliver);
        if (this.repeatsUpdates) this.#carryOnce(source, target, deliver);
      }
    });
  }

  /** Runs the handler; never settles if its process goes away meanwhile. */
  #serve(
    source: NodeId,
    target: NodeId,
    call: { readonly bytes: Buffer; readonly timeoutMs: number },
  ): Promise<Buffer | Fault> {
    const port = this.#ports.get(target);
    const request = decodeRequest(call.bytes);
    return new Promise((resolve) => {
      if (port === undefined) return;
      const lie = this.impostor(target, request);
      if (lie !== undefined) {
        resolve(encodeReply(lie));
        return;
      }
      void port.handler.handle(source, request, call.timeoutMs).then(
        (reply) => {
          if (!port.isGone) resolve(encodeReply(reply));
        },
        (error: unknown) => {
          if (port.isGone) return;
          // Only faults travel; anything else is a bug in the node and must be seen.
          if (!(error instanceof Fault)) throw error;
          resolve(error);
        },
      );
    });
  }

  async *#stream(
    source: NodeId,
    target: NodeId,
    call: { readonly request: PeerStreamRequest; readonly idleTimeoutMs: number },
  ): AsyncIterableIterator<PeerStreamItem> {
    const request = decodeStreamRequest(encodeStreamRequest(call.request));
    const port = this.#ports.get(target);
    if (port === undefined) throw new Fault('peer-unreachable', `${target} is down`);
    const items = port.handler.handleStream(source, request);
    try {
      for (;;) {
        const next = await this.#nextOf(items, { source, target, port }, call.idleTimeoutMs);
        if (next.done === true) return;
        yield decodeStreamItem(encodeStreamItem(next.value));
      }
    } finally {
      void items.return?.();
    }
  }

  #nextOf(
    items: AsyncIterableIterator<PeerStreamItem>,
    link: { readonly source: NodeId; readonly target: NodeId; readonly port: Port },
    idleTimeoutMs: number,
  ): Promise<IteratorResult<PeerStreamItem>> {
    return new Promise((resolve, reject) => {
      const cancel = this.world.after(idleTimeoutMs, () => {
        reject(new Fault('timeout', `${link.target} sent nothing for ${idleTimeoutMs} ms`));
      });
      const deliver = (settle: () => void): void => {
        this.world.after(this.#latency(), () => {
          cancel();
          settle();
        });
      };
      items.next().then(
        (next) => {
          if (link.port.isGone || this.#isCut(link.target, link.source)) return;
          deliver(resolve.bind(undefined, next));
        },
        (error: unknown) => {
          deliver(reject.bind(undefined, error));
        },
      );
    });
  }

  /** Delivers, later, once, twice or not at all. */
  #carry(source: NodeId, target: NodeId, deliver: () => void): void {
    this.#carryOnce(source, target, deliver);
    if (this.#random.chance(this.options.duplicateRate)) this.#carryOnce(source, target, deliver);
  }

  /** Delivers, later, once or not at all. */
  #carryOnce(source: NodeId, target: NodeId, deliver: () => void): void {
    if (this.#isCut(source, target) || this.#random.chance(this.options.dropRate)) return;
    this.world.after(this.#latency(), () => {
      // A cut holds what is on its way too.
      if (!this.#isCut(source, target)) this.#deliver(target, deliver);
    });
  }

  /** A paused process gets its messages when it goes on. */
  #deliver(target: NodeId, deliver: () => void): void {
    this.#ports.get(target)?.clock.whenRunning(deliver);
  }

  #isCut(source: NodeId, target: NodeId): boolean {
    return this.#cuts.has(`${source}>${target}`);
  }

  #latency(): number {
    return 0.05 + this.#random.integer(this.options.latencyMaxMs * 1000) / 1000;
  }
}
