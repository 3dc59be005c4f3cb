/**
 * The wire form of a copy's trace: its state, its head, its size, and whom its holder owes it to.
 */

import type { CopyState, CopyTrace } from './messages.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple } from './tuple-reader.ts';
import { readNodeId } from './wire-values.ts';

/** Append-only: an index is a wire number. */
const COPY_STATES: readonly CopyState[] = ['absent', 'whole', 'damaged'];

export function traceToTuple({ state, head, sizeBytes, hintsFor }: CopyTrace): WireTuple {
  return [COPY_STATES.indexOf(state), head ?? null, sizeBytes, hintsFor];
}

export function readTrace(reader: TupleReader): CopyTrace {
  const trace: CopyTrace = {
    state: reader.choice(COPY_STATES),
    head: reader.optional((field) => field.bytes()),
    sizeBytes: reader.count(),
    hintsFor: reader.list(readNodeId),
  };
  if (trace.state === 'whole' && trace.head === undefined) throw malformed('a copy without a head');
  return trace;
}
