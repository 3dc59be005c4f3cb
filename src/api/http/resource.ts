/**
 * A resource: what one request is about, as the decision pipeline sees it.
 *
 * A resource is made for one request and answers the pipeline's questions in the order below; it
 * keeps what it learns on the way (parameters, the fetched object) in its own fields. A question that
 * it does not answer has no objection.
 */

import type { Answer } from './answer.ts';
import type { Validators } from './conditional.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Guarded } from './permissions.ts';

/** The forms in which something may be sent, each list in order of preference. */
export interface Offer {
  readonly mediaTypes: readonly string[];
  /** Content codings. */
  readonly encodings: readonly string[];
  readonly charset?: string | undefined;
  /** The value came coded, and goes out as it came, whatever is chosen. */
  readonly isCoded?: boolean;
}

/** What negotiation chose from an offer. */
export interface Form {
  readonly mediaType: string;
  /** `gzip` is applied by the pipeline where the offer has `identity` too, unless it came coded. */
  readonly encoding: string;
}

export type Existence =
  | { readonly kind: 'present'; readonly validators?: Validators }
  /** Nothing that a header asks for depends on it, or `act` looks itself. */
  | { readonly kind: 'unasked' }
  | { readonly kind: 'missing' }
  /** It cannot be told, or what is missing is told whatever the conditions. */
  | { readonly kind: 'failed'; readonly answer: Answer };

export interface Resource extends Guarded {
  /** The key that it is about; undefined: none. */
  readonly key?: ByteString;
  /** In the order in which `Allow` names them. */
  readonly methods: readonly string[];
  /** Whether pages of other sites may send requests here (section on CSRF). */
  readonly isOpenToOtherSites?: boolean;
  /** Whether a POST makes something where nothing is; a PUT always does. */
  readonly isMadeByPost?: boolean;
  /** Whether the request waits at the node's entrance until there is room for it. */
  readonly needsRoom?: boolean;

  /** Faults of the query and the headers. */
  findFault?(): Answer | undefined;
  /** Faults of the body, which has been read. */
  findBodyFault?(): Answer | undefined;
  /** Whether this may not be done at all; a GET fetches here, as Riak does. */
  refuse?(): Answer | undefined | Promise<Answer | undefined>;
  /** Whether the body's media type is not taken. */
  refuseMediaType?(): Answer | undefined;
  /** Undefined: nothing to negotiate. */
  offer?(): Offer | undefined;
  exists?(): Existence | Promise<Existence>;
  act(form: Form): Answer | Promise<Answer>;
}

export const JSON_OFFER: Offer = {
  mediaTypes: ['application/json'],
  encodings: ['identity', 'gzip'],
};
