/**
 * The wire form of values that several messages carry: keys, contexts, writes, failures.
 *
 * Names travel as msgpack strings of characters up to U+00FF (measured: under half the cost of byte
 * arrays, because short ASCII strings are copied without an allocation), records and values as byte
 * arrays. What is absent is nil. Tables of words are append-only: an index is a wire number.
 */

import type { NodeId, ObjectKey } from '../base/names.ts';
import { ACTOR_SIZE_BYTES } from '../clock/actor.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import type { Field, FieldKind } from '../datatype/operation.ts';
import type { Quorum } from '../object/bucket-properties.ts';
import type {
  Failure,
  NewContent,
  PutRequest,
  QuorumName,
  WriteCondition,
  WriteOptions,
} from '../object/requests.ts';
import type { IndexEntry, Link, Metadata } from '../object/stored-object.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple, WireValue } from './tuple-reader.ts';

const RETURNING = ['nothing', 'head', 'body'] as const;
const SYNC_ON_WRITE = ['backend', 'one', 'all'] as const;
const QUORUM_WORDS = ['one', 'quorum', 'all'] as const;
const QUORUM_NAMES: readonly QuorumName[] = ['r', 'w', 'dw', 'pr', 'pw', 'node_confirms'];
const CONDITIONS = ['none-match', 'not-modified'] as const;
const FIELD_KINDS: readonly FieldKind[] = ['counter', 'set', 'register', 'flag', 'map'];
const FAILURES = [
  'unknown-bucket-type',
  'n-val-violation',
  'unsatisfied',
  'insufficient-replicas',
  'insufficient-nodes',
  'all-nodes-down',
  'timeout',
  'overload',
  'unavailable',
  'too-large',
  'too-many-siblings',
  'precommit-failed',
  'match-found',
  'modified',
  'nothing-to-match',
  'element-not-present',
  'field-not-present',
] as const satisfies readonly Failure['kind'][];

export function readKey(reader: TupleReader): ObjectKey {
  return { type: reader.byteString(), bucket: reader.byteString(), key: reader.byteString() };
}

/** A field of a map; its parts stand side by side. */
export function fieldToTuple({ name, kind }: Field): WireTuple {
  return [name, FIELD_KINDS.indexOf(kind)];
}

export function readField(reader: TupleReader): Field {
  return { name: reader.byteString(), kind: reader.choice(FIELD_KINDS) };
}

export function readNodeId(reader: TupleReader): NodeId {
  const id = reader.text();
  if (id === '') throw malformed('empty node name');
  return id as NodeId;
}

/** Actor and counter by turns. */
export function contextToTuple(context: VersionVector): WireTuple {
  const fields: WireValue[] = [];
  for (const [actor, counter] of context) fields.push(actor, counter);
  return fields;
}

export function readContext(reader: TupleReader): VersionVector {
  const fields = reader.tuple();
  const context = new Map<Actor, number>();
  while (fields.remaining > 0) {
    const actor = fields.byteString() as string as Actor;
    if (actor.length !== ACTOR_SIZE_BYTES) throw malformed('no actor');
    if (context.has(actor)) throw malformed('an actor twice in a context');
    context.set(actor, fields.integer(1, Number.MAX_SAFE_INTEGER));
  }
  return context;
}

export function putRequestToTuple(request: PutRequest): WireTuple {
  const { key, context, content, condition } = request;
  return [
    key.type,
    key.bucket,
    key.key,
    context === undefined ? null : contextToTuple(context),
    [metadataToTuple(content.metadata), content.value, content.isTombstone],
    condition === undefined ? null : conditionToTuple(condition),
    RETURNING.indexOf(request.returning),
    optionsToTuple(request),
  ];
}

export function readPutRequest(reader: TupleReader): PutRequest {
  const fields = reader.tuple();
  const key = readKey(fields);
  const context = fields.optional(readContext);
  const content = readContent(fields);
  const condition = fields.optional(readCondition);
  const returning = fields.choice(RETURNING);
  const options = readOptions(fields);
  fields.end();
  return {
    ...options,
    key,
    ...(context !== undefined && { context }),
    content,
    ...(condition !== undefined && { condition }),
    returning,
  };
}

function readContent(reader: TupleReader): NewContent {
  const fields = reader.tuple();
  const content = {
    metadata: readMetadata(fields),
    value: fields.bytes(),
    isTombstone: fields.boolean(),
  };
  fields.end();
  return content;
}

function metadataToTuple(metadata: Metadata): WireTuple {
  return [
    metadata.contentType ?? null,
    metadata.charset ?? null,
    metadata.contentEncoding ?? null,
    metadata.links?.map((link) => [link.bucket ?? null, link.key ?? null, link.tag ?? null]) ??
      null,
    metadata.userMetadata?.flat() ?? null,
    metadata.indexes?.flatMap((entry) => [entry.field, entry.term]) ?? null,
  ];
}

function readMetadata(reader: TupleReader): Metadata {
  const fields = reader.tuple();
  const contentType = fields.optional((field) => field.byteString());
  const charset = fields.optional((field) => field.byteString());
  const contentEncoding = fields.optional((field) => field.byteString());
  const links = fields.optional((field) => field.list(readLink));
  const userMetadata = fields.optional((field) =>
    field.list((pair) => [pair.byteString(), pair.byteString()] as const),
  );
  const indexes = fields.optional((field) =>
    field.list((pair): IndexEntry => ({ field: pair.byteString(), term: pair.byteString() })),
  );
  fields.end();
  return {
    ...(contentType !== undefined && { contentType }),
    ...(charset !== undefined && { charset }),
    ...(contentEncoding !== undefined && { contentEncoding }),
    ...(links !== undefined && { links }),
    ...(userMetadata !== undefined && { userMetadata }),
    ...(indexes !== undefined && { indexes }),
  };
}

