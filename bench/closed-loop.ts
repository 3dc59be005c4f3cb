/**
 * A closed loop against nodes on this machine, and what it cost them.
 *
 * The workers of one process send again when the last answer has come. Latencies are in µs. A cost is
 * all the processor time of the node processes in the meantime, divided by the operations.
 */

import { build, type Histogram } from 'hdr-histogram-js';
import { cpuMicrosOf, residentBytesOf } from './process-costs.ts';

/** One operation on the key with this number. */
export type Operate = (index: number) => Promise<unknown>;

export interface LoopOptions {
  /** Operations under way. */
  readonly connections: number;
  readonly keyCount: number;
}

export interface MeasuredLoop {
  readonly histogram: Histogram;
  readonly operationsPerSecond: number;
  readonly errorCount: number;
  readonly generatorMicros: number;
  /** Of all nodes, for one operation. */
  readonly nodeMicros: number;
  /** Of the largest node, at the end. */
  readonly residentBytes: number;
}

const SECOND_MS = 1_000;
const HIGHEST_LATENCY_MICROS = 120_000_000;

/** `count` operations on one key after the other. */
export async function repeat(operate: Operate, count: number, options: LoopOptions): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      await operate(index % options.keyCount);
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
}

/** Operations on keys drawn evenly, for so long. */
export async function measureLoop(
  operate: Operate,
  durationMs: number,
  { pids, connections, keyCount }: LoopOptions & { readonly pids: readonly number[] },
): Promise<MeasuredLoop> {
  const histogram = build({ highestTrackableValue: HIGHEST_LATENCY_MICROS });
  const nodesBefore = cpuMicrosOf(pids);
  const selfBefore = process.cpuUsage();
  const startedMs = performance.now();
  let errorCount = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - startedMs < durationMs) {
      const beganMs = performance.now();
      try {
        await operate(Math.floor(Math.random() * keyCount));
        histogram.recordValue(Math.round((performance.now() - beganMs) * 1_000));
      } catch {
        errorCount += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const elapsedMs = performance.now() - startedMs;
  const self = process.cpuUsage(selfBefore);
  const count = Math.max(1, histogram.totalCount);
  return {
    histogram,
    operationsPerSecond: (histogram.totalCount * SECOND_MS) / elapsedMs,
    errorCount,
    generatorMicros: (self.user + self.system) / count,
    nodeMicros: (cpuMicrosOf(pids) - nodesBefore) / count,
    residentBytes: Math.max(...pids.map(residentBytesOf)),
  };
}
