/**
 * Data types: an update is a write whose value the coordinating replica computes, a fetch a read whose
 * siblings are joined.
 *
 * Everything about quorums, routes and repair is as for any object. What a bucket's data type is, and
 * whether an operation is its own, is decided here, before anything is sent.
 */

import { runInSlices, type Sliced } from '../base/sliced.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../base/names.ts';
import { encodeState } from '../datatype/encoding.ts';
import { isWithinLimits, sizeOfOperation } from '../datatype/operation-limits.ts';
import type { DatatypeName } from '../datatype/operation.ts';
import { emptyState } from '../datatype/state.ts';
import { contextOf, valueOf } from '../datatype/value.ts';
import { DEFAULT_HLL_PRECISION, type BucketProperties } from '../object/bucket-properties.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  NoDatatype,
  ShownDatatype,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../object/datatype-requests.ts';
import { decodeRecord } from '../object/record.ts';
import type { Failure, NewContent } from '../object/requests.ts';
import { datatypeContentType, datatypeOf, joinSiblings } from '../object/sibling-states.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { PeerReply } from '../peer/messages.ts';
import type { Replica } from '../replica/replica.ts';
import type { GetCoordinator } from './get.ts';
import type { CoordinatorPorts } from './ports.ts';
import { findTooLong } from './requirement.ts';
import { Write, type CoordinatedPut, type WritePlan } from './write.ts';
import { findDecline, planAnew, planWrite, remainingMs, routeWrite } from './write-route.ts';

/** What is kept in a bucket. */
interface Kept {
  readonly datatype: DatatypeName;
  readonly hllPrecision: number;
}

