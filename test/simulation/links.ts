/**
 * Links: the transport's own code between the node and the network, put together as in `cli`.
 *
 * Who is let in, what is dialled and when, windows, deadlines, frames and streams: all is what a real
 * node runs; the bytes alone are carried by `connections.ts`.
 */

import type { Host } from '../../src/base/host.ts';
import { followMembers, linkEvents, newNodeGate } from '../../src/cli/node-links.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import type { VertebraNode } from '../../src/node/node.ts';
import type { JoinPort } from '../../src/peer/join.ts';
import type { Peer, PeerHandler } from '../../src/peer/peer.ts';
import { LinkedPeer } from '../../src/transport/linked-peer.ts';
import { PeerCalls } from '../../src/transport/peer-calls.ts';
import type { Process } from './call-end.ts';
import type { Connections } from './connections.ts';

export class SimulatedLinks {
  readonly peer: Peer & JoinPort;
  readonly #node: () => VertebraNode;
  readonly #process: Process;
  readonly #connections: Connections;
  readonly #peer: LinkedPeer;
  readonly #calls: PeerCalls;
  #isListening = false;

  constructor(
    { host, node }: { readonly host: Host; readonly node: () => VertebraNode },
    { process, connections }: { readonly process: Process; readonly connections: Connections },
    handler: PeerHandler,
  ) {
    this.#node = node;
    this.#process = process;
    this.#connections = connections;
    const carrier = connections.carrierOf(process);
    const gate = newNodeGate(host, node, { release: 'simulated', verifiesNames: false });
    this.#peer = new LinkedPeer({ host, gate, carrier }, linkEvents(node));
    this.peer = this.#peer;
    const joins = { admit: (request) => node().admit(request) } satisfies Pick<
      VertebraNode,
      'admit'
    >;
    this.#calls = new PeerCalls({ host, gate, handler, defer: carrier.defer }, { joins });
  }

  stateChanged(state: ClusterState): void {
    followMembers({ self: this.#process.node, state }, this.#peer, this.#calls);
    if (this.#isListening || this.#node().introduction() === undefined) return;
    this.#isListening = true;
    this.#connections.listen(this.#process, this.#calls);
  }

  close(): void {
    this.#calls.close();
    this.#peer.close();
  }
}
