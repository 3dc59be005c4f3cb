/**
 * What repair stands on: the host, this node's copies, the other nodes, a view of the cluster.
 *
 * Everything read of the cluster is read from memory at the moment it is needed; repair is
 * idempotent, so a change in between costs at most a step that is done again.
 */

import type { Host } from '../base/host.ts';
import type { Epoch, NodeId, ObjectKey } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type { Peer } from '../peer/peer.ts';
import type { Placement, Replica } from '../replica/replica.ts';
import type { Ring } from '../ring/ring.ts';
import type { Store } from '../storage/store.ts';

export interface RepairView {
  state(): ClusterState;
  /** Where reads hold. */
  ring(): Ring;
  /** Where writes must hold too, while a step from one ring to another is open. */
  jointRing(): Ring | undefined;
  isUp(node: NodeId): boolean;
  /** Whether every member that is up acts on `epoch` or a newer one. */
  hasSpread(epoch: Epoch): boolean;
  /** Undefined: the bucket type is unknown here. */
  place(key: ObjectKey): Placement | undefined;
}

/** A change of the cluster state; anything but `changed` is a refusal. */
type ProposedChange = (
  state: ClusterState,
) => { readonly kind: 'changed'; readonly state: ClusterState } | { readonly kind: string };

/** What moving replicas between nodes needs beside that. */
export interface TransferPorts extends RepairPorts {
  /** This node's own, for notes of how far it has come. */
  readonly store: Store;
  /**
   * Proposes a change to the cluster. Resolves in bounded time, whether or not the change was agreed
   * on: read the state to know. Rejects with the faults of this node's own store.
   */
  readonly propose: (change: ProposedChange) => Promise<void>;
  /** Called when this node, refilled, holds what it should. */
  readonly filled: () => void;
}

export interface RepairPorts {
  readonly host: Host;
  readonly replica: Replica;
  /** This node itself is reached through it too. */
  readonly peer: Peer;
  readonly self: NodeId;
  readonly view: RepairView;
}
