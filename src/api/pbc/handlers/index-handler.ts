/**
 * Index queries: one reply with everything, or a stream of what comes.
 *
 * Matches come in the order of (term, key). A page ends after `max_results`; its continuation is
 * there whenever it is full, also when nothing follows.
 */

import { encodeContinuation } from '../../../query/index-continuation.ts';
import { matchingEntries } from '../../../query/matching-entries.ts';
import { noSuchTypeText } from '../error-text.ts';
import { errorReply, findJobRefusal, reply } from '../handler.ts';
import { parseIndexQuery } from '../index-query.ts';
import { RpbIndexResp } from '../messages/index-messages.ts';
import { withFaultsInside } from '../stream-fault.ts';
import type { IndexMatch } from '../../../object/index-entries.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type { IndexQuery } from '../index-query.ts';
import type { RpbIndexReq } from '../messages/index-messages.ts';
import type { InputOf, MessageOf } from '../messages/message-type.ts';

/** What a match takes beside its bytes, as a field and in memory. */
const MATCH_OVERHEAD_BYTES = 64;

export function queryIndex(message: MessageOf<typeof RpbIndexReq>, session: Session): Answer {
  const isStream = message.stream === true;
  const refusal = findJobRefusal(session, isStream ? 'stream_secondary_index' : 'secondary_index');
  if (refusal !== undefined) return refusal;
  const outcome = parseIndexQuery(message);
  if (outcome.kind === 'refused') return errorReply(outcome.text);
  const { query } = outcome;
  if (session.node.bucketTypeProperties(query.scan.type) === undefined) {
    return errorReply(noSuchTypeText(query.scan.type));
  }
  const page = new Page(query);
  return isStream ? withFaultsInside(replies(page, session), session) : oneReply(page, session);
}

async function* replies(page: Page, session: Session): AsyncGenerator<Reply> {
  for await (const matches of page.read(session)) yield reply(RpbIndexResp, page.fields(matches));
  yield reply(RpbIndexResp, { continuation: page.continuation(), done: true });
}

async function oneReply(page: Page, session: Session): Promise<Reply> {
  const collected: IndexMatch[] = [];
  let sizeBytes = 0;
  for await (const matches of page.read(session)) {
    for (const match of matches) {
      sizeBytes += MATCH_OVERHEAD_BYTES + match[0].length + match[1].length;
      collected.push(match);
    }
    if (sizeBytes > session.replySizeMaxBytes) {
      return errorReply('Too many results for one message, ask for a stream or for max_results');
    }
  }
  return reply(RpbIndexResp, {
    ...page.fields(collected),
    continuation: page.continuation(),
  });
}

/** The matches of one request, and where they ended. */
class Page {
  readonly #query: IndexQuery;
  #left: number;
  #last: IndexMatch | undefined;

  constructor(query: IndexQuery) {
    this.#query = query;
    this.#left = query.maxResults ?? Infinity;
  }

  async *read(session: Session): AsyncGenerator<readonly IndexMatch[]> {
    if (this.#left === 0) return;
    const { scan, regex, timeoutMs } = this.#query;
    const batches = session.node.index(scan, { timeoutMs });
    for await (const matching of matchingEntries(batches, regex, session)) {
      const page = matching.length <= this.#left ? matching : matching.slice(0, this.#left);
      this.#left -= page.length;
      this.#last = page.at(-1) ?? this.#last;
      if (page.length > 0) yield page;
      if (this.#left === 0) return;
    }
  }

  fields(matches: readonly IndexMatch[]): InputOf<typeof RpbIndexResp> {
    return this.#query.returnsTerms
      ? { results: matches.map(([term, key]) => ({ key: term, value: key })) }
      : { keys: matches.map(([, key]) => key) };
  }

  /** Undefined unless the page is full. */
  continuation(): Buffer | undefined {
    if (this.#left > 0 || this.#last === undefined) return undefined;
    const [term, key] = this.#last;
    return encodeContinuation({ term, key });
  }
}
