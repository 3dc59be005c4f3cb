/**
 * One read under way: from the replicas that are asked first to the answer, and on to read repair.
 *
 * As many replicas as the quorums need are asked: one, the local one if there is one, for the whole
 * object and the others for their heads. If all of them hold the same, that is the answer, and the
 * end. In any other case (a difference, "no copy", a tombstone, a fault, or no word in the time that
 * those asked usually take) the rest are asked too: for the quorum, or, once it is met, for read
 * repair.
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
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { GetOutcome, GetRequest } from '../object/requests.ts';
import { isTombstone, showHead, withoutValues } from '../object/show.ts';
import { hasStatesToJoin } from '../object/sibling-states.ts';
import type { ObjectHead, StoredObject } from '../object/stored-object.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import type { Participant } from './participants.ts';
import { replicaFailure, type CoordinatorPorts } from './ports.ts';
import type { ReadRepair } from './read-repair.ts';
import { ReadReplies, type Slot } from './read-replies.ts';
import { firstWave, wholeWave } from './read-wave.ts';
import type { ReadRequirement } from './requirement.ts';
import { show } from './show.ts';
import { ReadTally, type ReplicaFailure } from './tally.ts';

/** What one read is about. */
interface ReadPlan {
  readonly request: GetRequest;
  /** Whether the answer is what the bucket shows, or what is stored. */
  readonly isShown: boolean;
  readonly properties: BucketProperties;
  readonly required: ReadRequirement;
  readonly partition: Partition;
  readonly participants: readonly Participant[];
  /** Everyone at once, or no more than are needed. */
  readonly asksAll: boolean;
  readonly isSloppy: boolean;
  readonly timeoutMs: number;
}

/**
 * How far a read is.
 *
 * | from | to | when |
 * |---|---|---|
 * | `gathering` | `fetching` | the quorum is met, and the object is on its way |
 * | `fetching` | `gathering` | it is late, and another replica is asked for it |
 * | either | `joining` | the answer is known, but for states of data types that are to be joined |
 * | any | `answered` | the client has its answer, be it that the time is over |
 */
type Stage =
  | { readonly kind: 'gathering' }
  | { readonly kind: 'fetching'; readonly cancelOvertaking: () => void }
  | { readonly kind: 'joining' }
  | { readonly kind: 'answered' };

const GATHERING: Stage = { kind: 'gathering' };
const JOINING: Stage = { kind: 'joining' };
const ANSWERED: Stage = { kind: 'answered' };

const NOBODY: readonly Participant[] = [];

export class Read {
  readonly #ports: CoordinatorPorts;
  readonly #repair: ReadRepair;
  readonly #plan: ReadPlan;
  readonly #resolve: (outcome: GetOutcome) => void;
  readonly #replies: ReadReplies;
  readonly #tally: ReadTally;
  readonly #objectRequest: PeerRequest;
  readonly #headRequest: PeerRequest;
  readonly #span: Span | undefined;
  readonly #startMs: number;
  /** How long to wait for those that are asked before others are. */
  readonly #spareDelayMs: number;
  /** Participants that have not been asked. */
  #spare: readonly Participant[];
  #stage = GATHERING;
  /** Of the one timer: until the spare are asked, and then until the deadline. */
  #cancelTimer: (() => void) | undefined;

