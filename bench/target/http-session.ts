/**
 * Sessions over HTTP, with Riak or Vertebra at the other end, and queries over HTTP beside Protocol
 * Buffers, as basho_bench's NHS driver has them.
 */

import { byteStringToBytes, utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../src/base/names.ts';
import { Fault, isFault } from '../../src/base/fault.ts';
import { HttpConnection, headerOf } from './http-connection.ts';
import { multipartBodies } from './multipart.ts';
import { NodeChoice } from './node-choice.ts';
import { addressText } from './target.ts';
import { keepsSiblings } from '../../src/object/bucket-properties.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { NodeAddress } from '../../src/client/client.ts';
import type { Answer, Ask } from './http-connection.ts';
import type { BucketName, Driver, DriverOptions, QueryRequest } from './session.ts';
import type { ReadAnswer, Session, WriteContent } from './session.ts';

const SAID_MAX_BYTES = 160;

export function httpDriver(nodes: readonly NodeAddress[], options: DriverOptions): Driver {
  return {
    nodes: nodes.map(addressText),
    answersQueries: true,
    answersQueryApi: true,
    isVerifiable: true,
    isShared: true,
    open: (preferred) => new HttpSession(nodes, { ...options, preferred }),
    close: () => Promise.resolve(),
  };
}

/** Objects over the one driver, queries over the other; the nodes of both in the same order. */
export function withQueriesOver(objects: Driver, queries: Driver): Driver {
  return {
    ...objects,
    answersQueryApi: queries.answersQueryApi,
    open: (preferred) => {
      const session = objects.open(preferred);
      const asking = queries.open(preferred);
      return {
        get node() {
          return session.node;
        },
        get: (key, r) => session.get(key, r),
        put: (key, content) => session.put(key, content),
        delete: (key, context) => session.delete(key, context),
        query: (query) => asking.query(query),
        queryApi: (bucket, body) => asking.queryApi(bucket, body),
        setProperties: (bucket, properties) => asking.setProperties(bucket, properties),
        keepsSiblings: (bucket) => session.keepsSiblings(bucket),
        close: () => {
          session.close();
          asking.close();
        },
      };
    },
    close: async () => {
      await objects.close();
      await queries.close();
    },
  };
}

class HttpSession implements Session {
  /** Each is opened when it is first asked. */
  readonly #connections: readonly HttpConnection[];
  readonly #choice: NodeChoice;

  constructor(
    nodes: readonly NodeAddress[],
    options: DriverOptions & { readonly preferred: number },
  ) {
    this.#connections = nodes.map((node) => new HttpConnection(node, options));
    this.#choice = new NodeChoice(options.preferred, nodes.length);
  }

  get node(): number {
    return this.#choice.node;
  }

  async get(key: ObjectKey, r?: number): Promise<ReadAnswer> {
    const path = `${objectPath(key)}${r === undefined ? '' : `?r=${r}`}`;
    const headers = { accept: 'multipart/mixed, */*;q=0.9' };
    const answer = await this.#ask({ method: 'GET', path, headers });
    const context = contextOf(answer);
    if (answer.status === 404) return { values: [], context };
    if (answer.status === 200) return { values: [answer.body], context };
    if (answer.status !== 300) throw refusal(answer);
    return { values: multipartBodies(headerOf(answer, 'content-type'), answer.body), context };
  }

  async put(key: ObjectKey, content: WriteContent): Promise<'stored' | 'modified'> {
    const { value, indexes = [], context, isConditional } = content;
    const headers: Record<string, string> = { 'content-type': 'application/octet-stream' };
    const clock = context?.toString('base64');
    if (clock !== undefined) headers['x-riak-vclock'] = clock;
    if (isConditional === true && clock !== undefined) headers['x-riak-if-not-modified'] = clock;
    for (const { field, term } of indexes) {
      const name = `x-riak-index-${field}`;
      const before = headers[name];
      headers[name] = before === undefined ? term : `${before}, ${term}`;
    }
    const answer = await this.#ask({ method: 'PUT', path: objectPath(key), headers, body: value });
    if (isConditional === true && (answer.status === 409 || answer.status === 412)) {
      return 'modified';
    }
    if (answer.status >= 300) throw refusal(answer);
    return 'stored';
  }

  async delete(key: ObjectKey, context?: Buffer): Promise<void> {
    const headers = context === undefined ? {} : { 'x-riak-vclock': context.toString('base64') };
    const answer = await this.#ask({ method: 'DELETE', path: objectPath(key), headers });
    if (answer.status >= 300 && answer.status !== 404) throw refusal(answer);
  }

  async query(query: QueryRequest): Promise<readonly ByteString[]> {
    const { field, from, to, termRegex, maxResults } = query;
    const parameters = new URLSearchParams();
    if (termRegex !== undefined) parameters.set('term_regex', termRegex);
    if (maxResults !== undefined) parameters.set('max_results', String(maxResults));
    const range = to === undefined ? escaped(from) : `${escaped(from)}/${escaped(to)}`;
    const suffix = parameters.size === 0 ? '' : `?${parameters.toString()}`;
    const path = `${bucketPath(query)}/index/${escaped(field)}/${range}${suffix}`;
    const answer = await this.#ask({ method: 'GET', path });
    if (answer.status !== 200) throw refusal(answer);
    const { keys } = JSON.parse(answer.body.toString('utf8')) as { readonly keys: string[] };
    return keys.map(utf8ToByteString);
  }

  async queryApi(bucket: BucketName, body: string): Promise<void> {
    const answer = await this.#ask({
      method: 'POST',
      path: `${bucketPath(bucket)}/query`,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(body),
    });
    if (answer.status === 404 || answer.status === 405) {
      const why = 'the target has no query API: Riak has it from 3.4 on';
      throw new Fault('peer-refused', `status ${answer.status}, ${why}`);
    }
    if (answer.status !== 200) throw refusal(answer);
  }

  async setProperties(
    bucket: BucketName,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<readonly string[]> {
    const answer = await this.#ask({
      method: 'PUT',
      path: `${bucketPath(bucket)}/props`,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ props: properties })),
    });
    if (answer.status >= 300) throw refusal(answer);
    return [];
  }

  async keepsSiblings(bucket: BucketName): Promise<boolean> {
    const answer = await this.#ask({ method: 'GET', path: `${bucketPath(bucket)}/props` });
    if (answer.status !== 200) throw refusal(answer);
    const { props } = JSON.parse(answer.body.toString('utf8')) as {
      readonly props: PartialProperties;
    };
    return keepsSiblings(props);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** Asks the next node only where the one before was never reached. */
  async #ask(ask: Ask): Promise<Answer> {
    let last = new Fault('peer-unreachable', 'there is no node');
    for (const node of this.#choice.candidates(performance.now())) {
      try {
        const answer = await (this.#connections[node] as HttpConnection).ask(ask);
        this.#choice.settle(node, performance.now());
        return answer;
      } catch (error) {
        if (!isFault(error, 'peer-unreachable')) throw error;
        last = error;
      }
    }
    throw last;
  }
}

