/**
 * A small world for the epoch agreement: several nodes on virtual time, a network that loses, delays,
 * reorders, doubles and cuts, and logs that keep just what was saved when a node crashes.
 *
 * A seed replays exactly: events run in the order of (time, sequence), and after each one every
 * promise that can settle does. The judges stand apart from the code: they see each state that any
 * node acts on, and what proposers were told.
 */

import { setImmediate } from 'node:timers/promises';
import { Fault } from '../../src/base/fault.ts';
import type { Clock, Host, Log, Metrics, Random } from '../../src/base/host.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import { encodeRecord } from '../../src/membership/agreement-codec.ts';
import type { AgreementLog, AgreementPeers } from '../../src/membership/agreement-ports.ts';
import type { ClusterState, Member } from '../../src/membership/cluster-state.ts';
import { successorOf } from '../../src/membership/lineage.ts';
import { Proposer, type ProposalOutcome } from '../../src/membership/proposer.ts';
import { hashState } from '../../src/membership/state-document.ts';
import { StateKeeper } from '../../src/membership/state-keeper.ts';
import { nodeOf, stateOf } from './states.ts';

export interface WorldFaults {
  /** Of 1000 messages. */
  readonly lost: number;
  readonly doubled: number;
  readonly delayMaxMs: number;
  readonly saveMaxMs: number;
}

export const CALM: WorldFaults = { lost: 0, doubled: 0, delayMaxMs: 2, saveMaxMs: 2 };

/** How long a proposer tries, and who is to vote from then on; by default those who do. */
export interface Wish {
  readonly timeoutMs: number;
  readonly voters?: ReadonlySet<number> | undefined;
}

export type PlantedBug =
  /** A save is acknowledged at once and done much later, if no crash comes before. */
  | 'early-acknowledgement'
  /** A lost disk passes for one that never held a promise. */
  | 'forgetful-vote';

interface WorldEvent {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** A disk's one file: what was saved survives a crash, what was being saved may or may not. */
interface Disk {
  saved: Buffer | undefined;
  pending: Buffer | undefined;
}

export interface WorldNode {
  readonly id: NodeId;
  readonly disk: Disk;
  /** Rises with each crash; what belongs to an earlier life is lost. */
  life: number;
  keeper: StateKeeper | undefined;
  proposer: Proposer | undefined;
}

const SILENT_LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };
const NO_METRICS: Metrics = { count() {}, gauge() {}, observe() {} };

export class AgreementWorld {
  readonly nodes: readonly WorldNode[];
  faults: WorldFaults = CALM;
  /** What to break on purpose, so that the judges can be seen to bite. */
  plantedBug: PlantedBug | undefined;
  readonly violations: string[] = [];
  nowMs = 0;
  readonly #initial: ClusterState;
  readonly #cutLinks = new Set<string>();
  readonly #hashByEpoch = new Map<Epoch, string>();
  readonly #events: WorldEvent[] = [];
  readonly #acknowledged = new Set<string>();
  readonly #refused = new Set<string>();
  #sequence = 0;
  #seed: number;

  constructor(nodeCount: number, seed: number) {
    this.#seed = seed;
    this.#initial = stateOf(nodeCount, 8);
    this.nodes = Array.from({ length: nodeCount }, (_, index) => ({
      id: nodeOf(index),
      disk: { saved: undefined, pending: undefined },
      life: 0,
      keeper: undefined,
      proposer: undefined,
    }));
  }

  /** 0 <= result < `below`. */
  random(below: number): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  chance(ofThousand: number): boolean {
    return this.random(1000) < ofThousand;
  }

  after(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, sequence: this.#sequence, run });
    this.#sequence += 1;
  }

