/**
 * What the process itself uses: memory, processor, descriptors, and how late its event loop is.
 *
 * All but the lateness is looked at when somebody asks for the metrics. The lateness is told twice: as
 * what a timer feels now and then (`event_loop_delay_ms`, the last minute), and as a histogram since
 * the start (`event_loop_delays`), looked at so often that no long stall is missed; two readings of it
 * differ by what happened in between.
 */

import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Clock } from '../base/host.ts';
import type { MetricsRegistry } from './metrics-registry.ts';

const SAMPLE_MS = 100;
/** A stall is seen as at most this much shorter than it was. */
const STALL_SAMPLE_MS = 10;
/** The bounds that the histogram of delays has, each counting what is as late or later. */
const DELAY_BOUNDS_MS = [
  0, 1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000,
] as const;

/** For as long as the process lives. */
export function measureProcess(metrics: MetricsRegistry, clock: Clock): void {
  const startedSeconds = Math.round((Date.now() - performance.now()) / 1000);
  metrics.gauge('process_start_time_seconds', startedSeconds);
  const countCpu = rising(metrics, 'process_cpu_seconds_total');
  const countBusy = rising(metrics, 'process_event_loop_busy_seconds_total');
  metrics.beforeSnapshot(() => {
    const { rss, heapUsed } = process.memoryUsage();
    metrics.gauge('process_resident_memory_bytes', rss);
    metrics.gauge('process_heap_used_bytes', heapUsed);
    const descriptorCount = openDescriptors();
    if (descriptorCount !== undefined) metrics.gauge('process_open_fds', descriptorCount);
    const { user, system } = process.cpuUsage();
    countCpu((user + system) / 1_000_000);
    countBusy(performance.eventLoopUtilization().active / 1_000);
  });
  sampleDelay(metrics, clock);
  countDelays(metrics, clock);
}

/** Counts how far a sum has come since it was last told. */
function rising(metrics: MetricsRegistry, name: string): (sum: number) => void {
  let told = 0;
  return (sum) => {
    metrics.count(name, Math.max(0, sum - told));
    told = Math.max(told, sum);
  };
}

function sampleDelay(metrics: MetricsRegistry, clock: Clock): void {
  const dueMs = clock.monotonicMs() + SAMPLE_MS;
  clock.after(SAMPLE_MS, () => {
    metrics.observe('event_loop_delay_ms', Math.max(0, clock.monotonicMs() - dueMs));
    sampleDelay(metrics, clock);
  });
}

/** One count for each time it looks, as late as it was; told as cumulative counts by bound. */
function countDelays(metrics: MetricsRegistry, clock: Clock): void {
  const untold = new Uint32Array(DELAY_BOUNDS_MS.length);
  const look = (): void => {
    const dueMs = clock.monotonicMs() + STALL_SAMPLE_MS;
    clock.after(STALL_SAMPLE_MS, () => {
      const delayMs = Math.max(0, clock.monotonicMs() - dueMs);
      let bound = DELAY_BOUNDS_MS.length - 1;
      while (bound > 0 && (DELAY_BOUNDS_MS[bound] as number) > delayMs) bound -= 1;
      untold[bound] = (untold[bound] as number) + 1;
      look();
    });
  };
  look();
  metrics.beforeSnapshot(() => {
    let count = 0;
    for (let bound = DELAY_BOUNDS_MS.length - 1; bound >= 0; bound -= 1) {
      count += untold[bound] as number;
      const ms = DELAY_BOUNDS_MS[bound] as number;
      metrics.count(`event_loop_delays_total{from_ms="${ms}"}`, count);
    }
    untold.fill(0);
  });
}

/** Undefined where the system does not tell. */
function openDescriptors(): number | undefined {
  try {
    // One of them is the folder being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}
