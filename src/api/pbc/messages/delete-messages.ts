/**
 * Delete.
 */

import { message, optional, required } from './message-type.ts';

export const RpbDelReq = message('RpbDelReq', 13, {
  bucket: required(1, 'byteString'),
  key: required(2, 'byteString'),
  rw: optional(3, 'uint32'),
  vclock: optional(4, 'bytes'),
  r: optional(5, 'uint32'),
  w: optional(6, 'uint32'),
  pr: optional(7, 'uint32'),
  pw: optional(8, 'uint32'),
  dw: optional(9, 'uint32'),
  timeout: optional(10, 'uint32'),
  sloppy_quorum: optional(11, 'bool'),
  n_val: optional(12, 'uint32'),
  type: optional(13, 'byteString'),
});

export const RpbDelResp = message('RpbDelResp', 14, {});
