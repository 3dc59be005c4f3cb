/**
 * The agreement's messages and its durable record as bytes.
 *
 * | part | form |
 * |---|---|
 * | header | u32 size, then a JSON array: [kind, …fields] |
 * | documents | each u32 size, then the bytes of `encodeState` |
 * | check | the record only: CRC-32 of all before it |
 *
 * Numbers are big-endian. Reading is strict: the right number of fields, each in its range, not a
 * byte left over; everything else is the fault `malformed`.
 */

import { crc32 } from 'node:zlib';
import { Fault } from '../base/fault.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type {
  AgreementRecord,
  AgreementReply,
  AgreementRequest,
  Ballot,
  Vote,
} from './agreement.ts';
import { decodeState, encodeState } from './state-document.ts';

type BallotFields = readonly [round: number, node: string, life: number];

const HEADER_SIZE_MAX_BYTES = 16 * 1024;
const RECORD_FORMAT = 1;
const CHECK_SIZE_BYTES = 4;
const VOTES: readonly Vote[] = ['free', 'founding', 'regained', 'unsure'];

export function encodeRequest(request: AgreementRequest): Buffer {
  switch (request.kind) {
    case 'prepare': {
      const { epoch, parent, ballot } = request;
      return pack(['prepare', epoch, parent.toString('hex'), ballotToFields(ballot)]);
    }
    case 'accept':
      return pack(['accept', ballotToFields(request.ballot)], encodeState(request.state));
    case 'learn':
      return pack(['learn'], encodeState(request.state));
    case 'survey':
      return pack(['survey']);
  }
}

/** Throws the fault `malformed`. */
export function decodeRequest(bytes: Buffer): AgreementRequest {
  const [kind, fields, documents] = unpack(bytes);
  switch (kind) {
    case 'prepare': {
      mustHold(fields, 3, documents, 0);
      const [epoch, parent, ballot] = fields;
      return { kind, epoch: asEpoch(epoch), parent: asHash(parent), ballot: asBallot(ballot) };
    }
    case 'accept':
      mustHold(fields, 1, documents, 1);
      return { kind, ballot: asBallot(fields[0]), state: decodeState(mustDocument(documents, 0)) };
    case 'learn':
      mustHold(fields, 0, documents, 1);
      return { kind, state: decodeState(mustDocument(documents, 0)) };
    case 'survey':
      mustHold(fields, 0, documents, 0);
      return { kind };
    default:
      throw malformed('its kind is unknown');
  }
}

export function encodeReply(reply: AgreementReply): Buffer {
  switch (reply.kind) {
    case 'promised': {
      const { accepted } = reply;
      if (accepted === undefined) return pack(['promised']);
      return pack(['promised', ballotToFields(accepted.ballot)], encodeState(accepted.state));
    }
    case 'accepted':
    case 'abstained':
      return pack([reply.kind]);
    case 'refused':
      return pack(['refused', ballotToFields(reply.promised)]);
    case 'behind':
    case 'lagging':
    case 'diverged':
    case 'learnt':
      return pack([reply.kind, reply.epoch]);
    case 'surveyed': {
      const { epoch, promised, accepted, hasProposed, vote } = reply;
      const ballots = [promised, accepted?.ballot].map((ballot) =>
        ballot === undefined ? null : ballotToFields(ballot),
      );
      const documents = accepted === undefined ? [] : [encodeState(accepted.state)];
      return pack(['surveyed', epoch, hasProposed, vote, ...ballots], ...documents);
    }
  }
}

/** Throws the fault `malformed`. */
export function decodeReply(bytes: Buffer): AgreementReply {
  const [kind, fields, documents] = unpack(bytes);
  switch (kind) {
    case 'promised':
      return { kind, accepted: asAccepted(fields, documents) };
    case 'accepted':
    case 'abstained':
      mustHold(fields, 0, documents, 0);
      return { kind };
    case 'refused':
      mustHold(fields, 1, documents, 0);
      return { kind, promised: asBallot(fields[0]) };
    case 'behind':
    case 'lagging':
    case 'diverged':
    case 'learnt':
      mustHold(fields, 1, documents, 0);
      return { kind, epoch: asEpoch(fields[0]) };
    case 'surveyed': {
      const [epoch, hasProposed, vote, promised, ballot] = fields;
      mustHold(fields, 5, documents, ballot === null ? 0 : 1);
      return {
        kind,
        epoch: asEpoch(epoch),
        promised: promised === null ? undefined : asBallot(promised),
        accepted:
          ballot === null
            ? undefined
            : { ballot: asBallot(ballot), state: decodeState(mustDocument(documents, 0)) },
        hasProposed: asBoolean(hasProposed),
        vote: asVote(vote),
      };
    }
    default:
      throw malformed('its kind is unknown');
  }
}

