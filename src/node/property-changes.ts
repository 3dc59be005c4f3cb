/**
 * Changes of bucket properties and types: agreed by the cluster, then spread.
 *
 * A change is checked, made on the newest state and proposed; when it is agreed and this node acts on
 * it, the call still waits until every member that is up does too. So a client that was told "done"
 * finds the new properties on whichever node it asks next; a member that was away learns them before
 * it serves again.
 */

import { isFault } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Metrics } from '../base/host.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import {
  activateBucketType,
  createBucketType,
  resetBucketProperties,
  setBucketProperties,
  setBucketTypeProperties,
  type ChangeOutcome,
  type PropertyCheck,
} from '../membership/changes.ts';
import {
  createdTypeProperties,
  effectiveTypeProperties,
} from '../membership/effective-properties.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type { Proposer } from '../membership/proposer.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import { validateProperties, type ValidationContext } from '../object/property-validation.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { BucketTypeStatus, PropertiesOutcome } from './node-service.ts';

export interface PropertyChangeOptions {
  /** To be agreed. */
  readonly agreeTimeoutMs: number;
  /** To be known to every member that is up. */
  readonly spreadTimeoutMs: number;
}

export interface PropertyChangePorts {
  readonly metrics: Metrics;
  readonly proposer: Proposer;
  readonly heartbeats: Heartbeats;
}

/** The default type first, then the created ones by name. */
export function bucketTypesIn(state: ClusterState): readonly BucketTypeStatus[] {
  const defaults = effectiveTypeProperties(state, DEFAULT_BUCKET_TYPE);
  const created = [...state.bucketTypes]
    .map(([name, bucketType]) => ({
      name,
      isActive: bucketType.isActive,
      properties: createdTypeProperties(bucketType),
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  return defaults === undefined
    ? created
    : [{ name: DEFAULT_BUCKET_TYPE, isActive: true, properties: defaults }, ...created];
}

export class PropertyChanges {
  readonly #ports: PropertyChangePorts;
  readonly #options: PropertyChangeOptions;

  constructor(ports: PropertyChangePorts, options: PropertyChangeOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  setBucket(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const level = type === DEFAULT_BUCKET_TYPE ? 'bucket' : 'typed-bucket';
    return this.#change((state) => {
      return setBucketProperties(state, { type, bucket, changes }, check(level, state));
    });
  }

  resetBucket(type: ByteString, bucket: ByteString): Promise<PropertiesOutcome> {
    return this.#change((state) => resetBucketProperties(state, { type, bucket }));
  }

  setType(type: ByteString, changes: PartialProperties): Promise<PropertiesOutcome> {
    return this.#change((state) => {
      return setBucketTypeProperties(state, { type, changes }, check('type-update', state));
    });
  }

  createType(type: ByteString, properties: PartialProperties): Promise<PropertiesOutcome> {
    return this.#change((state) => {
      return createBucketType(state, { type, properties }, check('type-create', state));
    });
  }

  activateType(type: ByteString): Promise<PropertiesOutcome> {
    return this.#change((state) => activateBucketType(state, type));
  }

  /** Where this node's own store fails, what the others have agreed is not known: a `timeout`. */
  async #change(make: (state: ClusterState) => ChangeOutcome): Promise<PropertiesOutcome> {
    try {
      return await this.#agree(make);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#ports.metrics.count('state_changes_failed_total');
      return { kind: 'timeout' };
    }
  }

  async #agree(make: (state: ClusterState) => ChangeOutcome): Promise<PropertiesOutcome> {
    const { metrics, proposer, heartbeats } = this.#ports;
    const outcome = await proposer.propose(make, this.#options.agreeTimeoutMs);
    if (outcome.kind === 'changed') {
      metrics.count('states_changed_total');
      await heartbeats.spread(outcome.state.epoch, this.#options.spreadTimeoutMs);
      return { kind: 'changed' };
    }
    if (outcome.kind === 'timeout') return { kind: 'timeout' };
    return outcome.kind === 'unchanged' ? { kind: 'changed' } : outcome;
  }
}

function check(level: ValidationContext['level'], { ringSize }: ClusterState): PropertyCheck {
  return (changes, before) => {
    const outcome = validateProperties(changes, { level, existing: before, ringSize });
    return outcome.kind === 'invalid'
      ? { kind: 'refused', refusals: outcome.refusals }
      : { kind: 'accepted', properties: outcome.changes };
  };
}
