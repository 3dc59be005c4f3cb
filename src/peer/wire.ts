/**
 * The compact form of what nodes say to each other.
 *
 * Each message is a tuple [code, field, …] of values that msgpackr packs as they are; a frame holds
 * many of them (the transport's business), and the `encode…`/`decode…` pairs pack one alone. Byte
 * arrays come out as views of what was received. Reading is strict: what does not begin with just the
 * fields that this release writes is a `peer-malformed` fault. Fields behind them are of a later release
 * and passed over; a request with a code of a later release is a `peer-unsupported` fault, of which
 * nothing was done.
 *
 * Codes are wire numbers: append, never reuse. `docs/upgrade.md` has the rules for what may be added how.
 */

import { Packr, Unpackr } from 'msgpackr';
import type { Epoch, ObjectKey, Partition } from '../base/names.ts';
import { Fault, unreachable } from '../base/fault.ts';
import { decodeTraceparent, encodeTraceparent } from '../base/traceparent.ts';
import type {
  CoverageShare,
  IndexScan,
  PartitionSize,
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from './messages.ts';
import { malformed, TupleReader } from './tuple-reader.ts';
import type { WireTuple } from './tuple-reader.ts';
import {
  copiesToTuple,
  hashesToTuple,
  headsToTuple,
  keysToTuple,
  readFetchedCopy,
  readKeyHash,
  readKeyHead,
  readKeyRecord,
  recordsToTuple,
} from './wire-copies.ts';
import { readUpdateRequest, updateRequestToTuple } from './wire-datatypes.ts';
import { foldPieceToTuple, foldScanToTuple, readFoldPiece, readFoldScan } from './wire-folds.ts';
import { mapInputsToTuple, mapOutputsToTuple, readMapInput, readMapOutputs } from './wire-map.ts';
import { readTrace, traceToTuple } from './wire-trace.ts';
import {
  failureToTuple,
  putRequestToTuple,
  readFailure,
  readKey,
  readNodeId,
  readPutRequest,
} from './wire-values.ts';

const PARTITION_MAX = 0xffff;
/** What the key of a row or of a filed copy can hold; trees have far fewer. */
const SEGMENT_MAX = 0xffff;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

/** `parentSpan` follows the fields of any request, as a `traceparent`; what is added later, behind it. */
export function requestToTuple(request: PeerRequest): WireTuple {
  const { parentSpan } = request;
  const tuple = questionToTuple(request);
  const trace = parentSpan && encodeTraceparent(parentSpan);
  const awaitsWrites = request.verb === 'get' && request.awaitsWrites === true;
  if (awaitsWrites) return [...tuple, trace ?? null, true];
  return trace === undefined ? tuple : [...tuple, trace];
}

function questionToTuple(request: PeerRequest): WireTuple {
  switch (request.verb) {
    case 'ping':
      return [1, request.epoch, request.incarnation];
    case 'get': {
      const { type, bucket, key } = request.key;
      return [2, type, bucket, key, request.headOnly];
    }
    case 'merge': {
      const { type, bucket, key } = request.key;
      return [3, type, bucket, key, request.record, request.hintFor ?? null];
    }
    case 'put':
      return [4, putRequestToTuple(request.request)];
    case 'reap': {
      const { type, bucket, key } = request.key;
      return [5, type, bucket, key, request.tombstoneHash];
    }
    case 'agree':
      return [6, request.message];
    case 'state':
      return [7, request.aboveEpoch];
    case 'tree':
      return [8, request.partition, request.nVal];
    case 'update':
      return [9, updateRequestToTuple(request.request)];
    case 'fetch':
      return [10, keysToTuple(request.keys), request.headsOnly];
    case 'deliver':
      return [11, recordsToTuple(request.records)];
    case 'trace': {
      const { type, bucket, key } = request.key;
      return [16, type, bucket, key];
    }
    case 'sizes':
      return [24, request.partitions];
    case 'map':
      return [32, request.task, mapInputsToTuple(request.inputs)];
    default:
      return unreachable(request);
  }
}

export function tupleToRequest(tuple: unknown): PeerRequest {
  const reader = new TupleReader(tuple);
  const request = readRequest(reader);
  if (reader.remaining === 0) return request;
  // What is none is passed over: a trace is no reason to refuse work.
  const parentSpan = decodeTraceparent(reader.raw());
  const traced = parentSpan === undefined ? request : { ...request, parentSpan };
  const awaitsWrites = traced.verb === 'get' && reader.remaining > 0 && reader.raw() === true;
  return awaitsWrites ? { ...traced, awaitsWrites } : traced;
}

function readRequest(reader: TupleReader): PeerRequest {
  switch (reader.count()) {
    case 1:
      return { verb: 'ping', epoch: readEpoch(reader), incarnation: reader.count() };
    case 2:
      return { verb: 'get', key: readKey(reader), headOnly: reader.boolean() };
    case 3:
      return {
        verb: 'merge',
        key: readKey(reader),
        record: reader.bytes(),
        hintFor: reader.optional(readNodeId),
      };
    case 4:
      return { verb: 'put', request: readPutRequest(reader) };
    case 5:
      return { verb: 'reap', key: readKey(reader), tombstoneHash: reader.bytes() };
    case 6:
      return { verb: 'agree', message: reader.bytes() };
    case 7:
      return { verb: 'state', aboveEpoch: readEpoch(reader) };
    case 8:
      return { verb: 'tree', partition: readPartition(reader), nVal: readNVal(reader) };
    case 9:
      return { verb: 'update', request: readUpdateRequest(reader) };
    case 10:
      return { verb: 'fetch', keys: reader.list(readKey), headsOnly: reader.boolean() };
    case 11:
      return { verb: 'deliver', records: reader.list(readKeyRecord) };
    case 16:
      return { verb: 'trace', key: readKey(reader) };
    case 24:
      return { verb: 'sizes', partitions: reader.list(readPartition) };
    case 32:
      return { verb: 'map', task: reader.bytes(), inputs: reader.list(readMapInput) };
    default:
      throw unsupported('request');
  }
}

export function replyToTuple(reply: PeerReply): WireTuple {
  switch (reply.kind) {
    case 'pong':
      return pongToTuple(reply);
    case 'object':
      return [2, reply.record ?? null];
    case 'done':
      return [3];
    case 'stored':
      return [4, reply.record ?? null];
    case 'failed':
      return [5, failureToTuple(reply.failure)];
    case 'reaped':
      return [6, reply.isGone];
    case 'agreement':
      return [7, reply.message];
    case 'state':
      return [8, reply.document ?? null];
    case 'tree':
      return [9, reply.segments];
    case 'copies':
      return [10, copiesToTuple(reply.copies)];
    case 'delivered':
      return [11, reply.refused];
    case 'trace':
      return [16, ...traceToTuple(reply.trace)];
    case 'sizes':
      return [
        24,
        reply.sizes.flatMap(({ keys, sizeBytes }) => [keys, sizeBytes]),
        reply.fillBytesPerSecond ?? null,
      ];
    case 'mapped':
      return [32, mapOutputsToTuple(reply.outputs)];
    default:
      return unreachable(reply);
  }
}

/** The clock came last: who does not know it passes it over. */
function pongToTuple(pong: Extract<PeerReply, { kind: 'pong' }>): WireTuple {
  const { epoch, incarnation, inCoverage, isFilled, wallMicros } = pong;
  const known = [1, epoch, incarnation, inCoverage, isFilled];
  return wallMicros === undefined ? known : [...known, wallMicros];
}

export function tupleToReply(tuple: unknown): PeerReply {
  return readReply(new TupleReader(tuple));
}

function readReply(reader: TupleReader): PeerReply {
  switch (reader.count()) {
    case 1:
      return {
        kind: 'pong',
        epoch: readEpoch(reader),
        incarnation: reader.count(),
        inCoverage: reader.boolean(),
        isFilled: reader.boolean(),
        wallMicros: reader.remaining === 0 ? undefined : reader.safeInteger(),
      };
    case 2:
      return { kind: 'object', record: reader.optional(readBytes) };
    case 3:
      return { kind: 'done' };
    case 4:
      return { kind: 'stored', record: reader.optional(readBytes) };
    case 5:
      return { kind: 'failed', failure: readFailure(reader) };
    case 6:
      return { kind: 'reaped', isGone: reader.boolean() };
    case 7:
      return { kind: 'agreement', message: reader.bytes() };
    case 8:
      return { kind: 'state', document: reader.optional(readBytes) };
    case 9:
      return { kind: 'tree', segments: reader.bytes() };
    case 10:
      return { kind: 'copies', copies: reader.list(readFetchedCopy) };
    case 11:
      return { kind: 'delivered', refused: reader.list((list) => list.count()) };
    case 16:
      return { kind: 'trace', trace: readTrace(reader) };
    case 24:
      return {
        kind: 'sizes',
        sizes: reader.list(readPartitionSize),
        fillBytesPerSecond: reader.optional((field) => field.count()),
      };
    case 32:
      return { kind: 'mapped', outputs: readMapOutputs(reader) };
    default:
      throw malformed('unknown kind of reply');
  }
}

export function streamRequestToTuple(request: PeerStreamRequest): WireTuple {
  switch (request.verb) {
    case 'list-buckets':
      return [1, request.share.partitions, request.type];
    case 'list-keys':
      return [2, request.share.partitions, request.type, request.bucket];
    case 'index':
      return [3, request.share.partitions, indexScanToTuple(request.query)];
    case 'heads':
      return [4, request.partition, request.nVal, request.segments];
    case 'hashes':
      return [6, request.partition, request.nVal, request.segments];
    case 'records': {
      const { partition, nVal, after } = request;
      return [
        5,
        partition,
        nVal,
        after === undefined ? null : [after.type, after.bucket, after.key],
      ];
    }
    case 'fold':
      return [8, request.share.partitions, foldScanToTuple(request.scan)];
    default:
      return unreachable(request);
  }
}

export function tupleToStreamRequest(tuple: unknown): PeerStreamRequest {
  return readStreamRequest(new TupleReader(tuple));
}

function readStreamRequest(reader: TupleReader): PeerStreamRequest {
  switch (reader.count()) {
    case 1:
      return { verb: 'list-buckets', share: readShare(reader), type: reader.byteString() };
    case 2:
      return {
        verb: 'list-keys',
        share: readShare(reader),
        type: reader.byteString(),
        bucket: reader.byteString(),
      };
    case 3:
      return { verb: 'index', share: readShare(reader), query: readIndexScan(reader) };
    case 4:
      return {
        verb: 'heads',
        partition: readPartition(reader),
        nVal: readNVal(reader),
        segments: reader.list(readSegment),
      };
    case 6:
      return {
        verb: 'hashes',
        partition: readPartition(reader),
        nVal: readNVal(reader),
        segments: reader.list(readSegment),
      };
    case 5:
      return {
        verb: 'records',
        partition: readPartition(reader),
        nVal: readNVal(reader),
        after: reader.optional(readKeyTuple),
      };
    case 8:
      return { verb: 'fold', share: readShare(reader), scan: readFoldScan(reader) };
    default:
      throw unsupported('stream');
  }
}

/** Lists are flat: (term, key), and (type, bucket, key, head or record), one after the other. */
export function streamItemToTuple(item: PeerStreamItem): WireTuple {
  switch (item.kind) {
    case 'names':
      return [1, item.names];
    case 'index-entries':
      return [2, item.entries.flat()];
    case 'heads':
      return [3, headsToTuple(item.heads)];
    case 'records':
      return [4, recordsToTuple(item.records)];
    case 'hashes':
      return [5, hashesToTuple(item.hashes)];
    case 'folded':
      return [8, ...foldPieceToTuple(item.piece)];
    default:
      return unreachable(item);
  }
}

export function tupleToStreamItem(tuple: unknown): PeerStreamItem {
  return readStreamItem(new TupleReader(tuple));
}

function readStreamItem(reader: TupleReader): PeerStreamItem {
  switch (reader.count()) {
    case 1:
      return { kind: 'names', names: reader.list((list) => list.byteString()) };
    case 2:
      return {
        kind: 'index-entries',
        entries: reader.list((list) => [list.byteString(), list.byteString()] as const),
      };
    case 3:
      return { kind: 'heads', heads: reader.list(readKeyHead) };
    case 4:
      return { kind: 'records', records: reader.list(readKeyRecord) };
    case 5:
      return { kind: 'hashes', hashes: reader.list(readKeyHash) };
    case 8:
      return { kind: 'folded', piece: readFoldPiece(reader) };
    default:
      throw malformed('unknown kind of item');
  }
}

export function encodeRequest(request: PeerRequest): Buffer {
  return packr.pack(requestToTuple(request));
}

export function decodeRequest(bytes: Uint8Array): PeerRequest {
  return tupleToRequest(unpack(bytes));
}

export function encodeReply(reply: PeerReply): Buffer {
  return packr.pack(replyToTuple(reply));
}

export function decodeReply(bytes: Uint8Array): PeerReply {
  return tupleToReply(unpack(bytes));
}

export function encodeStreamRequest(request: PeerStreamRequest): Buffer {
  return packr.pack(streamRequestToTuple(request));
}

export function decodeStreamRequest(bytes: Uint8Array): PeerStreamRequest {
  return tupleToStreamRequest(unpack(bytes));
}

export function encodeStreamItem(item: PeerStreamItem): Buffer {
  return packr.pack(streamItemToTuple(item));
}

export function decodeStreamItem(bytes: Uint8Array): PeerStreamItem {
  return tupleToStreamItem(unpack(bytes));
}

function unsupported(what: string): Fault {
  return new Fault('peer-unsupported', `the peer's release does not know this ${what}`);
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return unpackr.unpack(bytes);
  } catch {
    // msgpackr's own message quotes what it read, so it is not passed on even as the cause.
    throw malformed('not MessagePack');
  }
}