export function encodeRecord(record: AgreementRecord): Buffer {
  const { state, promised, accepted, round, life, vote } = record;
  const fields = [
    RECORD_FORMAT,
    round,
    life,
    vote,
    promised === undefined ? null : ballotToFields(promised),
    accepted === undefined ? null : ballotToFields(accepted.ballot),
  ];
  const documents = accepted === undefined ? [state] : [state, accepted.state];
  const body = pack(['record', ...fields], ...documents.map(encodeState));
  const check = Buffer.alloc(CHECK_SIZE_BYTES);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([body, check]);
}

/** Throws the fault `store-corrupt`: a node must not vote on the strength of a damaged record. */
export function decodeRecord(bytes: Buffer): AgreementRecord {
  try {
    return recordFrom(bytes);
  } catch (cause) {
    throw new Fault('store-corrupt', 'the record of the epoch agreement is damaged', { cause });
  }
}

function recordFrom(bytes: Buffer): AgreementRecord {
  if (bytes.length < CHECK_SIZE_BYTES) throw malformed('it is too short');
  const body = bytes.subarray(0, -CHECK_SIZE_BYTES);
  if (crc32(body) !== bytes.readUInt32BE(body.length)) throw malformed('its check is wrong');
  const [kind, fields, documents] = unpack(body);
  const [format, round, life, vote, promised, ballot] = fields;
  if (kind !== 'record' || format !== RECORD_FORMAT) throw malformed('its format is unknown');
  mustHold(fields, 6, documents, ballot === null ? 1 : 2);
  return {
    state: decodeState(mustDocument(documents, 0)),
    promised: promised === null ? undefined : asBallot(promised),
    accepted:
      ballot === null
        ? undefined
        : { ballot: asBallot(ballot), state: decodeState(mustDocument(documents, 1)) },
    round: asCount(round),
    life: asCount(life),
    vote: asVote(vote),
  };
}

function pack(header: readonly unknown[], ...documents: readonly Buffer[]): Buffer {
  const parts = [Buffer.from(JSON.stringify(header), 'utf8'), ...documents];
  return Buffer.concat(
    parts.flatMap((part) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(part.length);
      return [size, part];
    }),
  );
}

function unpack(bytes: Buffer): [kind: string, fields: readonly unknown[], documents: Buffer[]] {
  const parts: Buffer[] = [];
  for (let offset = 0; offset < bytes.length;) {
    if (parts.length === 3 || bytes.length - offset < 4) throw malformed('its parts are wrong');
    const end = offset + 4 + bytes.readUInt32BE(offset);
    if (end > bytes.length) throw malformed('it is cut off');
    parts.push(bytes.subarray(offset + 4, end));
    offset = end;
  }
  const [header, ...documents] = parts;
  if (header === undefined || header.length > HEADER_SIZE_MAX_BYTES) throw malformed('no header');
  const [kind, ...fields] = asTuple(parseHeader(header));
  if (typeof kind !== 'string') throw malformed('it has no kind');
  return [kind, fields, documents];
}

function parseHeader(header: Buffer): unknown {
  try {
    return JSON.parse(header.toString('utf8'));
  } catch (cause) {
    throw new Fault('malformed', 'an agreement message has an unreadable header', { cause });
  }
}

function mustHold(
  fields: readonly unknown[],
  fieldCount: number,
  documents: readonly Buffer[],
  documentCount: number,
): void {
  if (fields.length !== fieldCount) throw malformed('it has too few or too many fields');
  if (documents.length !== documentCount) throw malformed('it has too few or too many documents');
}

function mustDocument(documents: readonly Buffer[], index: number): Buffer {
  const document = documents[index];
  if (document === undefined) throw malformed('a document is missing');
  return document;
}

function ballotToFields(ballot: Ballot): BallotFields {
  return [ballot.round, ballot.node, ballot.life];
}

function asBallot(value: unknown): Ballot {
  const [round, node, life, ...more] = asTuple(value);
  if (typeof node !== 'string' || more.length > 0) throw malformed('a ballot is wrong');
  return { round: asCount(round), node: node as NodeId, life: asCount(life) };
}

function asAccepted(
  fields: readonly unknown[],
  documents: readonly Buffer[],
): Extract<AgreementReply, { kind: 'promised' }>['accepted'] {
  if (fields.length === 0) {
    mustHold(fields, 0, documents, 0);
    return undefined;
  }
  mustHold(fields, 1, documents, 1);
  return { ballot: asBallot(fields[0]), state: decodeState(mustDocument(documents, 0)) };
}

function asTuple(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw malformed('a tuple is wrong');
  return value;
}

function asCount(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed('a number is wrong');
  return value as number;
}

function asEpoch(value: unknown): Epoch {
  const epoch = asCount(value);
  if (epoch < 1) throw malformed('an epoch is wrong');
  return epoch as Epoch;
}

function asHash(value: unknown): Buffer {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw malformed('a hash is wrong');
  return Buffer.from(value, 'hex');
}

function asVote(value: unknown): Vote {
  const vote = VOTES.find((each) => each === value);
  if (vote === undefined) throw malformed('a vote is wrong');
  return vote;
}

function asBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw malformed('a boolean is wrong');
  return value;
}

function malformed(reason: string): Fault {
  return new Fault('malformed', `an agreement message cannot be read: ${reason}`);
}
