/**
 * A node that keeps everything in memory: the real causality, properties and index entries, without
 * ring, peers and disk. So that an API can be tested by itself.
 *
 * It answers as a cluster of three would where an API can tell: quorums are checked against n_val.
 */

import { FIRST_EPOCH } from '../../src/membership/initial-state.ts';
import { actorPrefix, nextDot } from '../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR, equals } from '../../src/clock/version-vector.ts';
import {
  activateBucketType,
  createBucketType,
  resetBucketProperties,
  setBucketProperties,
  setBucketTypeProperties,
} from '../../src/membership/changes.ts';
import {
  effectiveBucketProperties,
  effectiveTypeProperties,
} from '../../src/membership/effective-properties.ts';
import { DEFAULT_BUCKET_TYPE, keyToString } from '../../src/base/names.ts';
import { resolveQuorum } from '../../src/object/bucket-properties.ts';
import {
  indexEntriesOf,
  compareIntegerTerms,
  type IndexMatch,
} from '../../src/object/index-entries.ts';
import { validateProperties } from '../../src/object/property-validation.ts';
import type { ValidationContext } from '../../src/object/property-validation.ts';
import { applyWrite } from '../../src/object/reconcile.ts';
import { isTombstone, showObject } from '../../src/object/show.ts';
import { TictacTree } from '../../src/object/tictac-tree.ts';
import { randomVtag } from '../../src/object/vtag.ts';
import { NO_SECURITY } from '../../src/security/security-state.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Host } from '../../src/base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import type { BucketType, ClusterState } from '../../src/membership/cluster-state.ts';
import type { ChangeOutcome, PropertyCheck } from '../../src/membership/changes.ts';
import { NO_QUEUES, ReplicationQueues } from '../../src/node/replication-queues.ts';
import type { FoldOptions, FoldOutcome, FoldRequest } from '../../src/node/fold-requests.ts';
import type {
  CoverageOptions,
  IndexScan,
  NodeService,
  PropertiesOutcome,
} from '../../src/node/node-service.ts';
import type {
  BucketProperties,
  PartialProperties,
  Quorum,
} from '../../src/object/bucket-properties.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  NewContent,
  PutOutcome,
  PutRequest,
  PutTerms,
  RequestOptions,
} from '../../src/object/requests.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { LocalMapRun } from '../mapreduce/local-map-run.ts';

const RING_SIZE = 64;
const NODE_COUNT = 3;
const BATCH_COUNT = 100;
const NO_CONTENT: NewContent = { metadata: {}, value: Buffer.alloc(0), isTombstone: true };

type Batches<T> = AsyncIterableIterator<readonly T[]>;

interface Entry {
  readonly key: ObjectKey;
  readonly object: StoredObject;
}

export interface MemoryNodeOptions {
  /** Created and active from the start. */
  readonly bucketTypes: Readonly<Record<string, PartialProperties>>;
  /** How long tombstones stay. */
  readonly reapAfterMs: number;
}

export class MemoryNode implements NodeService {
  readonly id = 'dev1@127.0.0.1' as NodeId;
  entrance: NodeService['entrance'] = {
    enter: () => undefined,
    enterLate: () => true,
    exit: () => {},
  };
  gatekeeper: NodeService['gatekeeper'] = {
    isEnabled: () => false,
    authenticate: async () => false,
    denial: () => undefined,
  };
  replication: ReplicationQueues;
  readonly #host: Host;
  readonly #reapAfterMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #prefix = actorPrefix('node-one' as NodeIdentity, 1);
  #keyEpoch = 0;
  #state: ClusterState;

