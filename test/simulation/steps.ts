/**
 * Steps: the ring moves to other nodes and back while everything else goes on.
 *
 * Each step gives all partitions to some of the members, three at least, chosen at random and claimed
 * from the ring there is; one that is still filling may be given up for the next. The nodes carry them
 * out by themselves.
 */

import { claim } from '../../src/ring/claim.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { openStep, ownersOf } from '../../src/membership/ring-steps.ts';
import type { StagingOutcome } from '../../src/membership/staging.ts';
import type { SimulatedCluster } from './cluster.ts';
import type { SeededRandom } from './world.ts';

const OWNERS_MIN = 3;

export class Steps {
  /** Steps that were agreed. */
  openedCount = 0;
  readonly #cluster: SimulatedCluster;
  readonly #intervalMs: number;
  readonly #random: SeededRandom;
  #isOver = false;

  /** `intervalMs`: the mean time between two tries. */
  constructor(cluster: SimulatedCluster, intervalMs: number) {
    this.#cluster = cluster;
    this.#intervalMs = intervalMs;
    this.#random = cluster.world.random.fork();
  }

  start(): void {
    this.#cluster.world.after(this.#random.integer(2 * this.#intervalMs), () => {
      if (this.#isOver) return;
      void this.#open();
      this.start();
    });
  }

  /** No step is opened any more. */
  end(): void {
    this.#isOver = true;
  }

  async #open(): Promise<void> {
    const serving = this.#cluster.nodes.filter(({ node }) => node?.readiness().isReady === true);
    if (serving.length === 0) return;
    const machine = this.#random.pick(serving);
    const changes = machine.node?.cluster().clusterChanges;
    if (changes === undefined) return;
    const ids = this.#cluster.nodes.map(({ id }) => id);
    const chosen = ids.filter(() => this.#random.chance(0.6));
    const owning = chosen.length >= OWNERS_MIN ? chosen : ids;
    const outcome = await machine.ask(() => changes.stage((state) => stepTo(state, owning)));
    if (outcome.kind === 'changed') this.openedCount += 1;
  }
}

function stepTo(state: ClusterState, owning: readonly string[]): StagingOutcome {
  const { members, ringSize, staged } = state;
  const { ownerByPartition: owners } = claim({
    members: members.filter(({ id, status }) => status === 'valid' && owning.includes(id)),
    ringSize,
    previous: ownersOf(state),
  });
  const outcome = openStep(state, { owners, members, staged });
  return outcome.kind === 'changed' ? outcome : { kind: 'unchanged' };
}
