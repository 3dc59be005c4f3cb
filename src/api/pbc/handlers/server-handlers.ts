/**
 * Ping, client id, server info, and what is said about security while it is off.
 */

import { utf8ToByteString } from '../../../base/bytes.ts';
import { errorReply, reply } from '../handler.ts';
import {
  RpbGetClientIdResp,
  RpbGetServerInfoResp,
  RpbPingResp,
  RpbSetClientIdResp,
} from '../messages/server-messages.ts';
import type { Reply, Session } from '../handler.ts';
import type { Fields, Message, MessageOf } from '../messages/message-type.ts';
import type { RpbSetClientIdReq } from '../messages/server-messages.ts';

/** Clients turn their features on by it: a plain dotted version, nothing after the digits. */
const SERVER_VERSION = utf8ToByteString('3.2.1');

const PONG = reply(RpbPingResp, {});
const CLIENT_ID_SET = reply(RpbSetClientIdResp, {});

export function ping(): Reply {
  return PONG;
}

export function getClientId(_request: Message<Fields>, session: Session): Reply {
  return reply(RpbGetClientIdResp, { client_id: session.clientId });
}

export function setClientId(request: MessageOf<typeof RpbSetClientIdReq>, session: Session): Reply {
  // A copy: the view would hold on to whatever else the client sent with it.
  session.clientId = Buffer.from(request.client_id);
  return CLIENT_ID_SET;
}

export function getServerInfo(_request: Message<Fields>, session: Session): Reply {
  return reply(RpbGetServerInfoResp, {
    node: utf8ToByteString(session.node.id),
    server_version: SERVER_VERSION,
  });
}

export function startTls(): Reply {
  return errorReply('Security not enabled; STARTTLS not allowed.');
}
