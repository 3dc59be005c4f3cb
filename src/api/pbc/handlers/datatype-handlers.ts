/**
 * Fetch and update of data types.
 *
 * Names may be empty here, as in Riak. The default type has the counters of Riak 1.4 and nothing
 * else, which is said before anything is looked up; an update of one never says its value, and
 * options that the older messages do not have are passed over. A time-out of 0 is none, and a fetch
 * has no other than the node's.
 */

import { encodeContext } from '../../../clock/context.ts';
import { DEFAULT_BUCKET_TYPE } from '../../../base/names.ts';
import { randomKey } from '../../../object/vtag.ts';
import {
  DATA_TYPES,
  isLarge,
  isWithinProtocol,
  messageToOperation,
  valueToMessage,
} from '../datatype-values.ts';
import { datatypeErrorText, type DatatypeRefusal } from '../datatype-error-text.ts';
import { errorReply, largeReply, malformedReply, reply } from '../handler.ts';
import { DtFetchResp, DtUpdateResp } from '../messages/datatype-messages.ts';
import { contextOf, setQuorum, setRequestOptions } from '../request-values.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { Mutable } from '../../../base/mutable.ts';
import type { DatatypeOperation } from '../../../datatype/operation.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  ShownDatatype,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../../../object/datatype-requests.ts';
import type { Reply, Session } from '../handler.ts';
import type { DtFetchReq, DtUpdateReq } from '../messages/datatype-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

const UPDATED = reply(DtUpdateResp, {});

export function fetchDatatype(
  message: MessageOf<typeof DtFetchReq>,
  session: Session,
): Promise<Reply> {
  const { bucket, key, type } = message;
  const { span } = session;
  const request: Mutable<FetchDatatypeRequest> = { key: { type, bucket, key }, span };
  if (message.basic_quorum !== undefined) request.basicQuorum = message.basic_quorum;
  if (message.notfound_ok !== undefined) request.notFoundOk = message.notfound_ok;
  setQuorum(request, 'r', message.r);
  setQuorum(request, 'pr', message.pr);
  if (type !== DEFAULT_BUCKET_TYPE) {
    setRequestOptions(request, { ...message, timeout: undefined });
  }
  return session.node
    .fetchDatatype(request)
    .then((outcome) => fetchReply(outcome, message, session));
}

function fetchReply(
  outcome: FetchDatatypeOutcome,
  { type, include_context }: MessageOf<typeof DtFetchReq>,
  { clock }: Session,
): Reply | Promise<Reply> {
  if (outcome.kind === 'not-found') {
    return reply(DtFetchResp, { type: DATA_TYPES[outcome.datatype] });
  }
  if (outcome.kind !== 'found') {
    return errorReply(datatypeErrorText(outcome, { type, action: 'fetch' }));
  }
  const { shown } = outcome;
  if (!isWithinProtocol(shown.value)) return tooLargeReply();
  const message = {
    context: contextBytes(shown, include_context),
    type: DATA_TYPES[shown.value.kind],
    value: valueToMessage(shown.value),
  };
  return isLarge(shown.value)
    ? largeReply(DtFetchResp, message, clock)
    : reply(DtFetchResp, message);
}

export function updateDatatype(
  message: MessageOf<typeof DtUpdateReq>,
  session: Session,
): Reply | Promise<Reply> {
  const operation = messageToOperation(message.op);
  if (operation === undefined) {
    const refused = typeRefusal(message, session);
    return refused ? refusalReply(refused, message) : malformedReply('no operation that fits');
  }
  const { bucket, type } = message;
  if (type === DEFAULT_BUCKET_TYPE && operation.kind !== 'counter') {
    return errorReply('"non-counter operation on default bucket"');
  }
  const known = contextOf(type === DEFAULT_BUCKET_TYPE ? undefined : message.context);
  if (known.kind === 'refused') return unreadableContextReply(message, operation, session);

  const isGenerated = message.key === undefined;
  const name = message.key ?? (randomKey(session.random) as ByteString);
  const key = { type, bucket, key: name };
  const isShown = message.return_body === true && type !== DEFAULT_BUCKET_TYPE;
  const returning = isShown ? 'value' : 'nothing';
  const { span } = session;
  const request: Mutable<UpdateDatatypeRequest> = { key, operation, returning, span };
  if (known.context !== undefined) request.context = known.context;
  setQuorum(request, 'w', message.w);
  setQuorum(request, 'dw', message.dw);
  setQuorum(request, 'pw', message.pw);
  if (type !== DEFAULT_BUCKET_TYPE) setRequestOptions(request, withDefaultTimeout(message));
  return session.node
    .updateDatatype(request)
    .then((outcome) =>
      updateReply(outcome, message, { session, key: isGenerated ? name : undefined }),
    );
}

/**
 * Riak's replicas fail on such a context, and its client waits in vain; the same words, at once. But
 * for what is no update of that bucket's data type at all.
 */
function unreadableContextReply(
  message: MessageOf<typeof DtUpdateReq>,
  { kind: operation }: DatatypeOperation,
  session: Session,
): Reply {
  const { type, bucket } = message;
  const datatype = session.node.bucketProperties(type, bucket)?.datatype;
  return refusalReply(
    typeRefusal(message, session) ??
      (datatype === undefined
        ? { kind: 'no-datatype', datatype }
        : datatype === operation
          ? { kind: 'timeout' }
          : { kind: 'wrong-type', operation, datatype }),
    message,
  );
}

/** What Riak looks at before the operation: the default type has no say in it. */
function typeRefusal(
  { type, bucket }: MessageOf<typeof DtUpdateReq>,
  { node }: Session,
): DatatypeRefusal | undefined {
  if (type === DEFAULT_BUCKET_TYPE) return undefined;
  const properties = node.bucketProperties(type, bucket);
  if (properties === undefined) return { kind: 'unknown-bucket-type', type };
  return properties.allow_mult ? undefined : { kind: 'siblings-off' };
}

function refusalReply(refusal: DatatypeRefusal, { type }: { readonly type: ByteString }): Reply {
  return errorReply(datatypeErrorText(refusal, { type, action: 'update' }));
}

function updateReply(
  outcome: UpdateDatatypeOutcome,
  { type, include_context }: MessageOf<typeof DtUpdateReq>,
  { session, key }: { readonly session: Session; readonly key: ByteString | undefined },
): Reply | Promise<Reply> {
  if (outcome.kind !== 'updated') return refusalReply(outcome, { type });
  const { shown } = outcome;
  if (shown === undefined) return key === undefined ? UPDATED : reply(DtUpdateResp, { key });
  if (!isWithinProtocol(shown.value)) return tooLargeReply();
  const context = contextBytes(shown, include_context);
  const message = { key, context, ...valueToMessage(shown.value) };
  return isLarge(shown.value)
    ? largeReply(DtUpdateResp, message, session.clock)
    : reply(DtUpdateResp, message);
}

/** What was asked is done; only the protocol has no way to say the value. */
export function tooLargeReply(): Reply {
  return errorReply('"a counter does not fit into 64 bits"');
}

function withDefaultTimeout<T extends { readonly timeout: number | undefined }>(fields: T): T {
  return fields.timeout === 0 ? { ...fields, timeout: undefined } : fields;
}

function contextBytes(
  { context }: ShownDatatype,
  isIncluded: boolean | undefined,
): Buffer | undefined {
  return context === undefined || isIncluded === false ? undefined : encodeContext(context);
}