  async start(node: WorldNode): Promise<void> {
    if (node.keeper !== undefined) return;
    const life = node.life;
    const host = this.#hostOf(node);
    const ports = { log: this.#logOf(node), peers: this.#peersOf(node) };
    const keeper = await StateKeeper.open(host, ports, {
      id: node.id,
      initialState: this.#initial,
      requestTimeoutMs: 200,
      surveyIntervalMs: 50,
      onState: (state) => this.#judge(node, state),
    });
    if (node.life !== life) return;
    node.keeper = keeper;
    node.proposer = new Proposer(host, keeper, { backoffMs: 10, backoffMaxMs: 200 });
    this.#judge(node, keeper.state());
  }

  /** Stops a node at once; with `wipes` its disk is lost too. */
  crash(node: WorldNode, wipes = false): void {
    node.life += 1;
    node.keeper = undefined;
    node.proposer = undefined;
    const { disk } = node;
    const isLost = this.plantedBug === 'early-acknowledgement' || this.chance(500);
    if (disk.pending !== undefined && !isLost) disk.saved = disk.pending;
    disk.pending = undefined;
    if (wipes) disk.saved = this.plantedBug === 'forgetful-vote' ? this.#blankRecord() : undefined;
  }

  /** Cuts the way from `source` to `target`; the other way stays. */
  cut(source: WorldNode, target: WorldNode): void {
    this.#cutLinks.add(`${source.id}>${target.id}`);
  }

  healLinks(): void {
    this.#cutLinks.clear();
  }

  /** Proposes to add `token` to the state, and keeps what the proposer was told for the judges. */
  propose(node: WorldNode, token: string, wish: Wish): void {
    void this.proposeAndWait(node, token, wish).catch(() => {});
  }

  async proposeAndWait(
    node: WorldNode,
    token: string,
    { timeoutMs, voters }: Wish,
  ): Promise<ProposalOutcome<never> | undefined> {
    const life = node.life;
    const outcome = await node.proposer?.propose<never>(
      (state) => ({ kind: 'changed', state: withToken(state, token, voters) }),
      timeoutMs,
    );
    if (node.life !== life || outcome === undefined) return undefined;
    if (outcome.kind === 'changed') this.#acknowledged.add(token);
    else if (!outcome.mayTakeEffect) this.#refused.add(token);
    return outcome;
  }

  /** Each node tells each other its epoch, as heartbeats do. */
  exchangeEpochs(): void {
    for (const source of this.nodes) {
      const epoch = source.keeper?.state().epoch;
      if (epoch === undefined) continue;
      for (const target of this.nodes) {
        if (target === source || this.#isCut(source, target)) continue;
        if (target.keeper !== undefined && target.keeper.state().epoch < epoch) {
          void target.keeper.fetchFrom(source.id);
        }
      }
    }
  }

  /** Runs until `isDone`, or for `forMs`; returns whether it was done. */
  async run(forMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    const untilMs = this.nowMs + forMs;
    await drainPromises();
    while (!isDone()) {
      const event = this.#takeNext(untilMs);
      if (event === undefined) {
        this.nowMs = untilMs;
        return isDone();
      }
      this.nowMs = event.atMs;
      event.run();
      await drainPromises();
    }
    return true;
  }

  /** Judges the tokens against the end state: all that were promised, none that were denied. */
  judgeTokens(state: ClusterState): void {
    const tokens = tokensOf(state);
    for (const token of this.#acknowledged) {
      if (!tokens.includes(token)) this.violations.push(`${token} was agreed and is lost`);
    }
    for (const token of this.#refused) {
      if (tokens.includes(token)) this.violations.push(`${token} took effect though denied`);
    }
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  #judge(node: WorldNode, state: ClusterState): void {
    const hash = hashState(state).toString('hex');
    const known = this.#hashByEpoch.get(state.epoch);
    if (known === undefined) this.#hashByEpoch.set(state.epoch, hash);
    else if (known !== hash) this.violations.push(`${node.id}: two states of epoch ${state.epoch}`);
    const tokens = tokensOf(state);
    if (new Set(tokens).size !== tokens.length) {
      this.violations.push(`epoch ${state.epoch} made a change twice`);
    }
  }

  #blankRecord(): Buffer {
    return encodeRecord({
      state: this.#initial,
      promised: undefined,
      accepted: undefined,
      round: 0,
      life: this.random(2 ** 31),
      vote: 'free',
    });
  }

  #takeNext(untilMs: number): WorldEvent | undefined {
    let next = -1;
    for (let index = 0; index < this.#events.length; index += 1) {
      const event = this.#events[index] as WorldEvent;
      if (event.atMs > untilMs) continue;
      const best = this.#events[next];
      if (best === undefined || event.atMs < best.atMs) next = index;
      else if (event.atMs === best.atMs && event.sequence < best.sequence) next = index;
    }
    return next === -1 ? undefined : this.#events.splice(next, 1)[0];
  }

