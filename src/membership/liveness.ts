/**
 * Liveness: which members are up, judged from what was heard of them and when.
 *
 * Up means that requests to the node come back, so only a round trip (a pong, any reply) keeps a node
 * up; a ping from it shows one direction only, which a one-way partition would leave intact. There
 * is hysteresis both ways: a node goes down after a run of misses, a silence, or a lost link, and
 * comes back after several good signs in a row, a round trip among them.
 *
 * A node that was itself stopped (a paused machine, a long collection) hears nobody for that time
 * through no fault of theirs. A gap in its own calls shows that; then everyone starts afresh and
 * what fails in the next moment does not count.
 *
 * Pure: time comes in with each call, in milliseconds of one monotonic clock. Source: Chandra and
 * Toueg 1996, "Unreliable Failure Detectors"; Hayashibara et al. 2004, "The φ Accrual Failure
 * Detector".
 */

import { assert } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';

export type Evidence =
  /** A reply to something this node sent. */
  | 'round-trip'
  /** A ping from the node: it reaches us. */
  | 'ping-received'
  /** A request to it timed out. */
  | 'request-failed'
  /** The link to it broke or could not be opened. */
  | 'link-lost';

export interface LivenessOptions {
  /** Between two pings to a node, and at most between two calls of `tick`. Default 1,000. */
  readonly heartbeatMs?: number;
  /** Misses in a row, or heartbeats of silence, that make a node down. Default 3. */
  readonly missesMax?: number;
  /** Good signs in a row that bring a node back. Default 2. */
  readonly signsToReturn?: number;
  /** A gap between calls that shows this node was stopped. Default two heartbeats. */
  readonly pauseMs?: number;
}

export interface LivenessChange {
  readonly node: NodeId;
  readonly isUp: boolean;
}

interface Judged {
  isUp: boolean;
  wasEverUp: boolean;
  /** When the last round trip ended, or when the node was last given the benefit of the doubt. */
  roundTripMs: number;
  misses: number;
  /** Good signs since the last bad one, while down. */
  signs: number;
  /** Whether a round trip is among `signs`. */
  hasReturned: boolean;
}

const NO_CHANGES: readonly LivenessChange[] = [];

export class Liveness {
  readonly localNode: NodeId;
  readonly #heartbeatMs: number;
  readonly #silenceMs: number;
  readonly #missesMax: number;
  readonly #signsToReturn: number;
  readonly #pauseMs: number;
  readonly #judgedByNode = new Map<NodeId, Judged>();
  readonly #up = new Set<NodeId>();
  #version = 0;
  #pauses = 0;
  #lastCallMs: number | undefined;
  #graceUntilMs = Number.NEGATIVE_INFINITY;

