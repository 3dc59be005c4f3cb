/**
 * Heartbeats: one ping to each member every interval, and what they tell.
 *
 * A ping carries this node's epoch, a pong the peer's: so each learns who is up and who is behind. A
 * pong tells the time too, and how long it took to come.
 * O(members) a heartbeat, and nothing on the way of requests.
 */

import { isFault } from '../base/fault.ts';
import { sleep, type Host } from '../base/host.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import { awaitedMembers } from '../membership/staging.ts';
import type { Evidence, Liveness, LivenessChange } from '../membership/liveness.ts';
import type { Peer } from '../peer/peer.ts';
import { PeerClocks } from './peer-clocks.ts';
import type { Topology } from './topology.ts';

export interface HeartbeatOptions {
  readonly intervalMs: number;
  /** A ping not answered in this time is a miss. */
  readonly timeoutMs: number;
}

export interface HeartbeatPorts {
  readonly host: Host;
  readonly peer: Peer;
  readonly self: NodeId;
  readonly incarnation: () => number;
  readonly topology: Topology;
  readonly liveness: Liveness;
  /** A peer acts on this epoch. */
  readonly heardEpoch: (node: NodeId, epoch: Epoch) => void;
  readonly lost: (node: NodeId) => void;
}

/** Between two looks at who has taken over a new state. */
const SPREAD_POLL_MS = 20;

export class Heartbeats {
  /** Of those that are up. */
  readonly peerClocks = new PeerClocks();
  readonly #ports: HeartbeatPorts;
  readonly #options: HeartbeatOptions;
  #returned: (node: NodeId) => void = () => {};
  #cancelNext: (() => void) | undefined;
  #isStopped = false;

  constructor(ports: HeartbeatPorts, options: HeartbeatOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /**
   * Begins; resolves when every member has answered once, or `graceMs` later: a node must not take
   * the others for down only because it has just come up itself.
   */
  async start(graceMs: number): Promise<void> {
    this.#beat();
    await this.#waitFor(
      () => this.#others().every((node) => this.#ports.topology.hasReport(node)),
      graceMs,
    );
  }

  /** Who is told of each member that is up again. */
  onReturned(listener: (node: NodeId) => void): void {
    this.#returned = listener;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext?.();
  }

  /** A ping came from `source`. */
  heardPing(source: NodeId): void {
    this.#observe(source, 'ping-received');
  }

  /** The transport says that the link to `node` opened or broke. */
  linkChanged(node: NodeId, isOpen: boolean): void {
    if (isOpen) this.#ping(node);
    else this.#observe(node, 'link-lost');
  }

  noteChanges(changes: readonly LivenessChange[]): void {
    const { host, lost } = this.#ports;
    for (const { node, isUp } of changes) {
      host.metrics.count(isUp ? 'nodes_returned_total' : 'nodes_lost_total');
      host.log.info(isUp ? 'node.up' : 'node.down', { peer: node });
      if (isUp) this.#returned(node);
      else {
        this.peerClocks.forget(node);
        lost(node);
      }
    }
  }

  /** Resolves when every member that is up acts on `epoch` or a newer one, or after `timeoutMs`. */
  async spread(epoch: Epoch, timeoutMs: number): Promise<void> {
    await this.#waitFor(() => {
      const nodes = this.#ports.topology.behind(epoch);
      for (const node of nodes) this.#ping(node);
      return nodes.length === 0;
    }, timeoutMs);
  }

  async #waitFor(isDone: () => boolean, timeoutMs: number): Promise<void> {
    const { clock } = this.#ports.host;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (!isDone() && !this.#isStopped && clock.monotonicMs() < deadlineMs) {
      await sleep(clock, SPREAD_POLL_MS);
    }
  }

  #others(): NodeId[] {
    const { topology, self } = this.#ports;
    return awaitedMembers(topology.state()).filter((id) => id !== self);
  }

  #beat(): void {
    if (this.#isStopped) return;
    const { host, liveness } = this.#ports;
    for (const node of this.#others()) this.#ping(node);
    this.noteChanges(liveness.tick(host.clock.monotonicMs()));
    this.#cancelNext = host.clock.after(this.#options.intervalMs, () => this.#beat());
  }

  #ping(node: NodeId): void {
    const { host, peer, topology, incarnation } = this.#ports;
    const sentMs = host.clock.monotonicMs();
    const ping = { verb: 'ping', epoch: topology.epoch, incarnation: incarnation() } as const;
    peer.request(node, ping, this.#options.timeoutMs).then(
      (reply) => {
        if (this.#isStopped || reply.kind !== 'pong') return;
        topology.noteReport(node, reply);
        this.#ports.heardEpoch(node, reply.epoch);
        topology.setInCoverage(node, reply.inCoverage);
        this.#observe(node, 'round-trip');
        this.#noteTime(node, sentMs, reply.wallMicros);
      },
      (error: unknown) => {
        if (!isFault(error)) throw error;
        const isLost = error.code === 'peer-unreachable' || error.code === 'peer-closed';
        this.#observe(node, isLost ? 'link-lost' : 'request-failed');
      },
    );
  }

  #noteTime(node: NodeId, sentMs: number, theirWallMicros: number | undefined): void {
    const { host, topology } = this.#ports;
    if (!topology.isUp(node)) return;
    const rttMs = host.clock.monotonicMs() - sentMs;
    const wallMicros = host.clock.wallMicros();
    this.peerClocks.note(node, { rttMs, wallMicros, theirWallMicros });
  }

  #observe(node: NodeId, evidence: Evidence): void {
    if (this.#isStopped) return;
    const { host, liveness } = this.#ports;
    this.noteChanges(liveness.observe(node, evidence, host.clock.monotonicMs()));
  }
}
