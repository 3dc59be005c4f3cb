/**
 * What a conditional write or delete must know first: whether the key exists, and in which state.
 *
 * Riak reads before it writes only when a conditional header asks for it; check and act are two steps,
 * so a write in between is not noticed. Two conditions are the coordinator's instead, which checks them
 * at the write: `If-None-Match: *` on its own, and `X-Riak-If-Not-Modified`.
 */

import { decodeContext } from '../../clock/context.ts';
import { textAnswer } from './answer.ts';
import { isConditional } from './conditional.ts';
import { failureToAnswer } from './failure-answer.ts';
import { objectValidators } from './object-answer.ts';
import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectKey } from '../../base/names.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { ReadOptions } from '../../object/requests.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence } from './resource.ts';

const UNASKED: Existence = { kind: 'unasked' };
const MISSING: Existence = { kind: 'missing' };

/**
 * Reads the key if a conditional header needs it; a tombstone is as good as nothing, and so is a read with
 * quorums that cannot be. With `vtag` it is about that sibling, and nothing where there is none.
 */
export async function readForConditions(
  exchange: Exchange,
  key: ObjectKey,
  { read, vtag }: { readonly read: ReadOptions; readonly vtag: string | undefined },
): Promise<Existence> {
  const { headers, method, span } = exchange;
  if (!isReadAsked(headers, method)) return UNASKED;
  const outcome = await exchange.context.service.get({ key, ...read, span });
  if (outcome.kind === 'found') {
    const { siblings } = outcome.object;
    const named = siblings.find((one) => one.vtag === vtag);
    if (vtag !== undefined && named === undefined) return MISSING;
    const shown = siblings.length === 1 ? siblings[0] : named;
    return { kind: 'present', validators: objectValidators(outcome.object, shown) };
  }
  if (outcome.kind === 'not-found') return MISSING;
  // No replica was asked.
  if (outcome.kind === 'n-val-violation' || outcome.kind === 'insufficient-nodes') return MISSING;
  return { kind: 'failed', answer: failureToAnswer(outcome, method) };
}

function isReadAsked(headers: IncomingHttpHeaders, method: string): boolean {
  if (isConditional(headers)) return true;
  if (headers['x-riak-if-not-modified'] === undefined) return false;
  // For PUT the coordinator looks at it; other methods do no more than read.
  return method !== 'PUT' || headers['if-modified-since'] !== undefined;
}

/** The context a header carries, undefined where there is none, or the answer to a broken one. */
export function readContext(
  exchange: Exchange,
  header: 'x-riak-vclock' | 'x-riak-if-not-modified',
): { readonly context: VersionVector | undefined } | { readonly answer: Answer } {
  const text = exchange.header(header);
  if (text === undefined) return { context: undefined };
  // What is no base64 at all would decode to nothing, which is the context of one who has seen nothing.
  const bytes = Buffer.from(text, 'base64');
  const context = bytes.length === 0 && text !== '' ? undefined : decodeContext(bytes);
  return context === undefined
    ? { answer: textAnswer(400, `Bad ${header} header: no context of this cluster\n`) }
    : { context };
}
