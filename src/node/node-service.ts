/**
 * What a node offers to the edges: the whole of it, in one interface.
 *
 * The wire APIs and the admin commands know this and nothing below it. Implemented by `node.ts`.
 */

import type { ByteString } from '../base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { BucketProperties, PartialProperties } from '../object/bucket-properties.ts';
import type { MapRun } from '../mapreduce/job-ports.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../object/datatype-requests.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
  PutTerms,
} from '../object/requests.ts';
import type { PropertyRefusal } from '../object/property-validation.ts';
import type { FoldRange, KeyAmount, ObjectStatistics } from '../peer/folds.ts';
import type { IndexScan } from '../peer/messages.ts';
import type { Gatekeeper } from '../security/gatekeeper.ts';
import type { ClientEntrance } from './entrance.ts';
import type { FoldService } from './fold-requests.ts';
import type { ReplicationService } from './replication-queues.ts';

export interface PreferenceListEntry {
  readonly partition: Partition;
  readonly node: NodeId;
  readonly isPrimary: boolean;
}

export type PropertiesOutcome =
  | { readonly kind: 'changed' }
  | { readonly kind: 'refused'; readonly refusals: readonly PropertyRefusal[] }
  | { readonly kind: 'unknown-bucket-type' }
  /** The `default` type cannot be changed at run time. */
  | { readonly kind: 'no-default-update' }
  | { readonly kind: 'exists' }
  | { readonly kind: 'timeout' };

export interface BucketTypeStatus {
  readonly name: ByteString;
  readonly isActive: boolean;
  readonly properties: BucketProperties;
}

export interface CoverageOptions {
  /** No progress for this long ends the query with a `timeout` fault. */
  readonly timeoutMs: number;
}

export interface NodeService extends FoldService {
  readonly id: NodeId;
  /** Where the edges wait with gets, puts and deletes until the node has room for them. */
  readonly entrance: ClientEntrance;
  /** Whom the edges let in, and what they let them do. */
  readonly gatekeeper: Gatekeeper;
  /** What other clusters fetch here. */
  readonly replication: ReplicationService;

  get(request: GetRequest): Promise<GetOutcome>;
  put(request: PutRequest): Promise<PutOutcome>;
  /** What a put is refused for before its content is looked at. */
  findPutRefusal(terms: PutTerms): Promise<Failure | undefined>;
  delete(request: DeleteRequest): Promise<DeleteOutcome>;

  fetchDatatype(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome>;
  updateDatatype(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome>;

  /** Effective properties, or undefined where the type is unknown or not active. */
  bucketProperties(type: ByteString, bucket: ByteString): BucketProperties | undefined;
  /** Resolves when the change is agreed and this node acts on it. */
  setBucketProperties(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome>;
  resetBucketProperties(type: ByteString, bucket: ByteString): Promise<PropertiesOutcome>;

  /** Effective properties of an active type (`default` too), or undefined. */
  bucketTypeProperties(type: ByteString): BucketProperties | undefined;
  setBucketTypeProperties(type: ByteString, changes: PartialProperties): Promise<PropertiesOutcome>;
  createBucketType(type: ByteString, properties: PartialProperties): Promise<PropertiesOutcome>;
  activateBucketType(type: ByteString): Promise<PropertiesOutcome>;
  bucketTypes(): readonly BucketTypeStatus[];

  /** Batches of names without duplicates; faults (`timeout`) are thrown from `next`. */
  listBuckets(
    type: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]>;
  listKeys(
    type: ByteString,
    bucket: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]>;
  /** Batches of (term, key) in that order over all nodes. */
  index(scan: IndexScan, options: CoverageOptions): AsyncIterableIterator<readonly IndexMatch[]>;

  /**
   * Runs a map function of MapReduce where the objects are (`mapreduce/job-ports.ts`). `leftMs`: time
   * left for the job.
   */
  mapRun(task: Buffer | undefined, leftMs: () => number): MapRun;

  /** The n partitions that hold the key and who serves them now; undefined: unknown type. */
  preferenceList(key: ObjectKey): readonly PreferenceListEntry[] | undefined;

  state(): ClusterState;
  /** Whether clients may be served: the store takes writes and a state is known. */
  readiness(): { readonly isReady: boolean; readonly reason: string };
  /** Members that answer now, this node included. */
  liveMembers(): readonly NodeId[];
}

export type { Failure, FoldRange, IndexScan, KeyAmount, ObjectStatistics, PropertyRefusal };
