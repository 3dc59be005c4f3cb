/**
 * Error replies as faults, and whether another node, or the same one later, may do better.
 */

import { Fault } from '../base/fault.ts';
import { byteStringToUtf8 } from '../base/bytes.ts';
import { decodeMessage } from '../api/pbc/messages/message-type.ts';
import { RpbErrorResp } from '../api/pbc/messages/server-messages.ts';
import type { FaultCode } from '../base/fault.ts';
import type { Frame } from '../api/pbc/framing.ts';
import type { Fields, Message, MessageType } from '../api/pbc/messages/message-type.ts';

/** A server may answer with a list of millions. */
const LIMITS = { fieldCountMax: 2 ** 26 };

/** What a node says when it cannot serve, whatever the request. */
const OUT_OF_SERVICE = /^(\{error,)?(\{unavailable,|all_nodes_down\b|\{?insufficient_vnodes)/;

/** Streams of index entries say it with `error` around it. */
const FAULT = /^(?:\{error,)?(timeout|overload)\}?$/;

/** What it says to whoever has not logged in. */
const STRANGER = /^Security is enabled, please /;

const TRANSIENT: ReadonlySet<FaultCode> = new Set([
  'peer-unreachable',
  'peer-closed',
  'timeout',
  'overload',
]);

/**
 * The message a reply should hold. Throws `timeout` and `overload` for what the server calls so,
 * `login-refused` where it wants a user, `peer-refused` with the server's text for its other errors,
 * `malformed` for anything else.
 */
export function decodeReply<F extends Fields>(type: MessageType<F>, frame: Frame): Message<F> {
  if (frame.code === type.code) return decodeMessage(type, frame.body, LIMITS);
  if (frame.code !== RpbErrorResp.code) {
    throw new Fault('malformed', `message ${frame.code} instead of a ${type.name}`);
  }
  throw errorToFault(byteStringToUtf8(decodeMessage(RpbErrorResp, frame.body, LIMITS).errmsg));
}

export function isErrorReply(frame: Frame): boolean {
  return frame.code === RpbErrorResp.code;
}

function errorToFault(text: string): Fault {
  const [, code] = FAULT.exec(text) ?? [];
  if (code === 'timeout' || code === 'overload') return new Fault(code, text);
  if (STRANGER.test(text)) return new Fault('login-refused', text);
  return new Fault('peer-refused', text);
}

/** Whether asking again may help. */
export function isTransient(fault: Fault): boolean {
  return (
    TRANSIENT.has(fault.code) ||
    (fault.code === 'peer-refused' && OUT_OF_SERVICE.test(fault.message))
  );
}

/** Whether the request was certainly not carried out. */
export function isUnsent(fault: Fault): boolean {
  return fault.code === 'peer-unreachable';
}
