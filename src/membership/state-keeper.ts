/**
 * The state keeper: this node's newest cluster state and its vote on the next.
 *
 * The one invariant: nothing leaves that is not on stable storage. Requests are answered one after
 * the other; a record that changed is saved before its reply is given, and a state before anyone
 * acts on it. The log is the only truth at a start, so a crash at any point loses nothing that was
 * told to another.
 *
 * A node that finds no record at its start may be new, or may have lost its disk with promises on it;
 * one whose log was restored has the state, and may have lost promises too. It asks the others again
 * and again (`survey`) until `vote-recovery.ts` says that it may vote. A round that still counts on a
 * lost promise may not have reached them yet; so unless nobody has proposed anything, the survey that
 * decides is made when every such round has timed out.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import {
  answer,
  nextBallot,
  type AgreementRecord,
  type AgreementReply,
  type AgreementRequest,
  type Ballot,
  type Vote,
} from './agreement.ts';
import {
  decodeRecord,
  decodeReply,
  decodeRequest,
  encodeRecord,
  encodeReply,
  encodeRequest,
} from './agreement-codec.ts';
import type { AgreementLog, AgreementPeers } from './agreement-ports.ts';
import type { ClusterState } from './cluster-state.ts';
import { decodeState, encodeState } from './state-document.ts';
import {
  recoverVote,
  sureCount,
  sureNeeded,
  surveyedBy,
  type Survey,
  type Surveyed,
} from './vote-recovery.ts';

export interface StateKeeperOptions {
  readonly id: NodeId;
  /** Epoch 1, for a node whose log is empty. */
  readonly initialState: ClusterState;
  /** The log was restored, repaired or found damaged: promises may be missing from it. Default false. */
  readonly mayHaveForgotten?: boolean;
  /** Called for each newer state after it was saved; must not throw. */
  readonly onState?: (state: ClusterState) => void;
  /** For one request to a peer. Default 2,000. */
  readonly requestTimeoutMs?: number;
  /** Between two surveys. Default 500. */
  readonly surveyIntervalMs?: number;
}

/** A round asks twice: for promises, then for acceptances. */
const ROUND_REQUESTS = 2;

/** Requests waiting for their turn at most; more are turned away. */
const WAITING_MAX = 64;

export class StateKeeper {
  readonly id: NodeId;
  readonly #host: Host;
  readonly #log: AgreementLog;
  readonly #peers: AgreementPeers;
  readonly #onState: (state: ClusterState) => void;
  readonly #requestTimeoutMs: number;
  readonly #surveyIntervalMs: number;
  /** What this node may have forgotten it knew before. */
  #forgotAtMs: number;
  #record: AgreementRecord;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #fetch: Promise<void> | undefined;
  #isSurveying = false;
  #isClosed = false;
  #unreadable: string | undefined;
  /** Ends the pause between two surveys. */
  #wake: () => void = () => {};

  private constructor(
    host: Host,
    ports: { readonly log: AgreementLog; readonly peers: AgreementPeers },
    opened: { readonly record: AgreementRecord; readonly options: StateKeeperOptions },
  ) {
    const { options } = opened;
    this.id = options.id;
    this.#host = host;
    this.#log = ports.log;
    this.#peers = ports.peers;
    this.#record = opened.record;
    this.#onState = options.onState ?? (() => {});
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 2_000;
    this.#surveyIntervalMs = options.surveyIntervalMs ?? 500;
    this.#forgotAtMs = host.clock.monotonicMs();
  }

  /**
   * Reads the log, or begins it. Rejects with `store-corrupt` for a damaged record and `config` for
   * another cluster's.
   */
  static async open(
    host: Host,
    ports: { readonly log: AgreementLog; readonly peers: AgreementPeers },
    options: StateKeeperOptions,
  ): Promise<StateKeeper> {
    const bytes = await ports.log.load();
    const found = bytes === undefined ? undefined : decodeRecord(bytes);
    const record =
      found === undefined || options.mayHaveForgotten === true
        ? newRecord(found?.state ?? options.initialState, host.random.integer(2 ** 32))
        : found;
    const { clusterName } = options.initialState;
    if (record.state.clusterName !== clusterName) {
      throw new Fault(
        'config',
        `the store belongs to cluster ${record.state.clusterName}, not to ${clusterName}`,
      );
    }
    if (record !== found) await ports.log.save(encodeRecord(record));
    const keeper = new StateKeeper(host, ports, { record, options });
    keeper.#gauge();
    keeper.#survey();
    return keeper;
  }

  /** The newest state that this node has saved. */
  state(): ClusterState {
    return this.#record.state;
  }

