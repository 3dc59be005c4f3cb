/**
 * An object's siblings as RpbContent and back.
 *
 * User metadata and links keep their order and their gaps; index entries are checked and sorted. What
 * the server gives (vtag, times) is never taken from a client.
 */

import { parseIndexEntries } from '../../object/index-entries.ts';
import { NO_ITEMS } from './messages/message-type.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Mutable } from '../../base/mutable.ts';
import type { IndexRefusal } from '../../object/index-entries.ts';
import type { NewContent } from '../../object/requests.ts';
import type { IndexEntry, Metadata, Sibling, SiblingHead } from '../../object/stored-object.ts';
import type { RpbContent, RpbPair } from './messages/content-messages.ts';
import type { InputOf, MessageOf } from './messages/message-type.ts';

type Content = MessageOf<typeof RpbContent>;
type Pair = MessageOf<typeof RpbPair>;

const MICROS_PER_SECOND = 1_000_000;
const NO_VALUE = Buffer.alloc(0);
const EMPTY = '' as ByteString;

export type ContentOutcome =
  | { readonly kind: 'content'; readonly content: NewContent }
  | { readonly kind: 'refused'; readonly refusals: readonly IndexRefusal[] };

/** The other way round, for a client. */
export function newToContent(content: NewContent): InputOf<typeof RpbContent> {
  const { metadata, value, isTombstone } = content;
  return {
    value,
    content_type: metadata.contentType,
    charset: metadata.charset,
    content_encoding: metadata.contentEncoding,
    links: metadata.links ?? NO_ITEMS,
    usermeta: metadata.userMetadata?.map(tupleToPair) ?? NO_ITEMS,
    indexes: metadata.indexes?.map(entryToPair) ?? NO_ITEMS,
    deleted: isTombstone ? true : undefined,
  };
}

/** A sibling as a client gets it: its dot stays with the server. */
export type ReceivedSibling = Omit<Sibling, 'dot'>;

/** As the server shows it; the indexes are not looked at again. */
export function contentToSibling(content: Content): ReceivedSibling {
  const metadata = metadataOf(content);
  if (content.indexes.length > 0) metadata.indexes = content.indexes.map(pairToEntry);
  return {
    metadata,
    value: content.value,
    valueSizeBytes: content.value.length,
    vtag: content.vtag ?? '',
    lastModifiedMicros: (content.last_mod ?? 0) * MICROS_PER_SECOND + (content.last_mod_usecs ?? 0),
    isTombstone: content.deleted === true,
  };
}

/** `isUnindexed`: nothing will look at the index entries, so they are kept as they are. */
export function contentToNew(content: Content, isUnindexed: () => boolean): ContentOutcome {
  const metadata = metadataOf(content);
  if (content.indexes.length > 0) {
    const outcome = parseIndexEntries(content.indexes.map(pairToTuple));
    if (outcome.kind === 'entries') metadata.indexes = outcome.entries;
    else if (isUnindexed()) metadata.indexes = content.indexes.map(pairToEntry);
    else return outcome;
  }
  const isTombstone = content.deleted === true;
  return { kind: 'content', content: { metadata, value: content.value, isTombstone } };
}

/** All but the index entries. */
function metadataOf(content: Content): Mutable<Metadata> {
  const metadata: Mutable<Metadata> = {};
  if (content.content_type !== undefined) metadata.contentType = content.content_type;
  if (content.charset !== undefined) metadata.charset = content.charset;
  if (content.content_encoding !== undefined) metadata.contentEncoding = content.content_encoding;
  if (content.links.length > 0) metadata.links = content.links;
  if (content.usermeta.length > 0) metadata.userMetadata = content.usermeta.map(pairToTuple);
  return metadata;
}

export function siblingsToContent(
  siblings: readonly Sibling[],
): readonly InputOf<typeof RpbContent>[] {
  return siblings.map((sibling) => siblingToContent(sibling, sibling.value));
}

/** Without the values. */
export function headsToContent(
  siblings: readonly SiblingHead[],
): readonly InputOf<typeof RpbContent>[] {
  return siblings.map((sibling) => siblingToContent(sibling, NO_VALUE));
}

function siblingToContent(sibling: SiblingHead, value: Buffer): InputOf<typeof RpbContent> {
  const { metadata, lastModifiedMicros } = sibling;
  const lastModified = Math.floor(lastModifiedMicros / MICROS_PER_SECOND);
  return {
    value,
    content_type: metadata.contentType,
    charset: metadata.charset,
    content_encoding: metadata.contentEncoding,
    vtag: sibling.vtag as ByteString,
    links: metadata.links ?? NO_ITEMS,
    last_mod: lastModified,
    last_mod_usecs: lastModifiedMicros - lastModified * MICROS_PER_SECOND,
    usermeta: metadata.userMetadata?.map(tupleToPair) ?? NO_ITEMS,
    indexes: metadata.indexes?.map(entryToPair) ?? NO_ITEMS,
    deleted: sibling.isTombstone ? true : undefined,
  };
}

function pairToTuple({ key, value }: Pair): readonly [ByteString, ByteString] {
  return [key, value ?? EMPTY];
}

function tupleToPair([key, value]: readonly [ByteString, ByteString]): Pair {
  return { key, value };
}

function entryToPair({ field, term }: IndexEntry): Pair {
  return { key: field, value: term };
}

function pairToEntry({ key, value }: Pair): IndexEntry {
  return { field: key, term: value ?? EMPTY };
}