  #isCut(source: WorldNode, target: WorldNode): boolean {
    return this.#cutLinks.has(`${source.id}>${target.id}`);
  }

  #hostOf(node: WorldNode): Host {
    const life = node.life;
    const clock: Clock = {
      wallMicros: () => this.nowMs * 1000,
      monotonicMs: () => this.nowMs,
      after: (delayMs, run) => {
        let isCancelled = false;
        this.after(delayMs, () => {
          if (!isCancelled && node.life === life) run();
        });
        return () => {
          isCancelled = true;
        };
      },
    };
    const random: Random = {
      bytes: (size) => Buffer.from(Array.from({ length: size }, () => this.random(256))),
      integer: (below) => this.random(below),
    };
    return { clock, random, log: SILENT_LOG, metrics: NO_METRICS };
  }

  #logOf(node: WorldNode): AgreementLog {
    const { life, disk } = node;
    return {
      load: () => Promise.resolve(disk.saved),
      save: (record) =>
        new Promise((resolve) => {
          disk.pending = record;
          const isEarly = this.plantedBug === 'early-acknowledgement';
          if (isEarly) resolve();
          this.after(isEarly ? 1_000 : this.random(this.faults.saveMaxMs + 1), () => {
            if (node.life !== life) return;
            disk.saved = record;
            if (disk.pending === record) disk.pending = undefined;
            resolve();
          });
        }),
    };
  }

  #peersOf(source: WorldNode): AgreementPeers {
    return {
      agree: (target, message, timeoutMs) =>
        this.#request(source, target, timeoutMs, (keeper) => keeper.handle(message)),
      fetchState: (target, aboveEpoch, timeoutMs) =>
        this.#request(source, target, timeoutMs, (keeper) =>
          Promise.resolve(keeper.documentAbove(aboveEpoch)),
        ),
    };
  }

  #request<T>(
    source: WorldNode,
    targetId: NodeId,
    timeoutMs: number,
    carryOut: (keeper: StateKeeper) => Promise<T>,
  ): Promise<T> {
    const target = this.nodes.find(({ id }) => id === targetId);
    if (target === undefined) throw new Error(`no node ${targetId}`);
    const lives = [source.life, target.life];
    const isIntact = () => source.life === lives[0] && target.life === lives[1];
    return new Promise((resolve, reject) => {
      this.after(timeoutMs, () => {
        if (source.life === lives[0]) reject(new Fault('timeout', 'no answer in time'));
      });
      for (let copies = this.chance(this.faults.doubled) ? 2 : 1; copies > 0; copies -= 1) {
        this.#deliver(source, target, () => {
          if (!isIntact() || target.keeper === undefined) return;
          carryOut(target.keeper).then(
            (reply) => this.#deliver(target, source, () => isIntact() && resolve(reply)),
            (error: unknown) => this.#deliver(target, source, () => isIntact() && reject(error)),
          );
        });
      }
    });
  }

  #deliver(source: WorldNode, target: WorldNode, arrive: () => void): void {
    if (this.#isCut(source, target) || this.chance(this.faults.lost)) return;
    this.after(this.random(this.faults.delayMaxMs + 1), arrive);
  }
}

export function tokensOf(state: ClusterState): string[] {
  return (state.defaultProperties['tokens'] as string[] | undefined) ?? [];
}

function withToken(state: ClusterState, token: string, voters?: Wish['voters']): ClusterState {
  const members = state.members.map((member, index): Member => {
    if (voters === undefined) return member;
    return { ...member, status: voters.has(index) ? 'valid' : 'down' };
  });
  const tokens = [...tokensOf(state), token];
  return successorOf(state, { members, defaultProperties: { tokens } });
}

/** Lets every promise settle that can: they run before the event loop's next turn. */
async function drainPromises(): Promise<void> {
  await setImmediate();
}
