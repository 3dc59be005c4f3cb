/**
 * Invariant 6: one topology. Two nodes that hold the same epoch hold the same state, and a change that
 * was acknowledged is in the states that follow.
 *
 * Each change of properties writes a number of its own, so that the state in the end tells which change
 * came last.
 */

import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import { bucketId, type ClusterState } from '../../src/membership/cluster-state.ts';
import { hashState } from '../../src/membership/state-document.ts';

interface PropertyChange {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly marker: number;
  readonly startedMs: number;
  ackedMs: number | undefined;
}

/** What the workload changes: it means nothing to the nodes. */
export const MARKER_PROPERTY = 'small_vclock';

export class TopologyWitness {
  readonly violations: string[] = [];
  readonly #changes: PropertyChange[] = [];
  /** By lineage and epoch: a node that is yet to join has epochs of its own. */
  readonly #hashByEpoch = new Map<string, string>();

  /** `node` acts on `state` from now on. */
  observe(node: NodeId, state: ClusterState): void {
    const hash = hashState(state).toString('hex');
    const epoch = `${state.lineages[0]?.id}/${state.epoch}`;
    const known = this.#hashByEpoch.get(epoch);
    if (known === undefined) this.#hashByEpoch.set(epoch, hash);
    else if (known !== hash)
      this.violations.push(`${node}: a second state of epoch ${state.epoch}`);
  }

  begin(type: ByteString, bucket: ByteString, startedMs: number): PropertyChange {
    const marker = this.#changes.length + 1;
    const change: PropertyChange = { type, bucket, marker, startedMs, ackedMs: undefined };
    this.#changes.push(change);
    return change;
  }

  /** Findings about the state in the end. */
  judge(state: ClusterState): string[] {
    const lost: string[] = [];
    for (const { type, bucket, marker, startedMs, ackedMs } of this.#changes) {
      if (ackedMs === undefined) continue;
      const found = state.bucketProperties.get(bucketId(type, bucket))?.[MARKER_PROPERTY];
      const last = this.#changes.find((change) => change.marker === found);
      const isOlder = last === undefined || (last.ackedMs ?? Infinity) < startedMs;
      if (isOlder) lost.push(`change ${marker} was acknowledged and ${found} is in its place`);
    }
    return lost;
  }
}
