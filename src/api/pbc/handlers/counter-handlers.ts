/**
 * The counters of Riak 1.4, in buckets of the default type: data types under older messages.
 */

import { assert } from '../../../base/fault.ts';
import { DEFAULT_BUCKET_TYPE } from '../../../base/names.ts';
import { datatypeErrorText } from '../datatype-error-text.ts';
import { isWithinProtocol } from '../datatype-values.ts';
import { errorReply, reply } from '../handler.ts';
import { RpbCounterGetResp, RpbCounterUpdateResp } from '../messages/datatype-messages.ts';
import { setQuorum } from '../request-values.ts';
import { tooLargeReply } from './datatype-handlers.ts';
import type { Mutable } from '../../../base/mutable.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  ShownDatatype,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../../../object/datatype-requests.ts';
import type { Reply, Session } from '../handler.ts';
import type { RpbCounterGetReq, RpbCounterUpdateReq } from '../messages/datatype-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

const UPDATED = reply(RpbCounterUpdateResp, {});
const NOTHING_FOUND = reply(RpbCounterGetResp, {});

export function getCounter(
  message: MessageOf<typeof RpbCounterGetReq>,
  session: Session,
): Promise<Reply> {
  const { bucket, key } = message;
  const request: Mutable<FetchDatatypeRequest> = {
    key: { type: DEFAULT_BUCKET_TYPE, bucket, key },
    span: session.span,
  };
  if (message.basic_quorum !== undefined) request.basicQuorum = message.basic_quorum;
  if (message.notfound_ok !== undefined) request.notFoundOk = message.notfound_ok;
  if (message.node_confirms !== undefined) request.nodeConfirms = message.node_confirms;
  setQuorum(request, 'r', message.r);
  setQuorum(request, 'pr', message.pr);
  return session.node.fetchDatatype(request).then(getReply);
}

function getReply(outcome: FetchDatatypeOutcome): Reply {
  if (outcome.kind === 'not-found') return NOTHING_FOUND;
  if (outcome.kind !== 'found') {
    return errorReply(datatypeErrorText(outcome, { type: DEFAULT_BUCKET_TYPE, action: 'fetch' }));
  }
  return valueReply(RpbCounterGetResp, outcome.shown);
}

export function updateCounter(
  message: MessageOf<typeof RpbCounterUpdateReq>,
  session: Session,
): Promise<Reply> {
  const { bucket, key, amount } = message;
  const request: Mutable<UpdateDatatypeRequest> = {
    key: { type: DEFAULT_BUCKET_TYPE, bucket, key },
    span: session.span,
    operation: { kind: 'counter', increment: amount },
    returning: message.returnvalue === true ? 'value' : 'nothing',
  };
  if (message.node_confirms !== undefined) request.nodeConfirms = message.node_confirms;
  setQuorum(request, 'w', message.w);
  setQuorum(request, 'dw', message.dw);
  setQuorum(request, 'pw', message.pw);
  return session.node.updateDatatype(request).then(updateReply);
}

function updateReply(outcome: UpdateDatatypeOutcome): Reply {
  if (outcome.kind !== 'updated') {
    return errorReply(datatypeErrorText(outcome, { type: DEFAULT_BUCKET_TYPE, action: 'update' }));
  }
  return outcome.shown === undefined ? UPDATED : valueReply(RpbCounterUpdateResp, outcome.shown);
}

function valueReply(
  type: typeof RpbCounterGetResp | typeof RpbCounterUpdateResp,
  { value }: ShownDatatype,
): Reply {
  assert(value.kind === 'counter', 'the default type has counters only');
  return isWithinProtocol(value) ? reply(type, { value: value.value }) : tooLargeReply();
}
