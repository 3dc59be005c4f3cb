/**
 * The network: delays, reorders, drops, duplicates and cuts.
 *
 * In some seeds it carries the transport's own links (`links.ts`, `connections.ts`), in the others each
 * message by itself. Such messages go through the real encoding both ways, so that nothing but bytes
 * crosses. Every one takes its own random time, so they overtake each other. A cut is per direction. A
 * request to a process that is gone fails at once or never, as chance has it, like a refused or a silent
 * port. Nothing reaches a process that is paused, and no deadline of its own ends for it, before it goes
 * on. Whom a gate (`gates.ts`) does not let in is heard by nobody.
 * Duplicates are harsher than real links, whose streams deliver once: the one request that must not
 * be carried out twice, an update of a data type, is spared.
 */

import { Fault } from '../../src/base/fault.ts';
import type { Host } from '../../src/base/host.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import type { VertebraNode } from '../../src/node/node.ts';
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
  type JoinReply,
  type JoinRequest,
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
import type { Wires } from './call.ts';
import type { Process } from './call-end.ts';
import { Connections } from './connections.ts';
import { Gate, type GatedNode } from './gates.ts';
import { SimulatedLinks } from './links.ts';
import type { NodeClock, SeededRandom, World } from './world.ts';

export interface NetworkOptions {
  latencyMaxMs: number;
  /** Whether the transport's links carry what is said, and not each message goes by itself. */
  readonly hasLinks: boolean;
  /** Probability of each, 0 to 1, for each message. */
  dropRate: number;
  duplicateRate: number;
}

/** The process that asks. */
interface Asker {
  readonly node: NodeId;
  readonly clock: NodeClock;
}

/** A question under way; it is answered or fails once, whatever comes after. */
interface Link<T> {
  readonly asker: Asker;
  readonly target: NodeId;
  resolve(this: void, value: T): void;
  reject(this: void, error: unknown): void;
}

/** How one incarnation of a node's process reaches the others. */
export interface Reach {
  readonly peer: Peer;
  readonly joinPort: JoinPort;
  stateChanged(state: ClusterState): void;
  /** The process ends by itself. */
  close(): void;
}

/** One incarnation of a node's process on the network. */
interface Port {
  readonly handler: PeerHandler & JoinHandler;
  readonly clock: NodeClock;
  /** Undefined: all are let in. */
  readonly gate: Gate | undefined;
  isGone: boolean;
}

export class SimulatedNetwork {
  readonly world: World;
  readonly options: NetworkOptions;
  readonly #random: SeededRandom;
  readonly #ports = new Map<NodeId, Port>();
  /** Of those that are gone too, while something of them is under way. */
  readonly #portByClock = new WeakMap<NodeClock, Port>();
  /** Answers in a node's place, for tests that plant a bug; undefined: the node is asked. */
  impostor: (target: NodeId, request: PeerRequest) => PeerReply | undefined = () => undefined;
  /** Shown every request as it is sent; for judges. */
  onRequest: (request: PeerRequest) => void = () => undefined;
  /** Delivers every update of a data type twice; for tests that plant a bug. */
  repeatsUpdates = false;
  /** `source>target` of each direction that is cut. */
  readonly #cuts = new Set<string>();
  /** Where links carry what is said. */
  readonly #connections: Connections | undefined;
  readonly #processes = new Map<NodeId, Process>();

  constructor(world: World, options: NetworkOptions) {
    this.world = world;
    this.options = options;
    this.#random = world.random.fork();
    if (!options.hasLinks) return;
    const wires: Wires = {
      world,
      options,
      latencyMs: () => this.#latency(),
      isCut: (source, target) => this.#isCut(source, target),
    };
    this.#connections = new Connections(wires, this.#random.fork());
  }

  /** A process of `id` begins; `node` is asked for when it is there. */
  enter(id: NodeId, host: Host & { readonly clock: NodeClock }, node: () => VertebraNode): Reach {
    const { clock } = host;
    const connections = this.#connections;
    if (connections !== undefined) return this.#link({ id, connections }, host, node);
    return {
      peer: this.peerOf(id, clock),
      joinPort: this.joinPortOf(id, clock),
      stateChanged: () => undefined,
      close: () => undefined,
    };
  }

