/**
 * The messages of an open link: requests one way, replies and faults the other.
 *
 * A reader gets what came out of a frame and trusts nothing of it. `proto/peer.proto` has the table.
 */

import { Fault } from '../base/fault.ts';
import type { FaultCode } from '../base/fault.ts';
import { malformed } from '../peer/tuple-reader.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';

/** Of a fault's text, at most. */
const FAULT_TEXT_MAX = 1_000;

const FAULT_CODES: Readonly<Record<FaultCode, true>> = {
  'store-fenced': true,
  'store-corrupt': true,
  'store-closed': true,
  'disk-full': true,
  'peer-unreachable': true,
  'peer-refused': true,
  'peer-closed': true,
  'peer-malformed': true,
  'peer-unsupported': true,
  'login-refused': true,
  timeout: true,
  overload: true,
  malformed: true,
  config: true,
  closed: true,
};

export interface RequestMessage {
  readonly id: number;
  readonly timeoutMs: number;
  /** Read by `peer/wire.ts`. */
  readonly tuple: unknown;
}

/** `[id, timeoutMs, tuple]`; a `peer-malformed` fault for anything else. */
export function readRequestMessage(message: unknown): RequestMessage {
  if (!Array.isArray(message) || message.length !== 3) throw malformed('not a request');
  const [id, timeoutMs, tuple] = message as readonly unknown[];
  if (!isId(id) || typeof timeoutMs !== 'number') throw malformed('not a request');
  return { id, timeoutMs, tuple };
}

export type ReplyMessage =
  | { readonly kind: 'reply'; readonly id: number; readonly tuple: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: Fault };

/** `[id, tuple]` or `[id, nil, code, text]`; a `peer-malformed` fault for anything else. */
export function readReplyMessage(message: unknown): ReplyMessage {
  if (!Array.isArray(message)) throw malformed('not a reply');
  const [id, tuple] = message as readonly unknown[];
  if (!isId(id)) throw malformed('not a reply');
  if (message.length === 2) return { kind: 'reply', id, tuple };
  return { kind: 'fault', id, fault: readFault(message.slice(1)) };
}

/** The tail of a fault message: `[nil, code, text]`; a code unknown here is `peer-malformed`. */
export function readFault(fields: readonly unknown[]): Fault {
  const [mark, code, text] = fields;
  if (fields.length !== 3 || mark !== null || typeof text !== 'string') {
    throw malformed('not a fault');
  }
  // A later program may have codes that this one does not know.
  return new Fault(isFaultCode(code) ? code : 'peer-malformed', text.slice(0, FAULT_TEXT_MAX));
}

export function faultFields(fault: Fault): WireTuple {
  return [null, fault.code, fault.message.slice(0, FAULT_TEXT_MAX)];
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isFaultCode(value: unknown): value is FaultCode {
  return typeof value === 'string' && Object.hasOwn(FAULT_CODES, value);
}
