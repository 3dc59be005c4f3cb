/**
 * PUT: one client write, from the choice of the coordinating replica to the answer.
 *
 * A write is coordinated by a node that holds a replica, because only a replica can issue its next
 * dot. A node that holds none passes the request on, one hop, and tries the next replica only while
 * it is certain that the one before did nothing: a write that may have happened is never repeated,
 * for it would come back as its own sibling.
 *
 * Source: DeCandia et al. 2007, "Dynamo", section 4.5; Riak KV's put coordinator for the outcomes.
 */

import { isFault, type FaultCode } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import { EMPTY_VERSION_VECTOR, equals } from '../clock/version-vector.ts';
import { decodeHead, decodeRecord } from '../object/record.ts';
import { showHead, showObject } from '../object/show.ts';
import type { Failure, PutOutcome, PutRequest } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { PeerReply } from '../peer/messages.ts';
import type { Replica } from '../replica/replica.ts';
import { withoutValues, type GetCoordinator } from './get.ts';
import type { Participant } from './participants.ts';
import { locate, type CoordinatorPorts } from './ports.ts';
import { reachOf, requestedN, validateWrite, writeRequirement } from './requirement.ts';
import { Write, type CoordinatedPut, type WritePlan } from './write.ts';

/** Faults after which the request has certainly not been carried out. */
const NOT_CARRIED_OUT: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'peer-unreachable',
  'peer-refused',
  'store-fenced',
  'store-closed',
  'overload',
  'closed',
]);

export class PutCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #replica: Replica;
  readonly #reads: GetCoordinator;

  constructor(ports: CoordinatorPorts, replica: Replica, reads: GetCoordinator) {
    this.#ports = ports;
    this.#replica = replica;
    this.#reads = reads;
  }

  async put(request: PutRequest): Promise<PutOutcome> {
    const plan = this.#plan(request);
    if ('kind' in plan) return plan;
    const { self, host } = this.#ports;
    let declined = false;
    if (coordinatesHere(plan.participants, self)) {
      const outcome = await this.#coordinate(plan);
      if (outcome.kind === 'stored') return stored(outcome.object, plan);
      if (outcome.kind !== 'declined') return outcome;
      host.metrics.count('puts_declined_total');
      if (outcome.isOverload) return { kind: 'overload' };
      declined = true;
    }
    host.metrics.count('coord_redirs_total');
    const forwarded = await this.#forward(plan);
    if (forwarded !== undefined) return forwarded;
    return declined
      ? { kind: 'unavailable', reason: 'the store takes no writes' }
      : { kind: 'all-nodes-down' };
  }

  /** Coordinates here for a node that holds no replica; declines if this node holds none either. */
  async coordinate(request: PutRequest): Promise<CoordinatedPut> {
    const plan = this.#plan(request);
    if ('kind' in plan) return plan;
    if (plan.participants.every(({ node }) => node !== this.#ports.self)) {
      return { kind: 'declined', reason: 'holds no replica of the key', isOverload: false };
    }
    return this.#coordinate(plan);
  }

  #plan(request: PutRequest): WritePlan | Failure {
    const { view, lists, host } = this.#ports;
    const { key } = request;
    const properties = view.properties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const n = requestedN(request, properties);
    if (typeof n !== 'number') return n;
    const isSloppy = request.sloppyQuorum ?? true;
    const partition = locate(key, properties, view.ring().ringSize);
    const participants = lists.participants(partition, n, isSloppy);
    const required = writeRequirement(request, properties, n);
    const failure = validateWrite(required, reachOf(participants));
    if (failure !== undefined) return failure;
    const timeoutMs = request.timeoutMs ?? this.#ports.requestTimeoutMs;
    if (timeoutMs <= 0) return { kind: 'timeout' };
    if (properties.precommit.length > 0 && !properties.write_once) {
      // Hooks are code of Riak's own runtime; a write must not slip past a check that is not there.
      host.metrics.count('precommit_fail');
      return { kind: 'precommit-failed', reason: undefined };
    }
    const deadlineMs = host.clock.monotonicMs() + timeoutMs;
    return { request, properties, required, partition, participants, isSloppy, deadlineMs };
  }

  async #coordinate(plan: WritePlan): Promise<CoordinatedPut> {
    const failure = await this.#checkCondition(plan);
    if (failure !== undefined) return failure;
    return new Write(this.#ports, this.#replica, plan).run();
  }

  /** A read before the write: check, then act, as with Riak. */
  async #checkCondition(plan: WritePlan): Promise<Failure | undefined> {
    const { condition, key } = plan.request;
    if (condition === undefined) return undefined;
    const found = await this.#reads.get({
      key,
      headOnly: true,
      sloppyQuorum: plan.isSloppy,
      nVal: plan.required.n,
      timeoutMs: this.#remainingMs(plan),
    });
    if (found.kind !== 'found' && found.kind !== 'not-found') return found;
    if (condition.kind === 'none-match') {
      return found.kind === 'found' ? { kind: 'match-found' } : undefined;
    }
    if (found.kind === 'not-found') return { kind: 'nothing-to-match' };
    const expected = condition.context ?? EMPTY_VERSION_VECTOR;
    return equals(found.object.context, expected) ? undefined : { kind: 'modified' };
  }

  /** Undefined: no other replica took it. */
  async #forward(plan: WritePlan): Promise<PutOutcome | undefined> {
    const { self, peer } = this.#ports;
    const request = { verb: 'put', request: plan.request } as const;
    for (const { node } of primariesFirst(plan.participants)) {
      if (node === self) continue;
      const remainingMs = this.#remainingMs(plan);
      if (remainingMs <= 0) return { kind: 'timeout' };
      try {
        return forwardedOutcome(await peer.request(node, request, remainingMs), plan);
      } catch (error) {
        if (!isFault(error)) throw error;
        // The write may have happened: only the client can decide to repeat it.
        if (!NOT_CARRIED_OUT.has(error.code)) return { kind: 'timeout' };
      }
    }
    return undefined;
  }

  #remainingMs(plan: WritePlan): number {
    return plan.deadlineMs - this.#ports.host.clock.monotonicMs();
  }
}

