/**
 * Get: the most frequent request, read and written by hand.
 */

import { RpbContent, objectSizeHint } from './content-messages.ts';
import {
  NO_ITEMS,
  append,
  message,
  missing,
  optional,
  readPart,
  repeated,
  required,
  writePart,
} from './message-type.ts';
import type { Draft, HandWrittenCodec, Message } from './message-type.ts';
import type { ProtoReader } from './proto-reader.ts';

const REQUEST_SIZE_HINT_BYTES = 128;

const GET_REQ_FIELDS = {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  r: optional(3, 'uint32'),
  pr: optional(4, 'uint32'),
  basic_quorum: optional(5, 'bool'),
  notfound_ok: optional(6, 'bool'),
  if_modified: optional(7, 'bytes'),
  head: optional(8, 'bool'),
  deletedvclock: optional(9, 'bool'),
  timeout: optional(10, 'uint32'),
  sloppy_quorum: optional(11, 'bool'),
  n_val: optional(12, 'uint32'),
  type: optional(13, 'byteString'),
  node_confirms: optional(14, 'uint32'),
};

const GET_REQ_CODEC: HandWrittenCodec<typeof GET_REQ_FIELDS> = {
  read(reader) {
    const draft = blankGetReq();
    while (reader.hasMore()) readGetReqField(reader, draft);
    if (draft.bucket === undefined) throw missing('RpbGetReq', 'bucket');
    if (draft.key === undefined) throw missing('RpbGetReq', 'key');
    return draft as Message<typeof GET_REQ_FIELDS>;
  },

  write(writer, message) {
    writer.byteString(1, message.bucket);
    writer.byteString(2, message.key);
    if (message.r !== undefined) writer.uint32(3, message.r);
    if (message.pr !== undefined) writer.uint32(4, message.pr);
    if (message.basic_quorum !== undefined) writer.bool(5, message.basic_quorum);
    if (message.notfound_ok !== undefined) writer.bool(6, message.notfound_ok);
    if (message.if_modified !== undefined) writer.bytes(7, message.if_modified);
    if (message.head !== undefined) writer.bool(8, message.head);
    if (message.deletedvclock !== undefined) writer.bool(9, message.deletedvclock);
    if (message.timeout !== undefined) writer.uint32(10, message.timeout);
    if (message.sloppy_quorum !== undefined) writer.bool(11, message.sloppy_quorum);
    if (message.n_val !== undefined) writer.uint32(12, message.n_val);
    if (message.type !== undefined) writer.byteString(13, message.type);
    if (message.node_confirms !== undefined) writer.uint32(14, message.node_confirms);
  },

  sizeHint({ bucket, key }) {
    return REQUEST_SIZE_HINT_BYTES + bucket.length + key.length;
  },
};

function blankGetReq(): Draft<typeof GET_REQ_FIELDS> {
  return {
    bucket: undefined,
    key: undefined,
    r: undefined,
    pr: undefined,
    basic_quorum: undefined,
    notfound_ok: undefined,
    if_modified: undefined,
    head: undefined,
    deletedvclock: undefined,
    timeout: undefined,
    sloppy_quorum: undefined,
    n_val: undefined,
    type: undefined,
    node_confirms: undefined,
  };
}

function readGetReqField(reader: ProtoReader, draft: Draft<typeof GET_REQ_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.bucket = reader.byteString();
      return;
    case 0x12:
      draft.key = reader.byteString();
      return;
    case 0x18:
      draft.r = reader.uint32();
      return;
    case 0x20:
      draft.pr = reader.uint32();
      return;
    case 0x28:
      draft.basic_quorum = reader.bool();
      return;
    case 0x30:
      draft.notfound_ok = reader.bool();
      return;
    case 0x3a:
      draft.if_modified = reader.bytes();
      return;
    case 0x40:
      draft.head = reader.bool();
      return;
    case 0x48:
      draft.deletedvclock = reader.bool();
      return;
    case 0x50:
      draft.timeout = reader.uint32();
      return;
    case 0x58:
      draft.sloppy_quorum = reader.bool();
      return;
    case 0x60:
      draft.n_val = reader.uint32();
      return;
    case 0x6a:
      draft.type = reader.byteString();
      return;
    case 0x70:
      draft.node_confirms = reader.uint32();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbGetReq = message('RpbGetReq', 9, GET_REQ_FIELDS, GET_REQ_CODEC);

const GET_RESP_FIELDS = {
  content: repeated(1, RpbContent),
  vclock: optional(2, 'bytes'),
  unchanged: optional(3, 'bool'),
};

const GET_RESP_CODEC: HandWrittenCodec<typeof GET_RESP_FIELDS> = {
  read(reader) {
    const draft = blankGetResp();
    while (reader.hasMore()) readGetRespField(reader, draft);
    return draft;
  },

  write(writer, message) {
    for (const item of message.content ?? []) writePart(RpbContent, writer, 1, item);
    if (message.vclock !== undefined) writer.bytes(2, message.vclock);
    if (message.unchanged !== undefined) writer.bool(3, message.unchanged);
  },

  sizeHint({ content, vclock }) {
    return objectSizeHint(content, vclock);
  },
};

function blankGetResp(): Draft<typeof GET_RESP_FIELDS> {
  return {
    content: NO_ITEMS,
    vclock: undefined,
    unchanged: undefined,
  };
}

function readGetRespField(reader: ProtoReader, draft: Draft<typeof GET_RESP_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.content = append(draft.content, readPart(RpbContent, reader));
      return;
    case 0x12:
      draft.vclock = reader.bytes();
      return;
    case 0x18:
      draft.unchanged = reader.bool();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbGetResp = message('RpbGetResp', 10, GET_RESP_FIELDS, GET_RESP_CODEC);
