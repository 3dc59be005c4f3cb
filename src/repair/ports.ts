/**
 * What repair stands on: the host, this node's copies, the other nodes, a view of the cluster.
 *
 * Everything read of the cluster is read from memory at the moment it is needed; repair is
 * idempotent, so a change in between costs at most a step that is done again.
 */

import type { Host } from '../base/host.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type { Peer } from '../peer/peer.ts';
import type { Placement, Replica } from '../replica/replica.ts';
import type { Ring } from '../ring/ring.ts';

export interface RepairView {
  state(): ClusterState;
  ring(): Ring;
  isUp(node: NodeId): boolean;
  /** Undefined: the bucket type is unknown here. */
  place(key: ObjectKey): Placement | undefined;
}

export interface RepairPorts {
  readonly host: Host;
  readonly replica: Replica;
  /** This node itself is reached through it too. */
  readonly peer: Peer;
  readonly self: NodeId;
  readonly view: RepairView;
}