  constructor(
    ports: CoordinatorPorts,
    repair: ReadRepair,
    { plan, resolve }: { readonly plan: ReadPlan; readonly resolve: (outcome: GetOutcome) => void },
  ) {
    this.#ports = ports;
    this.#repair = repair;
    this.#plan = plan;
    this.#resolve = resolve;
    const { participants, required } = plan;
    const wave = plan.asksAll ? wholeWave(participants) : firstWave(participants, required, ports);
    this.#replies = new ReadReplies(wave.asked);
    this.#spare = wave.spare;
    this.#tally = new ReadTally(required, participants);
    const { key, span } = plan.request;
    this.#span = span?.child('coordinate read');
    const parentSpan = this.#span;
    // A majority has one at least that has confirmed the last write to a majority.
    const mayMiss = 2 * required.r <= required.n;
    const common = {
      verb: 'get',
      key,
      parentSpan,
      ...(mayMiss && { awaitsWrites: true }),
    } as const;
    this.#objectRequest = { ...common, headOnly: false };
    this.#headRequest = { ...common, headOnly: true };
    this.#startMs = ports.host.clock.monotonicMs();
    this.#spareDelayMs = wave.asked.reduce((longestMs, { node }) => {
      return Math.max(longestMs, ports.answerTimes.usualMs(node));
    }, 0);
  }

  begin(): void {
    this.#setTimer();
    const whole = this.#plan.request.headOnly === true ? undefined : this.#chooseWhole();
    for (const slot of this.#replies.slots) {
      if (slot === whole) this.#askForObject(slot);
      else this.#ask(slot, this.#headRequest);
    }
  }

  #setTimer(): void {
    const { clock } = this.#ports.host;
    const remainingMs = this.#remainingMs();
    const hasSpare = this.#spare.length > 0 && this.#spareDelayMs < remainingMs;
    this.#cancelTimer = hasSpare
      ? clock.after(this.#spareDelayMs, () => {
          this.#noteLate();
          this.#askSpare();
          // There is no spare left: from here on it is the deadline that is waited for.
          this.#setTimer();
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
    this.#spare = NOBODY;
    this.#ports.host.metrics.count('widened_reads_total');
    for (const participant of spare) {
      this.#ask(this.#replies.addSlot(participant), this.#headRequest);
    }
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

  #askForObject(slot: Slot): void {
    this.#replies.expectObject(slot);
    this.#ask(slot, this.#objectRequest);
  }

  #ask(slot: Slot, request: PeerRequest): void {
    const { peer, host, answerTimes } = this.#ports;
    const { node } = slot.participant;
    const askedMs = host.clock.monotonicMs();
    peer.request(node, request, this.#remainingMs()).then(
      (reply) => {
        const nowMs = host.clock.monotonicMs();
        answerTimes.answered(node, nowMs - askedMs, nowMs);
        this.#onReply(slot, reply);
      },
      (error: unknown) => this.#onFault(slot, error),
    );
  }

  #remainingMs(): number {
    const elapsedMs = this.#ports.host.clock.monotonicMs() - this.#startMs;
    return Math.max(1, this.#plan.timeoutMs - elapsedMs);
  }

  #onReply(slot: Slot, reply: PeerReply): void {
    const record = reply.kind === 'object' ? reply.record : undefined;
    if (slot.reply !== 'pending') this.#replies.acceptObject(slot, record);
    else if (reply.kind === 'object') {
      const said = this.#replies.accept(slot, record);
      this.#tally.reply(slot.participant, said);
      if (said !== 'object' || this.#replies.differs) this.#askSpare();
    } else {
      this.#lose(slot, 'failed', false);
    }
    this.#advance();
  }

  #onFault(slot: Slot, error: unknown): void {
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
    this.#ask(this.#replies.addSlot(standIn), this.#headRequest);
  }

  #findStandIn(failed: Participant): Participant | undefined {
    const tried = this.#replies.slots.map(({ participant }) => participant.node);
    const place = { partition: this.#plan.partition, n: this.#plan.required.n };
    return this.#ports.lists.findStandIn(place, failed, tried);
  }

  /** Goes as far as what has come in allows. */
  #advance(): void {
    const { kind } = this.#stage;
    if (kind === 'gathering' || kind === 'fetching') {
      const { verdict } = this.#tally;
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
    const { isComplete, isObjectUnderWay } = this.#replies;
    const isOver = this.#stage.kind === 'answered' && isComplete && !isObjectUnderWay;
    if (isOver) this.#repair.consider(this.#plan, this.#replies);
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
    } else if (this.#replies.isObjectUnderWay) {
      this.#awaitObject();
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

  /** Gives the replica that was asked for the object its time; then another is asked too. */
  #awaitObject(): void {
    if (this.#stage.kind === 'fetching') return;
    const { clock, metrics } = this.#ports.host;
    const cancelOvertaking = clock.after(this.#spareDelayMs, () => {
      metrics.count('spare_reads_total');
      this.#enter(GATHERING);
      this.#askForMissing();
    });
    this.#enter({ kind: 'fetching', cancelOvertaking });
  }

  #settleShown(object: StoredObject): void {
    const { properties, isShown } = this.#plan;
    const shown = isShown ? show(object, properties, this.#ports.host.clock) : object;
    if (!(shown instanceof Promise)) {
      this.#settleFound(shown);
      return;
    }
    this.#enter(JOINING);
    void shown.then((joined) => {
      this.#settleFound(joined);
      this.#considerRepair();
    });
  }

  /** Asks one more replica for its object; false if there is none that could help. */
  #askForMissing(): boolean {
    const replies = this.#replies;
    const candidates = replies.slots.filter((slot) => replies.canAdd(slot));
    const chosen = candidates.find((slot) => replies.holdsAll(slot)) ?? candidates[0];
    if (chosen === undefined) return false;
    this.#askForObject(chosen);
    return true;
  }

  /** Everything received was "no copy" or a tombstone. */
  #settleAbsent(): void {
    this.#settle({ kind: 'not-found', tombstone: this.#replies.target });
  }

  #settleFound(shown: StoredObject): void {
    if (this.#stage.kind === 'answered') return;
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
    if (this.#stage.kind === 'answered') return;
    this.#enter(ANSWERED);
    this.#cancelTimer?.();
    this.#observe(outcome);
    this.#resolve(outcome);
  }

  #enter(stage: Stage): void {
    if (this.#stage.kind === 'fetching') this.#stage.cancelOvertaking();
    this.#stage = stage;
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