/** As a primary, or as a stand-in where no primary is up. */
function coordinatesHere(participants: readonly Participant[], self: NodeId): boolean {
  let isMember = false;
  let hasPrimary = false;
  for (const { node, primaryCount } of participants) {
    if (node === self) {
      if (primaryCount > 0) return true;
      isMember = true;
    } else if (primaryCount > 0) hasPrimary = true;
  }
  return isMember && !hasPrimary;
}

function primariesFirst(participants: readonly Participant[]): readonly Participant[] {
  return [
    ...participants.filter(({ primaryCount }) => primaryCount > 0),
    ...participants.filter(({ primaryCount }) => primaryCount === 0),
  ];
}

function forwardedOutcome(reply: PeerReply, plan: WritePlan): PutOutcome {
  if (reply.kind === 'failed') return reply.failure;
  if (reply.kind !== 'stored') return { kind: 'unavailable', reason: 'a peer answered nonsense' };
  if (plan.request.returning === 'nothing' || reply.record === undefined) {
    return { kind: 'stored', object: undefined };
  }
  const object =
    plan.request.returning === 'body'
      ? decodeRecord(reply.record)
      : headAsObject(decodeHead(reply.record));
  // The write is safe even if its echo was damaged.
  return object === undefined ? { kind: 'timeout' } : stored(object, plan);
}

function headAsObject(head: ReturnType<typeof decodeHead>): StoredObject | undefined {
  return head === undefined ? undefined : withoutValues(head);
}

/** The answer as the request wants it and the bucket shows it. */
function stored(object: StoredObject, plan: WritePlan): PutOutcome {
  const { request, properties } = plan;
  // A write-once bucket answers without a body, whatever was asked.
  if (request.returning === 'nothing' || properties.write_once) {
    return { kind: 'stored', object: undefined };
  }
  const shown =
    request.returning === 'body'
      ? showObject(object, properties)
      : withoutValues(showHead(object, properties));
  const context = request.asIs === true ? (request.context ?? EMPTY_VERSION_VECTOR) : shown.context;
  return { kind: 'stored', object: { ...shown, context } };
}