  /** Whether this node votes, or why it does not yet. */
  vote(): Vote {
    return this.#record.vote;
  }

  /**
   * Why this node stays behind: a peer's newer state is none that this release can read. A sentence;
   * undefined as far as is known it keeps up.
   */
  get unreadable(): string | undefined {
    return this.#unreadable;
  }

  /** Answers a peer's `agree` message. Rejects with `malformed`, `overload` or the store's fault. */
  async handle(message: Buffer): Promise<Buffer> {
    return encodeReply(await this.answer(decodeRequest(message)));
  }

  /** Answers a request, this node's own ones too; the reply is given when the record is saved. */
  answer(request: AgreementRequest): Promise<AgreementReply> {
    return this.#inTurn(async () => {
      const { record, reply } = answer(this.#record, request);
      await this.#save(record);
      if (reply.kind === 'diverged') this.#noteDivergence();
      return reply;
    });
  }

  /** Acts on a state that was chosen, if it is newer than what this node has. */
  async learn(state: ClusterState): Promise<void> {
    await this.answer({ kind: 'learn', state });
  }

  /**
   * Leaves the cluster that this node was alone in, or was removed from, for that of `state`, which
   * has taken it in. What it promised there binds nobody; here it is `unsure`, as one that has lost
   * its record, unless it is `isNew`: then no state before named it as a member.
   */
  async moveTo(state: ClusterState, isNew: boolean): Promise<void> {
    await this.#inTurn(async () => {
      const { round, life } = this.#record;
      this.#forgotAtMs = this.#host.clock.monotonicMs();
      const vote = isNew ? 'free' : 'unsure';
      await this.#save({ ...newRecord(state, life), round, vote });
    });
  }

  /** A ballot that was never used before and never will be again. */
  beginBallot(seen: Ballot | undefined): Promise<Ballot> {
    return this.#inTurn(async () => {
      const { record, ballot } = nextBallot(this.#record, this.id, seen);
      await this.#save(record);
      return ballot;
    });
  }

  /** The answer to a peer's `state` request. */
  documentAbove(epoch: Epoch): Buffer | undefined {
    return this.#record.state.epoch > epoch ? encodeState(this.#record.state) : undefined;
  }

  /**
   * Learns what `source` knows, if that is more. One fetch at a time: who comes while one is under
   * way waits for that. Never rejects for a peer that cannot be reached.
   */
  fetchFrom(source: NodeId): Promise<void> {
    this.#fetch ??= this.#fetchFrom(source).finally(() => {
      this.#fetch = undefined;
    });
    return this.#fetch;
  }

  async #fetchFrom(source: NodeId): Promise<void> {
    const { epoch } = this.#record.state;
    try {
      const document = await this.#peers.fetchState(source, epoch, this.#requestTimeoutMs);
      if (document !== undefined && !this.#isClosed) await this.learn(decodeState(document));
    } catch (error) {
      if (isFault(error, 'malformed')) this.#noteUnreadable(source, error);
      this.#noteFailure('membership.fetch_failed', source, error);
    }
  }

  /** One request to a peer; undefined if it did not answer, or not in a way that can be read. */
  async ask(
    target: NodeId,
    request: AgreementRequest,
    timeoutMs = this.#requestTimeoutMs,
  ): Promise<AgreementReply | undefined> {
    if (target === this.id) return this.answer(request);
    try {
      const patienceMs = Math.min(timeoutMs, this.#requestTimeoutMs);
      return decodeReply(await this.#peers.agree(target, encodeRequest(request), patienceMs));
    } catch (error) {
      this.#noteFailure('membership.agree_failed', target, error);
      return undefined;
    }
  }

  /** Stops surveying; requests are turned away from now on. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#turn;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new Fault('closed', 'the node is closing'));
    if (this.#waiting >= WAITING_MAX) {
      this.#host.metrics.count('membership.overload');
      return Promise.reject(new Fault('overload', 'too many agreement messages are waiting'));
    }
    this.#waiting += 1;
    const result = this.#turn.then(step).finally(() => {
      this.#waiting -= 1;
    });
    // The next one's turn comes whether this one succeeds or not.
    this.#turn = result.catch(() => {});
    return result;
  }

  async #save(record: AgreementRecord): Promise<void> {
    const before = this.#record;
    if (record === before) return;
    await this.#log.save(encodeRecord(record));
    this.#record = record;
    this.#gauge();
    if (record.state === before.state) return;
    this.#unreadable = undefined;
    this.#host.log.info('membership.epoch', { epoch: record.state.epoch });
    this.#onState(record.state);
    this.#survey();
  }

  #gauge(): void {
    const { state, vote } = this.#record;
    this.#host.metrics.gauge('membership.epoch', state.epoch);
    this.#host.metrics.gauge('membership.votes', vote === 'unsure' ? 0 : 1);
  }

  /** Surveys until this node may vote and all others do; one loop at a time. */
  #survey(): void {
    if (!this.#mustSurvey() || this.#isSurveying || this.#isClosed) return;
    this.#isSurveying = true;
    void this.#surveyUntilSure()
      .catch((error: unknown) => {
        this.#noteFailure('membership.survey_failed', this.id, error);
        // A store that has failed fails again at once, and nothing else would come to its turn.
        return this.#isClosed ? undefined : this.#pause(this.#surveyIntervalMs);
      })
      .then(() => {
        this.#isSurveying = false;
        // A newer state may have come while the loop was ending.
        this.#survey();
      });
  }

  #mustSurvey(): boolean {
    const { vote } = this.#record;
    return vote === 'unsure' || vote === 'founding';
  }

  async #surveyUntilSure(): Promise<void> {
    let saidBefore = '';
    while (!this.#isClosed && this.#mustSurvey()) {
      const asking = this.#record;
      // Judged before asking: an answer must be younger than the last round that it has to show.
      const isPastOldRounds = this.#isPastOldRounds();
      const others = surveyedBy(asking, this.id);
      const replies = new Map(
        await Promise.all(others.map(async (node) => [node, await this.#surveyOne(node)] as const)),
      );
      if (this.#isClosed) return;
      const survey = { replies, isPastOldRounds };
      if (await this.#settleVote(asking.state, survey)) continue;
      saidBefore = this.#noteMute(survey, saidBefore);
      await this.#pause(this.#surveyIntervalMs);
    }
  }

  /** It may go on for as long as a majority is away: only what changes is said. */
  #noteMute(survey: Survey, saidBefore: string): string {
    const record = this.#record;
    if (record.vote !== 'unsure') return saidBefore;
    const asked = survey.replies.size;
    const answered = [...survey.replies.values()].filter((reply) => reply !== undefined).length;
    // If all have answered and it is not enough, it never will be unless others regain their votes.
    const isMute = answered === asked && survey.isPastOldRounds;
    const fields = { asked, answered, sure: sureCount(record, survey), needed: sureNeeded(record) };
    const said = JSON.stringify([isMute, fields]);
    if (said === saidBefore) return said;
    if (isMute) this.#host.log.warn('membership.mute', fields);
    else this.#host.log.info('membership.survey', fields);
    return said;
  }

  /** Whether every round that a lost record may have promised something to has timed out. */
  #isPastOldRounds(): boolean {
    const elapsedMs = this.#host.clock.monotonicMs() - this.#forgotAtMs;
    return elapsedMs > ROUND_REQUESTS * this.#requestTimeoutMs;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#host.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #surveyOne(node: NodeId): Promise<Surveyed | undefined> {
    const reply = await this.ask(node, { kind: 'survey' });
    if (reply?.kind !== 'surveyed') return undefined;
    if (reply.epoch > this.#record.state.epoch) await this.fetchFrom(node);
    return reply;
  }

  /** Whether the survey, made of the voters of `surveyed`, has changed this node's vote. */
  #settleVote(surveyed: ClusterState, survey: Survey): Promise<boolean> {
    return this.#inTurn(async () => {
      const record = this.#record;
      if (record.state !== surveyed) return false;
      const recovered = recoverVote(record, survey);
      if (recovered === undefined) return false;
      await this.#save({ ...record, ...recovered });
      const { vote, accepted } = recovered;
      this.#host.log.info('membership.vote', { vote, isPending: accepted !== undefined });
      return true;
    });
  }

  /** It may go on until an operator acts: said once for each reason. */
  #noteUnreadable(source: NodeId, { message }: Fault): void {
    const text = `what ${source} acts on cannot be acted on here: ${message}`;
    if (text === this.#unreadable) return;
    this.#unreadable = text;
    this.#host.log.error('membership.unreadable', { peer: source, why: message });
  }

  #noteDivergence(): void {
    this.#host.metrics.count('membership.diverged');
    this.#host.log.error('membership.diverged', { epoch: this.#record.state.epoch });
  }

  #noteFailure(event: string, peer: NodeId, error: unknown): void {
    // A bug must not pass for a peer that is away.
    if (!isFault(error)) throw error;
    this.#host.metrics.count(event);
    this.#host.log.debug(event, { peer, code: error.code });
  }
}

function newRecord(state: ClusterState, life: number): AgreementRecord {
  return { state, promised: undefined, accepted: undefined, round: 0, life, vote: 'unsure' };
}
