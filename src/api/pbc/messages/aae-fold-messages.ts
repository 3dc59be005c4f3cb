/**
 * Messages of the folds over anti-entropy trees: tree comparison, clocks, find, count, reap, erase.
 */

import { enumeration, message, optional, part, repeated, required } from './message-type.ts';
import { RpbKeysValue } from './replication-messages.ts';

export const RpbTreeSize = enumeration('RpbTreeSize', {
  xxsmall: 0,
  xsmall: 1,
  small: 2,
  medium: 3,
  large: 4,
  xlarge: 5,
});

export const FindType = enumeration('FindType', { sibling_count: 0, object_size: 1 });

export const ChangeMethod = enumeration('ChangeMethod', { job: 0, local: 1, count: 2 });

export const RpbAaeFoldMergeRootNValReq = message('RpbAaeFoldMergeRootNValReq', 210, {
  n_val: required(1, 'uint32'),
});

export const RpbAaeFoldMergeBranchNValReq = message('RpbAaeFoldMergeBranchNValReq', 211, {
  n_val: required(1, 'uint32'),
  id_filter: repeated(2, 'uint32'),
});

export const RpbAaeFoldFetchClocksNValReq = message('RpbAaeFoldFetchClocksNValReq', 212, {
  n_val: required(1, 'uint32'),
  id_filter: repeated(2, 'uint32'),
  modified_range: optional(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
});

export const RpbAaeFoldMergeTreesRangeReq = message('RpbAaeFoldMergeTreesRangeReq', 213, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  tree_size: required(20, RpbTreeSize),
  segment_filter: required(30, 'bool'),
  id_filter: repeated(31, 'uint32'),
  filter_tree_size: optional(32, RpbTreeSize),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
  use_prehash: required(50, 'bool'),
  init_vector: optional(51, 'uint32'),
});

export const RpbAaeFoldFetchClocksRangeReq = message('RpbAaeFoldFetchClocksRangeReq', 214, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  segment_filter: required(30, 'bool'),
  id_filter: repeated(31, 'uint32'),
  filter_tree_size: optional(32, RpbTreeSize),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
});

export const RpbAaeFoldFindKeysReq = message('RpbAaeFoldFindKeysReq', 215, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
  finder: required(50, FindType),
  find_limit: required(51, 'uint32'),
});

export const RpbAaeFoldObjectStatsReq = message('RpbAaeFoldObjectStatsReq', 216, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
});

export const RpbAaeFoldReplKeysReq = message('RpbAaeFoldReplKeysReq', 217, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
  queuename: required(50, 'byteString'),
});

export const RpbAaeFoldFindTombsReq = message('RpbAaeFoldFindTombsReq', 218, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  segment_filter: required(30, 'bool'),
  id_filter: repeated(31, 'uint32'),
  filter_tree_size: optional(32, RpbTreeSize),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
});

export const RpbAaeFoldRepairKeysReq = message('RpbAaeFoldRepairKeysReq', 219, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
});

export const RpbAaeFoldTreeResp = message('RpbAaeFoldTreeResp', 220, {
  size: required(1, RpbTreeSize),
  level_one: optional(2, 'bytes'),
  level_two: repeated(3, 'bytes'),
});

export const RpbAaeFoldKeyValueResp = message('RpbAaeFoldKeyValueResp', 221, {
  response_type: required(1, 'byteString'),
  keys_value: repeated(2, RpbKeysValue),
});

export const RpbKeysCount = part('RpbKeysCount', {
  tag: required(1, 'byteString'),
  order: optional(2, 'uint32'),
  count: required(3, 'uint32'),
});

export const RpbAaeFoldKeyCountResp = message('RpbAaeFoldKeyCountResp', 222, {
  response_type: required(1, 'byteString'),
  keys_count: repeated(2, RpbKeysCount),
});

export const RpbAaeFoldListBucketsReq = message('RpbAaeFoldListBucketsReq', 223, {
  n_val: optional(1, 'uint32'),
});

export const RpbAaeFoldReapTombsReq = message('RpbAaeFoldReapTombsReq', 230, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  segment_filter: required(30, 'bool'),
  id_filter: repeated(31, 'uint32'),
  filter_tree_size: optional(32, RpbTreeSize),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
  change_method: required(50, ChangeMethod),
  job_id: optional(51, 'uint32'),
});

export const RpbAaeFoldEraseKeysReq = message('RpbAaeFoldEraseKeysReq', 231, {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key_range: required(10, 'bool'),
  start_key: optional(11, 'byteString'),
  end_key: optional(12, 'byteString'),
  segment_filter: required(30, 'bool'),
  id_filter: repeated(31, 'uint32'),
  filter_tree_size: optional(32, RpbTreeSize),
  modified_range: required(40, 'bool'),
  last_mod_start: optional(41, 'uint32'),
  last_mod_end: optional(42, 'uint32'),
  change_method: required(50, ChangeMethod),
  job_id: optional(51, 'uint32'),
});

export const RpbAaeFoldBucket = part('RpbAaeFoldBucket', {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
});

export const RpbAaeFoldListBucketsResp = message('RpbAaeFoldListBucketsResp', 224, {
  bucket_list: repeated(1, RpbAaeFoldBucket),
});
