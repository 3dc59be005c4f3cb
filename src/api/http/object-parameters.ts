/**
 * The query of object requests: quorums, time-out and behaviour, with Riak's words for what is wrong.
 *
 * Of an object a bad time-out is reported alone; other faults are all named, one line each, in Riak's
 * order.
 */

import { resolveQuorum } from '../../object/bucket-properties.ts';
import { printCharacters } from '../../object/erlang-text.ts';
import { textAnswer } from './answer.ts';
import type { Quorum } from '../../object/bucket-properties.ts';
import type { ReadOptions, WriteOptions } from '../../object/requests.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Mutable } from '../../base/mutable.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Query } from './query.ts';

/** 24 days. More than that is cut to it, as over Protocol Buffers, so that peers can read it. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

export interface ObjectParameters {
  readonly read: ReadOptions;
  readonly write: WriteOptions;
  readonly rw: Quorum | undefined;
  readonly isBodyReturned: boolean;
  readonly vtag: string | undefined;
}

export const NO_PARAMETERS: ObjectParameters = {
  read: {},
  write: {},
  rw: undefined,
  isBodyReturned: false,
  vtag: undefined,
};

/** The parameters of a request on an object of this bucket, or the answer to bad ones. */
export function parseObjectParameters(
  exchange: Exchange,
  key: BucketName,
): ObjectParameters | Answer {
  const { query } = exchange;
  if (query.isEmpty) return NO_PARAMETERS;
  const timeoutMs = parseTimeout(query);
  if (typeof timeoutMs === 'object') return timeoutMs;
  const reader = new ParameterReader(query);
  const read: Mutable<ReadOptions> = {};
  const write: Mutable<WriteOptions> = {};
  set(read, 'r', reader.quorum('r'));
  set(write, 'w', reader.quorum('w'));
  set(write, 'dw', reader.quorum('dw'));
  const rw = reader.quorum('rw');
  set(write, 'pw', reader.quorum('pw'));
  const nodeConfirms = reader.quorum('node_confirms');
  set(read, 'pr', reader.quorum('pr'));
  set(write, 'syncOnWrite', reader.syncOnWrite());
  set(read, 'basicQuorum', reader.boolean('basic_quorum'));
  set(read, 'notFoundOk', reader.boolean('notfound_ok'));
  set(write, 'asIs', reader.boolean('asis'));
  if (reader.faults !== '') return textAnswer(400, reader.faults);
  if (nodeConfirms !== undefined) {
    read.nodeConfirms = resolveNodeConfirms(exchange, key, nodeConfirms);
    write.nodeConfirms = read.nodeConfirms;
  }
  if (timeoutMs !== undefined) write.timeoutMs = timeoutMs;
  // Riak answers a GET that may take no time at all.
  if (timeoutMs !== undefined && timeoutMs !== 0) read.timeoutMs = timeoutMs;
  return {
    read,
    write,
    rw,
    isBodyReturned: query.get('returnbody') === 'true',
    vtag: query.get('vtag'),
  };
}

/** Those of a counter of Riak 1.4, checked whatever the method; others are passed over. */
export function parseCounterParameters(
  exchange: Exchange,
  key: BucketName,
): Pick<ObjectParameters, 'read' | 'write'> | Answer {
  const { query } = exchange;
  if (query.isEmpty) return NO_PARAMETERS;
  const reader = new ParameterReader(query);
  const parameters = readSharedParameters(reader, exchange, key);
  return reader.faults === '' ? parameters : textAnswer(400, reader.faults);
}

export interface DatatypeParameters extends Pick<ObjectParameters, 'read' | 'write'> {
  readonly isContextShown: boolean;
  readonly isValueReturned: boolean;
  /** 0: as long as it takes. */
  readonly timeoutMs: number | undefined;
}

export const NO_DATATYPE_PARAMETERS: DatatypeParameters = {
  read: {},
  write: {},
  isContextShown: true,
  isValueReturned: false,
  timeoutMs: undefined,
};

