/**
 * Messages about buckets and bucket types: listing, and properties read, set and reset.
 */

import { enumeration, message, optional, part, repeated, required } from './message-type.ts';

export const RpbListBucketsReq = message('RpbListBucketsReq', 15, {
  timeout: optional(1, 'uint32'),
  stream: optional(2, 'bool'),
  type: optional(3, 'byteString'),
});

export const RpbListBucketsResp = message('RpbListBucketsResp', 16, {
  buckets: repeated(1, 'byteString'),
  done: optional(2, 'bool'),
});

export const RpbListKeysReq = message('RpbListKeysReq', 17, {
  bucket: required(1, 'byteString'),
  timeout: optional(2, 'uint32'),
  type: optional(3, 'byteString'),
});

export const RpbListKeysResp = message('RpbListKeysResp', 18, {
  keys: repeated(1, 'byteString'),
  done: optional(2, 'bool'),
});

export const RpbModFun = part('RpbModFun', {
  module: required(1, 'byteString'),
  function: required(2, 'byteString'),
});

export const RpbCommitHook = part('RpbCommitHook', {
  modfun: optional(1, RpbModFun),
  name: optional(2, 'byteString'),
});

export const RpbReplMode = enumeration('RpbReplMode', {
  FALSE: 0,
  REALTIME: 1,
  FULLSYNC: 2,
  TRUE: 3,
});

export const RpbBucketProps = part('RpbBucketProps', {
  n_val: optional(1, 'uint32'),
  allow_mult: optional(2, 'bool'),
  last_write_wins: optional(3, 'bool'),
  precommit: repeated(4, RpbCommitHook),
  has_precommit: optional(5, 'bool'),
  postcommit: repeated(6, RpbCommitHook),
  has_postcommit: optional(7, 'bool'),
  chash_keyfun: optional(8, RpbModFun),
  linkfun: optional(9, RpbModFun),
  old_vclock: optional(10, 'uint32'),
  young_vclock: optional(11, 'uint32'),
  big_vclock: optional(12, 'uint32'),
  small_vclock: optional(13, 'uint32'),
  pr: optional(14, 'uint32'),
  r: optional(15, 'uint32'),
  w: optional(16, 'uint32'),
  pw: optional(17, 'uint32'),
  dw: optional(18, 'uint32'),
  rw: optional(19, 'uint32'),
  basic_quorum: optional(20, 'bool'),
  notfound_ok: optional(21, 'bool'),
  backend: optional(22, 'byteString'),
  search: optional(23, 'bool'),
  repl: optional(24, RpbReplMode),
  search_index: optional(25, 'byteString'),
  datatype: optional(26, 'byteString'),
  consistent: optional(27, 'bool'),
  write_once: optional(28, 'bool'),
  hll_precision: optional(29, 'uint32'),
});

export const RpbGetBucketReq = message('RpbGetBucketReq', 19, {
  bucket: required(1, 'byteString'),
  type: optional(2, 'byteString'),
});

export const RpbGetBucketResp = message('RpbGetBucketResp', 20, {
  props: required(1, RpbBucketProps),
});

export const RpbSetBucketReq = message('RpbSetBucketReq', 21, {
  bucket: required(1, 'byteString'),
  props: required(2, RpbBucketProps),
  type: optional(3, 'byteString'),
});

export const RpbSetBucketResp = message('RpbSetBucketResp', 22, {});

export const RpbResetBucketReq = message('RpbResetBucketReq', 29, {
  bucket: required(1, 'byteString'),
  type: optional(2, 'byteString'),
});

export const RpbResetBucketResp = message('RpbResetBucketResp', 30, {});

export const RpbGetBucketTypeReq = message('RpbGetBucketTypeReq', 31, {
  type: required(1, 'byteString'),
});

export const RpbSetBucketTypeReq = message('RpbSetBucketTypeReq', 32, {
  type: required(1, 'byteString'),
  props: required(2, RpbBucketProps),
});
