/**
 * A host for tests: the machine's own time and chance, and a log and metrics that can be looked at.
 */

import type { Host, LogFields } from '../../src/base/host.ts';
import { SystemClock, SystemRandom } from '../../src/telemetry/system-host.ts';

export interface RecordingHost extends Host {
  /** `level event`, in order. */
  readonly events: string[];
  readonly counters: Map<string, number>;
  readonly gauges: Map<string, number>;
  readonly observations: Map<string, number[]>;
}

export function recordingHost(): RecordingHost {
  const events: string[] = [];
  const counters = new Map<string, number>();
  const gauges = new Map<string, number>();
  const observations = new Map<string, number[]>();
  const record = (level: string) => (event: string, _fields?: LogFields) =>
    void events.push(`${level} ${event}`);
  return {
    events,
    counters,
    gauges,
    observations,
    clock: new SystemClock({ isHoldingProcess: true }),
    random: new SystemRandom(),
    log: {
      debug: record('debug'),
      info: record('info'),
      warn: record('warn'),
      error: record('error'),
    },
    metrics: {
      count: (name, by = 1) => void counters.set(name, (counters.get(name) ?? 0) + by),
      gauge: (name, value) => void gauges.set(name, value),
      observe(name, value) {
        const values = observations.get(name);
        if (values === undefined) observations.set(name, [value]);
        else values.push(value);
      },
    },
  };
}
