/**
 * Whether this node holds what it is asked for, and goes on holding it.
 *
 * A listing may take hours, and reads by and by. A ring change or a lower n_val can take a partition from
 * its node meanwhile, which then gives its copies away; what is read there afterwards is too little, and
 * nothing shows it. So is what one is told who has not heard of such a change yet. The node says that it
 * cannot answer, and the rest is asked of others.
 */

import { Fault } from '../base/fault.ts';
import type { NodeId, Partition } from '../base/names.ts';
import type { ReplicaCounts } from '../coordinator/coverage-shares.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { replicaCountsOfType } from '../membership/effective-properties.ts';
import type { CoverageShare, PeerStreamRequest } from '../peer/messages.ts';
import type { Ring } from '../ring/ring.ts';
import type { Topology } from './topology.ts';

type CoverageRequest = Extract<PeerStreamRequest, { readonly share: CoverageShare }>;

export class ShareHolding {
  readonly #request: CoverageRequest;
  readonly #topology: Topology;
  readonly #self: NodeId;
  /** For buckets with the fewest replicas, too. */
  readonly #heldWhole: ReadonlySet<Partition>;
  /** In which it holds them all. */
  #state: ClusterState;
  #ring: Ring;

  /** Throws `peer-refused` where the node does not hold them all now. */
  constructor(request: CoverageRequest, topology: Topology, self: NodeId) {
    this.#request = request;
    this.#topology = topology;
    this.#self = self;
    this.#state = topology.state();
    this.#ring = topology.ring();
    const { least, usual } = this.#mustCount();
    const { partitions } = request.share;
    this.#heldWhole = new Set(partitions.filter((each) => this.#isHeld(each, least)));
    this.#mustHold(
      partitions.every((each) => this.#heldWhole.has(each) || this.#isHeld(each, usual)),
    );
  }

  /** To be asked after each read. Throws `peer-refused`. */
  check(): void {
    const [state, ring] = [this.#topology.state(), this.#topology.ring()];
    if (state === this.#state && ring === this.#ring) return;
    this.#state = state;
    this.#ring = ring;
    const { least, usual } = this.#mustCount();
    const { partitions } = this.#request.share;
    this.#mustHold(
      partitions.every((each) => this.#isHeld(each, this.#heldWhole.has(each) ? least : usual)),
    );
  }

  #mustHold(isHeld: boolean): void {
    if (!isHeld) throw new Fault('peer-refused', 'the node does not hold all that it is asked for');
  }

  #mustCount(): ReplicaCounts {
    const counts = replicaCounts(this.#request, this.#topology);
    if (counts === undefined) throw new Fault('peer-refused', 'the bucket type is unknown');
    return counts;
  }

  #isHeld(partition: Partition, n: number): boolean {
    return this.#ring.isReplica(partition, n, this.#self);
  }
}

/** In how many replicas there are what is asked for; undefined where the bucket type is unknown here. */
function replicaCounts(request: CoverageRequest, topology: Topology): ReplicaCounts | undefined {
  if (request.verb === 'list-buckets') return replicaCountsOfType(topology.state(), request.type);
  const { type, bucket } = bucketOf(request);
  const n = topology.properties(type, bucket)?.n_val;
  return n === undefined ? undefined : { least: n, usual: n };
}

function bucketOf(
  request: Exclude<CoverageRequest, { readonly verb: 'list-buckets' }>,
): Pick<Extract<CoverageRequest, { readonly verb: 'list-keys' }>, 'type' | 'bucket'> {
  switch (request.verb) {
    case 'list-keys':
      return request;
    case 'index':
      return request.query;
    case 'fold':
      return request.scan.range;
  }
}
