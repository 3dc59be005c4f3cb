/**
 * GET: one client read, from the choice of replicas to the answer.
 *
 * As many replicas as the quorums need are asked: one, the local one if there is one, for the whole
 * object and the others for their heads. If all of them hold the same, that is the answer, and the
 * end. In any other case (a difference, "no copy", a tombstone, a fault, or no word in the time that
 * those asked usually take) the rest are asked too: for the quorum, or, once it is met, for read
 * repair. A share of the reads asks everyone from the start, so that a stale replica that is never
 * among the nearest is met as well.
 *
 * When the tally is met the merge of what came is the answer; whole objects are read from the others
 * only if their heads show that they hold more. A replica that is slow to send the object, or fails
 * to, is overtaken by another that has it. What comes in after the answer is left to read repair.
 *
 * Source: DeCandia et al. 2007, "Dynamo", section 4.5.
 */

import { isFault } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';
import type { Span } from '../base/span.ts';
import { hasStatesToJoin } from '../object/sibling-states.ts';
import { isTombstone, showHead, withoutValues } from '../object/show.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { GetOutcome, GetRequest } from '../object/requests.ts';
import type { ObjectHead, StoredObject } from '../object/stored-object.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import type { Participant } from './participants.ts';
import { locate, replicaFailure, type CoordinatorPorts } from './ports.ts';
import { show } from './show.ts';
import type { ReadRepair } from './read-repair.ts';
import { ReadReplies, type Slot } from './read-replies.ts';
import { firstWave, wholeWave, type ReadWave } from './read-wave.ts';
import {
  reachOf,
  readRequirement,
  requestedN,
  validateRead,
  type ReadRequirement,
} from './requirement.ts';
import { ReadTally, type ReplicaFailure } from './tally.ts';

export interface GetOptions {
  /** One read in so many asks every replica. */
  readonly fullReadInterval: number;
}

/** What one read is about. */
interface ReadPlan {
  readonly request: GetRequest;
  /** Whether the answer is what the bucket shows, or what is stored. */
  readonly isShown: boolean;
  readonly properties: BucketProperties;
  readonly required: ReadRequirement;
  readonly partition: Partition;
  readonly participants: readonly Participant[];
  readonly isSloppy: boolean;
  readonly timeoutMs: number;
}

export class GetCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #repair: ReadRepair;
  readonly #options: GetOptions;

  constructor(ports: CoordinatorPorts, repair: ReadRepair, options: GetOptions) {
    this.#ports = ports;
    this.#repair = repair;
    this.#options = options;
  }

  get(request: GetRequest): Promise<GetOutcome> {
    return this.#read(request, true);
  }

  /** As `get`, with every sibling as it is stored, whatever the bucket shows. */
  getStored(request: GetRequest): Promise<GetOutcome> {
    return this.#read(request, false);
  }

  #read(request: GetRequest, isShown: boolean): Promise<GetOutcome> {
    const { view, lists } = this.#ports;
    const { key } = request;
    const properties = view.properties(key.type, key.bucket);
    if (properties === undefined) {
      return Promise.resolve({ kind: 'unknown-bucket-type', type: key.type });
    }
    const n = requestedN(request, properties);
    if (typeof n !== 'number') return Promise.resolve(n);
    const isSloppy = request.sloppyQuorum ?? true;
    const partition = locate(key, properties, view.ring().ringSize);
    const participants = lists.participants(partition, n, isSloppy);
    const required = readRequirement(request, properties, n);
    const failure = validateRead(required, reachOf(participants));
    if (failure !== undefined) return Promise.resolve(failure);
    const timeoutMs = request.timeoutMs ?? this.#ports.requestTimeoutMs;
    if (timeoutMs <= 0) return Promise.resolve({ kind: 'timeout' });
    const plan = {
      request,
      isShown,
      properties,
      required,
      partition,
      participants,
      isSloppy,
      timeoutMs,
    };
    return new Read(this.#ports, this.#repair, this.#options, plan).run();
  }
}

