/**
 * A node in a map: `NodeService` without a cluster, for tests of the HTTP edge.
 *
 * What it stores is reconciled, shown and indexed by the real rules of `src/object`; there is one copy,
 * which counts for all replicas, so quorums fail only where they exceed n. Tombstones go after
 * `reapAfterMs`. Tests that need failures replace single methods.
 */

import { encodeActor } from '../../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR, equals } from '../../../src/clock/version-vector.ts';
import {
  activateBucketType,
  createBucketType,
  resetBucketProperties,
  setBucketProperties,
  setBucketTypeProperties,
} from '../../../src/membership/changes.ts';
import {
  effectiveBucketProperties,
  effectiveTypeProperties,
} from '../../../src/membership/effective-properties.ts';
import { initialState } from '../../../src/membership/initial-state.ts';
import { encodeIntegerTerm, indexEntriesOf } from '../../../src/object/index-entries.ts';
import { validateProperties } from '../../../src/object/property-validation.ts';
import { applyWrite } from '../../../src/object/reconcile.ts';
import { isTombstone, showObject } from '../../../src/object/show.ts';
import { randomVtag } from '../../../src/object/vtag.ts';
import { keyToString } from '../../../src/base/names.ts';
import type { NodeIdentity } from '../../../src/clock/actor.ts';
import type { Actor } from '../../../src/clock/version-vector.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Host } from '../../../src/base/host.ts';
import type { NodeId, ObjectKey } from '../../../src/base/names.ts';
import type { ChangeOutcome, PropertyCheck } from '../../../src/membership/changes.ts';
import type { ClusterState } from '../../../src/membership/cluster-state.ts';
import type { NodeService, PropertiesOutcome } from '../../../src/node/node-service.ts';
import type { BucketProperties, PartialProperties } from '../../../src/object/bucket-properties.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  NewContent,
  PutOutcome,
  PutRequest,
} from '../../../src/object/requests.ts';
import type { ValidationContext } from '../../../src/object/property-validation.ts';
import type { StoredObject } from '../../../src/object/stored-object.ts';
import type { IndexScan } from '../../../src/peer/messages.ts';

interface Entry {
  readonly key: ObjectKey;
  readonly actor: Actor;
  readonly object: StoredObject;
}

type IndexPair = readonly [term: ByteString, key: ByteString];

const RING_SIZE = 64;
const NAMES_IN_BATCH = 100;

export class MapNode implements NodeService {
  readonly id = 'dev1@127.0.0.1' as NodeId;
  readonly entries = new Map<ByteString, Entry>();
  readonly #host: Host;
  readonly #reapAfterMs: number;
  #state: ClusterState;
  #actorCount = 0;

