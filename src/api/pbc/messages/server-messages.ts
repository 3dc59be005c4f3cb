/**
 * Messages about the server and the connection: errors, ping, client id, server info, security.
 */

import { message, optional, required } from './message-type.ts';

export const RpbErrorResp = message('RpbErrorResp', 0, {
  errmsg: required(1, 'byteString'),
  errcode: required(2, 'uint32'),
});

export const RpbPingReq = message('RpbPingReq', 1, {});

export const RpbPingResp = message('RpbPingResp', 2, {});

export const RpbGetClientIdReq = message('RpbGetClientIdReq', 3, {});

export const RpbGetClientIdResp = message('RpbGetClientIdResp', 4, {
  client_id: required(1, 'bytes'),
});

export const RpbSetClientIdReq = message('RpbSetClientIdReq', 5, {
  client_id: required(1, 'bytes'),
});

export const RpbSetClientIdResp = message('RpbSetClientIdResp', 6, {});

export const RpbGetServerInfoReq = message('RpbGetServerInfoReq', 7, {});

export const RpbGetServerInfoResp = message('RpbGetServerInfoResp', 8, {
  node: optional(1, 'byteString'),
  server_version: optional(2, 'byteString'),
});

export const RpbAuthReq = message('RpbAuthReq', 253, {
  user: required(1, 'byteString'),
  password: required(2, 'byteString'),
});

export const RpbAuthResp = message('RpbAuthResp', 254, {});

export const RpbStartTls = message('RpbStartTls', 255, {});
