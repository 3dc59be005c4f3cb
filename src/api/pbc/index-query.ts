/**
 * An index query as a message has it, checked: which range, which of its terms, how many.
 */

import { normaliseField, parseIndexEntry } from '../../object/index-entries.ts';
import { compileTermRegex } from '../../query/term-regex.ts';
import { indexRefusalTerm } from './error-text.ts';
import { printBinary, quoted } from './erlang-term.ts';
import { decodeContinuation } from './continuation.ts';
import { bucketTypeOf, idleTimeoutOf } from './request-values.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { IndexScan } from '../../node/node-service.ts';
import type { RpbIndexReq } from './messages/index-messages.ts';
import type { MessageOf } from './messages/message-type.ts';

type IndexMessage = MessageOf<typeof RpbIndexReq>;

export interface IndexQuery {
  readonly scan: IndexScan;
  /** Terms are shown beside the keys. */
  readonly returnsTerms: boolean;
  readonly maxResults: number | undefined;
  readonly matches: ((term: ByteString) => boolean) | undefined;
  readonly timeoutMs: number;
}

export type IndexQueryOutcome =
  | { readonly kind: 'query'; readonly query: IndexQuery }
  | { readonly kind: 'refused'; readonly text: string };

export function parseIndexQuery(message: IndexMessage): IndexQueryOutcome {
  const field = normaliseField(message.index);
  const ends = parseEnds(message);
  if ('refused' in ends) return { kind: 'refused', text: ends.refused };
  const filter = parseFilter(message.term_regex, field);
  if ('refused' in filter) return { kind: 'refused', text: filter.refused };
  const position =
    message.continuation === undefined ? undefined : decodeContinuation(message.continuation);
  if (message.continuation !== undefined && position === undefined) {
    return { kind: 'refused', text: 'Invalid continuation' };
  }
  const { matches } = filter;
  return {
    kind: 'query',
    query: {
      scan: {
        type: bucketTypeOf(message.type),
        bucket: message.bucket,
        field,
        ...ends,
        after: position,
        // What does not match is not counted, so how many to read is not known beforehand.
        limit: matches === undefined ? message.max_results : undefined,
      },
      returnsTerms:
        message.return_terms === true && message.qtype === 'range' && !field.startsWith('$'),
      maxResults: message.max_results,
      matches,
      timeoutMs: idleTimeoutOf(message.timeout),
    },
  };
}

interface Refused {
  readonly refused: string;
}

/** Both ends of the range, inclusive; integers in canonical text. */
function parseEnds(
  message: IndexMessage,
): { readonly from: ByteString; readonly to: ByteString } | Refused {
  const { qtype, key, range_min, range_max } = message;
  if (qtype === 'eq') {
    if (key === undefined) return { refused: 'Invalid equality query undefined' };
    const end = parseEnd(message.index, key);
    return typeof end === 'string' ? { from: end, to: end } : end;
  }
  if (range_min === undefined || range_max === undefined) {
    const shown = `${printBinary(range_min)} -> ${printBinary(range_max)}`;
    return { refused: `Invalid range query: ${shown}` };
  }
  const from = parseEnd(message.index, range_min);
  if (typeof from !== 'string') return from;
  const to = parseEnd(message.index, range_max);
  return typeof to === 'string' ? { from, to } : to;
}

function parseEnd(index: ByteString, value: ByteString): ByteString | Refused {
  const outcome = parseIndexEntry(index, value);
  return outcome.kind === 'entry' ? outcome.entry.term : { refused: indexRefusalTerm(outcome) };
}

function parseFilter(
  expression: ByteString | undefined,
  field: ByteString,
): { readonly matches: IndexQuery['matches'] } | Refused {
  if (expression === undefined) return { matches: undefined };
  if (field.endsWith('_int')) {
    return { refused: 'Can not use term regular expression in integer query' };
  }
  const outcome = compileTermRegex(expression);
  if ('regex' in outcome) return { matches: (term) => outcome.regex.isIn(term) };
  const reason = `{${quoted(outcome.reason)},0}`;
  return { refused: `Invalid term regular expression ${printBinary(expression)} : ${reason}` };
}
