/**
 * Two doors to the same nodes: an object's life over HTTP and over Protocol Buffers, said alike.
 *
 * A context is the base64 of what either protocol calls a vclock, so one door takes what the other
 * gave. All writes go to all replicas, so that whatever is read next, by any node, has them.
 */

import { ask } from './http/served.ts';
import { parseMultipart } from './http/multipart-reader.ts';
import { BareClient, errorText, name } from './pbc/served.ts';
import { RpbListKeysReq } from '../../src/api/pbc/messages/bucket-messages.ts';
import { RpbDelReq } from '../../src/api/pbc/messages/delete-messages.ts';
import { RpbGetReq } from '../../src/api/pbc/messages/get-messages.ts';
import { RpbIndexReq } from '../../src/api/pbc/messages/index-messages.ts';
import { RpbPutReq } from '../../src/api/pbc/messages/put-messages.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Written } from './riak-model.ts';

export type Condition = 'none' | 'create-only' | 'not-modified';
export type PutAnswer = 'stored' | 'refused';

export interface Place {
  readonly type: string;
  readonly bucket: string;
}

/** Siblings in a canonical text each, sorted; a context where there is anything. */
export interface Shown {
  readonly siblings: readonly string[];
  readonly context: string | undefined;
}

export interface Door {
  put(key: string, written: Written, context?: string, condition?: Condition): Promise<PutAnswer>;
  remove(key: string, context?: string): Promise<void>;
  read(key: string): Promise<Shown>;
  keys(): Promise<readonly string[]>;
  /** `term key` for each entry in the range, in order. */
  index(field: string, from: string, to: string): Promise<readonly string[]>;
}

export const TOMBSTONE = 'deleted';

export function canonical({ value, tag, words, number }: Written): string {
  return JSON.stringify([value, tag, [...new Set(words)].sort(), number]);
}

const META = 'X-Riak-Meta-Tag';

export class HttpDoor implements Door {
  readonly #port: number;
  readonly #path: string;

  constructor(port: number, { type, bucket }: Place) {
    this.#port = port;
    this.#path = `/types/${type}/buckets/${bucket}`;
  }

