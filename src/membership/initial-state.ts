/**
 * The first cluster state: epoch 1, made from the configuration's list of nodes.
 *
 * Nobody agrees on epoch 1: each node makes it for itself. So it depends on nothing but the
 * configuration, and not on the order in which that names the nodes; nodes that were given
 * different lists are found out by the hash of their states, which also names the first lineage.
 */

import { assert } from '../base/fault.ts';
import type { Epoch } from '../base/names.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import { claim } from '../ring/claim.ts';
import type { ClaimWarning } from '../ring/claim-warnings.ts';
import { NO_SECURITY } from '../security/security-state.ts';
import type { ClusterState, Member } from './cluster-state.ts';
import { hashState } from './state-document.ts';

export interface InitialCluster {
  readonly clusterName: string;
  /** A power of two, 8 to 1024. */
  readonly ringSize: number;
  /** At least one; ids distinct. */
  readonly members: readonly Omit<Member, 'status'>[];
  readonly defaultProperties: PartialProperties;
}

export const FIRST_EPOCH = 1 as Epoch;

/** Epoch 1 with every member valid, and what its ring cannot keep apart. */
export function initialState(cluster: InitialCluster): {
  readonly state: ClusterState;
  readonly warnings: readonly ClaimWarning[];
} {
  const members = cluster.members
    .map((member): Member => ({
      id: member.id,
      host: member.host,
      peerPort: member.peerPort,
      httpPort: member.httpPort,
      pbcPort: member.pbcPort,
      location: member.location,
      status: 'valid',
    }))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const ring = claim({ members, ringSize: cluster.ringSize });
  const indexById = new Map(members.map(({ id }, index) => [id, index]));
  const unnamed: ClusterState = {
    clusterName: cluster.clusterName,
    epoch: FIRST_EPOCH,
    ancestors: [],
    lineages: [],
    ringSize: cluster.ringSize,
    members,
    ownerByPartition: ring.ownerByPartition.map((owner) => {
      const index = indexById.get(owner);
      assert(index !== undefined, 'claim gives partitions to members');
      return index;
    }),
    staged: [],
    step: undefined,
    defaultProperties: cluster.defaultProperties,
    bucketTypes: new Map(),
    bucketProperties: new Map(),
    security: NO_SECURITY,
  };
  const id = hashState(unnamed).toString('hex').slice(0, 32);
  const state: ClusterState = { ...unnamed, lineages: [{ id, since: FIRST_EPOCH }] };
  return { state, warnings: ring.warnings };
}