/** One read under way. */
class Read {
  readonly #ports: CoordinatorPorts;
  readonly #repair: ReadRepair;
  readonly #options: GetOptions;
  readonly #plan: ReadPlan;
  readonly #replies: ReadReplies;
  readonly #tally: ReadTally;
  /** Participants that have not been asked. */
  #spare: readonly Participant[];
  readonly #wholeRequest: PeerRequest;
  readonly #headRequest: PeerRequest;
  readonly #span: Span | undefined;
  readonly #startMs: number;
  /** How long to wait for those that are asked before others are. */
  readonly #spareDelayMs: number;
  #resolve: ((outcome: GetOutcome) => void) | undefined;
  #cancelDeadline: (() => void) | undefined;
  #cancelSpare: (() => void) | undefined;
  /** Requests for the whole object that are on their way. */
  #wholeInFlight = 0;
  /** The answer is known, and the states of data types in it are being joined. */
  #isJoining = false;

  constructor(ports: CoordinatorPorts, repair: ReadRepair, options: GetOptions, plan: ReadPlan) {
    this.#ports = ports;
    this.#repair = repair;
    this.#options = options;
    this.#plan = plan;
    const { asked, spare } = this.#chooseWave();
    this.#replies = new ReadReplies(asked);
    this.#spare = spare;
    this.#tally = new ReadTally(plan.required, plan.participants);
    const { key, span } = plan.request;
    this.#span = span?.child('coordinate read');
    const parentSpan = this.#span;
    this.#wholeRequest = { verb: 'get', key, headOnly: false, parentSpan };
    this.#headRequest = { verb: 'get', key, headOnly: true, parentSpan };
    this.#startMs = ports.host.clock.monotonicMs();
    this.#spareDelayMs = asked.reduce((longestMs, { node }) => {
      return Math.max(longestMs, ports.answerTimes.usualMs(node));
    }, 0);
  }

  run(): Promise<GetOutcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#watch();
      const whole = this.#plan.request.headOnly === true ? undefined : this.#chooseWhole();
      for (const slot of this.#replies.slots) this.#ask(slot, slot === whole);
    });
  }

  #chooseWave(): ReadWave {
    const { participants, required } = this.#plan;
    const isFull =
      participants.length === 1 ||
      this.#ports.host.random.integer(this.#options.fullReadInterval) === 0;
    return isFull ? wholeWave(participants) : firstWave(participants, required, this.#ports);
  }

  /** One timer at a time: first to ask the others, then for the deadline. */
  #watch(): void {
    const { clock } = this.#ports.host;
    const remainingMs = this.#remainingMs();
    const spareDelayMs = this.#spareDelayMs;
    const hasSpare = this.#spare.length > 0 && spareDelayMs < remainingMs;
    this.#cancelDeadline = hasSpare
      ? clock.after(spareDelayMs, () => {
          this.#noteLate();
          this.#askSpare();
          // There is no spare left: from here on it is the deadline that is waited for.
          this.#watch();
        })
      : clock.after(remainingMs, () => this.#settle({ kind: 'timeout' }));
  }

  #noteLate(): void {
    const { answerTimes, host } = this.#ports;
    for (const { participant, reply } of this.#replies.slots) {
      if (reply === 'pending' && answerTimes.keptWaiting(participant.node)) {
        host.metrics.count('late_nodes');
      }
    }
  }

  /** Asks those that have not been asked for their heads. */
  #askSpare(): void {
    const spare = this.#spare;
    if (spare.length === 0) return;
    this.#spare = [];
    this.#ports.host.metrics.count('widened_reads_total');
    for (const participant of spare) this.#ask(this.#replies.addSlot(participant), false);
  }

  /** Nearest and surest first: this node's own copy, then a primary's. */
  #chooseWhole(): Slot | undefined {
    const { slots } = this.#replies;
    const { self } = this.#ports;
    return (
      slots.find(({ participant }) => participant.node === self && participant.primaryCount > 0) ??
      slots.find(({ participant }) => participant.primaryCount > 0) ??
      slots[0]
    );
  }

  #ask(slot: Slot, isWhole: boolean): void {
    if (isWhole) {
      slot.isAskedForObject = true;
      this.#wholeInFlight += 1;
    }
    const request = isWhole ? this.#wholeRequest : this.#headRequest;
    const { peer, host, answerTimes } = this.#ports;
    const { node } = slot.participant;
    const askedMs = host.clock.monotonicMs();
    peer.request(node, request, this.#remainingMs()).then(
      (reply) => {
        const nowMs = host.clock.monotonicMs();
        answerTimes.answered(node, nowMs - askedMs, nowMs);
        this.#onReply(slot, reply, isWhole);
      },
      (error: unknown) => this.#onFault(slot, error, isWhole),
    );
  }

  #remainingMs(): number {
    const elapsedMs = this.#ports.host.clock.monotonicMs() - this.#startMs;
    return Math.max(1, this.#plan.timeoutMs - elapsedMs);
  }

  #onReply(slot: Slot, reply: PeerReply, isWhole: boolean): void {
    if (isWhole) this.#wholeInFlight -= 1;
    const record = reply.kind === 'object' ? reply.record : undefined;
    if (slot.reply !== 'pending') this.#replies.acceptObject(slot, record);
    else if (reply.kind === 'object') {
      const said = this.#replies.accept(slot, record, isWhole);
      this.#tally.reply(slot.participant, said);
      if (said !== 'object' || this.#replies.differs) this.#askSpare();
    } else {
      this.#lose(slot, 'failed', false);
    }
    this.#advance();
  }

  #onFault(slot: Slot, error: unknown, isWhole: boolean): void {
    if (isWhole) this.#wholeInFlight -= 1;
    const failure = replicaFailure(error);
    if (slot.reply === 'pending') this.#lose(slot, failure, isFault(error, 'store-corrupt'));
    else this.#replies.acceptObject(slot, undefined);
    this.#advance();
  }

  /** A replica fails: the rest are asked, and if the quorum hangs on it, a node past the list stands in. */
  #lose(slot: Slot, failure: ReplicaFailure, isDamaged: boolean): void {
    const { participant } = slot;
    if (isDamaged) this.#replies.failDamaged(slot);
    else this.#replies.fail(slot, failure);
    this.#askSpare();
    const canReplace =
      this.#plan.isSloppy && failure !== 'timed-out' && this.#tally.needs(participant);
    const standIn = canReplace ? this.#findStandIn(participant) : undefined;
    if (standIn === undefined) {
      this.#tally.reply(participant, failure);
      return;
    }
    this.#ports.host.metrics.count('stand_ins_total');
    this.#tally.replace(participant, standIn);
    this.#ask(this.#replies.addSlot(standIn), false);
  }

  #findStandIn(failed: Participant): Participant | undefined {
    const tried = this.#replies.slots.map(({ participant }) => participant.node);
    const place = { partition: this.#plan.partition, n: this.#plan.required.n };
    return this.#ports.lists.findStandIn(place, failed, tried);
  }

  #advance(): void {
    const { verdict } = this.#tally;
    if (this.#resolve !== undefined) {
      if (verdict.kind === 'met') this.#complete();
      else if (verdict.kind === 'not-found') this.#settleAbsent();
      else if (verdict.kind !== 'pending') this.#settle(verdict);
    }
    this.#considerRepair();
  }

  /**
   * Read repair comes after the answer, and when every replica has had its say: with the last reply,
   * or with the answer where that took longer. Nothing happens after the two, so it comes once.
   */
  #considerRepair(): void {
    const isOver = this.#replies.isComplete && this.#wholeInFlight === 0;
    if (this.#resolve === undefined && isOver) this.#repair.consider(this.#plan, this.#replies);
  }

  /** The quorum is met: answer, or see that what is missing for the answer comes. */
  #complete(): void {
    const { target, object, isWhole } = this.#replies;
    const { properties } = this.#plan;
    if (target === undefined) {
      this.#settle({ kind: 'not-found', tombstone: undefined });
    } else if (this.#isHeadEnough(target)) {
      this.#settleFound(withoutValues(this.#plan.isShown ? showHead(target, properties) : target));
    } else if (object !== undefined && isWhole) {
      this.#settleShown(object);
    } else if (this.#wholeInFlight > 0) {
      this.#cancelSpare ??= this.#ports.host.clock.after(this.#spareDelayMs, () => {
        this.#ports.host.metrics.count('spare_reads_total');
        this.#cancelSpare = undefined;
        if (this.#resolve !== undefined) this.#askForMissing();
      });
    } else if (this.#askForMissing()) {
      // It may fail too: then this is come to again.
    } else if (this.#spare.length > 0) {
      this.#askSpare();
    } else if (this.#replies.isComplete) {
      // The heads promised more than any replica can still deliver.
      const { r } = this.#plan.required;
      this.#settle({ kind: 'unsatisfied', quorum: 'r', needed: r, got: Math.max(0, r - 1) });
    }
  }

  /** Whether the answer holds no values: that of a tombstone, or one that was asked for without. */
  #isHeadEnough(target: ObjectHead): boolean {
    const { request, properties, isShown } = this.#plan;
    if (!isShown) return isTombstone(target);
    if (isTombstone(showHead(target, properties))) return true;
    // The head of states that are yet to be joined is not known.
    return request.headOnly === true && !hasStatesToJoin(showHead(target, properties));
  }

  #settleShown(object: StoredObject): void {
    const { properties, isShown } = this.#plan;
    const shown = isShown ? show(object, properties, this.#ports.host.clock) : object;
    if (!(shown instanceof Promise)) this.#settleFound(shown);
    else if (!this.#isJoining) {
      this.#isJoining = true;
      void shown.then((joined) => {
        this.#settleFound(joined);
        this.#considerRepair();
      });
    }
  }

  /** Asks one more replica for its object; false if there is none that could help. */
  #askForMissing(): boolean {
    const replies = this.#replies;
    const candidates = replies.slots.filter((slot) => {
      return !slot.isAskedForObject && replies.canAdd(slot);
    });
    const chosen = candidates.find((slot) => replies.holdsAll(slot)) ?? candidates[0];
    if (chosen === undefined) return false;
    this.#ask(chosen, true);
    return true;
  }

  /** Everything received was "no copy" or a tombstone. */
  #settleAbsent(): void {
    this.#settle({ kind: 'not-found', tombstone: this.#replies.target });
  }

  #settleFound(shown: StoredObject): void {
    if (this.#resolve === undefined) return;
    const { target } = this.#replies;
    if (!isTombstone(shown)) {
      this.#settle({ kind: 'found', object: shown });
      return;
    }
    this.#settle({ kind: 'not-found', tombstone: shown });
    if (target !== undefined && isTombstone(target)) {
      this.#ports.onTombstone(this.#plan.request.key);
    }
  }

  #settle(outcome: GetOutcome): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#cancelDeadline?.();
    this.#cancelSpare?.();
    this.#observe(outcome);
    resolve(outcome);
  }

  #observe(outcome: GetOutcome): void {
    const { clock, metrics } = this.#ports.host;
    if (this.#span !== undefined) endSpan(this.#span, outcome);
    metrics.count('node_gets');
    metrics.observe('node_get_fsm_time', (clock.monotonicMs() - this.#startMs) * 1_000);
    if (outcome.kind === 'found') {
      const { siblings } = outcome.object;
      let sizeBytes = 0;
      for (const sibling of siblings) sizeBytes += sibling.valueSizeBytes;
      metrics.observe('node_get_fsm_siblings', siblings.length);
      metrics.observe('node_get_fsm_objsize', sizeBytes);
    } else if (outcome.kind !== 'not-found') metrics.count('node_get_fsm_errors');
  }
}

function endSpan(span: Span, { kind }: GetOutcome): void {
  span.end(kind === 'found' || kind === 'not-found' ? undefined : kind);
}
