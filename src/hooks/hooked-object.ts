/**
 * A write as a commit hook sees it, and as it gives it back: both are copies, for a hook may change in place
 * what it was given, and use again what it gave.
 *
 * Names are byte strings, one character a byte. A hook may change value, content type, user metadata
 * and index entries; the key, and whether it is a delete, are not its to change.
 */

import type { ByteString } from '../base/bytes.ts';
import type { HookedWrite } from '../coordinator/commit-hooks.ts';
import { parseIndexEntries } from '../object/index-entries.ts';
import type { NewContent } from '../object/requests.ts';
import type { IndexEntry, Metadata } from '../object/stored-object.ts';

export interface HookedObject {
  readonly type: string;
  readonly bucket: string;
  readonly key: string;
  readonly isDelete: boolean;
  value: Buffer;
  contentType: string | undefined;
  userMetadata: readonly (readonly [key: string, value: string])[];
  indexes: readonly { readonly field: string; readonly term: string }[];
}

export function hookedObjectOf({ key, content }: HookedWrite): HookedObject {
  const { metadata, value, isTombstone } = content;
  return {
    ...key,
    isDelete: isTombstone,
    value: Buffer.from(value),
    contentType: metadata.contentType,
    userMetadata: metadata.userMetadata?.map(([name, text]) => [name, text]) ?? [],
    indexes: metadata.indexes?.map(({ field, term }) => ({ field, term })) ?? [],
  };
}

/** The content that a hook gave back; undefined: it is none. */
export function contentOf(given: object, before: NewContent): NewContent | undefined {
  const { value, contentType, userMetadata, indexes } = given as Partial<HookedObject>;
  if (before.isTombstone) return before;
  const entries = indexesOf(indexes);
  const pairs = pairsOf(userMetadata);
  if (!Buffer.isBuffer(value) || entries === undefined || pairs === undefined) return undefined;
  if (contentType !== undefined && !isBytes(contentType)) return undefined;
  const { contentType: _, userMetadata: __, indexes: ___, ...rest } = before.metadata;
  const metadata: Metadata = {
    ...rest,
    ...(contentType === undefined ? {} : { contentType: contentType as ByteString }),
    ...(pairs.length === 0 ? {} : { userMetadata: pairs }),
    ...(entries.length === 0 ? {} : { indexes: entries }),
  };
  return { value: Buffer.from(value), metadata, isTombstone: false };
}

function pairsOf(given: unknown): Metadata['userMetadata'] {
  if (!Array.isArray(given)) return undefined;
  const pairs: [ByteString, ByteString][] = [];
  for (const pair of given as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isBytes)) return undefined;
    pairs.push([pair[0] as ByteString, pair[1] as ByteString]);
  }
  return pairs;
}

/** Checked like a client's, sorted, and without duplicates. */
function indexesOf(given: unknown): readonly IndexEntry[] | undefined {
  if (!Array.isArray(given)) return undefined;
  const pairs: [ByteString, ByteString][] = [];
  for (const item of given as unknown[]) {
    const { field, term } = (item ?? {}) as { readonly field?: unknown; readonly term?: unknown };
    if (!isBytes(field) || !isBytes(term)) return undefined;
    pairs.push([field as ByteString, term as ByteString]);
  }
  const outcome = parseIndexEntries(pairs);
  return outcome.kind === 'entries' ? outcome.entries : undefined;
}

function isBytes(text: unknown): text is string {
  return typeof text === 'string' && /^[\0-\xff]*$/.test(text);
}
