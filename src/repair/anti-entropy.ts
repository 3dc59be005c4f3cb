/**
 * Anti-entropy: whatever else failed, replicas that can talk come to hold the same.
 *
 * A round compares each tree this node holds with each other node that holds it and is up, one after
 * the other at a set pace, and heals what differs (`exchange.ts`). Rounds follow each other in the
 * background for ever; one may be asked for at any time. An exchange that is cut off is left for the
 * next round.
 */

import { isFault } from '../base/fault.ts';
import { Background } from './background.ts';
import { Exchanges } from './exchange.ts';
import type { ExchangeOptions, ExchangeResult } from './exchange.ts';
import { Halt } from './halt.ts';
import { Pace } from './pace.ts';
import type { RepairPorts } from './ports.ts';
import { nValsOf, sharedTrees } from './replica-sets.ts';
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
  objectsMax: 8,
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

export interface AntiEntropyStatus {
  readonly isRunning: boolean;
  readonly roundCount: number;
  readonly lastRound: RoundResult | undefined;
}

export class AntiEntropy {
  readonly #ports: RepairPorts;
  readonly #options: AntiEntropyOptions;
  readonly #exchanges: Exchanges;
  readonly #background: Background;
  /** Rounds of one node do not overlap. */
  #lastRound: Promise<unknown> = Promise.resolve();
  #status: AntiEntropyStatus = { isRunning: false, roundCount: 0, lastRound: undefined };

  constructor(ports: RepairPorts, options: AntiEntropyOptions = ANTI_ENTROPY_DEFAULTS) {
    this.#ports = ports;
    this.#options = options;
    const pace = new Pace(ports.host.clock, options.bytesPerSecond);
    this.#exchanges = new Exchanges(ports, pace, options);
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

  /** Starts when the round under way, if there is one, has ended. */
  async runRound(halt: Halt = new Halt()): Promise<RoundResult> {
    const round = this.#lastRound.then(() => this.#round(halt));
    this.#lastRound = round.catch(() => {});
    return round;
  }

  async #round(halt: Halt): Promise<RoundResult> {
    const { host, self, view } = this.#ports;
    this.#status = { ...this.#status, isRunning: true };
    const startMs = host.clock.monotonicMs();
    const sums = { exchanges: 0, failed: 0, skipped: 0 };
    const found = { segments: 0, pushed: 0, pulled: 0, corrected: 0 };
    for (const shared of sharedTrees(view.ring(), self, nValsOf(view.state()))) {
      if (halt.isSet) break;
      if (!view.isUp(shared.peer)) {
        sums.skipped += 1;
        continue;
      }
      const result = await this.#exchange(shared, halt);
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
    const result: RoundResult = {
      ...sums,
      ...found,
      tookMs: host.clock.monotonicMs() - startMs,
      isComplete: !halt.isSet && sums.failed === 0 && sums.skipped === 0,
    };
    const roundCount = this.#status.roundCount + 1;
    this.#status = { isRunning: false, roundCount, lastRound: result };
    this.#report(result);
    return result;
  }

  /** Undefined: it was cut off. */
  async #exchange(shared: SharedTree, halt: Halt): Promise<ExchangeResult | undefined> {
    try {
      return await this.#exchanges.run(shared, halt);
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
