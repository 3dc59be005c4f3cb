/**
 * Hot keys and slow requests of all nodes together, without keys. Pure.
 */

import type { ShownHotKeys } from '../admin/hot-key-commands.ts';
import type { SlowAnswers } from './node-source.ts';
import type { HotKeysView, HotKeyView, SlowLogView } from './page/snapshot.ts';

export type SlowByNode = ReadonlyMap<string, SlowAnswers>;

const KEYS_MAX = 20;
const ENTRIES_MAX = 40;

/** Undefined: no node told. */
export function hotKeysView(slowByNode: SlowByNode): HotKeysView | undefined {
  if (slowByNode.size === 0) return undefined;
  const merged = (of: (slow: SlowAnswers) => ShownHotKeys): HotKeyView[] =>
    [...slowByNode]
      .flatMap(([node, slow]) =>
        of(slow).keys.map(({ type, bucket, keyFingerprint: fingerprint, perSecond, share }) => {
          return { node, type, bucket, fingerprint, perSecond, share };
        }),
      )
      .sort((left, right) => right.perSecond - left.perSecond)
      .slice(0, KEYS_MAX);
  return {
    reads: merged(({ hotKeys }) => hotKeys.reads),
    writes: merged(({ hotKeys }) => hotKeys.writes),
  };
}

/** Undefined: no node told. */
export function slowLogView(slowByNode: SlowByNode): SlowLogView | undefined {
  if (slowByNode.size === 0) return undefined;
  const reports = [...slowByNode].map(([node, { slowLog }]) => ({ node, slowLog }));
  const entries = reports.flatMap(({ node, slowLog }) =>
    slowLog.entries.map((entry) => ({
      node,
      time: entry.time,
      api: entry.api,
      operation: entry.operation,
      notable: entry.notable,
      ms: entry.ms,
      bytes: Math.max(entry.requestBytes, entry.replyBytes),
      siblings: entry.siblings,
      outcome: entry.outcome,
      bucket: entry.bucket === undefined ? undefined : bucketText(entry.type, entry.bucket),
      fingerprint: entry.keyFingerprint,
    })),
  );
  return {
    noted: reports.reduce((sum, { slowLog }) => sum + slowLog.noted, 0),
    slowMs: Math.min(...reports.map(({ slowLog }) => slowLog.thresholds.slowMs)),
    entries: entries.sort((left, right) => (left.time < right.time ? 1 : -1)).slice(0, ENTRIES_MAX),
  };
}

function bucketText(type: string | undefined, bucket: string): string {
  return type === undefined || type === 'default' ? bucket : `${type} / ${bucket}`;
}