function indexScanToTuple(scan: IndexScan): WireTuple {
  return [
    scan.type,
    scan.bucket,
    scan.field,
    scan.from,
    scan.to,
    scan.after === undefined ? null : [scan.after.term, scan.after.key],
    scan.limit ?? null,
  ];
}

function readIndexScan(reader: TupleReader): IndexScan {
  const fields = reader.tuple();
  const scan: IndexScan = {
    type: fields.byteString(),
    bucket: fields.byteString(),
    field: fields.byteString(),
    from: fields.byteString(),
    to: fields.byteString(),
    after: fields.optional(readPosition),
    limit: fields.optional((field) => field.count()),
  };
  fields.end();
  return scan;
}

function readPosition(reader: TupleReader): NonNullable<IndexScan['after']> {
  const fields = reader.tuple();
  const position = { term: fields.byteString(), key: fields.byteString() };
  fields.end();
  return position;
}

function readShare(reader: TupleReader): CoverageShare {
  return { partitions: reader.list(readPartition) };
}

function readKeyTuple(reader: TupleReader): ObjectKey {
  const fields = reader.tuple();
  const key = readKey(fields);
  fields.end();
  return key;
}

function readSegment(reader: TupleReader): number {
  return reader.integer(0, SEGMENT_MAX);
}

function readPartitionSize(reader: TupleReader): PartitionSize {
  return { keys: reader.count(), sizeBytes: reader.count() };
}

function readBytes(reader: TupleReader): Buffer {
  return reader.bytes();
}

function readEpoch(reader: TupleReader): Epoch {
  return reader.count() as Epoch;
}

function readPartition(reader: TupleReader): Partition {
  return reader.integer(0, PARTITION_MAX) as Partition;
}

function readNVal(reader: TupleReader): number {
  return reader.integer(1, PARTITION_MAX);
}
