/**
 * Get, put and delete.
 *
 * Names are checked in Riak's order (bucket, key, type) and before the type is looked up. A delete
 * takes empty names as they are.
 */

import { encodeContext } from '../../../clock/context.ts';
import { equals } from '../../../clock/version-vector.ts';
import { randomKey } from '../../../object/vtag.ts';
import { contentToNew, headsToContent, siblingsToContent } from '../content-values.ts';
import { failureToErrorText, indexEntriesErrorText } from '../error-text.ts';
import { errorReply, malformedReply, reply } from '../handler.ts';
import { RpbDelResp } from '../messages/delete-messages.ts';
import { RpbGetResp } from '../messages/get-messages.ts';
import { RpbPutResp } from '../messages/put-messages.ts';
import { bucketTypeOf, contextOf, setQuorum, setRequestOptions } from '../request-values.ts';
import type { ByteString } from '../../../base/bytes.ts';
import type { Mutable } from '../../../base/mutable.ts';
import type { ObjectKey } from '../../../base/names.ts';
import type { Span } from '../../../base/span.ts';
import type { VersionVector } from '../../../clock/version-vector.ts';
import type {
  DeleteRequest,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
  PutTerms,
  WriteCondition,
} from '../../../object/requests.ts';
import type { IndexRefusal } from '../../../object/index-entries.ts';
import type { SiblingHead } from '../../../object/stored-object.ts';
import type { NodeService } from '../../../node/node-service.ts';
import type { Reply, Session } from '../handler.ts';
import type { RpbDelReq } from '../messages/delete-messages.ts';
import type { RpbGetReq } from '../messages/get-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';
import type { RpbPutReq } from '../messages/put-messages.ts';

const NOT_A_CONTEXT = 'the vclock is none that this server made';
/** Objects above this are not put into one message; a dozen siblings of the largest size are. */
const OBJECT_SIZE_MAX_BYTES = 512 * 1024 * 1024;
const NOTHING_FOUND = reply(RpbGetResp, {});
const UNCHANGED = reply(RpbGetResp, { unchanged: true });
const STORED = reply(RpbPutResp, {});
const DELETED = reply(RpbDelResp, {});

interface Names {
  readonly bucket: ByteString;
  readonly key: ByteString | undefined;
  readonly type: ByteString | undefined;
}

/** The refusal of names that must not be empty, if one is. */
export function findEmptyName({ bucket, key, type }: Names): Reply | undefined {
  if (bucket === '') return errorReply('Bucket cannot be zero-length');
  if (key === '') return errorReply('Key cannot be zero-length');
  return type === '' ? errorReply('Type cannot be zero-length') : undefined;
}

export function getObject(
  message: MessageOf<typeof RpbGetReq>,
  session: Session,
): Reply | Promise<Reply> {
  const refusal = findEmptyName(message);
  if (refusal !== undefined) return refusal;
  const request = getRequestOf(message, session.span);
  return session.node.get(request).then((outcome) => getReply(outcome, message));
}

function getRequestOf(message: MessageOf<typeof RpbGetReq>, span: Span | undefined): GetRequest {
  const { bucket, key, type } = message;
  const request: Mutable<GetRequest> = { key: { type: bucketTypeOf(type), bucket, key }, span };
  if (message.head === true) request.headOnly = true;
  if (message.basic_quorum !== undefined) request.basicQuorum = message.basic_quorum;
  if (message.notfound_ok !== undefined) request.notFoundOk = message.notfound_ok;
  setQuorum(request, 'r', message.r);
  setQuorum(request, 'pr', message.pr);
  setRequestOptions(request, message);
  return request;
}

function getReply(outcome: GetOutcome, message: MessageOf<typeof RpbGetReq>): Reply {
  if (outcome.kind === 'found') {
    const { context, siblings } = outcome.object;
    // Looked at only where there is something that may have changed.
    const known = contextOf(message.if_modified);
    if (known.kind === 'refused') return malformedReply(NOT_A_CONTEXT);
    if (known.context !== undefined && equals(known.context, context)) return UNCHANGED;
    const headOnly = message.head === true;
    const refusal = headOnly ? undefined : findTooLarge(siblings);
    if (refusal !== undefined) return refusal;
    const shown = reply(RpbGetResp, {
      content: headOnly ? headsToContent(siblings) : siblingsToContent(siblings),
      vclock: encodeContext(context),
    });
    return withSiblings(shown, siblings.length);
  }
  if (outcome.kind !== 'not-found') return errorReply(failureToErrorText(outcome));
  return message.deletedvclock === true && outcome.tombstone !== undefined
    ? reply(RpbGetResp, { vclock: encodeContext(outcome.tombstone.context) })
    : NOTHING_FOUND;
}

