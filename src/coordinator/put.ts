/**
 * PUT: one client write, from the request to the answer.
 *
 * Where it is coordinated is `write-route.ts`, what happens there `write.ts`; here is what a put adds
 * to them: its condition, and the object that it gives back as the bucket shows it.
 *
 * Source: Riak KV's put coordinator for the outcomes.
 */

import { EMPTY_VERSION_VECTOR, equals } from '../clock/version-vector.ts';
import { decodeChecked, decodeHead } from '../object/record.ts';
import { showHead, withoutValues } from '../object/show.ts';
import { keepsSiblings, type BucketProperties } from '../object/bucket-properties.ts';
import type { Failure, PutOutcome, PutRequest, PutTerms } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { PeerReply } from '../peer/messages.ts';
import type { Replica } from '../replica/replica.ts';
import type { GetCoordinator } from './get.ts';
import type { CoordinatorPorts } from './ports.ts';
import { findTooLong } from './requirement.ts';
import { show } from './show.ts';
import { Write, type CoordinatedPut, type WritePlan } from './write.ts';
import { findDecline, planAnew, planWrite, remainingMs, routeWrite } from './write-route.ts';

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
    const { key, content } = request;
    // What a build of before has stored under such a key can still be deleted.
    const tooLong = content.isTombstone ? undefined : findTooLong(key);
    if (tooLong !== undefined) return tooLong;
    const plan = planWrite(this.#ports, key, request);
    // A condition that fails is told before a quorum that cannot be met.
    if ('kind' in plan) return (await this.#findUnmet(request, request.timeoutMs)) ?? plan;
    const routed = await routeWrite(this.#ports, plan, {
      coordinateHere: () => this.#coordinate(request, plan),
      request: { verb: 'put', request, parentSpan: request.span },
    });
    if (routed.kind === 'stored') return this.#stored(request, routed.object, plan.properties);
    return routed.kind === 'forwarded' ? this.#forwarded(request, routed.reply, plan) : routed;
  }

  /** What a put is refused for before its content is looked at, in the order of `put`. */
  async findRefusal(terms: PutTerms): Promise<Failure | undefined> {
    const tooLong = findTooLong(terms.key);
    if (tooLong !== undefined) return tooLong;
    const plan = planWrite(this.#ports, terms.key, terms);
    if ('kind' in plan) return (await this.#findUnmet(terms, terms.timeoutMs)) ?? plan;
    return this.#findUnmet(terms, remainingMs(this.#ports, plan));
  }

  /** Coordinates here for a node that holds no replica; declines if this node holds none either. */
  async coordinate(request: PutRequest): Promise<CoordinatedPut> {
    const plan = planWrite(this.#ports, request.key, request);
    if ('kind' in plan) return plan;
    return findDecline(this.#ports, plan) ?? this.#coordinate(request, plan);
  }

  async #coordinate(request: PutRequest, plan: WritePlan): Promise<CoordinatedPut> {
    const { key, context = EMPTY_VERSION_VECTOR } = request;
    let { content } = request;
    if (request.condition !== undefined) {
      const unmet = await this.#findUnmet(request, remainingMs(this.#ports, plan));
      if (unmet !== undefined) return unmet;
    }
    const { precommit, postcommit, write_once: isUnhooked } = plan.properties;
    if (precommit.length > 0 && !isUnhooked) {
      const timeoutMs = remainingMs(this.#ports, plan);
      const verdict = await this.#ports.hooks.before(precommit, { key, content }, timeoutMs);
      if (verdict.kind === 'failed') return { kind: 'precommit-failed', reason: verdict.reason };
      ({ content } = verdict);
    }
    const hasWaited = request.condition !== undefined || (precommit.length > 0 && !isUnhooked);
    const present = hasWaited ? planAnew(this.#ports, plan, request) : plan;
    if ('kind' in present) return present;
    const outcome = await new Write(this.#ports, this.#replica, present).run((placement) => {
      return this.#replica.coordinate(key, placement, { context, content });
    });
    if (outcome.kind === 'stored' && postcommit.length > 0 && !isUnhooked) {
      this.#ports.hooks.after(postcommit, { key, content });
    }
    return outcome;
  }

  /**
   * Why the condition does not hold. A read before the write: check, then act, as with Riak. Where the
   * key must not be there and its n or r says that it cannot be read, the write has its say.
   */
  async #findUnmet(
    { key, condition, sloppyQuorum, nVal, span }: PutTerms,
    timeoutMs = this.#ports.requestTimeoutMs,
  ): Promise<Failure | undefined> {
    if (condition === undefined) return undefined;
    const found = await this.#reads.get({
      key,
      headOnly: true,
      timeoutMs,
      span,
      ...(sloppyQuorum === undefined ? {} : { sloppyQuorum }),
      ...(nVal === undefined ? {} : { nVal }),
    });
    if (condition.kind === 'none-match') {
      if (found.kind === 'found') return { kind: 'match-found' };
      return found.kind === 'not-found' || found.kind === 'n-val-violation' ? undefined : found;
    }
    if (found.kind === 'not-found') return { kind: 'nothing-to-match' };
    if (found.kind !== 'found') return found;
    const expected = condition.context ?? EMPTY_VERSION_VECTOR;
    return equals(found.object.context, expected) ? undefined : { kind: 'modified' };
  }

  #forwarded(
    request: PutRequest,
    reply: PeerReply,
    { properties }: WritePlan,
  ): PutOutcome | Promise<PutOutcome> {
    if (reply.kind !== 'stored') return { kind: 'unavailable', reason: 'a peer answered nonsense' };
    const { record } = reply;
    if (request.returning === 'nothing' || record === undefined) return STORED;
    const head = request.returning === 'body' ? undefined : decodeHead(record);
    const object =
      request.returning === 'body' ? decodeChecked(record) : head && withoutValues(head);
    // The write is safe even if its echo was damaged.
    return object === undefined ? { kind: 'timeout' } : this.#stored(request, object, properties);
  }

  /** The answer as the request wants it and the bucket shows it. */
  #stored(
    { returning, asIs, context }: PutRequest,
    object: StoredObject,
    properties: BucketProperties,
  ): PutOutcome | Promise<PutOutcome> {
    // A write-once bucket answers without a body, whatever was asked.
    if (returning === 'nothing' || properties.write_once) {
      const siblings = keepsSiblings(properties) ? object.siblings.length : 1;
      return siblings === 1 ? STORED : { kind: 'stored', object: undefined, siblings };
    }
    const answer = (shown: StoredObject): PutOutcome => {
      if (asIs !== true) return { kind: 'stored', object: shown };
      return { kind: 'stored', object: { ...shown, context: context ?? EMPTY_VERSION_VECTOR } };
    };
    if (returning === 'head') return answer(withoutValues(showHead(object, properties)));
    const shown = show(object, properties, this.#ports.host.clock);
    return shown instanceof Promise ? shown.then(answer) : answer(shown);
  }
}

const STORED: PutOutcome = { kind: 'stored', object: undefined };
