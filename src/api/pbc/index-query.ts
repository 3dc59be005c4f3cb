/**
 * An index query as a message has it, checked: which range, which of its terms, how many.
 */

import { indexRefusalTerm, printBinary } from '../../object/erlang-text.ts';
import { decodeContinuation } from '../../query/index-continuation.ts';
import { parseIndexLookup } from '../../query/index-lookup.ts';
import { bucketTypeOf, idleTimeoutOf } from './request-values.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { IndexScan } from '../../node/node-service.ts';
import type { LookupFault } from '../../query/index-lookup.ts';
import type { TermRegex } from '../../query/term-regex.ts';
import type { RpbIndexReq } from './messages/index-messages.ts';
import type { MessageOf } from './messages/message-type.ts';

type IndexMessage = MessageOf<typeof RpbIndexReq>;

export interface IndexQuery {
  readonly scan: IndexScan;
  /** Terms are shown beside the keys. */
  readonly returnsTerms: boolean;
  readonly maxResults: number | undefined;
  readonly regex: TermRegex | undefined;
  readonly timeoutMs: number;
}

export type IndexQueryOutcome =
  | { readonly kind: 'query'; readonly query: IndexQuery }
  | { readonly kind: 'refused'; readonly text: string };

export function parseIndexQuery(message: IndexMessage): IndexQueryOutcome {
  const ends = endsOf(message);
  if (typeof ends === 'string') return { kind: 'refused', text: ends };
  const { continuation, max_results: maxResults } = message;
  const lookup = parseIndexLookup({
    field: message.index,
    ends,
    expression: message.term_regex,
    after:
      continuation === undefined ? undefined : (decodeContinuation(continuation) ?? 'malformed'),
  });
  if ('fault' in lookup) return { kind: 'refused', text: faultText(lookup, message.term_regex) };
  const { field, from, to, regex, after } = lookup;
  const type = bucketTypeOf(message.type);
  // What does not match is not counted, so how many to read is not known beforehand.
  const limit = regex === undefined ? maxResults : undefined;
  return {
    kind: 'query',
    query: {
      scan: { type, bucket: message.bucket, field, from, to, after, limit },
      returnsTerms:
        message.return_terms === true && message.qtype === 'range' && !field.startsWith('$'),
      maxResults,
      regex,
      timeoutMs: idleTimeoutOf(message.timeout),
    },
  };
}

/** One for equality, two for a range, or why there are none. */
function endsOf({
  qtype,
  key,
  range_min,
  range_max,
}: IndexMessage): readonly ByteString[] | string {
  if (qtype === 'eq') return key === undefined ? 'Invalid equality query undefined' : [key];
  if (range_min !== undefined && range_max !== undefined) return [range_min, range_max];
  return `Invalid range query: ${printBinary(range_min)} -> ${printBinary(range_max)}`;
}

function faultText(fault: LookupFault, expression: ByteString | undefined): string {
  switch (fault.fault) {
    case 'expression':
      return `Invalid term regular expression ${printBinary(expression)} : ${fault.term}`;
    case 'expression-on-integers':
      return 'Can not use term regular expression in integer query';
    case 'entry':
      return indexRefusalTerm(fault.refusal);
    case 'continuation':
      return 'Invalid continuation';
  }
}
