/**
 * Lineage: the starts of a node's store, each under a mark that was drawn for it.
 *
 * Incarnations are counted, so two copies of a disk count alike; marks are random and durable before
 * anything else is done, so a copy that begins again draws another one. Whoever remembers one start
 * can tell whether a later caller descends from it or from a copy that was made before it. Pure.
 */

import type { ByteString } from './bytes.ts';

/** Eight random bytes for each start. */
export const START_MARK_SIZE_BYTES = 8;
/** A store's first start and the last so many are kept. */
export const STARTS_MAX = 16;

export interface Start {
  readonly incarnation: number;
  readonly mark: ByteString;
}

export interface Lineage {
  /** When the store came to be, or was found to have forgotten. */
  readonly origin: Start;
  /** The last starts, oldest first; this one is the last. */
  readonly starts: readonly Start[];
}

/** What is remembered of a node: one start, and how its store had begun. */
export interface KnownStart extends Start {
  readonly origin: Start;
}

export function newLineage(start: Start): Lineage {
  return { origin: start, starts: [start] };
}

export function extendLineage({ origin, starts }: Lineage, start: Start): Lineage {
  return { origin, starts: [...starts, start].slice(-STARTS_MAX) };
}

/** The start that is under way. */
export function lastStart({ origin, starts }: Lineage): Start {
  return starts.at(-1) ?? origin;
}

/** The same start under another incarnation. */
export function renumbered({ origin, starts }: Lineage, incarnation: number): Lineage {
  const last = lastStart({ origin, starts });
  const start = { ...last, incarnation };
  return {
    origin: origin.mark === last.mark ? start : origin,
    starts: [...starts.slice(0, -1), start],
  };
}

export type Descent =
  /** It is the known start, or the same store after it. */
  | 'descends'
  /** Another store, that came to be after the known start. */
  | 'newer-store'
  /** A copy from before the known start, or the disk from before that store. */
  | 'older-copy'
  /** The known start is older than all that are told. */
  | 'unknown';

/** Whether who tells this lineage may follow the known start. */
export function descentFrom(known: KnownStart, lineage: Lineage): Descent {
  const { origin, starts } = lineage;
  if (starts.some(({ mark }) => mark === known.mark)) return 'descends';
  if (origin.mark !== known.origin.mark) {
    return origin.incarnation > known.origin.incarnation ? 'newer-store' : 'older-copy';
  }
  if (origin.mark === known.mark) return 'descends';
  const oldest = starts[0] ?? origin;
  return known.incarnation < oldest.incarnation ? 'unknown' : 'older-copy';
}