/** The refusal of an object that is too large for one message. */
function findTooLarge(siblings: readonly SiblingHead[]): Reply | undefined {
  let sizeBytes = 0;
  for (const { valueSizeBytes } of siblings) sizeBytes += valueSizeBytes;
  if (sizeBytes <= OBJECT_SIZE_MAX_BYTES) return undefined;
  return errorReply(failureToErrorText({ kind: 'too-large', sizeBytes }));
}

export function putObject(
  message: MessageOf<typeof RpbPutReq>,
  session: Session,
): Reply | Promise<Reply> {
  const refusal = findEmptyName(message);
  if (refusal !== undefined) return refusal;
  const known = contextOf(message.vclock);
  if (known.kind === 'refused') return malformedReply(NOT_A_CONTEXT);

  const { node, random, span } = session;
  const { bucket } = message;
  const type = bucketTypeOf(message.type);
  const content = contentToNew(
    message.content,
    () => node.bucketProperties(type, bucket)?.write_once === true,
  );
  const generatedKey = message.key === undefined ? (randomKey(random) as ByteString) : undefined;
  const key: ObjectKey = { type, bucket, key: message.key ?? (generatedKey as ByteString) };
  const terms: Mutable<PutTerms> = { key, span };
  setPutOptions(terms, message, known.context);
  if (content.kind === 'refused') return refuseEntries(content.refusals, terms, node);
  const request = { ...terms, content: content.content, returning: returningOf(message) };
  return node.put(request).then((outcome) => putReply(outcome, request, generatedKey));
}

/** Riak looks at the entries with the last of its hooks: whatever else is wrong is told first. */
async function refuseEntries(
  refusals: readonly IndexRefusal[],
  terms: PutTerms,
  node: NodeService,
): Promise<Reply> {
  const failure = await node.findPutRefusal(terms);
  return errorReply(
    failure === undefined ? indexEntriesErrorText(refusals) : failureToErrorText(failure),
  );
}

function setPutOptions(
  request: Mutable<PutTerms>,
  message: MessageOf<typeof RpbPutReq>,
  context: VersionVector | undefined,
): void {
  if (context !== undefined) request.context = context;
  const condition = conditionOf(message, context);
  if (condition !== undefined) request.condition = condition;
  if (message.asis === true) request.asIs = true;
  setQuorum(request, 'w', message.w);
  setQuorum(request, 'dw', message.dw);
  setQuorum(request, 'pw', message.pw);
  setRequestOptions(request, message);
}

/** With both the head wins. */
function returningOf(message: MessageOf<typeof RpbPutReq>): PutRequest['returning'] {
  if (message.return_head === true) return 'head';
  return message.return_body === true ? 'body' : 'nothing';
}

/** With both `if_none_match` decides. */
function conditionOf(
  message: MessageOf<typeof RpbPutReq>,
  context: VersionVector | undefined,
): WriteCondition | undefined {
  if (message.if_none_match === true) return { kind: 'none-match' };
  return message.if_not_modified === true ? { kind: 'not-modified', context } : undefined;
}

function putReply(
  outcome: PutOutcome,
  { returning }: PutRequest,
  generatedKey: ByteString | undefined,
): Reply {
  if (outcome.kind !== 'stored') return errorReply(failureToErrorText(outcome));
  const { object, siblings = 1 } = outcome;
  if (object === undefined) {
    const stored = generatedKey === undefined ? STORED : reply(RpbPutResp, { key: generatedKey });
    return withSiblings(stored, siblings);
  }
  const headOnly = returning === 'head';
  const refusal = headOnly ? undefined : findTooLarge(object.siblings);
  if (refusal !== undefined) return refusal;
  const shown = reply(RpbPutResp, {
    content: headOnly ? headsToContent(object.siblings) : siblingsToContent(object.siblings),
    vclock: encodeContext(object.context),
    key: generatedKey,
  });
  return withSiblings(shown, object.siblings.length);
}

function withSiblings(about: Reply, siblings: number): Reply {
  return siblings > 1 ? { ...about, siblings } : about;
}

export function deleteObject(
  message: MessageOf<typeof RpbDelReq>,
  session: Session,
): Reply | Promise<Reply> {
  const known = contextOf(message.vclock);
  if (known.kind === 'refused') return malformedReply(NOT_A_CONTEXT);
  const { bucket, key, type } = message;
  const request: Mutable<DeleteRequest> = {
    key: { type: bucketTypeOf(type), bucket, key },
    span: session.span,
  };
  if (known.context !== undefined) request.context = known.context;
  for (const name of ['rw', 'r', 'w', 'pr', 'pw', 'dw'] as const) {
    setQuorum(request, name, message[name]);
  }
  setRequestOptions(request, message);
  return session.node
    .delete(request)
    .then((outcome) =>
      outcome.kind === 'deleted' || outcome.kind === 'not-found'
        ? DELETED
        : errorReply(failureToErrorText(outcome)),
    );
}