  async put(
    key: string,
    written: Written,
    context?: string,
    condition: Condition = 'none',
  ): Promise<PutAnswer> {
    const headers = {
      'Content-Type': 'text/plain',
      [META]: written.tag,
      'X-Riak-Index-word_bin': written.words.join(', '),
      'X-Riak-Index-number_int': String(written.number),
      ...(context === undefined ? {} : { 'X-Riak-Vclock': context }),
      ...(condition === 'create-only' ? { 'If-None-Match': '*' } : {}),
      ...(condition === 'not-modified' ? { 'X-Riak-If-Not-Modified': context ?? '' } : {}),
    };
    const path = `PUT ${this.#path}/keys/${key}?w=all&dw=all`;
    const { status } = await ask(this.#port, path, { headers, body: written.value });
    if (status === 204) return 'stored';
    if (status === 412 || status === 409) return 'refused';
    throw new Error(`a put was answered with ${status}`);
  }

  async remove(key: string, context?: string): Promise<void> {
    const headers = context === undefined ? {} : { 'X-Riak-Vclock': context };
    const path = `DELETE ${this.#path}/keys/${key}?w=all&dw=all`;
    const { status } = await ask(this.#port, path, { headers });
    if (status !== 204 && status !== 404) throw new Error(`a delete was answered with ${status}`);
  }

  async read(key: string): Promise<Shown> {
    const { status, headers, body } = await ask(this.#port, `GET ${this.#path}/keys/${key}`, {
      headers: { Accept: '*/*;q=0.5, multipart/mixed' },
    });
    const context = headers['x-riak-vclock'] as string | undefined;
    if (status === 404) return { siblings: [], context };
    if (status === 200) return { siblings: [shownPart(headers, body)], context };
    if (status !== 300) throw new Error(`a get was answered with ${status}`);
    const boundary = /boundary=(.*)$/.exec(headers['content-type'] ?? '')?.[1] ?? '';
    const parts = parseMultipart(body, boundary);
    return { siblings: parts.map((part) => shownPart(part.headers, part.body)).sort(), context };
  }

  async keys(): Promise<readonly string[]> {
    const { body } = await ask(this.#port, `GET ${this.#path}/keys?keys=true`);
    return (JSON.parse(body.toString()) as { keys: string[] }).keys;
  }

  async index(field: string, from: string, to: string): Promise<readonly string[]> {
    const path = `GET ${this.#path}/index/${field}/${from}/${to}?return_terms=true&max_results=999`;
    const { body } = await ask(this.#port, path);
    const { results } = JSON.parse(body.toString()) as { results: Record<string, string>[] };
    return results.flatMap((result) => {
      return Object.entries(result).map(([term, key]) => `${term} ${key}`);
    });
  }
}

function shownPart(headers: Readonly<Record<string, unknown>>, body: Buffer): string {
  if (headers['x-riak-deleted'] === 'true') return TOMBSTONE;
  const header = (field: string): string => String(headers[field]);
  return canonical({
    value: body.toString(),
    tag: header(META.toLowerCase()),
    words: header('x-riak-index-word_bin').split(', '),
    number: Number(header('x-riak-index-number_int')),
  });
}

export class PbcDoor implements Door {
  readonly #client: BareClient;
  readonly #place: { readonly type: ByteString; readonly bucket: ByteString };

  constructor(client: BareClient, { type, bucket }: Place) {
    this.#client = client;
    this.#place = { type: name(type), bucket: name(bucket) };
  }

  async put(
    key: string,
    written: Written,
    context?: string,
    condition: Condition = 'none',
  ): Promise<PutAnswer> {
    const reply = await this.#client.ask(RpbPutReq, {
      ...this.#place,
      key: name(key),
      ...(context === undefined ? {} : { vclock: Buffer.from(context, 'base64') }),
      content: {
        value: Buffer.from(written.value),
        content_type: name('text/plain'),
        usermeta: [{ key: name(META), value: name(written.tag) }],
        indexes: [
          ...written.words.map((word) => ({ key: name('word_bin'), value: name(word) })),
          { key: name('number_int'), value: name(String(written.number)) },
        ],
      },
      w: 3,
      dw: 3,
      if_none_match: condition === 'create-only',
      if_not_modified: condition === 'not-modified',
    });
    const text = errorText(reply);
    if (text === 'RpbPutResp') return 'stored';
    if (text === 'match_found' || text === 'modified' || text === 'notfound') return 'refused';
    throw new Error(`a put was answered with ${text}`);
  }

  async remove(key: string, context?: string): Promise<void> {
    const vclock = context === undefined ? undefined : Buffer.from(context, 'base64');
    const reply = await this.#client.ask(RpbDelReq, {
      ...this.#place,
      key: name(key),
      ...(vclock === undefined ? {} : { vclock }),
      w: 3,
      dw: 3,
    });
    if (reply.name !== 'RpbDelResp') throw new Error(`a delete: ${errorText(reply)}`);
  }

  async read(key: string): Promise<Shown> {
    const reply = await this.#client.ask(RpbGetReq, {
      ...this.#place,
      key: name(key),
      deletedvclock: true,
    });
    if (reply.name !== 'RpbGetResp') throw new Error(`a get: ${errorText(reply)}`);
    const { content, vclock } = reply.value as unknown as PbcObject;
    const context = vclock?.toString('base64');
    return { siblings: content.map(shownContent).sort(), context };
  }

  async keys(): Promise<readonly string[]> {
    this.#client.send(RpbListKeysReq, this.#place);
    return this.#collect(({ keys }) => keys ?? []);
  }

  async index(field: string, from: string, to: string): Promise<readonly string[]> {
    this.#client.send(RpbIndexReq, {
      ...this.#place,
      index: name(field),
      qtype: 'range',
      range_min: name(from),
      range_max: name(to),
      return_terms: true,
      stream: true,
      pagination_sort: true,
    });
    return this.#collect(({ results }) =>
      (results ?? []).map(({ key, value }) => `${key} ${value}`),
    );
  }

  /** What the messages of a stream hold, up to the one that is done. */
  async #collect(take: (batch: PbcBatch) => readonly string[]): Promise<readonly string[]> {
    const all: string[] = [];
    for (;;) {
      const reply = await this.#client.next();
      if (reply === 'closed' || reply.name === 'RpbErrorResp') throw new Error(errorText(reply));
      const batch = reply.value as PbcBatch;
      all.push(...take(batch));
      if (batch.done === true) return all;
    }
  }
}

interface Pair {
  readonly key: string;
  readonly value?: string;
}

interface PbcBatch {
  readonly keys?: readonly string[];
  readonly results?: readonly Pair[];
  readonly done?: boolean;
}

interface PbcContent {
  readonly value: Buffer;
  readonly usermeta: readonly Pair[];
  readonly indexes: readonly Pair[];
  readonly deleted?: boolean;
}

interface PbcObject {
  readonly content: readonly PbcContent[];
  readonly vclock?: Buffer;
}

function shownContent({ value, usermeta, indexes, deleted }: PbcContent): string {
  if (deleted === true) return TOMBSTONE;
  const entries = (field: string): string[] => {
    return indexes.filter(({ key }) => key === field).map((pair) => pair.value ?? '');
  };
  return canonical({
    value: value.toString(),
    tag: usermeta.find(({ key }) => key === META)?.value ?? '',
    words: entries('word_bin'),
    number: Number(entries('number_int')[0]),
  });
}
