/**
 * A write at its coordinating replica: dot, local copy, other replicas, tally, hints.
 *
 * The replica issues the dot and starts to store the result; the same record goes to the others at
 * once, so the local fsync and the network run side by side. The answer leaves when the tally is
 * decided. What fails or never answers is owed a hint here, unless a node past the list stood in:
 * that is seen to after the answer, until the last reply has come or run out of time. A failed
 * quorum takes nothing back; the outcome only says what could not be promised.
 */

import { assert, isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { failureOf, type Span } from '../base/span.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { Failure } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { PeerRequest } from '../peer/messages.ts';
import type { CoordinatedOutcome, Placement, Replica } from '../replica/replica.ts';
import { JointWriteTally } from './joint-tally.ts';
import type { JointLists, Participant } from './participants.ts';
import { mustConfirmMerge, replicaFailure, type CoordinatorPorts } from './ports.ts';
import type { WriteRequirement } from './requirement.ts';
import { WriteTally } from './tally.ts';

/** What one write is about. */
export interface WritePlan {
  readonly key: ObjectKey;
  readonly properties: BucketProperties;
  readonly required: WriteRequirement;
  readonly partition: Partition;
  /** Where reads hold now; who coordinates is one of them. */
  readonly participants: readonly Participant[];
  /** While a step to another ring is open and changes the list. */
  readonly joint: JointLists | undefined;
  readonly isSloppy: boolean;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  readonly span: Span | undefined;
}

/** `record` is the coordinating replica's whole object, as all replicas were sent it. */
export type CoordinatedPut =
  | { readonly kind: 'stored'; readonly object: StoredObject; readonly record: Buffer }
  /** This node did nothing: another may be asked. */
  | {
      readonly kind: 'declined';
      readonly reason: string;
      readonly isOverload: boolean;
      readonly isDiskFull?: boolean;
    }
  | Failure;

type Issued = CoordinatedOutcome & { readonly kind: 'issued' };

export class Write {
  readonly #ports: CoordinatorPorts;
  readonly #replica: Pick<Replica, 'addHint'>;
  readonly #plan: WritePlan;
  /** A client's, which is counted as such. */
  readonly #isOfClient: boolean;
  readonly #tally: WriteTally | JointWriteTally;
  readonly #participants: readonly Participant[];
  readonly #startMs: number;
  readonly #span: Span | undefined;
  /** Of what this node's own replica does. */
  #ownSpan: Span | undefined;
  /** Every node that was sent the write. */
  readonly #tried: NodeId[] = [];
  #issued: Issued | undefined;
  #resolve: ((outcome: CoordinatedPut) => void) | undefined;
  #cancelDeadline: (() => void) | undefined;

  constructor(
    ports: CoordinatorPorts,
    replica: Pick<Replica, 'addHint'>,
    plan: WritePlan,
    isOfClient = true,
  ) {
    this.#ports = ports;
    this.#replica = replica;
    this.#plan = plan;
    this.#isOfClient = isOfClient;
    const { joint, required, participants } = plan;
    this.#participants = joint?.union ?? participants;
    this.#tally =
      joint === undefined
        ? new WriteTally(required, participants)
        : new JointWriteTally(required, joint.each);
    this.#startMs = ports.host.clock.monotonicMs();
    this.#span = plan.span?.child('coordinate write');
  }

  /** `coordinate` asks the replica for the write, under its next dot. */
  run(coordinate: (placement: Placement) => Promise<CoordinatedOutcome>): Promise<CoordinatedPut> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#cancelDeadline = this.#ports.host.clock.after(this.#remainingMs(), () => {
        this.#settle({ kind: 'timeout' });
      });
      const { partition, properties } = this.#plan;
      const span = this.#span?.child('replica coordinate');
      this.#ownSpan = span;
      coordinate({ partition, properties, span }).then(
        (outcome) => this.#onCoordinated(outcome),
        (error: unknown) => this.#onRefused(error),
      );
    });
  }

  #onCoordinated(outcome: CoordinatedOutcome): void {
    if (outcome.kind !== 'issued') {
      this.#ownSpan?.end(outcome.kind);
      this.#settle(outcome);
      return;
    }
    this.#issued = outcome;
    this.#ports.host.metrics.count('vnode_puts');
    if (this.#ownSpan !== undefined) endWith(this.#ownSpan, outcome.durable);
    for (const { node } of this.#participants) this.#tried.push(node);
    for (const participant of this.#participants) this.#send(participant);
  }

  /** The replica did nothing. */
  #onRefused(error: unknown): void {
    if (!isFault(error)) throw error;
    this.#ownSpan?.end(error.code);
    this.#settle({
      kind: 'declined',
      reason: error.message,
      isOverload: error.code === 'overload',
      isDiskFull: error.code === 'disk-full',
    });
  }

  #send(participant: Participant): void {
    const isLocal = participant.node === this.#ports.self;
    const stored = isLocal ? this.#storeHere(participant) : this.#storeAt(participant);
    stored.then(
      () => this.#decide(this.#tally.acknowledge(participant)),
      (error: unknown) => this.#lose(participant, error),
    );
  }

  /** Durable, hints for those it stands in for included. */
  #storeHere(participant: Participant): Promise<unknown> {
    const issued = this.#mustIssued();
    const { hintTargets } = participant;
    if (hintTargets.length === 0) return issued.durable;
    const { key, partition } = this.#plan;
    return Promise.all([
      issued.durable,
      ...hintTargets.map((target) => {
        return this.#replica.addHint({ target, partition, key });
      }),
    ]);
  }

  #storeAt(participant: Participant): Promise<unknown> {
    const { node, hintTargets } = participant;
    if (hintTargets.length <= 1) return this.#merge(node, hintTargets[0]);
    // One message for each it stands in for; only with more nodes down than there are stand-ins.
    return Promise.all(hintTargets.map((target) => this.#merge(node, target)));
  }

  #merge(node: NodeId, hintFor: NodeId | undefined): Promise<void> {
    const { key } = this.#plan;
    const { record } = this.#mustIssued();
    const parentSpan = this.#span;
    const request: PeerRequest = { verb: 'merge', key, record, hintFor, parentSpan };
    const { peer } = this.#ports;
    return peer.request(node, request, this.#remainingMs()).then(mustConfirmMerge);
  }

  #lose(participant: Participant, error: unknown): void {
    const failure = replicaFailure(error);
    const isLocal = participant.node === this.#ports.self;
    const mayReplace = this.#plan.isSloppy && failure !== 'timed-out' && !isLocal;
    const standIn =
      mayReplace && this.#tally.needs(participant) ? this.#findStandIn(participant) : undefined;
    if (standIn !== undefined) {
      this.#ports.host.metrics.count('stand_ins_total');
      this.#tried.push(standIn.node);
      this.#decide(this.#tally.replace(participant, standIn));
      this.#send(standIn);
      return;
    }
    if (!isLocal) this.#leaveHints(participant);
    this.#decide(this.#tally.fail(participant, failure));
  }

  #findStandIn(failed: Participant): Participant | undefined {
    const { partition, required } = this.#plan;
    return this.#ports.lists.findStandIn({ partition, n: required.n }, failed, this.#tried);
  }

  /** Owed to `failed` and to those it stood in for, as soon as there is a copy to owe. */
  #leaveHints(failed: Participant): void {
    const { key, partition } = this.#plan;
    const targets =
      failed.primaryCount > 0 ? [failed.node, ...failed.hintTargets] : failed.hintTargets;
    const { metrics } = this.#ports.host;
    this.#mustIssued()
      .durable.then(() => {
        metrics.count('hints_left_total', targets.length);
        return Promise.all(
          targets.map((target) => this.#replica.addHint({ target, partition, key })),
        );
      })
      .catch((error: unknown) => {
        if (!isFault(error)) throw error;
        // Anti-entropy finds what no hint remembers.
        metrics.count('hints_failed_total', targets.length);
      });
  }

  #decide(verdict: WriteTally['verdict']): void {
    if (verdict.kind === 'pending') return;
    if (verdict.kind !== 'met') {
      this.#settle(verdict);
      return;
    }
    const { object, record } = this.#mustIssued();
    this.#settle({ kind: 'stored', object, record });
  }

  #settle(outcome: CoordinatedPut): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#cancelDeadline?.();
    // What this node declined another one coordinates, and counts.
    if (outcome.kind !== 'declined' && this.#isOfClient) this.#observe();
    this.#span?.end(outcome.kind === 'stored' ? undefined : outcome.kind);
    resolve(outcome);
  }

  #observe(): void {
    const { clock, metrics } = this.#ports.host;
    metrics.count('node_puts');
    if (this.#plan.properties.write_once) metrics.count('write_once_puts');
    metrics.observe('node_put_fsm_time', (clock.monotonicMs() - this.#startMs) * 1_000);
  }

  #remainingMs(): number {
    return Math.max(1, this.#plan.deadlineMs - this.#ports.host.clock.monotonicMs());
  }

  #mustIssued(): Issued {
    assert(this.#issued !== undefined, 'nothing is sent before the write is issued');
    return this.#issued;
  }
}

function endWith(span: Span, work: Promise<void>): void {
  work.then(
    () => span.end(),
    (error: unknown) => span.end(failureOf(error)),
  );
}