  constructor(host: Host, options: { readonly reapAfterMs: number }) {
    this.#host = host;
    this.#reapAfterMs = options.reapAfterMs;
    this.#state = initialState({
      clusterName: 'test',
      ringSize: RING_SIZE,
      members: [
        { id: this.id, host: '127.0.0.1', peerPort: 0, httpPort: 0, pbcPort: 0, location: '' },
      ],
      defaultProperties: {},
    }).state;
  }

  async get(request: GetRequest): Promise<GetOutcome> {
    const { key } = request;
    const properties = this.bucketProperties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const violation = findViolation(properties, [request.r, request.pr, request.nodeConfirms]);
    if (violation !== undefined) return violation;
    if ((request.timeoutMs ?? 1) <= 0) return { kind: 'timeout' };
    const entry = this.entries.get(keyToString(key));
    if (entry === undefined) return { kind: 'not-found', tombstoneContext: undefined };
    const object = showObject(entry.object, properties);
    if (isTombstone(object)) return { kind: 'not-found', tombstoneContext: object.context };
    return { kind: 'found', object };
  }

  async put(request: PutRequest): Promise<PutOutcome> {
    const { key, condition } = request;
    const properties = this.bucketProperties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const { w, dw, pw, nodeConfirms } = request;
    const violation = findViolation(properties, [w, dw, pw, nodeConfirms]);
    if (violation !== undefined) return violation;
    if ((request.timeoutMs ?? 1) <= 0) return { kind: 'timeout' };
    if (condition !== undefined) {
      const found = await this.get({ key });
      if (condition.kind === 'none-match') {
        if (found.kind === 'found') return { kind: 'match-found' };
      } else if (found.kind !== 'found') return { kind: 'nothing-to-match' };
      else if (!equals(found.object.context, condition.context ?? EMPTY_VERSION_VECTOR)) {
        return { kind: 'modified' };
      }
    }
    const object = this.#write(key, request.context, request.content);
    const isReturned = request.returning !== 'nothing';
    return { kind: 'stored', object: isReturned ? showObject(object, properties) : undefined };
  }

  async delete(request: DeleteRequest): Promise<DeleteOutcome> {
    const { key } = request;
    const properties = this.bucketProperties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const { r, pr, w, dw, pw, rw, nodeConfirms } = request;
    const violation = findViolation(properties, [r, pr, w, dw, pw, rw, nodeConfirms]);
    if (violation !== undefined) return violation;
    let { context } = request;
    if (context === undefined) {
      const found = await this.get({ key });
      if (found.kind === 'not-found') return { kind: 'not-found' };
      if (found.kind !== 'found') return found;
      context = found.object.context;
    }
    const tombstone = { metadata: {}, value: Buffer.alloc(0), isTombstone: true };
    const object = this.#write(key, context, tombstone);
    this.#host.clock.after(this.#reapAfterMs, () => {
      const id = keyToString(key);
      if (this.entries.get(id)?.object === object) this.entries.delete(id);
    });
    return { kind: 'deleted' };
  }

  #write(key: ObjectKey, context: PutRequest['context'], content: NewContent): StoredObject {
    const id = keyToString(key);
    const entry = this.entries.get(id);
    const actor = entry?.actor ?? this.#newActor();
    const object = applyWrite(entry?.object, {
      context: context ?? EMPTY_VERSION_VECTOR,
      content,
      dot: { actor, counter: (entry?.object.context.get(actor) ?? 0) + 1 },
      properties: this.bucketProperties(key.type, key.bucket) as BucketProperties,
      nowMicros: this.#host.clock.wallMicros(),
      vtag: randomVtag(this.#host.random),
    });
    this.entries.set(id, { key, actor, object });
    return object;
  }

  /** A key that was forgotten gets another, so that no dot is issued twice. */
  #newActor(): Actor {
    this.#actorCount += 1;
    const identity = 'map-node' as NodeIdentity;
    return encodeActor({ identity, actorEpoch: 1, keyEpoch: this.#actorCount });
  }

  bucketProperties(type: ByteString, bucket: ByteString): BucketProperties | undefined {
    return effectiveBucketProperties(this.#state, type, bucket);
  }

  async setBucketProperties(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const request = { type, bucket, changes };
    return this.#adopt(setBucketProperties(this.#state, request, checkAt('bucket')));
  }

  async resetBucketProperties(type: ByteString, bucket: ByteString): Promise<PropertiesOutcome> {
    return this.#adopt(resetBucketProperties(this.#state, { type, bucket }));
  }

  bucketTypeProperties(type: ByteString): BucketProperties | undefined {
    return effectiveTypeProperties(this.#state, type);
  }

  async setBucketTypeProperties(
    type: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const request = { type, changes };
    return this.#adopt(setBucketTypeProperties(this.#state, request, checkAt('type-update')));
  }

  async createBucketType(
    type: ByteString,
    properties: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const request = { type, properties };
    return this.#adopt(createBucketType(this.#state, request, checkAt('type-create')));
  }

  async activateBucketType(type: ByteString): Promise<PropertiesOutcome> {
    return this.#adopt(activateBucketType(this.#state, type));
  }

  #adopt(outcome: ChangeOutcome): PropertiesOutcome {
    if (outcome.kind === 'changed') this.#state = outcome.state;
    return outcome.kind === 'changed' || outcome.kind === 'unchanged'
      ? { kind: 'changed' }
      : outcome;
  }

  bucketTypes(): [] {
    return [];
  }

  listBuckets(type: ByteString): AsyncIterableIterator<readonly ByteString[]> {
    const names = new Set<ByteString>();
    for (const { key } of this.entries.values()) if (key.type === type) names.add(key.bucket);
    return inBatches([...names]);
  }

  listKeys(type: ByteString, bucket: ByteString): AsyncIterableIterator<readonly ByteString[]> {
    return inBatches(this.#keysOf({ type, bucket }));
  }

  #keysOf({ type, bucket }: Omit<ObjectKey, 'key'>): ByteString[] {
    return [...this.entries.values()]
      .filter(({ key }) => key.type === type && key.bucket === bucket)
      .map(({ key }) => key.key);
  }

  index(scan: IndexScan): AsyncIterableIterator<readonly IndexPair[]> {
    const order = ([term, key]: IndexPair): string => {
      const sortable = scan.field.endsWith('_int') ? encodeIntegerTerm(term) : term;
      return `${sortable}\0${key}`;
    };
    const from = order([scan.from, '' as ByteString]);
    const to = `${order([scan.to, '' as ByteString])}\uffff`;
    const after = scan.after === undefined ? '' : order([scan.after.term, scan.after.key]);
    const pairs = this.#indexPairs(scan)
      .filter((pair) => scan.field === '$bucket' || (order(pair) >= from && order(pair) <= to))
      .filter((pair) => order(pair) > after)
      .sort((left, right) => (order(left) < order(right) ? -1 : 1));
    return inBatches(pairs.slice(0, scan.limit ?? pairs.length));
  }

  #indexPairs(scan: IndexScan): IndexPair[] {
    if (scan.field === '$key') return this.#keysOf(scan).map((key) => [key, key]);
    if (scan.field === '$bucket') return this.#keysOf(scan).map((key) => [scan.bucket, key]);
    const properties = this.bucketProperties(scan.type, scan.bucket) as BucketProperties;
    const pairs: IndexPair[] = [];
    for (const { key, object } of this.entries.values()) {
      if (key.type !== scan.type || key.bucket !== scan.bucket) continue;
      for (const { field, term } of indexEntriesOf(object, properties)) {
        if (field === scan.field) pairs.push([term, key.key]);
      }
    }
    return pairs;
  }

  preferenceList(): undefined {
    return undefined;
  }

  state(): ClusterState {
    return this.#state;
  }

  readiness(): { readonly isReady: boolean; readonly reason: string } {
    return { isReady: true, reason: '' };
  }

  liveMembers(): readonly NodeId[] {
    return [this.id];
  }
}

function checkAt(level: ValidationContext['level']): PropertyCheck {
  return (changes, existing) => {
    const outcome = validateProperties(changes, { level, existing, ringSize: RING_SIZE });
    return outcome.kind === 'valid'
      ? { kind: 'accepted', properties: outcome.changes }
      : { kind: 'refused', refusals: outcome.refusals };
  };
}

function findViolation(
  properties: BucketProperties,
  counts: readonly unknown[],
): Failure | undefined {
  const n = properties.n_val;
  const isAbove = counts.some((count) => typeof count === 'number' && count > n);
  return isAbove ? { kind: 'n-val-violation', n } : undefined;
}

async function* inBatches<T>(items: readonly T[]): AsyncIterableIterator<readonly T[]> {
  for (let index = 0; index < items.length; index += NAMES_IN_BATCH) {
    yield items.slice(index, index + NAMES_IN_BATCH);
  }
}