  constructor(host: Host, options: MemoryNodeOptions) {
    this.#host = host;
    this.replication = new ReplicationQueues(
      { host, read: (request) => this.get(request) },
      NO_QUEUES,
    );
    this.#reapAfterMs = options.reapAfterMs;
    this.#state = {
      clusterName: 'memory',
      epoch: FIRST_EPOCH,
      ancestors: [],
      lineages: [],
      staged: [],
      step: undefined,
      ringSize: RING_SIZE,
      members: [],
      ownerByPartition: [],
      defaultProperties: {},
      bucketTypes: new Map<ByteString, BucketType>(),
      bucketProperties: new Map(),
      security: NO_SECURITY,
    };
    for (const [name, properties] of Object.entries(options.bucketTypes)) {
      const type = name as ByteString;
      const change = { type, properties };
      this.#change(createBucketType(this.#state, change, this.#check('type-create')));
      this.#change(activateBucketType(this.#state, type));
    }
  }

  async get(request: GetRequest): Promise<GetOutcome> {
    const properties = this.bucketProperties(request.key.type, request.key.bucket);
    if (properties === undefined) return unknownType(request.key);
    const { r, pr } = { ...properties, ...request };
    const failure = this.#findFailure(request, properties, [r, pr]);
    if (failure !== undefined) return failure;
    const confirms =
      request.nodeConfirms ?? resolveQuorum(properties.node_confirms, properties.n_val);
    if (confirms > NODE_COUNT) {
      return { kind: 'insufficient-nodes', needed: confirms, got: NODE_COUNT };
    }
    const stored = this.#entries.get(keyToString(request.key))?.object;
    if (stored === undefined) return { kind: 'not-found', tombstone: undefined };
    const object = showObject(stored, properties);
    return isTombstone(object)
      ? { kind: 'not-found', tombstone: object }
      : { kind: 'found', object };
  }

  async put(request: PutRequest): Promise<PutOutcome> {
    const properties = this.bucketProperties(request.key.type, request.key.bucket);
    if (properties === undefined) return unknownType(request.key);
    const failure = await this.findPutRefusal(request);
    if (failure !== undefined) return failure;
    const object = this.#write(request, properties);
    const isReturned = request.returning !== 'nothing' && !properties.write_once;
    return { kind: 'stored', object: isReturned ? showObject(object, properties) : undefined };
  }

  async findPutRefusal(terms: PutTerms): Promise<Failure | undefined> {
    const properties = this.bucketProperties(terms.key.type, terms.key.bucket);
    if (properties === undefined) return unknownType(terms.key);
    const { w, dw, pw } = { ...properties, ...terms };
    const confirms = terms.nodeConfirms ?? 0;
    return (
      this.#conditionFailure(terms) ?? this.#findFailure(terms, properties, [w, dw, pw, confirms])
    );
  }

  async delete(request: DeleteRequest): Promise<DeleteOutcome> {
    const { key } = request;
    const properties = this.bucketProperties(key.type, key.bucket);
    if (properties === undefined) return unknownType(key);
    const { rw, r, pr, pw, dw } = { ...properties, ...request };
    const isPlain = request.r === undefined && request.w === undefined;
    const reads = request.context === undefined ? [isPlain ? rw : r, pr] : [];
    const stored = this.#entries.get(keyToString(key))?.object;
    const isThere = stored !== undefined && !isTombstone(stored);
    const writes = request.context !== undefined || isThere ? [request.w ?? rw, pw, dw] : [];
    const failure = this.#findFailure(request, properties, [...reads, ...writes]);
    if (failure !== undefined) return failure;
    if (request.context === undefined && (stored === undefined || isTombstone(stored))) {
      return { kind: 'not-found' };
    }
    const context = request.context ?? stored?.context ?? EMPTY_VERSION_VECTOR;
    this.#write({ key, context, content: NO_CONTENT }, properties);
    return { kind: 'deleted' };
  }

  /** Data types take a replica that issues dots: they are tested against real nodes. */
  /** Data types are kept by real nodes only; here no bucket keeps what they need. */
  fetchDatatype(): Promise<{ readonly kind: 'siblings-off' }> {
    return Promise.resolve({ kind: 'siblings-off' });
  }

  updateDatatype(): Promise<{ readonly kind: 'siblings-off' }> {
    return this.fetchDatatype();
  }

  bucketProperties(type: ByteString, bucket: ByteString): BucketProperties | undefined {
    return effectiveBucketProperties(this.#state, type, bucket);
  }

  bucketTypeProperties(type: ByteString): BucketProperties | undefined {
    return effectiveTypeProperties(this.#state, type);
  }

  async setBucketProperties(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const request = { type, bucket, changes };
    const level = type === DEFAULT_BUCKET_TYPE ? 'bucket' : 'typed-bucket';
    return this.#change(setBucketProperties(this.#state, request, this.#check(level)));
  }

  async resetBucketProperties(type: ByteString, bucket: ByteString): Promise<PropertiesOutcome> {
    return this.#change(resetBucketProperties(this.#state, { type, bucket }));
  }

  async setBucketTypeProperties(
    type: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const check = this.#check('type-update');
    return this.#change(setBucketTypeProperties(this.#state, { type, changes }, check));
  }

  async createBucketType(
    type: ByteString,
    properties: PartialProperties,
  ): Promise<PropertiesOutcome> {
    const check = this.#check('type-create');
    return this.#change(createBucketType(this.#state, { type, properties }, check));
  }

  async activateBucketType(type: ByteString): Promise<PropertiesOutcome> {
    return this.#change(activateBucketType(this.#state, type));
  }

  bucketTypes() {
    return [...this.#state.bucketTypes].map(([name, { isActive }]) => ({
      name,
      isActive,
      properties: effectiveTypeProperties(this.#state, name) as BucketProperties,
    }));
  }

  async *listBuckets(type: ByteString, _options: CoverageOptions): Batches<ByteString> {
    const names = new Set<ByteString>();
    for (const { key } of this.#entries.values()) if (key.type === type) names.add(key.bucket);
    yield [...names];
  }

  async *listKeys(
    type: ByteString,
    bucket: ByteString,
    _options: CoverageOptions,
  ): Batches<ByteString> {
    yield* batches(this.#keysOf(type, bucket).map(({ key }) => key.key));
  }

  async *index(scan: IndexScan, _options: CoverageOptions): Batches<IndexMatch> {
    const properties = this.bucketProperties(scan.type, scan.bucket) as BucketProperties;
    const compare = scan.field.endsWith('_int') ? compareIntegerTerms : compareBytes;
    const matches = this.#keysOf(scan.type, scan.bucket)
      .flatMap((entry) => matchesOf(entry, scan, properties))
      .filter(([term]) => scan.field === '$bucket' || isWithin(term, scan, compare))
      .sort((left, right) => compare(left[0], right[0]) || compareBytes(left[1], right[1]))
      .filter(([term, key]) => {
        const { after } = scan;
        if (after === undefined) return true;
        return (compare(term, after.term) || compareBytes(key, after.key)) > 0;
      });
    yield* batches(matches.slice(0, scan.limit));
  }

  mapRun(task: Buffer | undefined): LocalMapRun {
    return new LocalMapRun((request) => this.get(request), task);
  }

  preferenceList(key: ObjectKey) {
    const properties = this.bucketProperties(key.type, key.bucket);
    if (properties === undefined) return undefined;
    return Array.from({ length: properties.n_val }, (_, index) => ({
      partition: (index % RING_SIZE) as Partition,
      node: `dev${(index % NODE_COUNT) + 1}@127.0.0.1` as NodeId,
      isPrimary: true,
    }));
  }

  state(): ClusterState {
    return this.#state;
  }

  readiness() {
    return { isReady: true, reason: 'in memory' };
  }

  liveMembers(): readonly NodeId[] {
    return [this.id];
  }

  #keysOf(type: ByteString, bucket: ByteString): readonly Entry[] {
    return [...this.#entries.values()].filter(
      ({ key }) => key.type === type && key.bucket === bucket,
    );
  }

  #findFailure(
    request: RequestOptions,
    properties: BucketProperties,
    quorums: readonly Quorum[],
  ): Failure | undefined {
    const n = request.nVal ?? properties.n_val;
    if (n < 1 || n > properties.n_val) return { kind: 'n-val-violation', n };
    if (quorums.some((quorum) => resolveQuorum(quorum, n) > n))
      return { kind: 'n-val-violation', n };
    return request.timeoutMs === 0 ? { kind: 'timeout' } : undefined;
  }

  #conditionFailure({ key, condition }: PutTerms): Failure | undefined {
    if (condition === undefined) return undefined;
    const stored = this.#entries.get(keyToString(key))?.object;
    const isThere = stored !== undefined && !isTombstone(stored);
    if (condition.kind === 'none-match') return isThere ? { kind: 'match-found' } : undefined;
    if (!isThere) return { kind: 'nothing-to-match' };
    const isSame = condition.context !== undefined && equals(condition.context, stored.context);
    return isSame ? undefined : { kind: 'modified' };
  }

  #write(
    { key, context, content }: Pick<PutRequest, 'key' | 'context' | 'content'>,
    properties: BucketProperties,
  ): StoredObject {
    const name = keyToString(key);
    const local = this.#entries.get(name)?.object;
    const dot = nextDot({
      prefix: this.#prefix,
      local: local?.context,
      client: context ?? EMPTY_VERSION_VECTOR,
      isContinuous: local !== undefined,
      freshKeyEpoch: () => (this.#keyEpoch += 1),
    });
    const object = applyWrite(local, {
      context: context ?? EMPTY_VERSION_VECTOR,
      content,
      dot,
      properties,
      nowMicros: this.#host.clock.wallMicros(),
      vtag: randomVtag(this.#host.random),
    });
    const entry = { key, object };
    this.#entries.set(name, entry);
    if (isTombstone(object)) {
      this.#host.clock.after(this.#reapAfterMs, () => {
        if (this.#entries.get(name) === entry) this.#entries.delete(name);
      });
    }
    return object;
  }

  /** Folds are run by real nodes only; here they find nothing. */
  fold({ kind }: FoldRequest, _options: FoldOptions): Promise<FoldOutcome> {
    const statistics = { count: 0, sizeBytes: 0, sizes: [], siblings: [] };
    if (kind === 'find-keys') return Promise.resolve({ kind: 'amounts', amounts: [] });
    if (kind === 'statistics') return Promise.resolve({ kind, statistics });
    if (kind === 'buckets') return Promise.resolve({ kind, buckets: [] });
    if (kind === 'tree' || kind === 'n-val-tree') {
      return Promise.resolve({ kind: 'tree', tree: new TictacTree('xxsmall') });
    }
    if (kind === 'contexts' || kind === 'n-val-contexts') {
      return Promise.resolve({ kind: 'contexts', contexts: [] });
    }
    if (kind === 'replicate') return Promise.resolve({ kind: 'unknown-queue' });
    return Promise.resolve({ kind: 'count', count: 0 });
  }

  #check(level: ValidationContext['level']): PropertyCheck {
    return (changes, existing) => {
      const outcome = validateProperties(changes, { level, existing, ringSize: RING_SIZE });
      return outcome.kind === 'valid'
        ? { kind: 'accepted', properties: outcome.changes }
        : { kind: 'refused', refusals: outcome.refusals };
    };
  }

  #change(outcome: ChangeOutcome): PropertiesOutcome {
    if (outcome.kind === 'changed') this.#state = outcome.state;
    return outcome.kind === 'changed' || outcome.kind === 'unchanged'
      ? { kind: 'changed' }
      : outcome;
  }
}

function unknownType({ type }: ObjectKey): Failure {
  return { kind: 'unknown-bucket-type', type };
}

function matchesOf({ key, object }: Entry, { field }: IndexScan, properties: BucketProperties) {
  if (field === '$bucket') return [[key.bucket, key.key] as IndexMatch];
  if (field === '$key') return [[key.key, key.key] as IndexMatch];
  return indexEntriesOf(object, properties)
    .filter((entry) => entry.field === field)
    .map(({ term }): IndexMatch => [term, key.key]);
}

function isWithin(
  term: ByteString,
  { from, to }: IndexScan,
  compare: (left: ByteString, right: ByteString) => number,
): boolean {
  return compare(term, from) >= 0 && compare(term, to) <= 0;
}

function compareBytes(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += BATCH_COUNT) {
    yield items.slice(start, start + BATCH_COUNT);
  }
}
