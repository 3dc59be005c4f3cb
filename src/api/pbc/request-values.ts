/**
 * Values that many requests share: names, quorums, time-outs, contexts.
 */

import { decodeContext } from '../../clock/context.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Mutable } from '../../base/mutable.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { Quorum } from '../../object/bucket-properties.ts';
import type { RequestOptions } from '../../object/requests.ts';

const SYMBOL_ONE = 0xffff_fffe;
const SYMBOL_QUORUM = 0xffff_fffd;
const SYMBOL_ALL = 0xffff_fffc;
const SYMBOL_DEFAULT = 0xffff_fffb;

/** Timers take no more than this; it is over three weeks. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** No type is the default one; an empty name is a name, which no type has. */
export function bucketTypeOf(type: ByteString | undefined): ByteString {
  return type ?? DEFAULT_BUCKET_TYPE;
}

/** Undefined where the bucket's property counts. */
export function numberToQuorum(value: number | undefined): Quorum | undefined {
  if (value === undefined || value < SYMBOL_DEFAULT) return value;
  if (value === SYMBOL_ONE) return 'one';
  if (value === SYMBOL_QUORUM) return 'quorum';
  if (value === SYMBOL_ALL) return 'all';
  return value === SYMBOL_DEFAULT ? undefined : value;
}

export function quorumToNumber(quorum: Quorum): number {
  switch (quorum) {
    case 'one':
      return SYMBOL_ONE;
    case 'quorum':
      return SYMBOL_QUORUM;
    case 'all':
      return SYMBOL_ALL;
    default:
      return quorum;
  }
}

/** How long a listing or query may go without progress, where the client says nothing. */
const IDLE_TIMEOUT_MS = 300_000;

/** For coverage: an absent time-out, or 0, is the longest. */
export function idleTimeoutOf(timeout: number | undefined): number {
  return timeout === undefined || timeout === 0
    ? IDLE_TIMEOUT_MS
    : Math.min(timeout, IDLE_TIMEOUT_MS);
}

export type ContextOutcome =
  | { readonly kind: 'context'; readonly context: VersionVector | undefined }
  | { readonly kind: 'refused' };

const NO_CONTEXT: ContextOutcome = { kind: 'context', context: undefined };
const REFUSED: ContextOutcome = { kind: 'refused' };

/** The context that a client gave, if it gave one; refused where it is none. */
export function contextOf(vclock: Buffer | undefined): ContextOutcome {
  if (vclock === undefined) return NO_CONTEXT;
  const context = decodeContext(vclock);
  return context === undefined ? REFUSED : { kind: 'context', context };
}

/** What reads, writes and deletes all take. */
interface CommonFields {
  readonly timeout: number | undefined;
  readonly sloppy_quorum: boolean | undefined;
  readonly n_val: number | undefined;
  readonly node_confirms?: number | undefined;
}

/** Sets what was given; what was not stays absent, and the bucket's property counts. */
export function setRequestOptions(options: Mutable<RequestOptions>, fields: CommonFields): void {
  const { timeout, sloppy_quorum, n_val, node_confirms } = fields;
  if (timeout !== undefined) options.timeoutMs = Math.min(timeout, TIMEOUT_MAX_MS);
  if (sloppy_quorum !== undefined) options.sloppyQuorum = sloppy_quorum;
  if (n_val !== undefined) options.nVal = n_val;
  if (node_confirms !== undefined) options.nodeConfirms = node_confirms;
}

type QuorumOption = 'r' | 'w' | 'dw' | 'pr' | 'pw' | 'rw';

/** Sets the quorum unless it is the bucket's property that counts. */
export function setQuorum<Name extends QuorumOption>(
  options: Partial<Record<Name, Quorum>>,
  name: Name,
  value: number | undefined,
): void {
  const quorum = numberToQuorum(value);
  if (quorum !== undefined) options[name] = quorum;
}
