/**
 * Messages that replication between clusters uses: queues of changed objects, cluster members.
 */

import { message, optional, part, repeated, required } from './message-type.ts';

export const RpbReplGetReq = message('RpbReplGetReq', 128, {});

export const RpbReplGetClusterIdReq = message('RpbReplGetClusterIdReq', 129, {});

export const RpbReplGetClusterIdResp = message('RpbReplGetClusterIdResp', 130, {});

export const RpbRTEReq = message('RpbRTEReq', 200, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  r: optional(3, 'uint32'),
  pr: optional(4, 'uint32'),
  basic_quorum: optional(5, 'bool'),
  notfound_ok: optional(6, 'bool'),
  timeout: optional(10, 'uint32'),
  sloppy_quorum: optional(11, 'bool'),
  n_val: optional(12, 'uint32'),
  type: optional(13, 'byteString'),
});

export const RpbRTEResp = message('RpbRTEResp', 201, {});

export const RpbFetchReq = message('RpbFetchReq', 202, {
  queuename: required(1, 'byteString'),
  encoding: optional(2, 'byteString'),
});

export const RpbFetchResp = message('RpbFetchResp', 203, {
  queue_empty: required(1, 'bool'),
  deleted: optional(2, 'bool'),
  crc_check: optional(3, 'uint32'),
  replencoded_object: optional(4, 'bytes'),
  deleted_vclock: optional(5, 'bytes'),
  segment_id: optional(6, 'uint32'),
  segment_hash: optional(7, 'uint32'),
});

/** One object as it is stored, of the lot that `replencoded_object` holds in Vertebra's own encoding. */
export const ReplicatedItem = part('ReplicatedItem', {
  /** Absent: the default type. */
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key: required(3, 'byteString'),
  record: required(4, 'bytes'),
  /** Milliseconds since the key was put on the queue. */
  age_ms: required(5, 'uint32'),
  /** Put there by a full-sync or a fold, not by a client's write. */
  is_sync: required(6, 'bool'),
});

export const ReplicatedLot = part('ReplicatedLot', {
  items: repeated(1, ReplicatedItem),
});

export const RpbKeysValue = part('RpbKeysValue', {
  type: optional(1, 'byteString'),
  bucket: required(2, 'byteString'),
  key: required(3, 'byteString'),
  value: required(4, 'bytes'),
});

export const RpbPushReq = message('RpbPushReq', 204, {
  queuename: required(1, 'byteString'),
  keys_value: repeated(2, RpbKeysValue),
  /** Vertebra's own: a full-sync has gone through that was told this mark when it began. */
  compared_mark: optional(100, 'uint32'),
  /** Vertebra's own: for how many milliseconds each key has waited already; absent: none has. */
  age_ms: repeated(101, 'uint32'),
});

export const RpbPushResp = message('RpbPushResp', 205, {
  queuename: optional(1, 'byteString'),
  queue_exists: required(2, 'bool'),
  foldq_length: optional(10, 'uint32'),
  fsync_length: optional(11, 'uint32'),
  realt_length: optional(12, 'uint32'),
  /** Vertebra's own, to a push of nothing: the queue's mark, another one when keys were dropped. */
  drop_mark: optional(100, 'uint32'),
  /** Vertebra's own: of the keys pushed, those that the queue is for. */
  taken_count: optional(101, 'uint32'),
});

export const RpbMembershipReq = message('RpbMembershipReq', 206, {
  queuename: optional(1, 'byteString'),
});

export const RpbClusterMemberEntry = part('RpbClusterMemberEntry', {
  ip: required(1, 'byteString'),
  port: required(2, 'uint32'),
});

export const RpbMembershipResp = message('RpbMembershipResp', 207, {
  up_nodes: repeated(1, RpbClusterMemberEntry),
});
