/**
 * Messages about secondary indexes and what is near them: queries, the fold over whole objects that
 * Riak CS uses, preference lists, coverage plans.
 */

import { enumeration, message, optional, part, repeated, required } from './message-type.ts';
import { RpbPair } from './content-messages.ts';
import { RpbGetResp } from './get-messages.ts';

export const IndexQueryType = enumeration('IndexQueryType', { eq: 0, range: 1 });

export const RpbIndexReq = message('RpbIndexReq', 25, {
  bucket: required(1, 'byteString'),
  index: required(2, 'byteString'),
  qtype: required(3, IndexQueryType),
  key: optional(4, 'byteString'),
  range_min: optional(5, 'byteString'),
  range_max: optional(6, 'byteString'),
  return_terms: optional(7, 'bool'),
  stream: optional(8, 'bool'),
  max_results: optional(9, 'uint32'),
  continuation: optional(10, 'bytes'),
  timeout: optional(11, 'uint32'),
  type: optional(12, 'byteString'),
  term_regex: optional(13, 'byteString'),
  pagination_sort: optional(14, 'bool'),
  cover_context: optional(15, 'bytes'),
  return_body: optional(16, 'bool'),
});

export const RpbIndexResp = message('RpbIndexResp', 26, {
  keys: repeated(1, 'byteString'),
  results: repeated(2, RpbPair),
  continuation: optional(3, 'bytes'),
  done: optional(4, 'bool'),
});

export const RpbIndexObject = part('RpbIndexObject', {
  key: required(1, 'byteString'),
  object: required(2, RpbGetResp),
});

export const RpbIndexBodyResp = message('RpbIndexBodyResp', 42, {
  objects: repeated(1, RpbIndexObject),
  continuation: optional(2, 'bytes'),
  done: optional(3, 'bool'),
});

export const RpbCSBucketReq = message('RpbCSBucketReq', 40, {
  bucket: required(1, 'byteString'),
  start_key: required(2, 'byteString'),
  end_key: optional(3, 'byteString'),
  start_incl: optional(4, 'bool'),
  end_incl: optional(5, 'bool'),
  continuation: optional(6, 'bytes'),
  max_results: optional(7, 'uint32'),
  timeout: optional(8, 'uint32'),
  type: optional(9, 'byteString'),
  cover_context: optional(10, 'bytes'),
});

export const RpbCSBucketResp = message('RpbCSBucketResp', 41, {
  objects: repeated(1, RpbIndexObject),
  continuation: optional(2, 'bytes'),
  done: optional(3, 'bool'),
});

export const RpbBucketKeyPreflistItem = part('RpbBucketKeyPreflistItem', {
  partition: required(1, 'int64'),
  node: required(2, 'byteString'),
  primary: required(3, 'bool'),
});

export const RpbGetBucketKeyPreflistReq = message('RpbGetBucketKeyPreflistReq', 33, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  type: optional(3, 'byteString'),
});

export const RpbGetBucketKeyPreflistResp = message('RpbGetBucketKeyPreflistResp', 34, {
  preflist: repeated(1, RpbBucketKeyPreflistItem),
});

export const RpbCoverageReq = message('RpbCoverageReq', 70, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  min_partitions: optional(3, 'uint32'),
  replace_cover: optional(4, 'bytes'),
  unavailable_cover: repeated(5, 'bytes'),
});

export const RpbCoverageEntry = part('RpbCoverageEntry', {
  ip: required(1, 'byteString'),
  port: required(2, 'uint32'),
  keyspace_desc: optional(3, 'bytes'),
  cover_context: required(4, 'bytes'),
});

export const RpbCoverageResp = message('RpbCoverageResp', 71, {
  entries: repeated(1, RpbCoverageEntry),
});
