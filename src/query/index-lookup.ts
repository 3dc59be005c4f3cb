/**
 * An index lookup as both protocols ask for it, checked: which field, which of its terms, from where.
 *
 * Of several faults one is named, in Riak's order: the expression, the field and its ends, an
 * expression over integers, the continuation.
 */

import { normaliseField, parseIndexEntry } from '../object/index-entries.ts';
import { compileTermRegex } from './term-regex.ts';
import type { ByteString } from '../base/bytes.ts';
import type { IndexRefusal } from '../object/index-entries.ts';
import type { IndexPosition } from './match-scan.ts';
import type { TermRegex } from './term-regex.ts';

const BUCKET_FIELD = '$bucket';

export interface LookupWish {
  readonly field: ByteString;
  /** One for equality, two for a range, both inclusive. */
  readonly ends: readonly ByteString[];
  readonly expression: ByteString | undefined;
  readonly after: IndexPosition | 'malformed' | undefined;
}

export interface IndexLookup {
  /** In lower case. */
  readonly field: ByteString;
  /** Integers in canonical text. */
  readonly from: ByteString;
  readonly to: ByteString;
  readonly regex: TermRegex | undefined;
  readonly after: IndexPosition | undefined;
}

export type LookupFault =
  /** `term`: why, as Erlang prints it. */
  | { readonly fault: 'expression'; readonly term: string }
  | { readonly fault: 'expression-on-integers' }
  | { readonly fault: 'entry'; readonly refusal: IndexRefusal }
  | { readonly fault: 'continuation' };

export function parseIndexLookup(wish: LookupWish): IndexLookup | LookupFault {
  const field = normaliseField(wish.field);
  const compiled = wish.expression === undefined ? undefined : compileTermRegex(wish.expression);
  if (compiled !== undefined && 'reason' in compiled) {
    return { fault: 'expression', term: compiled.erlangTerm };
  }
  const terms: ByteString[] = [];
  // Whatever is asked of it, the whole bucket is meant.
  for (const end of field === BUCKET_FIELD ? ['' as ByteString] : wish.ends) {
    const outcome = parseIndexEntry(field, end);
    if (outcome.kind !== 'entry') return { fault: 'entry', refusal: outcome };
    terms.push(outcome.entry.term);
  }
  const [from = '' as ByteString, to = from] = terms;
  if (compiled !== undefined && field.endsWith('_int')) return { fault: 'expression-on-integers' };
  const { after } = wish;
  // One made for another index could hold a term that this one has no order for.
  if (after === 'malformed' || (after !== undefined && !isTermOf(field, after.term))) {
    return { fault: 'continuation' };
  }
  // A whole bucket has no terms: Riak checks the expression there and then keeps every key.
  const regex = field === BUCKET_FIELD ? undefined : compiled?.regex;
  return { field, from, to, regex, after };
}

function isTermOf(field: ByteString, term: ByteString): boolean {
  const outcome = parseIndexEntry(field, term);
  return outcome.kind === 'entry' && outcome.entry.term === term;
}
