/**
 * What is told to the slow log of a request over HTTP that has ended.
 */

import type { SlowLog } from '../../node/slow-log.ts';
import type { Exchange } from './exchange.ts';

export function noteServed(slowLog: SlowLog | undefined, exchange: Exchange): void {
  if (slowLog === undefined) return;
  const { body, replyBytes, siblings, resource } = exchange;
  const ms = exchange.context.host.clock.monotonicMs() - exchange.startedMs - exchange.clientMs;
  if (!slowLog.isNotable(ms, Math.max(body.length, replyBytes), siblings)) return;
  slowLog.note({
    api: 'http',
    // Where there is no resource the method may be anything at all.
    operation: resource === undefined ? 'unknown' : `${exchange.method} ${resource.route}`,
    target: { ...resource?.target, key: resource?.key },
    ms,
    requestBytes: body.length,
    replyBytes,
    siblings,
    outcome: exchange.status === undefined ? 'cut' : `${exchange.status}`,
  });
}
