/**
 * What the process itself uses: memory, processor, descriptors, and how late its event loop is.
 *
 * All but the lateness is looked at when somebody asks for the metrics. The lateness is told twice: as
 * what a timer feels now and then (`event_loop_delay_ms`, the last minute), and as histograms since
 * the start (`event-loop-delays.ts`).
 */

import { readFileSync, readdirSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import type { Clock } from '../base/host.ts';
import { countEventLoopDelays, mainThreadTime } from './event-loop-delays.ts';
import type { MetricsRegistry } from './metrics-registry.ts';

const SAMPLE_MS = 100;
/** The last minute of the event loop is known in steps of this. */
const BUSY_SAMPLE_MS = 10_000;
const BUSY_SAMPLES = 6;

/** For as long as the process lives. */
export function measureProcess(metrics: MetricsRegistry, clock: Clock): void {
  const startedSeconds = Math.round((Date.now() - performance.now()) / 1000);
  metrics.gauge('process_start_time_seconds', startedSeconds);
  const descriptorsMax = maxDescriptors();
  if (descriptorsMax !== undefined) metrics.gauge('process_max_fds', descriptorsMax);
  const countCpu = rising(metrics, 'process_cpu_seconds_total');
  const countBusy = rising(metrics, 'process_event_loop_busy_seconds_total');
  metrics.beforeSnapshot(() => {
    const { rss, heapUsed } = process.memoryUsage();
    metrics.gauge('process_resident_memory_bytes', rss);
    const ownBytes = ownMemory();
    if (ownBytes !== undefined) metrics.gauge('process_own_memory_bytes', ownBytes);
    metrics.gauge('process_heap_used_bytes', heapUsed);
    const descriptorCount = openDescriptors();
    if (descriptorCount !== undefined) metrics.gauge('process_open_fds', descriptorCount);
    const { user, system } = process.cpuUsage();
    countCpu((user + system) / 1_000_000);
    countBusy(performance.eventLoopUtilization().active / 1_000);
  });
  showMemory(metrics);
  sampleBusy(metrics, clock);
  sampleDelay(metrics, clock);
  countEventLoopDelays(metrics, clock, mainThreadTime());
}

function showMemory(metrics: MetricsRegistry): void {
  // A group without a limit says 0, or more than there is.
  const groupBytes = process.constrainedMemory() || Infinity;
  metrics.gauge('memory_limit_bytes', Math.min(totalmem(), groupBytes));
  metrics.beforeSnapshot(() => metrics.gauge('memory_available_bytes', freemem()));
}

/** Asked for with the metrics: between then and a minute ago, or the start. */
function sampleBusy(metrics: MetricsRegistry, clock: Clock): void {
  const samples: EventLoopUtilization[] = [performance.eventLoopUtilization()];
  const look = (): void => {
    clock.after(BUSY_SAMPLE_MS, () => {
      samples.push(performance.eventLoopUtilization());
      if (samples.length > BUSY_SAMPLES) samples.shift();
      look();
    });
  };
  look();
  metrics.beforeSnapshot(() => {
    const { utilization } = performance.eventLoopUtilization(samples[0]);
    metrics.gauge('process_event_loop_busy_ratio', utilization);
  });
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

/** Undefined where the system does not tell. */
function openDescriptors(): number | undefined {
  try {
    // One of them is the folder being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/** Undefined where the system does not tell, or there is no limit. */
function maxDescriptors(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    return Number.isNaN(soft) ? undefined : soft;
  } catch {
    return undefined;
  }
}

/** Resident memory without pages of files; undefined where the system does not tell. */
function ownMemory(): number | undefined {
  try {
    const status = readFileSync('/proc/self/status', 'latin1');
    const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
