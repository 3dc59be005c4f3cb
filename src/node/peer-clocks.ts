/**
 * How far the other nodes are away, and how far their clocks.
 *
 * A pong tells the peer's wall clock; that was half a round trip ago, give or take the other half. Of the
 * last rounds the quickest says most, because whatever held one up (a queue, a collection, a busy
 * loop) held up one of its two ways more than the other. After a clock has been set, the rounds of before
 * are believed for a few heartbeats more.
 *
 * Pure. Source: RFC 5905, "Network Time Protocol Version 4", sections 8 and 10.
 */

import type { NodeId } from '../base/names.ts';

export interface PeerClock {
  readonly node: NodeId;
  /** The median of the last round trips. */
  readonly rttMs: number;
  /** Its clock less ours; undefined: it does not tell the time, because its release is older. */
  readonly offsetMs: number | undefined;
  /** The offset is right to this. */
  readonly uncertainMs: number;
}

/** A round trip that has just ended. */
export interface RoundTrip {
  readonly rttMs: number;
  /** Our wall clock now. */
  readonly wallMicros: number;
  /** Theirs, in the answer. */
  readonly theirWallMicros: number | undefined;
}

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number | undefined;
}

const SAMPLES_MAX = 8;

export class PeerClocks {
  readonly #samplesByNode = new Map<NodeId, Sample[]>();

  note(node: NodeId, { rttMs, wallMicros, theirWallMicros }: RoundTrip): void {
    const offsetMs =
      theirWallMicros === undefined
        ? undefined
        : (theirWallMicros - wallMicros) / 1_000 + rttMs / 2;
    const samples = this.#samplesByNode.get(node) ?? [];
    samples.push({ rttMs, offsetMs });
    if (samples.length > SAMPLES_MAX) samples.shift();
    this.#samplesByNode.set(node, samples);
  }

  forget(node: NodeId): void {
    this.#samplesByNode.delete(node);
  }

  /** Of the nodes that have answered and were not forgotten since, by name. */
  readings(): PeerClock[] {
    return [...this.#samplesByNode]
      .map(([node, samples]) => readingOf(node, samples))
      .sort((left, right) => (left.node < right.node ? -1 : 1));
  }
}

function readingOf(node: NodeId, samples: readonly Sample[]): PeerClock {
  const byTime = [...samples].sort((left, right) => left.rttMs - right.rttMs);
  const rttMs = byTime[byTime.length >> 1]?.rttMs ?? 0;
  const quickest = byTime.find(({ offsetMs }) => offsetMs !== undefined);
  const { offsetMs, rttMs: quickestMs = rttMs } = quickest ?? {};
  return { node, rttMs, offsetMs, uncertainMs: quickestMs / 2 };
}
