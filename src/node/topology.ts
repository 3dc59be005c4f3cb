/**
 * The topology: the cluster state this node acts on, and who is up.
 *
 * Every request reads it once, from memory. A newer state replaces the older one whole, never the
 * other way round; what was derived from it (ring, effective properties) goes with it.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import type { Epoch, NodeId, ObjectKey } from '../base/names.ts';
import { locate } from '../coordinator/ports.ts';
import type { CoordinatorView } from '../coordinator/ports.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  effectiveBucketProperties,
  effectiveTypeProperties,
} from '../membership/effective-properties.ts';
import { awaitedMembers } from '../membership/staging.ts';
import type { Liveness, LivenessChange } from '../membership/liveness.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { Placement } from '../replica/replica.ts';
import { Ring } from '../ring/ring.ts';

export class Topology implements CoordinatorView {
  readonly #liveness: Liveness;
  readonly #notInCoverage = new Set<NodeId>();
  #state: ClusterState;
  #ring: Ring;

  constructor(state: ClusterState, liveness: Liveness) {
    this.#state = state;
    this.#ring = new Ring(state);
    this.#liveness = liveness;
  }

  get epoch(): Epoch {
    return this.#state.epoch;
  }

  state(): ClusterState {
    return this.#state;
  }

  ring(): Ring {
    return this.#ring;
  }

  jointRing(): Ring | undefined {
    return undefined;
  }

  isUp(node: NodeId): boolean {
    return this.#liveness.isUp(node);
  }

  isInCoverage(node: NodeId): boolean {
    return !this.#notInCoverage.has(node);
  }

  /** As the node itself says; one that has not said anything is. */
  setInCoverage(node: NodeId, isInCoverage: boolean): void {
    if (isInCoverage) this.#notInCoverage.delete(node);
    else this.#notInCoverage.add(node);
  }

  livenessVersion(): number {
    return this.#liveness.version;
  }

  /** Acts on `state` from now on, unless it is no newer; says who is down for no longer being one. */
  adopt(state: ClusterState, nowMs: number): readonly LivenessChange[] {
    const isKin = state.lineages[0]?.id === this.#state.lineages[0]?.id;
    if (isKin && state.epoch <= this.#state.epoch) return [];
    const isSameRing =
      state.ringSize === this.#state.ringSize &&
      state.ownerByPartition.every(
        (owner, index) => owner === this.#state.ownerByPartition[index],
      ) &&
      state.members.length === this.#state.members.length &&
      state.members.every((member, index) => {
        const before = this.#state.members[index];
        return member.id === before?.id && member.location === before.location;
      });
    // The lists that a ring has computed stay good while the ring is the same.
    if (!isSameRing) this.#ring = new Ring(state);
    this.#state = state;
    return this.#liveness.setMembers(awaitedMembers(state), nowMs);
  }

  properties(type: ByteString, bucket: ByteString): BucketProperties | undefined {
    return effectiveBucketProperties(this.#state, type, bucket);
  }

  /** Of an unknown type, those of the default type: for what must be kept until it is known. */
  propertiesOrDefault(type: ByteString, bucket: ByteString): BucketProperties {
    const properties =
      this.properties(type, bucket) ?? effectiveTypeProperties(this.#state, DEFAULT_BUCKET_TYPE);
    assert(properties !== undefined, 'the default type is always there');
    return properties;
  }

  /** Undefined: the type is unknown here. */
  place(key: ObjectKey): Placement | undefined {
    const properties = this.properties(key.type, key.bucket);
    if (properties === undefined) return undefined;
    return { partition: locate(key, properties, this.#state.ringSize), properties };
  }

  isMember(node: NodeId): boolean {
    return this.#state.members.some(({ id }) => id === node);
  }
}