  constructor(localNode: NodeId, options: LivenessOptions = {}) {
    this.localNode = localNode;
    this.#heartbeatMs = options.heartbeatMs ?? 1_000;
    this.#missesMax = options.missesMax ?? 3;
    this.#silenceMs = this.#heartbeatMs * this.#missesMax;
    this.#signsToReturn = options.signsToReturn ?? 2;
    this.#pauseMs = options.pauseMs ?? 2 * this.#heartbeatMs;
    assert(this.#pauseMs <= this.#silenceMs, 'a pause is noticed before silence is judged');
    this.#up.add(localNode);
  }

  /** Rises with each change of who is up. */
  get version(): number {
    return this.#version;
  }

  /** How often this node found that it had been stopped. */
  get pauseCount(): number {
    return this.#pauses;
  }

  /** Always true for this node itself; false for strangers and for members never reached. */
  isUp(node: NodeId): boolean {
    return this.#up.has(node);
  }

  /** This node and the members that are up. */
  liveNodes(): readonly NodeId[] {
    return [...this.#up].sort();
  }

  /** Judges these members from now on, and no others; new ones are down until first reached. */
  setMembers(members: readonly NodeId[], nowMs: number): readonly LivenessChange[] {
    this.#notePause(nowMs);
    const changes: LivenessChange[] = [];
    const wanted = new Set(members.filter((node) => node !== this.localNode));
    for (const [node, judged] of this.#judgedByNode) {
      if (wanted.has(node)) continue;
      if (judged.isUp) changes.push(this.#setUp(node, judged, false));
      this.#judgedByNode.delete(node);
    }
    for (const node of wanted) {
      if (this.#judgedByNode.has(node)) continue;
      this.#judgedByNode.set(node, {
        isUp: false,
        wasEverUp: false,
        roundTripMs: nowMs,
        misses: 0,
        signs: 0,
        hasReturned: false,
      });
    }
    return changes;
  }

  /** Takes one piece of evidence into account; of strangers none is kept. */
  observe(node: NodeId, evidence: Evidence, nowMs: number): readonly LivenessChange[] {
    this.#notePause(nowMs);
    const judged = this.#judgedByNode.get(node);
    if (judged === undefined) return NO_CHANGES;
    switch (evidence) {
      case 'round-trip':
        return this.#goodSign(node, judged, nowMs);
      case 'ping-received':
        return this.#goodSign(node, judged, undefined);
      case 'request-failed':
        return nowMs < this.#graceUntilMs ? NO_CHANGES : this.#miss(node, judged);
      case 'link-lost':
        return nowMs < this.#graceUntilMs ? NO_CHANGES : this.#fall(node, judged);
    }
  }

  /** Judges silences; call it about every heartbeat. O(members). */
  tick(nowMs: number): readonly LivenessChange[] {
    this.#notePause(nowMs);
    let changes = NO_CHANGES;
    for (const [node, judged] of this.#judgedByNode) {
      if (!judged.isUp || nowMs - judged.roundTripMs < this.#silenceMs) continue;
      changes = [...changes, ...this.#fall(node, judged)];
    }
    return changes;
  }

  #notePause(nowMs: number): void {
    const lastCallMs = this.#lastCallMs;
    this.#lastCallMs = nowMs;
    if (lastCallMs === undefined || nowMs - lastCallMs <= this.#pauseMs) return;
    this.#pauses += 1;
    this.#graceUntilMs = nowMs + this.#heartbeatMs;
    for (const judged of this.#judgedByNode.values()) {
      judged.roundTripMs = nowMs;
      judged.misses = 0;
    }
  }

  #goodSign(
    node: NodeId,
    judged: Judged,
    roundTripMs: number | undefined,
  ): readonly LivenessChange[] {
    if (roundTripMs !== undefined) {
      judged.roundTripMs = roundTripMs;
      judged.misses = 0;
      judged.hasReturned = true;
    }
    if (judged.isUp) return NO_CHANGES;
    judged.signs += 1;
    // First contact is no flapping.
    const needed = judged.wasEverUp ? this.#signsToReturn : 1;
    if (!judged.hasReturned || judged.signs < needed) return NO_CHANGES;
    return [this.#setUp(node, judged, true)];
  }

  #miss(node: NodeId, judged: Judged): readonly LivenessChange[] {
    judged.misses += 1;
    if (judged.isUp && judged.misses < this.#missesMax) return NO_CHANGES;
    return this.#fall(node, judged);
  }

  #fall(node: NodeId, judged: Judged): readonly LivenessChange[] {
    judged.signs = 0;
    judged.hasReturned = false;
    return judged.isUp ? [this.#setUp(node, judged, false)] : NO_CHANGES;
  }

  #setUp(node: NodeId, judged: Judged, isUp: boolean): LivenessChange {
    judged.isUp = isUp;
    judged.misses = 0;
    judged.signs = 0;
    judged.hasReturned = false;
    if (isUp) {
      judged.wasEverUp = true;
      this.#up.add(node);
    } else {
      this.#up.delete(node);
    }
    this.#version += 1;
    return { node, isUp };
  }
}
