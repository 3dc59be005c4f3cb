/**
 * Anti-entropy: whatever else failed, replicas that can talk come to hold the same.
 *
 * A round compares each tree this node holds with each other node that holds it and is up, one after
 * the other at a set pace, and heals what differs (`exchange.ts`). Rounds follow each other in the
 * background for ever; one may be asked for at any time. An exchange that is cut off is left for the
 * next round. While a step to another ring is open the replicas of the ring of reads are compared:
 * who is yet to be filled for the other one is left to its transfer.
 */

import { isFault } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';
import { replicaCountsInUse } from '../membership/effective-properties.ts';
import { Background } from './background.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import { Exchanges } from './exchange.ts';
import type { ExchangeOptions, ExchangeResult } from './exchange.ts';
import { Halt } from './halt.ts';
import type { RepairPorts } from './ports.ts';
import { sharedTrees } from './replica-sets.ts';
import type { SharedTree } from './replica-sets.ts';

export interface AntiEntropyOptions extends ExchangeOptions {
  /** From the end of a round to the start of the next. */
  readonly restMs: number;
  /** Between two exchanges of a round. */
  readonly pauseMs: number;
  /** Of objects sent and fetched. */
  readonly bytesPerSecond: number;
}

export const ANTI_ENTROPY_DEFAULTS: AntiEntropyOptions = {
  restMs: 60_000,
  pauseMs: 50,
  bytesPerSecond: 16 * 1024 * 1024,
  settleMs: 500,
  batchMax: 256,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
};

export interface RoundResult extends ExchangeResult {
  readonly exchanges: number;
  /** Exchanges that were cut off. */
  readonly failed: number;
  /** Exchanges that were left out because the peer was down. */
  readonly skipped: number;
  readonly tookMs: number;
  /** Whether nothing was cut off, left out or halted. */
  readonly isComplete: boolean;
}

/** What a round goes through; by default all that this node shares, and of it what trees tell. */
export interface RoundScope {
  readonly partitions?: ReadonlySet<Partition>;
  /** Compares every key, whatever the trees say: for copies that were lost behind their back. */
  readonly isFull?: boolean;
}

/** A round under way. */
export interface RoundProgress extends ExchangeResult {
  /** Exchanges that are over, in whichever way, of all. */
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  readonly skipped: number;
  readonly startedMs: number;
}

export interface AntiEntropyStatus {
  readonly isRunning: boolean;
  readonly roundCount: number;
  readonly round: RoundProgress | undefined;
  readonly lastRound: RoundResult | undefined;
}

export class AntiEntropy {
  readonly rateLimit: ByteRateLimit;
  readonly #ports: RepairPorts;
  readonly #options: AntiEntropyOptions;
  readonly #exchanges: Exchanges;
  readonly #background: Background;
  /** Rounds of one node do not overlap. */
  #lastRound: Promise<unknown> = Promise.resolve();
  #status: AntiEntropyStatus = {
    isRunning: false,
    roundCount: 0,
    round: undefined,
    lastRound: undefined,
  };

  constructor(ports: RepairPorts, options: AntiEntropyOptions = ANTI_ENTROPY_DEFAULTS) {
    this.#ports = ports;
    this.#options = options;
    this.rateLimit = new ByteRateLimit(ports.host.clock, options.bytesPerSecond);
    this.#exchanges = new Exchanges(ports, this.rateLimit, options);
    const background = { name: 'anti_entropy', restMs: options.restMs };
    this.#background = new Background(ports.host, background, (halt) => this.runRound(halt));
  }

  status(): AntiEntropyStatus {
    return this.#status;
  }

  start(): void {
    this.#background.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /**
   * Starts when the round under way, if there is one, has ended. `report` is told of each step; the
   * continuous rounds are seen in `status`.
   */
  async runRound(
    halt: Halt = new Halt(),
    scope: RoundScope = {},
    report: (progress: RoundProgress) => void = () => {},
  ): Promise<RoundResult> {
    const round = this.#lastRound.then(() => this.#round(halt, scope, report));
    this.#lastRound = round.catch(() => {});
    return round;
  }

  async #round(
    halt: Halt,
    scope: RoundScope,
    report: (progress: RoundProgress) => void,
  ): Promise<RoundResult> {
    const { host, self, view } = this.#ports;
    this.#status = { ...this.#status, isRunning: true };
    const startMs = host.clock.monotonicMs();
    const sums = { exchanges: 0, failed: 0, skipped: 0 };
    const found = { segments: 0, pushed: 0, pulled: 0, corrected: 0 };
    const trees = sharedTrees(view.ring(), self, replicaCountsInUse(view.state())).filter(
      ({ partition }) => scope.partitions?.has(partition) !== false,
    );
    const note = (): void => {
      const { exchanges, failed, skipped } = sums;
      const done = exchanges + skipped;
      const round = { ...found, done, total: trees.length, failed, skipped, startedMs: startMs };
      this.#status = { ...this.#status, round };
      report(round);
    };
    for (const shared of trees) {
      note();
      if (halt.isSet) break;
      if (!view.isUp(shared.peer)) {
        sums.skipped += 1;
        continue;
      }
      const result = await this.#exchange(shared, halt, scope.isFull ?? false);
      sums.exchanges += 1;
      if (result === undefined) sums.failed += 1;
      else {
        found.segments += result.segments;
        found.pushed += result.pushed;
        found.pulled += result.pulled;
        found.corrected += result.corrected;
      }
      await halt.wait(host.clock, this.#options.pauseMs);
    }
    note();
    const result: RoundResult = {
      ...sums,
      ...found,
      tookMs: host.clock.monotonicMs() - startMs,
      isComplete: !halt.isSet && sums.failed === 0 && sums.skipped === 0,
    };
    const roundCount = this.#status.roundCount + 1;
    this.#status = { isRunning: false, roundCount, round: undefined, lastRound: result };
    this.#report(result);
    return result;
  }

  /** Undefined: it was cut off. */
  async #exchange(
    shared: SharedTree,
    halt: Halt,
    isFull: boolean,
  ): Promise<ExchangeResult | undefined> {
    try {
      return await this.#exchanges.run(shared, halt, isFull);
    } catch (error) {
      if (!isFault(error)) throw error;
      const { partition, peer } = shared;
      this.#ports.host.log.info('repair.exchange-failed', { partition, peer, code: error.code });
      return undefined;
    }
  }

  #report(result: RoundResult): void {
    const { log, metrics } = this.#ports.host;
    metrics.count('anti_entropy_rounds');
    metrics.count('anti_entropy_exchanges', result.exchanges);
    metrics.count('anti_entropy_failed', result.failed);
    metrics.count('anti_entropy_pushed', result.pushed);
    metrics.count('anti_entropy_pulled', result.pulled);
    metrics.observe('anti_entropy_round_ms', result.tookMs);
    if (result.pushed + result.pulled + result.corrected > 0) {
      log.info('repair.anti-entropy.healed', { ...result });
    }
  }
}