function readLink(reader: TupleReader): Link {
  const fields = reader.tuple();
  const link = {
    bucket: fields.optional((field) => field.byteString()),
    key: fields.optional((field) => field.byteString()),
    tag: fields.optional((field) => field.byteString()),
  };
  fields.end();
  return link;
}

function conditionToTuple(condition: WriteCondition): WireTuple {
  const code = CONDITIONS.indexOf(condition.kind);
  if (condition.kind === 'none-match') return [code];
  return [code, condition.context === undefined ? null : contextToTuple(condition.context)];
}

function readCondition(reader: TupleReader): WriteCondition {
  const fields = reader.tuple();
  const kind = fields.choice(CONDITIONS);
  const condition: WriteCondition =
    kind === 'none-match' ? { kind } : { kind, context: fields.optional(readContext) };
  fields.end();
  return condition;
}

export function optionsToTuple(options: WriteOptions): WireTuple {
  return [
    // What is left of a time is seldom whole.
    options.timeoutMs === undefined ? null : Math.floor(options.timeoutMs),
    options.sloppyQuorum ?? null,
    options.nVal ?? null,
    options.nodeConfirms ?? null,
    options.w ?? null,
    options.dw ?? null,
    options.pw ?? null,
    options.asIs ?? null,
    options.syncOnWrite === undefined ? null : SYNC_ON_WRITE.indexOf(options.syncOnWrite),
  ];
}

export function readOptions(reader: TupleReader): WriteOptions {
  const fields = reader.tuple();
  const timeoutMs = fields.optional(readInteger);
  const sloppyQuorum = fields.optional((field) => field.boolean());
  const nVal = fields.optional(readInteger);
  const nodeConfirms = fields.optional(readInteger);
  const w = fields.optional(readQuorum);
  const dw = fields.optional(readQuorum);
  const pw = fields.optional(readQuorum);
  const asIs = fields.optional((field) => field.boolean());
  const syncOnWrite = fields.optional((field) => field.choice(SYNC_ON_WRITE));
  fields.end();
  return {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(sloppyQuorum !== undefined && { sloppyQuorum }),
    ...(nVal !== undefined && { nVal }),
    ...(nodeConfirms !== undefined && { nodeConfirms }),
    ...(w !== undefined && { w }),
    ...(dw !== undefined && { dw }),
    ...(pw !== undefined && { pw }),
    ...(asIs !== undefined && { asIs }),
    ...(syncOnWrite !== undefined && { syncOnWrite }),
  };
}

function readInteger(reader: TupleReader): number {
  return reader.safeInteger();
}

function readQuorum(reader: TupleReader): Quorum {
  const value = reader.raw();
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  const word = QUORUM_WORDS.find((candidate) => candidate === value);
  if (word === undefined) throw malformed('no quorum');
  return word;
}

export function failureToTuple(failure: Failure): WireTuple {
  const code = FAILURES.indexOf(failure.kind);
  switch (failure.kind) {
    case 'unknown-bucket-type':
      return [code, failure.type];
    case 'n-val-violation':
      return [code, failure.n];
    case 'unsatisfied':
      return [code, QUORUM_NAMES.indexOf(failure.quorum), failure.needed, failure.got];
    case 'insufficient-replicas':
    case 'insufficient-nodes':
      return [code, failure.needed, failure.got];
    case 'unavailable':
      return [code, failure.reason];
    case 'too-large':
      return [code, failure.sizeBytes];
    case 'too-many-siblings':
      return [code, failure.count];
    case 'precommit-failed':
      return [code, failure.reason ?? null];
    case 'element-not-present':
      return [code, failure.element];
    case 'field-not-present':
      return [code, ...fieldToTuple(failure.field)];
    case 'all-nodes-down':
    case 'timeout':
    case 'overload':
    case 'match-found':
    case 'modified':
    case 'nothing-to-match':
      return [code];
  }
}

export function readFailure(reader: TupleReader): Failure {
  const fields = reader.tuple();
  const failure = readFailureFields(fields, fields.choice(FAILURES));
  fields.end();
  return failure;
}

function readFailureFields(fields: TupleReader, kind: (typeof FAILURES)[number]): Failure {
  switch (kind) {
    case 'unknown-bucket-type':
      return { kind, type: fields.byteString() };
    case 'n-val-violation':
      return { kind, n: fields.count() };
    case 'unsatisfied':
      return {
        kind,
        quorum: fields.choice(QUORUM_NAMES),
        needed: fields.count(),
        got: fields.count(),
      };
    case 'insufficient-replicas':
    case 'insufficient-nodes':
      return { kind, needed: fields.count(), got: fields.count() };
    case 'unavailable':
      return { kind, reason: fields.text() };
    case 'too-large':
      return { kind, sizeBytes: fields.count() };
    case 'too-many-siblings':
      return { kind, count: fields.count() };
    case 'precommit-failed':
      return { kind, reason: fields.optional((field) => field.text()) };
    case 'element-not-present':
      return { kind, element: fields.byteString() };
    case 'field-not-present':
      return { kind, field: readField(fields) };
    case 'all-nodes-down':
    case 'timeout':
    case 'overload':
    case 'match-found':
    case 'modified':
    case 'nothing-to-match':
      return { kind };
  }
}
