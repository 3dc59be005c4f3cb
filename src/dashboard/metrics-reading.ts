/**
 * A node's metrics as numbers, read from the OpenMetrics text that every node gives. Pure.
 *
 * Series with labels add up under the bare name, those of a summary's quantiles stand under their
 * own.
 */

import type { NodeFigures } from './page/snapshot.ts';

const PREFIX = 'vertebra_';
/** More than any node has; what is beyond is another program's. */
const SERIES_MAX = 5_000;
const RELEASE_MAX_LENGTH = 40;

export interface MetricsReading {
  /** By the clock of the dashboard. */
  readonly atMs: number;
  readonly values: ReadonlyMap<string, number>;
  /** Of the series of a name, the one furthest from zero, without its sign. */
  readonly largest: ReadonlyMap<string, number>;
  readonly release: string | undefined;
}

export function readMetrics(text: string, atMs: number): MetricsReading {
  const values = new Map<string, number>();
  const largest = new Map<string, number>();
  let release: string | undefined;
  for (const [, name = '', labels = '', digits] of text.matchAll(
    /^vertebra_([A-Za-z0-9_]+)(?:\{([^}\n]*)\})? (\S+)$/gm,
  )) {
    const value = Number(digits);
    if (!Number.isFinite(value)) continue;
    if (values.size >= SERIES_MAX) break;
    if (name === 'build_info')
      release = /(?:^|,)version="([^"]*)"/.exec(labels)?.[1]?.slice(0, RELEASE_MAX_LENGTH);
    const quantile = /quantile="([^"]*)"/.exec(labels)?.[1];
    if (quantile === undefined) values.set(name, (values.get(name) ?? 0) + value);
    else values.set(`${name} ${quantile}`, value);
    if (labels !== '') largest.set(name, Math.max(largest.get(name) ?? 0, Math.abs(value)));
  }
  return { atMs, values, largest, release };
}

/** Whether the text is a node's at all. */
export function areMetrics(text: string): boolean {
  return text.includes(`\n${PREFIX}`) || text.startsWith(PREFIX);
}

/** `before`: of the same node, a round earlier; rates are left out without it, and after a restart. */
export function figuresOf(
  now: MetricsReading,
  before: MetricsReading | undefined,
  wallMs: number,
): NodeFigures {
  const { values } = now;
  const rate = (name: string): number | undefined => rateOf(name, now, before);
  const startedSeconds = values.get('process_start_time_seconds');
  const millis = (name: string, quantile: string): number | undefined => {
    const micros = values.get(`${name} ${quantile}`) ?? 0;
    return micros > 0 ? micros / 1_000 : undefined;
  };
  return withoutUnknown({
    uptimeSeconds: startedSeconds && Math.max(0, wallMs / 1_000 - startedSeconds),
    epoch: values.get('membership_epoch'),
    readsPerSecond: rate('node_gets_total'),
    writesPerSecond: rate('node_puts_total'),
    readP50Ms: millis('node_get_fsm_time', '0.5'),
    readP99Ms: millis('node_get_fsm_time', '0.99'),
    writeP50Ms: millis('node_put_fsm_time', '0.5'),
    writeP99Ms: millis('node_put_fsm_time', '0.99'),
    loopDelayMs: values.get('event_loop_delay_ms 0.99'),
    busyRatio: values.get('process_event_loop_busy_ratio'),
    memoryBytes:
      values.get('process_own_memory_bytes') ?? values.get('process_resident_memory_bytes'),
    memoryLimitBytes: values.get('memory_limit_bytes'),
    diskFreeBytes: values.get('disk_free_bytes'),
    diskTotalBytes: values.get('disk_total_bytes'),
    diskReserveBytes: values.get('disk_reserve_bytes'),
    storeBytes: values.get('store_bytes'),
    hints: values.get('handoff_hints'),
    refusedPerSecond: rate('requests_refused_total'),
    requestsWaiting: values.get('requests_waiting'),
    transferBytesPerSecond: rate('transfer_bytes_total'),
  });
}

/** A counter that has not counted yet is not among the metrics. */
function rateOf(
  name: string,
  now: MetricsReading,
  before: MetricsReading | undefined,
): number | undefined {
  if (before === undefined || now.atMs <= before.atMs) return undefined;
  const started = 'process_start_time_seconds';
  if (now.values.get(started) !== before.values.get(started)) return undefined;
  const risen = (now.values.get(name) ?? 0) - (before.values.get(name) ?? 0);
  return risen < 0 ? undefined : (1_000 * risen) / (now.atMs - before.atMs);
}

type Optional<T> = { readonly [Name in keyof T]: T[Name] | undefined };

function withoutUnknown(figures: Optional<NodeFigures>): NodeFigures {
  const known = Object.entries(figures).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as NodeFigures;
}