/** Those of a data type; of a bad time-out, too, a line among the others. */
export function parseDatatypeParameters(
  exchange: Exchange,
  key: BucketName,
): DatatypeParameters | Answer {
  const { query } = exchange;
  if (query.isEmpty) return NO_DATATYPE_PARAMETERS;
  const reader = new ParameterReader(query);
  const shared = readSharedParameters(reader, exchange, key);
  const isContextShown = reader.boolean('include_context') ?? true;
  const isValueReturned = reader.boolean('returnbody') ?? false;
  const text = query.get('timeout');
  const integer = text === undefined ? undefined : parseInteger(text);
  const timeoutMs = integer && Math.min(integer, TIMEOUT_MAX_MS);
  if (text !== undefined && (timeoutMs === undefined || timeoutMs < 0)) {
    const least = timeoutMs === undefined ? '0' : '0 (or 0 for disabled)';
    const rule = `timeout query parameter must be an integer greater than ${least}`;
    reader.faults += `${rule}, ${text} is invalid\n`;
  }
  return reader.faults === ''
    ? { ...shared, isContextShown, isValueReturned, timeoutMs }
    : textAnswer(400, reader.faults);
}

/** What counters and data types have in common; faults stay with `reader`. */
function readSharedParameters(
  reader: ParameterReader,
  exchange: Exchange,
  key: BucketName,
): Pick<ObjectParameters, 'read' | 'write'> {
  const read: Mutable<ReadOptions> = {};
  const write: Mutable<WriteOptions> = {};
  set(read, 'r', reader.quorum('r'));
  set(write, 'w', reader.quorum('w'));
  set(write, 'dw', reader.quorum('dw'));
  set(write, 'pw', reader.quorum('pw'));
  const nodeConfirms = reader.quorum('node_confirms');
  set(read, 'pr', reader.quorum('pr'));
  set(read, 'basicQuorum', reader.boolean('basic_quorum'));
  set(read, 'notFoundOk', reader.boolean('notfound_ok'));
  if (nodeConfirms !== undefined) {
    read.nodeConfirms = resolveNodeConfirms(exchange, key, nodeConfirms);
    write.nodeConfirms = read.nodeConfirms;
  }
  return { read, write };
}

interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

function resolveNodeConfirms(
  exchange: Exchange,
  { type, bucket }: BucketName,
  nodeConfirms: Quorum,
): number {
  const properties = exchange.context.service.bucketProperties(type, bucket);
  return resolveQuorum(nodeConfirms, properties?.n_val ?? 0);
}

/** Milliseconds, where the client set them: any integer, also below 0, up to the longest. */
export function parseTimeout(query: Query): number | undefined | Answer {
  const text = query.get('timeout');
  if (text === undefined) return undefined;
  const timeoutMs = parseInteger(text);
  if (timeoutMs === undefined)
    return textAnswer(400, `Bad timeout value ${printCharacters(text)}\n`);
  return Math.min(timeoutMs, TIMEOUT_MAX_MS);
}

function set<T, K extends keyof T>(target: T, name: K, value: T[K] | undefined): void {
  if (value !== undefined) target[name] = value;
}

/** Reads parameters one by one; `faults` has a line for each that cannot be read. */
class ParameterReader {
  readonly #query: Query;
  faults = '';

  constructor(query: Query) {
    this.#query = query;
  }

  /** Undefined stands for the bucket's property. */
  quorum(name: string): Quorum | undefined {
    const text = this.#query.get(name) as string | undefined;
    if (text === undefined || text === 'default') return undefined;
    if (text === 'one' || text === 'quorum' || text === 'all') return text;
    const count = parseInteger(text);
    if (count === undefined) {
      this.faults +=
        `${name} query parameter must be an integer or one of the following words: ` +
        "'one', 'quorum' or 'all'\n";
    }
    return count;
  }

  boolean(name: string): boolean | undefined {
    const text = this.#query.get(name)?.toLowerCase();
    if (text === undefined || text === 'default') return undefined;
    if (text === 'true') return true;
    if (text !== 'false') this.faults += `${name} query parameter must be true or false\n`;
    return false;
  }

  syncOnWrite(): WriteOptions['syncOnWrite'] {
    const text = this.#query.get('sync_on_write')?.toLowerCase();
    if (text === undefined || text === 'default') return undefined;
    if (text === 'backend' || text === 'one' || text === 'all') return text;
    this.faults +=
      'sync_on_write query parameter must be one of the following words: ' +
      '[default,backend,one,all]\n';
    return undefined;
  }
}

/** A decimal integer with an optional sign. */
export function parseInteger(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}