  #link(
    { id, connections }: { readonly id: NodeId; readonly connections: Connections },
    host: Host & { readonly clock: NodeClock },
    node: () => VertebraNode,
  ): Reach {
    const process = { node: id, clock: host.clock, isGone: false };
    this.#processes.set(id, process);
    const handler = this.#watched(id, node);
    const links = new SimulatedLinks({ host, node }, { process, connections }, handler);
    const peer: Peer = {
      request: (target, request, timeoutMs) => {
        this.onRequest(request);
        return links.peer.request(target, request, timeoutMs);
      },
      stream: (target, request, idleTimeoutMs) => links.peer.stream(target, request, idleTimeoutMs),
    };
    return {
      peer,
      joinPort: links.peer,
      stateChanged: (state) => {
        links.stateChanged(state);
      },
      close: () => {
        links.close();
      },
    };
  }

  /** The node, with the bugs that tests plant. */
  #watched(id: NodeId, node: () => VertebraNode): PeerHandler {
    return {
      handle: async (source, request, timeoutMs) => {
        const lie = this.impostor(id, request);
        if (lie !== undefined) return lie;
        const reply = await node().handle(source, request, timeoutMs);
        if (request.verb !== 'update' || !this.repeatsUpdates) return reply;
        return node().handle(source, request, timeoutMs);
      },
      handleStream: (source, request) => node().handleStream(source, request),
    };
  }

  attach(
    id: NodeId,
    handler: PeerHandler & JoinHandler & Partial<GatedNode>,
    clock: NodeClock,
  ): void {
    if (this.options.hasLinks) return;
    const gate = isGated(handler) ? new Gate(handler, clock) : undefined;
    const port = { handler, clock, gate, isGone: false };
    this.#ports.set(id, port);
    this.#portByClock.set(clock, port);
  }

  detach(id: NodeId): void {
    const port = this.#ports.get(id);
    if (port !== undefined) port.isGone = true;
    this.#ports.delete(id);
    const process = this.#processes.get(id);
    this.#processes.delete(id);
    if (process !== undefined) this.#connections?.leave(process);
  }

  cut(source: NodeId, target: NodeId): void {
    this.#cuts.add(`${source}>${target}`);
    this.#connections?.cut(source, target);
  }

  heal(): void {
    this.#cuts.clear();
    this.#connections?.heal();
  }

  /** The port through which one incarnation of `source` asks its peers. */
  peerOf(source: NodeId, clock: NodeClock): Peer {
    const from = { node: source, clock };
    return {
      request: (target, request, timeoutMs) => this.#request(from, target, { request, timeoutMs }),
      stream: (target, request, idleTimeoutMs) =>
        this.#stream(from, target, { request, idleTimeoutMs }),
    };
  }

  /** How `source` reaches clusters; each node listens where its name's number says: dev1 at 10,000. */
  joinPortOf(source: NodeId, clock: NodeClock): JoinPort {
    return {
      askToJoin: (address, request, timeoutMs) => {
        const target = `dev${address.port - 9_999}@127.0.0.1` as NodeId;
        return this.#askToJoin({ node: source, clock }, target, { request, timeoutMs });
      },
    };
  }

  #askToJoin(
    asker: Asker,
    target: NodeId,
    call: { readonly request: JoinRequest; readonly timeoutMs: number },
  ): Promise<JoinReply> {
    const request = tupleToJoinRequest(joinRequestToTuple(call.request));
    return this.#ask<JoinReply>({ asker, target, timeoutMs: call.timeoutMs }, (link) => {
      this.#carryOnce(asker.node, target, () => {
        const port = this.#ports.get(target);
        port?.handler.admit(request).then(
          (reply) => {
            const received = tupleToJoinReply(joinReplyToTuple(reply));
            this.#carryBack(link, port, () => link.resolve(received));
          },
          (error: unknown) => this.#carryBack(link, port, () => link.reject(error)),
        );
      });
    });
  }

  #request(
    asker: Asker,
    target: NodeId,
    call: { readonly request: PeerRequest; readonly timeoutMs: number },
  ): Promise<PeerReply> {
    const bytes = encodeRequest(call.request);
    this.onRequest(call.request);
    return this.#ask<PeerReply>({ asker, target, timeoutMs: call.timeoutMs }, (link) => {
      const deliver = (): void => {
        const port = this.#ports.get(target);
        if (port === undefined) return;
        if (!this.#isOpen(asker, port)) {
          this.#carryBack(link, port, () => link.reject(new Fault('peer-unreachable', 'refused')));
          return;
        }
        void this.#serve(link, port, { bytes, timeoutMs: call.timeoutMs }).then((reply) => {
          this.#carryBack(link, port, () => {
            if (reply instanceof Fault) link.reject(reply);
            else link.resolve(decodeReply(reply));
          });
        });
      };
      this.#carryOnce(asker.node, target, deliver);
      if (call.request.verb !== 'update') this.#perhapsAgain(asker.node, target, deliver);
      else if (this.repeatsUpdates) this.#carryOnce(asker.node, target, deliver);
    });
  }

  #isOpen({ clock }: Asker, target: Port): boolean {
    const asker = this.#portByClock.get(clock);
    if (asker?.gate === undefined || target.gate === undefined) return true;
    return asker.gate.opensTo(target.gate, !asker.isGone);
  }

  /** A question and its deadline, which is a timer of the process that asks. */
  #ask<T>(
    {
      asker,
      target,
      timeoutMs,
    }: Pick<Link<T>, 'asker' | 'target'> & { readonly timeoutMs: number },
    send: (link: Link<T>) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#ports.has(target) && this.#random.chance(0.5)) {
        reject(new Fault('peer-unreachable', `${target} refuses connections`));
        return;
      }
      const cancel = asker.clock.after(timeoutMs, () => {
        reject(new Fault('timeout', `no reply from ${target} within ${timeoutMs} ms`));
      });
      send({
        asker,
        target,
        resolve(value) {
          cancel();
          resolve(value);
        },
        reject(error) {
          cancel();
          reject(error);
        },
      });
    });
  }

  /** Runs the handler; the reply, or the fault that travels. */
  async #serve(
    { asker, target }: Pick<Link<PeerReply>, 'asker' | 'target'>,
    port: Port,
    call: { readonly bytes: Buffer; readonly timeoutMs: number },
  ): Promise<Buffer | Fault> {
    const request = decodeRequest(call.bytes);
    const lie = this.impostor(target, request);
    if (lie !== undefined) return encodeReply(lie);
    try {
      return encodeReply(await port.handler.handle(asker.node, request, call.timeoutMs));
    } catch (error) {
      // Anything else is a bug in the node and must be seen.
      if (error instanceof Fault) return error;
      throw error;
    }
  }

  /** An answer's way, which may be cut or lossy too; whoever has died says nothing and hears nothing. */
  #carryBack<T>({ asker, target }: Link<T>, port: Port, hear: () => void): void {
    if (port.isGone) return;
    const deliver = (): void => {
      asker.clock.whenRunning(hear);
    };
    this.#carryTo(target, asker.node, deliver);
    if (this.#random.chance(this.options.duplicateRate)) {
      this.#carryTo(target, asker.node, deliver);
    }
  }

  async *#stream(
    asker: Asker,
    target: NodeId,
    call: { readonly request: PeerStreamRequest; readonly idleTimeoutMs: number },
  ): AsyncIterableIterator<PeerStreamItem> {
    const request = decodeStreamRequest(encodeStreamRequest(call.request));
    const port = this.#ports.get(target);
    if (port === undefined) throw new Fault('peer-unreachable', `${target} is down`);
    if (!this.#isOpen(asker, port)) throw new Fault('peer-unreachable', `${target} refuses`);
    let items: AsyncIterableIterator<PeerStreamItem> | undefined;
    const pull = (): Promise<IteratorResult<PeerStreamItem>> => {
      items ??= port.handler.handleStream(asker.node, request);
      return items.next();
    };
    try {
      for (;;) {
        const ends = { asker, target, timeoutMs: call.idleTimeoutMs };
        const next = await this.#ask<IteratorResult<PeerStreamItem>>(ends, (link) => {
          this.#pull(link, port, pull);
        });
        if (next.done === true) return;
        yield decodeStreamItem(encodeStreamItem(next.value));
      }
    } finally {
      port.clock.whenRunning(() => void items?.return?.());
    }
  }

  /** Has the next item made and brought; a stream delivers in order, or stands still. */
  #pull<T>(link: Link<T>, port: Port, pull: () => Promise<T>): void {
    const { asker, target } = link;
    const bring = (settle: () => void): void => {
      if (port.isGone || this.#isCut(target, asker.node)) return;
      this.world.after(this.#latency(), () => {
        asker.clock.whenRunning(settle);
      });
    };
    if (this.#isCut(asker.node, target)) return;
    port.clock.whenRunning(() => {
      pull().then(
        (next) => bring(link.resolve.bind(undefined, next)),
        (error: unknown) => bring(link.reject.bind(undefined, error)),
      );
    });
  }

  /** Once more, as chance has it. */
  #perhapsAgain(source: NodeId, target: NodeId, deliver: () => void): void {
    if (this.#random.chance(this.options.duplicateRate)) this.#carryOnce(source, target, deliver);
  }

  /** To the process that runs there by then, once or not at all. */
  #carryOnce(source: NodeId, target: NodeId, deliver: () => void): void {
    this.#carryTo(source, target, () => {
      this.#deliver(target, deliver);
    });
  }

  #carryTo(source: NodeId, target: NodeId, arrive: () => void): void {
    if (this.#isCut(source, target) || this.#random.chance(this.options.dropRate)) return;
    this.world.after(this.#latency(), () => {
      // A cut holds what is on its way too.
      if (!this.#isCut(source, target)) arrive();
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

function isGated(node: Partial<GatedNode>): node is GatedNode {
  return node.introduction !== undefined && node.succession !== undefined;
}
