/**
 * Whether this node goes on holding what it was asked for.
 *
 * A listing may take hours, and reads by and by. A ring change can take a partition from its node
 * meanwhile, which then gives its copies away; what is read there afterwards is too little, and nothing
 * shows it. So the node says that it cannot answer any more, and the rest is asked of others.
 */

import { Fault } from '../base/fault.ts';
import type { NodeId, Partition } from '../base/names.ts';
import { replicaCountsOfType } from '../membership/effective-properties.ts';
import type { CoverageShare, PeerStreamRequest } from '../peer/messages.ts';
import type { Ring } from '../ring/ring.ts';
import type { Topology } from './topology.ts';

type CoverageRequest = Extract<PeerStreamRequest, { readonly share: CoverageShare }>;

/** One replica of so many, which this node had when it was asked. */
interface Holding {
  readonly partition: Partition;
  readonly n: number;
}

export class ShareHolding {
  readonly #topology: Topology;
  readonly #self: NodeId;
  readonly #holdings: readonly Holding[];
  /** In which it holds them all. */
  #ring: Ring;

  constructor(request: CoverageRequest, topology: Topology, self: NodeId) {
    this.#topology = topology;
    this.#self = self;
    this.#ring = topology.ring();
    this.#holdings = replicaCounts(request, topology)
      .flatMap((n) => request.share.partitions.map((partition) => ({ partition, n })))
      .filter((holding) => this.#isHeld(holding));
  }

  /** To be asked after each read. Throws `peer-refused`. */
  check(): void {
    const ring = this.#topology.ring();
    if (ring === this.#ring) return;
    this.#ring = ring;
    if (this.#holdings.every((holding) => this.#isHeld(holding))) return;
    throw new Fault('peer-refused', 'the node gives away what it was asked for');
  }

  #isHeld({ partition, n }: Holding): boolean {
    return this.#ring.isReplica(partition, n, this.#self);
  }
}

/** In how many replicas there are what is asked for; none where the bucket type is unknown here. */
function replicaCounts(request: CoverageRequest, topology: Topology): readonly number[] {
  if (request.verb === 'list-buckets') {
    const counts = replicaCountsOfType(topology.state(), request.type);
    return counts === undefined ? [] : [...new Set([counts.least, counts.usual])];
  }
  const { type, bucket } = bucketOf(request);
  const properties = topology.properties(type, bucket);
  return properties === undefined ? [] : [properties.n_val];
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
