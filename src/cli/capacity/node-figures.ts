/**
 * What a node's metrics say of its room: read from the OpenMetrics text that every node gives.
 */

export interface NodeFigures {
  /** What its store takes on disk, about. */
  readonly storeBytes: number | undefined;
  /** A second; undefined: it has not been up for long enough to tell. */
  readonly storeGrowth: number | undefined;
  readonly diskGrowth: number | undefined;
  /** Over which the growth has been observed. */
  readonly growthSeconds: number | undefined;
  readonly diskFreeBytes: number | undefined;
  readonly diskTotalBytes: number | undefined;
  readonly diskReserveBytes: number | undefined;
  /** Without pages of files, which the kernel takes back when it needs them, where that is told. */
  readonly memoryUsedBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  /** Of the whole machine. */
  readonly memoryAvailableBytes: number | undefined;
  /** Of the last minute, 0 to 1. */
  readonly busyRatio: number | undefined;
  /** How late timers were in the last minute, 99 of 100. */
  readonly delayMs: number | undefined;
}

export function figuresOf(metrics: string): NodeFigures {
  const values = new Map<string, number>();
  for (const [, name = '', value] of metrics.matchAll(/^vertebra_(\S+) (\S+)$/gm)) {
    if (Number.isFinite(Number(value))) values.set(name, Number(value));
  }
  return {
    storeBytes: values.get('store_bytes'),
    storeGrowth: values.get('store_growth_bytes_per_second'),
    diskGrowth: values.get('disk_growth_bytes_per_second'),
    growthSeconds: values.get('growth_span_seconds'),
    diskFreeBytes: values.get('disk_free_bytes'),
    diskTotalBytes: values.get('disk_total_bytes'),
    diskReserveBytes: values.get('disk_reserve_bytes'),
    memoryUsedBytes:
      values.get('process_own_memory_bytes') ?? values.get('process_resident_memory_bytes'),
    memoryLimitBytes: values.get('memory_limit_bytes'),
    memoryAvailableBytes: values.get('memory_available_bytes'),
    busyRatio: values.get('process_event_loop_busy_ratio'),
    delayMs: values.get('event_loop_delay_ms{quantile="0.99"}'),
  };
}
