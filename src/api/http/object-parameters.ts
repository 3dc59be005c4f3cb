/**
 * The query of object requests: quorums, time-out and behaviour, with Riak's words for what is wrong.
 *
 * A bad time-out is reported alone; the other faults are all named, one line each, in Riak's order.
 */

import { resolveQuorum } from '../../object/bucket-properties.ts';
import { textAnswer } from './answer.ts';
import type { Quorum } from '../../object/bucket-properties.ts';
import type { ReadOptions, WriteOptions } from '../../object/requests.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Query } from './query.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface ObjectParameters {
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
  { type, bucket }: { readonly type: ByteString; readonly bucket: ByteString },
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
    read.nodeConfirms = resolveNodeConfirms(exchange, { type, bucket, nodeConfirms });
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
  { type, bucket }: { readonly type: ByteString; readonly bucket: ByteString },
): Pick<ObjectParameters, 'read' | 'write'> | Answer {
  const { query } = exchange;
  if (query.isEmpty) return NO_PARAMETERS;
  const reader = new ParameterReader(query);
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
  if (reader.faults !== '') return textAnswer(400, reader.faults);
  if (nodeConfirms !== undefined) {
    read.nodeConfirms = resolveNodeConfirms(exchange, { type, bucket, nodeConfirms });
    write.nodeConfirms = read.nodeConfirms;
  }
  return { read, write };
}

interface NodeConfirmsWish {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly nodeConfirms: Quorum;
}

function resolveNodeConfirms(exchange: Exchange, wish: NodeConfirmsWish): number {
  const properties = exchange.context.service.bucketProperties(wish.type, wish.bucket);
  return resolveQuorum(wish.nodeConfirms, properties?.n_val ?? 0);
}

/** Milliseconds, where the client set them: any integer, also below 0. */
export function parseTimeout(query: Query): number | undefined | Answer {
  const text = query.get('timeout');
  if (text === undefined) return undefined;
  return parseInteger(text) ?? textAnswer(400, `Bad timeout value "${text}"\n`);
}

function set<T, K extends keyof T>(target: T, name: K, value: T[K] | undefined): void {
  if (value !== undefined) target[name] = value;
}

/** Reads parameters one by one; `faults` has a line for each that cannot be read. */
export class ParameterReader {
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
