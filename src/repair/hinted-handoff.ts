/**
 * Hinted handoff: what a fallback took in for a node that was down goes to it when it is back.
 *
 * Each hint is handed off by sending the present copy and settling the hint once the target has it
 * durably; the copy goes with the hint where this node is no replica of the key. Idempotent, and cut
 * off anywhere: an unsettled hint is handed off again. A target that does not answer is left alone
 * for a while, twice as long each time. A hint whose target is no replica of the key any more, or no
 * member, is owed to those who are; one whose target is a replica in only one of the two rings of an
 * open step, to the replicas of both.
 */

import { isFault } from '../base/fault.ts';
import type { Fault } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import type { Hint } from '../replica/replica.ts';
import { Background } from './background.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import { Halt } from './halt.ts';
import { Lanes } from './lanes.ts';
import type { RepairPorts } from './ports.ts';
import { isReplicaNow, replicasOf } from './replica-sets.ts';
import { isAboutObject, RepairRequests } from './requests.ts';
import { isStillHeld } from './still-held.ts';

export interface HandoffOptions {
  /** Between two looks for targets that are back, if nobody wakes it. */
  readonly restMs: number;
  /** Targets served at once. */
  readonly targetsMax: number;
  /** Objects on their way to one target at once. */
  readonly objectsMax: number;
  /** Over all targets. */
  readonly bytesPerSecond: number;
  readonly requestTimeoutMs: number;
  /** How long a target that failed is left alone: at first, and at most. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

export const HANDOFF_DEFAULTS: HandoffOptions = {
  restMs: 2_000,
  targetsMax: 2,
  objectsMax: 16,
  bytesPerSecond: 32 * 1024 * 1024,
  requestTimeoutMs: 10_000,
  backoffMs: 1_000,
  backoffMaxMs: 60_000,
};

export interface HintStatus {
  readonly target: NodeId;
  readonly count: number;
  readonly isUp: boolean;
  readonly retryInMs: number;
}

interface Backoff {
  readonly untilMs: number;
  readonly delayMs: number;
}

export class HintedHandoff {
  readonly rateLimit: ByteRateLimit;
  readonly #ports: RepairPorts;
  readonly #options: HandoffOptions;
  readonly #requests: RepairRequests;
  readonly #background: Background;
  readonly #backoffByTarget = new Map<NodeId, Backoff>();

  constructor(ports: RepairPorts, options: HandoffOptions = HANDOFF_DEFAULTS) {
    this.#ports = ports;
    this.#options = options;
    this.#requests = new RepairRequests(ports.peer, options.requestTimeoutMs);
    this.rateLimit = new ByteRateLimit(ports.host.clock, options.bytesPerSecond);
    const background = { name: 'handoff', restMs: options.restMs };
    this.#background = new Background(ports.host, background, (halt) => this.drain(halt));
  }

  start(): void {
    this.#background.start();
  }

  /** Whom this node owes something, and when it tries again. */
  status(): readonly HintStatus[] {
    const { host, replica, view } = this.#ports;
    const nowMs = host.clock.monotonicMs();
    return [...replica.hintCounts()].map(([target, count]) => ({
      target,
      count,
      isUp: view.isUp(target),
      retryInMs: Math.max(0, (this.#backoffByTarget.get(target)?.untilMs ?? nowMs) - nowMs),
    }));
  }

  /** A node is back: its hints are handed off now. */
  nodeReturned(node: NodeId): void {
    this.#backoffByTarget.delete(node);
    if (this.#ports.replica.hintCounts().has(node)) this.#background.wake();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Hands off, once, what is owed to targets that can take it now. */
  async drain(halt: Halt = new Halt()): Promise<void> {
    const { host, replica } = this.#ports;
    const counts = replica.hintCounts();
    host.metrics.gauge(
      'handoff_hints',
      [...counts.values()].reduce((sum, count) => sum + count, 0),
    );
    const targets = [...counts.keys()].filter((target) => this.#isReady(target));
    const lanes = new Lanes(this.#options.targetsMax);
    for (const target of targets) {
      if (halt.isSet) break;
      await lanes.start(() => this.#drainTarget(target, halt));
    }
    await lanes.end();
  }

  #isReady(target: NodeId): boolean {
    const { host, view } = this.#ports;
    const backoff = this.#backoffByTarget.get(target);
    if (backoff !== undefined && backoff.untilMs > host.clock.monotonicMs()) return false;
    // What was owed to a node that has left is owed to others, and they are asked one by one.
    return view.isUp(target) || !view.state().members.some(({ id }) => id === target);
  }

  async #drainTarget(target: NodeId, halt: Halt): Promise<void> {
    const { replica } = this.#ports;
    const lanes = new Lanes(this.#options.objectsMax);
    try {
      for await (const batch of replica.hints(target)) {
        for (const hint of batch) {
          if (halt.isSet) break;
          await lanes.start(() => this.#handOff(hint, halt));
        }
        if (halt.isSet) break;
      }
      await lanes.end();
      this.#backoffByTarget.delete(target);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#backOff(target, error);
    }
  }

  async #handOff(hint: Hint, halt: Halt): Promise<void> {
    const { host, replica, self, view } = this.#ports;
    const { key, partition } = hint;
    const placement = view.place(key);
    if (placement === undefined) return;
    const { n_val: n } = placement.properties;
    const replicas = replicasOf(view, { partition, nVal: n });

    const record = await replica.getRecord(key, partition, false);
    if (record === undefined) {
      await replica.settleHint(hint, undefined, false);
      return;
    }
    const rings = [view.ring(), view.jointRing() ?? view.ring()];
    const isTargetEnough = rings.every((ring) => ring.isReplica(partition, n, hint.target));
    const receivers = isTargetEnough
      ? [hint.target]
      : replicas.filter((node) => node === self || view.isUp(node));
    // Who is down finds it at the others, once one of them has it.
    if (receivers.length === 0) return;
    for (const receiver of receivers) {
      if (receiver === self) continue;
      if (!(await this.rateLimit.take(record.length, halt))) return;
      if (!(await isStillHeld(replica, hint, record))) return;
      if (!(await this.#give(receiver, hint, record))) return;
    }
    // What not every replica has is not dropped: leftovers gives it to all of them when they are back.
    const areAllServed = isTargetEnough || receivers.length === replicas.length;
    // While that took its time a step or an n_val may have made this node a replica.
    const dropsCopy = areAllServed && !isReplicaNow(this.#ports, key, partition);
    await replica.settleHint(hint, record, dropsCopy);
    host.metrics.count('handoff_objects');
    host.metrics.count('handoff_bytes', record.length);
  }

  /** False: the receiver is there but does not take this object; its hint stays. */
  async #give(receiver: NodeId, hint: Hint, record: Buffer): Promise<boolean> {
    try {
      await this.#requests.merge(receiver, hint.key, record);
      return true;
    } catch (error) {
      if (!isFault(error) || !isAboutObject(error)) throw error;
      this.#ports.host.metrics.count('handoff_refused');
      return false;
    }
  }

  #backOff(target: NodeId, fault: Fault): void {
    const { host } = this.#ports;
    const { backoffMs, backoffMaxMs } = this.#options;
    const before = this.#backoffByTarget.get(target);
    const delayMs = Math.min(before === undefined ? backoffMs : before.delayMs * 2, backoffMaxMs);
    const untilMs = host.clock.monotonicMs() + delayMs;
    this.#backoffByTarget.set(target, { delayMs, untilMs });
    host.metrics.count('handoff_broken_off');
    host.log.info('repair.handoff.broken-off', { target, code: fault.code, retryMs: delayMs });
  }
}
