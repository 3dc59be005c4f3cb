/**
 * When a source is compared as a whole: at intervals, by one node of the cluster at a time, and whenever an
 * operator asks.
 *
 * The node is the first by name of those that are up. When it fails another goes on with the interval from
 * its beginning; two at once, while they do not agree who is up, cost time and nothing else.
 */

import { sleep, type Host } from '../base/host.ts';
import { Halt } from '../repair/halt.ts';
import { FullSync, type FullSyncProgress, type FullSyncResult } from './full-sync.ts';
import { jittered, STOP_TIMEOUT_MS, type ReplicationPorts, type Source } from './ports.ts';

export interface FullSyncStatus {
  /** 0: only when an operator asks. */
  readonly intervalMs: number;
  /** Whether this node is the one that begins it at intervals. */
  readonly isHere: boolean;
  /** Of the one under way. */
  readonly progress: FullSyncProgress | undefined;
  /** Of those that this node has run. */
  readonly last: FullSyncResult | undefined;
  /** Since the last that compared everything, or since the node became the one to run them. */
  readonly ageMs: number | undefined;
  /** Undefined: nothing is planned here. */
  readonly nextInMs: number | undefined;
}

const LOOK_MS = 500;
/** The first comes soon: what was queued on a node that died is missing. */
const FIRST_MS = 60_000;
/** After one that failed. */
const AGAIN_MS = 300_000;

export class FullSyncs {
  readonly #ports: ReplicationPorts;
  readonly #source: Source;
  readonly #halt = new Halt();
  #isPaused = false;
  #isAsked = false;
  #current: FullSync | undefined;
  #last: FullSyncResult | undefined;
  /** Undefined: another node's. */
  #dueMs: number | undefined;
  /** When all was compared last, or this node's turn began. */
  #comparedMs: number | undefined;
  #running: Promise<void> | undefined;

  constructor(ports: ReplicationPorts, source: Source) {
    this.#ports = ports;
    this.#source = source;
  }

  start(onBug: (error: unknown) => void): void {
    this.#running = this.#run().catch(onBug);
  }

  async stop(): Promise<void> {
    this.#halt.set();
    this.#current?.end();
    // A fold here may wait for a member that is silent.
    await Promise.race([this.#running, sleep(this.#host.clock, STOP_TIMEOUT_MS)]);
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  /** Begins now, on this node; false: one is under way, or the source is paused. */
  ask(): boolean {
    if (this.#current !== undefined || this.#isAsked || this.#isPaused) return false;
    this.#isAsked = true;
    return true;
  }

  status(): FullSyncStatus {
    const nowMs = this.#host.clock.monotonicMs();
    return {
      intervalMs: this.#source.fullSyncMs,
      isHere: this.#dueMs !== undefined,
      progress: this.#current?.progress,
      last: this.#last,
      ageMs: this.#comparedMs === undefined ? undefined : nowMs - this.#comparedMs,
      nextInMs: this.#dueMs === undefined ? undefined : Math.max(0, this.#dueMs - nowMs),
    };
  }

  get #host(): Host {
    return this.#ports.host;
  }

  async #run(): Promise<void> {
    while (await this.#halt.wait(this.#host.clock, LOOK_MS)) {
      this.#plan();
      const isDue = this.#dueMs !== undefined && this.#dueMs <= this.#host.clock.monotonicMs();
      if (this.#isAsked || (isDue && !this.#isPaused)) await this.#sync();
    }
  }

  /** Whether this node is the one. */
  #plan(): void {
    const { node } = this.#ports;
    const isMine = node.isMember() && [...node.liveMembers()].sort()[0] === node.id;
    if (!isMine || this.#source.fullSyncMs === 0) {
      this.#dueMs = undefined;
      this.#comparedMs = undefined;
    } else if (this.#dueMs === undefined) {
      this.#comparedMs = this.#host.clock.monotonicMs();
      this.#planIn(FIRST_MS);
    }
  }

  #planIn(delayMs: number): void {
    const afterMs = jittered(this.#host, Math.min(delayMs, this.#source.fullSyncMs));
    this.#dueMs = this.#host.clock.monotonicMs() + afterMs;
  }

  async #sync(): Promise<void> {
    const { log, metrics, clock } = this.#host;
    const { name: source, fullSyncMs } = this.#source;
    this.#isAsked = false;
    this.#current = new FullSync(this.#ports, this.#source, { halt: this.#halt });
    const result = await this.#current.run();
    this.#current = undefined;
    if (this.#halt.isSet) return;
    this.#last = result;
    if (result.failure === undefined) {
      metrics.count(`replication_full_syncs_total{source="${source}"}`);
      log.info('replication.full-sync-ended', { source, ...result });
      if (this.#comparedMs !== undefined) this.#comparedMs = clock.monotonicMs();
    } else {
      metrics.count(`replication_full_syncs_failed_total{source="${source}"}`);
      log.warn('replication.full-sync-failed', { source, ...result });
    }
    if (this.#dueMs !== undefined)
      this.#planIn(result.failure === undefined ? fullSyncMs : AGAIN_MS);
  }
}