function objectPath(key: ObjectKey): string {
  return `${bucketPath(key)}/keys/${escaped(key.key)}`;
}

function bucketPath({ type, bucket }: BucketName): string {
  const prefix = type === DEFAULT_BUCKET_TYPE ? '' : `/types/${escaped(type)}`;
  return `${prefix}/buckets/${escaped(bucket)}`;
}

function escaped(name: ByteString): string {
  if (/^[\w.-]+$/.test(name)) return name;
  return [...byteStringToBytes(name)]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    .join('');
}

function contextOf(answer: Answer): Buffer | undefined {
  const clock = headerOf(answer, 'x-riak-vclock');
  return clock === undefined ? undefined : Buffer.from(clock, 'base64');
}

/** With the beginning of what was said, which is the same for the same trouble. */
function refusal({ status, body }: Answer): Fault {
  if (status === 401) return new Fault('login-refused', 'status 401: the login was refused');
  const said = body.toString('utf8', 0, SAID_MAX_BYTES).replaceAll(/\s+/g, ' ').trim();
  const text = said === '' || said.startsWith('<') ? '' : `: ${said}`;
  // Riak and Vertebra refuse with a 500, as with all errors that have no status of their own.
  const isOverload = status === 503 || said.endsWith('overload');
  return new Fault(isOverload ? 'overload' : 'peer-refused', `status ${status}${text}`);
}
