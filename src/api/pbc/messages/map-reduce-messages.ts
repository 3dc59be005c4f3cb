/**
 * Messages of MapReduce: a job as JSON or as an Erlang term, its results phase by phase.
 */

import { message, optional, required } from './message-type.ts';

export const RpbMapRedReq = message('RpbMapRedReq', 23, {
  request: required(1, 'bytes'),
  content_type: required(2, 'byteString'),
});

export const RpbMapRedResp = message('RpbMapRedResp', 24, {
  phase: optional(1, 'uint32'),
  response: optional(2, 'bytes'),
  done: optional(3, 'bool'),
});