export class DatatypeCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #replica: Replica;
  readonly #reads: GetCoordinator;

  constructor(ports: CoordinatorPorts, replica: Replica, reads: GetCoordinator) {
    this.#ports = ports;
    this.#replica = replica;
    this.#reads = reads;
  }

  async fetch(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome> {
    const { key } = request;
    const properties = this.#ports.view.properties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const kept = keptIn(key, properties, 'fetch');
    if ('kind' in kept) return kept;
    const found = await this.#reads.getStored(request);
    if (found.kind === 'not-found') return { kind: 'not-found', datatype: kept.datatype };
    if (found.kind !== 'found') return found;
    return { kind: 'found', shown: await this.#show(found.object, kept) };
  }

  async update(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome> {
    const planned = this.#plan(request);
    if ('kind' in planned) return planned;
    const { plan, kept } = planned;
    const routed = await routeWrite(this.#ports, plan, {
      coordinateHere: () => this.#coordinate(request, plan, kept),
      request: { verb: 'update', request, parentSpan: request.span },
    });
    if (routed.kind === 'forwarded') return this.#forwarded(request, routed.reply, kept);
    if (routed.kind !== 'stored') return routed;
    return this.#updated(request, routed.object, kept);
  }

  /** As `PutCoordinator.coordinate`; what does not fit the bucket is declined. */
  async coordinate(request: UpdateDatatypeRequest): Promise<CoordinatedPut> {
    const planned = this.#plan(request);
    if ('plan' in planned) {
      const { plan, kept } = planned;
      return findDecline(this.#ports, plan) ?? this.#coordinate(request, plan, kept);
    }
    return isRefused(planned)
      ? { kind: 'declined', reason: `an update is refused: ${planned.kind}`, isOverload: false }
      : planned;
  }

  #plan(
    request: UpdateDatatypeRequest,
  ): { readonly plan: WritePlan; readonly kept: Kept } | Refused | Failure {
    const { key, operation } = request;
    const properties = this.#ports.view.properties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const kept = keptIn(key, properties, 'update');
    if ('kind' in kept) return kept;
    const { datatype } = kept;
    if (operation.kind !== datatype) {
      return { kind: 'wrong-type', operation: operation.kind, datatype };
    }
    if (!isWithinLimits(sizeOfOperation(operation))) return { kind: 'operation-too-large' };
    const plan = findTooLong(key) ?? planWrite(this.#ports, key, request);
    return 'kind' in plan ? plan : { plan, kept };
  }

  async #coordinate(
    request: UpdateDatatypeRequest,
    plan: WritePlan,
    kept: Kept,
  ): Promise<CoordinatedPut> {
    const { key, operation, context } = request;
    const { hooks } = this.#ports;
    const { precommit, postcommit } = plan.properties;
    if (precommit.length > 0) {
      const write = { key, content: emptyContent(kept) };
      const verdict = await hooks.before(precommit, write, remainingMs(this.#ports, plan));
      if (verdict.kind === 'failed') return { kind: 'precommit-failed', reason: verdict.reason };
    }
    const present = precommit.length > 0 ? planAnew(this.#ports, plan, request) : plan;
    if ('kind' in present) return present;
    const outcome = await new Write(this.#ports, this.#replica, present).run((placement) => {
      return this.#replica.update(key, placement, { ...kept, operation, context });
    });
    if (outcome.kind === 'stored' && postcommit.length > 0) {
      const sibling = outcome.object.siblings.find((one) => datatypeOf(one) === kept.datatype);
      if (sibling !== undefined) hooks.after(postcommit, { key, content: sibling });
    }
    return outcome;
  }

  #forwarded(
    request: UpdateDatatypeRequest,
    reply: PeerReply,
    kept: Kept,
  ): UpdateDatatypeOutcome | Promise<UpdateDatatypeOutcome> {
    if (reply.kind !== 'stored') return { kind: 'unavailable', reason: 'a peer answered nonsense' };
    if (request.returning === 'nothing') return UPDATED;
    const object = reply.record && decodeRecord(reply.record);
    // The update is safe even if its echo was damaged.
    return object === undefined ? { kind: 'timeout' } : this.#updated(request, object, kept);
  }

  async #updated(
    { returning }: UpdateDatatypeRequest,
    object: StoredObject,
    kept: Kept,
  ): Promise<UpdateDatatypeOutcome> {
    if (returning === 'nothing') return UPDATED;
    return { kind: 'updated', shown: await this.#show(object, kept) };
  }

  /** In slices, because it may be large. */
  #show(object: StoredObject, kept: Kept): ShownDatatype | Promise<ShownDatatype> {
    return runInSlices(showDatatype(object, kept), this.#ports.host.clock);
  }
}

/** What says that the request is not for this bucket. */
type Refused = Exclude<UpdateDatatypeOutcome, Failure | { readonly kind: 'updated' }>;

function isRefused(planned: Refused | Failure): planned is Refused {
  const { kind } = planned;
  return (
    kind === 'siblings-off' ||
    kind === 'no-datatype' ||
    kind === 'wrong-type' ||
    kind === 'operation-too-large'
  );
}

const UPDATED: UpdateDatatypeOutcome = { kind: 'updated', shown: undefined };

/**
 * What a pre-commit hook is shown of an update, as with Riak: the data type that the operation has yet
 * to be applied to is known at the replica only, so it sees an empty one, and may refuse.
 */
function emptyContent({ datatype, hllPrecision }: Kept): NewContent {
  return {
    metadata: { contentType: datatypeContentType(datatype) },
    value: encodeState(emptyState(datatype, hllPrecision)),
    isTombstone: false,
  };
}

/** Where nothing but ordinary values is, an empty value without a context is shown, as with Riak. */
function* showDatatype(
  { siblings }: StoredObject,
  { datatype, hllPrecision }: Kept,
): Sliced<ShownDatatype> {
  const { state, joined } = yield* joinSiblings(siblings, datatype, hllPrecision);
  const context = joined.length === 0 ? undefined : contextOf(state);
  return { value: yield* valueOf(state), context };
}

/** Untyped buckets hold Riak 1.4's counters, which any may read and `allow_mult` lets change. */
function keptIn(
  { type }: ObjectKey,
  properties: BucketProperties,
  action: 'fetch' | 'update',
): Kept | NoDatatype {
  const { allow_mult, datatype, hll_precision: hllPrecision = DEFAULT_HLL_PRECISION } = properties;
  if (type === DEFAULT_BUCKET_TYPE) {
    if (action === 'update' && !allow_mult) return { kind: 'siblings-off' };
    return { datatype: 'counter', hllPrecision };
  }
  if (!allow_mult) return { kind: 'siblings-off' };
  return datatype === undefined ? { kind: 'no-datatype', datatype } : { datatype, hllPrecision };
}
