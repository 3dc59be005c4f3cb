/**
 * The topology: the cluster state this node acts on, and who is up.
 *
 * Every request reads it once, from memory. A newer state replaces the older one whole, never the
 * other way round; what was derived from it (rings, effective properties) goes with it.
 *
 * While a step from ring A to ring B is open writes hold in both. Reads, lists and index queries hold
 * in A as long as B is being filled, and in B when it is full.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import type { Epoch, NodeId, ObjectKey, Partition } from '../base/names.ts';
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
import { Ring, type RingLayout } from '../ring/ring.ts';
import type { PreferenceListEntry } from './node-service.ts';

/** What a node says of itself. */
export interface NodeReport {
  /** It acts on this epoch. */
  readonly epoch: Epoch;
  /** It holds what it should, and has lost no disk that is yet to be refilled. */
  readonly isFilled: boolean;
}

export class Topology implements CoordinatorView {
  readonly #liveness: Liveness;
  readonly #notInCoverage = new Set<NodeId>();
  #state: ClusterState;
  #ring: Ring;
  #jointRing: Ring | undefined;
  /** What the others last said of themselves. */
  readonly #reports = new Map<NodeId, NodeReport>();
  #isFilled = true;
  #adopted: (state: ClusterState) => void = () => {};

  constructor(state: ClusterState, liveness: Liveness) {
    this.#state = state;
    [this.#ring, this.#jointRing] = ringsOf(state, []);
    this.#liveness = liveness;
  }

  get epoch(): Epoch {
    return this.#state.epoch;
  }

  state(): ClusterState {
    return this.#state;
  }

  /** Where reads hold. */
  ring(): Ring {
    return this.#ring;
  }

  /** Where writes must hold too, while a step is open. */
  jointRing(): Ring | undefined {
    return this.#jointRing;
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

  /** Whether this node holds what it should. */
  get isFilled(): boolean {
    return this.#isFilled;
  }

  setFilled(isFilled: boolean): void {
    this.#isFilled = isFilled;
  }

  noteReport(node: NodeId, report: NodeReport): void {
    this.#reports.set(node, report);
  }

  hasReport(node: NodeId): boolean {
    return this.#reports.has(node);
  }

  /** The members that are up and have not said that they act on `epoch` or a newer one. */
  behind(epoch: Epoch): NodeId[] {
    const { localNode } = this.#liveness;
    return this.#state.members
      .map(({ id }) => id)
      .filter((node) => node !== localNode && this.isUp(node))
      .filter((node) => (this.#reports.get(node)?.epoch ?? 0) < epoch);
  }

  hasSpread(epoch: Epoch): boolean {
    return this.behind(epoch).length === 0;
  }

  /** Whether `node` is up and holds all that it is asked for in a list or an index query. */
  mayCover(node: NodeId): boolean {
    if (node === this.#liveness.localNode) return this.#isFilled;
    return this.isUp(node) && this.#reports.get(node)?.isFilled !== false;
  }

  livenessVersion(): number {
    return this.#liveness.version;
  }

  /** Who is told of each state that is acted on from now on, before anything is done by it. */
  onAdopted(listener: (state: ClusterState) => void): void {
    this.#adopted = listener;
    listener(this.#state);
  }

  /** Acts on `state` from now on, unless it is no newer; says who is down for no longer being one. */
  adopt(state: ClusterState, nowMs: number): readonly LivenessChange[] {
    const isKin = state.lineages[0]?.id === this.#state.lineages[0]?.id;
    if (isKin && state.epoch <= this.#state.epoch) return [];
    // The lists that a ring has computed stay good while the ring is the same.
    const known = this.#jointRing === undefined ? [this.#ring] : [this.#ring, this.#jointRing];
    [this.#ring, this.#jointRing] = ringsOf(state, known);
    this.#state = state;
    this.#adopted(state);
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

  /** Who serves the key now, position by position; undefined: the type is unknown here. */
  preferenceList(key: ObjectKey): readonly PreferenceListEntry[] | undefined {
    const place = this.place(key);
    if (place === undefined) return undefined;
    const { partition, properties } = place;
    const isUp = (node: NodeId): boolean => this.isUp(node);
    const { positions } = this.#ring.activePreferenceList(partition, properties.n_val, isUp);
    return positions.map((each) => ({
      partition: each.partition,
      node: each.node,
      isPrimary: each.isPrimary,
    }));
  }

  isMember(node: NodeId): boolean {
    return this.#state.members.some(({ id }) => id === node);
  }
}

/** The ring of reads, and the other one of an open step; `known` ones where they are the same. */
function ringsOf(
  state: ClusterState,
  known: readonly Ring[],
): [ring: Ring, jointRing: Ring | undefined] {
  const ringOf = (ownerByPartition: readonly number[]): Ring => {
    const layout = { ...state, ownerByPartition };
    return known.find((ring) => isRingOf(layout, ring)) ?? new Ring(layout);
  };
  const current = ringOf(state.ownerByPartition);
  if (state.step === undefined) return [current, undefined];
  const target = ringOf(state.step.target);
  return state.step.phase === 'filling' ? [current, target] : [target, current];
}

function isRingOf({ ringSize, members, ownerByPartition }: RingLayout, ring: Ring): boolean {
  return (
    ring.ringSize === ringSize &&
    ownerByPartition.every((index, partition) => {
      const owner = members[index];
      return (
        owner !== undefined &&
        owner.id === ring.ownerOf(partition as Partition) &&
        owner.location === ring.locationOf(owner.id)
      );
    })
  );
}
