/**
 * Put, read and written by hand like get.
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

const PUT_REQ_FIELDS = {
  bucket: required(1, 'byteString'),
  key: optional(2, 'byteString'),
  vclock: optional(3, 'bytes'),
  content: required(4, RpbContent),
  w: optional(5, 'uint32'),
  dw: optional(6, 'uint32'),
  return_body: optional(7, 'bool'),
  pw: optional(8, 'uint32'),
  if_not_modified: optional(9, 'bool'),
  if_none_match: optional(10, 'bool'),
  return_head: optional(11, 'bool'),
  timeout: optional(12, 'uint32'),
  asis: optional(13, 'bool'),
  sloppy_quorum: optional(14, 'bool'),
  n_val: optional(15, 'uint32'),
  type: optional(16, 'byteString'),
  node_confirms: optional(17, 'uint32'),
};

const PUT_REQ_CODEC: HandWrittenCodec<typeof PUT_REQ_FIELDS> = {
  read(reader) {
    const draft = blankPutReq();
    while (reader.hasMore()) readPutReqField(reader, draft);
    if (draft.bucket === undefined) throw missing('RpbPutReq', 'bucket');
    if (draft.content === undefined) throw missing('RpbPutReq', 'content');
    return draft as Message<typeof PUT_REQ_FIELDS>;
  },

  write(writer, message) {
    writer.byteString(1, message.bucket);
    if (message.key !== undefined) writer.byteString(2, message.key);
    if (message.vclock !== undefined) writer.bytes(3, message.vclock);
    writePart(RpbContent, writer, 4, message.content);
    if (message.w !== undefined) writer.uint32(5, message.w);
    if (message.dw !== undefined) writer.uint32(6, message.dw);
    if (message.return_body !== undefined) writer.bool(7, message.return_body);
    if (message.pw !== undefined) writer.uint32(8, message.pw);
    if (message.if_not_modified !== undefined) writer.bool(9, message.if_not_modified);
    if (message.if_none_match !== undefined) writer.bool(10, message.if_none_match);
    if (message.return_head !== undefined) writer.bool(11, message.return_head);
    if (message.timeout !== undefined) writer.uint32(12, message.timeout);
    if (message.asis !== undefined) writer.bool(13, message.asis);
    if (message.sloppy_quorum !== undefined) writer.bool(14, message.sloppy_quorum);
    if (message.n_val !== undefined) writer.uint32(15, message.n_val);
    if (message.type !== undefined) writer.byteString(16, message.type);
    if (message.node_confirms !== undefined) writer.uint32(17, message.node_confirms);
  },

  sizeHint({ content, vclock }) {
    return objectSizeHint([content], vclock);
  },
};

function blankPutReq(): Draft<typeof PUT_REQ_FIELDS> {
  return {
    bucket: undefined,
    key: undefined,
    vclock: undefined,
    content: undefined,
    w: undefined,
    dw: undefined,
    return_body: undefined,
    pw: undefined,
    if_not_modified: undefined,
    if_none_match: undefined,
    return_head: undefined,
    timeout: undefined,
    asis: undefined,
    sloppy_quorum: undefined,
    n_val: undefined,
    type: undefined,
    node_confirms: undefined,
  };
}

function readPutReqField(reader: ProtoReader, draft: Draft<typeof PUT_REQ_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.bucket = reader.byteString();
      return;
    case 0x12:
      draft.key = reader.byteString();
      return;
    case 0x1a:
      draft.vclock = reader.bytes();
      return;
    case 0x22:
      draft.content = readPart(RpbContent, reader);
      return;
    case 0x28:
      draft.w = reader.uint32();
      return;
    case 0x30:
      draft.dw = reader.uint32();
      return;
    case 0x38:
      draft.return_body = reader.bool();
      return;
    case 0x40:
      draft.pw = reader.uint32();
      return;
    case 0x48:
      draft.if_not_modified = reader.bool();
      return;
    case 0x50:
      draft.if_none_match = reader.bool();
      return;
    case 0x58:
      draft.return_head = reader.bool();
      return;
    case 0x60:
      draft.timeout = reader.uint32();
      return;
    case 0x68:
      draft.asis = reader.bool();
      return;
    case 0x70:
      draft.sloppy_quorum = reader.bool();
      return;
    case 0x78:
      draft.n_val = reader.uint32();
      return;
    case 0x82:
      draft.type = reader.byteString();
      return;
    case 0x88:
      draft.node_confirms = reader.uint32();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbPutReq = message('RpbPutReq', 11, PUT_REQ_FIELDS, PUT_REQ_CODEC);

const PUT_RESP_FIELDS = {
  content: repeated(1, RpbContent),
  vclock: optional(2, 'bytes'),
  key: optional(3, 'byteString'),
};

const PUT_RESP_CODEC: HandWrittenCodec<typeof PUT_RESP_FIELDS> = {
  read(reader) {
    const draft = blankPutResp();
    while (reader.hasMore()) readPutRespField(reader, draft);
    return draft;
  },

  write(writer, message) {
    for (const item of message.content ?? []) writePart(RpbContent, writer, 1, item);
    if (message.vclock !== undefined) writer.bytes(2, message.vclock);
    if (message.key !== undefined) writer.byteString(3, message.key);
  },

  sizeHint({ content, vclock }) {
    return objectSizeHint(content, vclock);
  },
};

function blankPutResp(): Draft<typeof PUT_RESP_FIELDS> {
  return {
    content: NO_ITEMS,
    vclock: undefined,
    key: undefined,
  };
}

function readPutRespField(reader: ProtoReader, draft: Draft<typeof PUT_RESP_FIELDS>): void {
  const tag = reader.tag();
  switch (tag) {
    case 0x0a:
      draft.content = append(draft.content, readPart(RpbContent, reader));
      return;
    case 0x12:
      draft.vclock = reader.bytes();
      return;
    case 0x1a:
      draft.key = reader.byteString();
      return;
    default:
      reader.skip(tag & 7);
  }
}

export const RpbPutResp = message('RpbPutResp', 12, PUT_RESP_FIELDS, PUT_RESP_CODEC);
