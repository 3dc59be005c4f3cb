/**
 * The slow log by an operator: the newest notable requests of this node.
 */

import type { SlowLog, SlowLogEntry, SlowLogOptions } from '../node/slow-log.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import { nameToText } from './name-text.ts';

const LIMIT_DEFAULT = 20;

export interface ShownRequest extends Omit<SlowLogEntry, 'wallMicros' | 'type' | 'bucket'> {
  /** ISO 8601. */
  readonly time: string;
  readonly type?: string;
  readonly bucket?: string;
}

export interface SlowLogReport {
  readonly thresholds: SlowLogOptions;
  /** Since the node was started. */
  readonly noted: number;
  /** The newest first. */
  readonly entries: readonly ShownRequest[];
}

export function slowLogCommands(slowLog: SlowLog): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([['slowlog', async (options) => report(slowLog, options)]]);
}

function report(slowLog: SlowLog, { limit }: Readonly<Record<string, unknown>>): SlowLogReport {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && Number(limit) > 0)) {
    throw new AdminRefusal('the limit is a number of entries');
  }
  const entries = slowLog.entries(Number(limit ?? LIMIT_DEFAULT));
  return {
    thresholds: slowLog.options,
    noted: slowLog.notedCount,
    entries: entries.map(({ wallMicros, type, bucket, ...rest }) => ({
      time: new Date(wallMicros / 1000).toISOString(),
      ...rest,
      ...(type === undefined ? {} : { type: nameToText(type) }),
      ...(bucket === undefined ? {} : { bucket: nameToText(bucket) }),
    })),
  };
}
