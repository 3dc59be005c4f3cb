/**
 * One sibling as it travels, with its metadata: the part that get and put share.
 *
 * Read and written by hand, for it is in every request that matters. Tags stand as numbers:
 * field number << 3 | wire type.
 */

import {
  NO_ITEMS,
  append,
  missing,
  optional,
  part,
  readPart,
  repeated,
  required,
  writePart,
} from './message-type.ts';
import type { Draft, HandWrittenCodec, Message } from './message-type.ts';
import { copiedBytes } from './proto-writer.ts';
import type { ProtoReader } from './proto-reader.ts';

const METADATA_SIZE_HINT_BYTES = 256;

const PAIR_FIELDS = {
  key: required(1, 'byteString'),
  value: optional(2, 'byteString'),
};

const PAIR_CODEC: HandWrittenCodec<typeof PAIR_FIELDS> = {
  read(reader) {
    const draft = blankPair();
    while (reader.hasMore()) readPairField(reader, draft);
    if (draft.key === undefined) throw missing('RpbPair', 'key');
    return draft as Message<typeof PAIR_FIELDS>;
  },

  write(writer, message) {
    writer.byteString(1, message.key);
    if (message.value !== undefined) writer.byteString(2, message.value);
  },

  sizeHint({ key, value }) {
    return 16 + key.length + (value?.length ?? 0);
  },
};

function blankPair(): Draft<typeof PAIR_FIELDS> {
  return {
    key: undefined,
    value: undefined,
  };
}

function readPairField(reader: ProtoReader, draft: Draft<typeof PAIR_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.key = reader.byteString();
      return;
    case 0x12:
      draft.value = reader.byteString();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbPair = part('RpbPair', PAIR_FIELDS, PAIR_CODEC);

export const RpbLink = part('RpbLink', {
  bucket: optional(1, 'byteString'),
  key: optional(2, 'byteString'),
  tag: optional(3, 'byteString'),
});

const CONTENT_FIELDS = {
  value: required(1, 'bytes'),
  content_type: optional(2, 'byteString'),
  charset: optional(3, 'byteString'),
  content_encoding: optional(4, 'byteString'),
  vtag: optional(5, 'byteString'),
  links: repeated(6, RpbLink),
  last_mod: optional(7, 'uint32'),
  last_mod_usecs: optional(8, 'uint32'),
  usermeta: repeated(9, RpbPair),
  indexes: repeated(10, RpbPair),
  deleted: optional(11, 'bool'),
};

const CONTENT_CODEC: HandWrittenCodec<typeof CONTENT_FIELDS> = {
  read(reader) {
    const draft = blankContent();
    while (reader.hasMore()) readContentField(reader, draft);
    if (draft.value === undefined) throw missing('RpbContent', 'value');
    return draft as Message<typeof CONTENT_FIELDS>;
  },

  write(writer, message) {
    writer.bytes(1, message.value);
    if (message.content_type !== undefined) writer.byteString(2, message.content_type);
    if (message.charset !== undefined) writer.byteString(3, message.charset);
    if (message.content_encoding !== undefined) writer.byteString(4, message.content_encoding);
    if (message.vtag !== undefined) writer.byteString(5, message.vtag);
    for (const item of message.links ?? []) writePart(RpbLink, writer, 6, item);
    if (message.last_mod !== undefined) writer.uint32(7, message.last_mod);
    if (message.last_mod_usecs !== undefined) writer.uint32(8, message.last_mod_usecs);
    for (const item of message.usermeta ?? []) writePart(RpbPair, writer, 9, item);
    for (const item of message.indexes ?? []) writePart(RpbPair, writer, 10, item);
    if (message.deleted !== undefined) writer.bool(11, message.deleted);
  },

  sizeHint({ value }) {
    return METADATA_SIZE_HINT_BYTES + value.length;
  },
};

function blankContent(): Draft<typeof CONTENT_FIELDS> {
  return {
    value: undefined,
    content_type: undefined,
    charset: undefined,
    content_encoding: undefined,
    vtag: undefined,
    links: NO_ITEMS,
    last_mod: undefined,
    last_mod_usecs: undefined,
    usermeta: NO_ITEMS,
    indexes: NO_ITEMS,
    deleted: undefined,
  };
}

function readContentField(reader: ProtoReader, draft: Draft<typeof CONTENT_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.value = reader.bytes();
      return;
    case 0x12:
      draft.content_type = reader.byteString();
      return;
    case 0x1a:
      draft.charset = reader.byteString();
      return;
    case 0x22:
      draft.content_encoding = reader.byteString();
      return;
    case 0x2a:
      draft.vtag = reader.byteString();
      return;
    case 0x32:
      draft.links = append(draft.links, readPart(RpbLink, reader));
      return;
    case 0x38:
      draft.last_mod = reader.uint32();
      return;
    case 0x40:
      draft.last_mod_usecs = reader.uint32();
      return;
    case 0x4a:
      draft.usermeta = append(draft.usermeta, readPart(RpbPair, reader));
      return;
    case 0x52:
      draft.indexes = append(draft.indexes, readPart(RpbPair, reader));
      return;
    case 0x58:
      draft.deleted = reader.bool();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbContent = part('RpbContent', CONTENT_FIELDS, CONTENT_CODEC);

/** About the size of a message that is mainly an object: names, context and all siblings. */
export function objectSizeHint(
  content: readonly { readonly value: Buffer }[] | undefined,
  vclock: Buffer | undefined,
): number {
  let size = METADATA_SIZE_HINT_BYTES + (vclock?.length ?? 0);
  for (const { value } of content ?? NO_ITEMS) {
    size += METADATA_SIZE_HINT_BYTES + copiedBytes(value);
  }
  return size;
}
