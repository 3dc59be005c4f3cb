/**
 * A node and its links: who is let in, who is dialled, and what the node hears of it.
 *
 * The one place where transport and node are put together; the simulation does it with this too.
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { awaitedMembers } from '../membership/staging.ts';
import type { VertebraNode } from '../node/node.ts';
import type { PeerAddress } from '../transport/channel.ts';
import type { LinkedPeer, LinkedPeerOptions } from '../transport/linked-peer.ts';
import type { PeerCalls } from '../transport/peer-calls.ts';
import { PeerGate } from '../transport/peer-gate.ts';

export interface NodeGateOptions {
  readonly release: string;
  readonly verifiesNames: boolean;
}

/** `node`: it may be made after its gate, and before anybody knocks. */
export function newNodeGate(
  host: Host,
  node: () => VertebraNode,
  { release, verifiesNames }: NodeGateOptions,
): PeerGate {
  const gate = new PeerGate(host, {
    introduce: () => {
      const introduction = node().introduction();
      if (introduction === undefined) throw new Fault('closed', 'the node has not been opened');
      return { ...introduction, release };
    },
    isMember: (id) => awaitedMembers(node().state()).includes(id),
    verifiesNames,
    recall: (id) => node().recallPeer(id),
    isUp: (id) => node().liveMembers().includes(id),
  });
  gate.onAdmitted((peer) => node().admittedPeer(peer));
  return gate;
}

/** What the node hears of the links that it has dialled. */
export function linkEvents(
  node: () => VertebraNode,
): Pick<LinkedPeerOptions, 'linkChanged' | 'calledStranger' | 'calledOutdated'> {
  return {
    linkChanged: (id, isOpen, isVouching) => node().linkChanged(id, isOpen, isVouching),
    calledStranger: (id) => node().calledStranger(id),
    calledOutdated: (id, remembered) => node().succession()?.refusedBy(id, remembered),
  };
}

/** Links follow the members. */
export function followMembers(
  { self, state }: { readonly self: NodeId; readonly state: ClusterState },
  peer: Pick<LinkedPeer, 'setPeers'>,
  served: Pick<PeerCalls, 'dropStrangers'>,
): void {
  const addresses = new Map<NodeId, PeerAddress>();
  const links = awaitedMembers(state);
  for (const { id, host, peerPort } of state.members) {
    if (id !== self && links.includes(id)) addresses.set(id, { host, port: peerPort });
  }
  // Who is no member any more has nobody to talk to.
  peer.setPeers(links.includes(self) ? addresses : new Map());
  served.dropStrangers((id) => addresses.has(id));
}
