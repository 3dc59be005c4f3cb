/**
 * Sessions over Protocol Buffers, with Riak or Vertebra at the other end.
 */

import { encodeFrame } from '../../src/api/pbc/framing.ts';
import { messageToChanges } from '../../src/api/pbc/properties-values.ts';
import { RpbGetBucketReq, RpbGetBucketResp } from '../../src/api/pbc/messages/bucket-messages.ts';
import { RpbSetBucketReq, RpbSetBucketResp } from '../../src/api/pbc/messages/bucket-messages.ts';
import { changesToMessage } from '../../src/api/pbc/properties-values.ts';
import { RpbDelReq, RpbDelResp } from '../../src/api/pbc/messages/delete-messages.ts';
import { RpbGetReq, RpbGetResp } from '../../src/api/pbc/messages/get-messages.ts';
import { RpbIndexReq, RpbIndexResp } from '../../src/api/pbc/messages/index-messages.ts';
import { RpbPutReq, RpbPutResp } from '../../src/api/pbc/messages/put-messages.ts';
import { ProtoWriter } from '../../src/api/pbc/messages/proto-writer.ts';
import { Fault, isFault } from '../../src/base/fault.ts';
import { decodeReply } from '../../src/client/error-reply.ts';
import { deleteFields, getFields, indexFields } from '../../src/client/request-fields.ts';
import { putFields } from '../../src/client/request-fields.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { NodeChoice } from './node-choice.ts';
import { PbConnection } from './pb-connection.ts';
import { addressText } from './target.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { keepsSiblings } from '../../src/object/bucket-properties.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { Fields, Message, MessageInput } from '../../src/api/pbc/messages/message-type.ts';
import type { MessageType } from '../../src/api/pbc/messages/message-type.ts';
import type { NodeAddress } from '../../src/client/client.ts';
import type { BucketName, Driver, DriverOptions, QueryRequest } from './session.ts';
import type { ReadAnswer, Session, WriteContent } from './session.ts';

const OCTETS = utf8ToByteString('application/octet-stream');

export function pbDriver(nodes: readonly NodeAddress[], options: DriverOptions): Driver {
  const writer = new ProtoWriter();
  return {
    nodes: nodes.map(addressText),
    answersQueries: true,
    answersQueryApi: false,
    isVerifiable: true,
    isShared: true,
    open: (preferred) => new PbSession(writer, nodes, { ...options, preferred }),
    close: () => Promise.resolve(),
  };
}

interface Exchange<Q extends Fields, R extends Fields> {
  readonly request: MessageType<Q>;
  readonly value: MessageInput<Q>;
  readonly reply: MessageType<R>;
}

class PbSession implements Session {
  readonly #writer: ProtoWriter;
  readonly #nodes: readonly NodeAddress[];
  readonly #options: DriverOptions;
  readonly #choice: NodeChoice;
  #connection: PbConnection | undefined;

  constructor(
    writer: ProtoWriter,
    nodes: readonly NodeAddress[],
    options: DriverOptions & { readonly preferred: number },
  ) {
    this.#writer = writer;
    this.#nodes = nodes;
    this.#options = options;
    this.#choice = new NodeChoice(options.preferred, nodes.length);
  }

  get node(): number {
    return this.#choice.node;
  }

  async get(key: ObjectKey, r?: number): Promise<ReadAnswer> {
    const { content, vclock } = await this.#ask({
      request: RpbGetReq,
      value: getFields(key, r === undefined ? {} : { r }),
      reply: RpbGetResp,
    });
    return { values: content.map(({ value }) => value), context: vclock };
  }

  async put(key: ObjectKey, content: WriteContent): Promise<'stored' | 'modified'> {
    const { value, indexes = [], context, isConditional } = content;
    const condition = isConditional === true ? ({ condition: 'not-modified' } as const) : {};
    const written = { value, metadata: { contentType: OCTETS, indexes } };
    try {
      const fields = putFields(key, written, { context, ...condition });
      await this.#ask({ request: RpbPutReq, value: fields, reply: RpbPutResp });
      return 'stored';
    } catch (error) {
      if (isConditional === true && isConflict(error)) return 'modified';
      throw error;
    }
  }

  async delete(key: ObjectKey, context?: Buffer): Promise<void> {
    const value = deleteFields(key, { context });
    await this.#ask({ request: RpbDelReq, value, reply: RpbDelResp });
  }

  async query(query: QueryRequest): Promise<readonly ByteString[]> {
    const fields = { ...indexFields(query), max_results: query.maxResults };
    const { keys } = await this.#ask({ request: RpbIndexReq, value: fields, reply: RpbIndexResp });
    return keys;
  }

  queryApi(): Promise<void> {
    return Promise.reject(new Fault('config', 'Protocol Buffers have no query API'));
  }

  async setProperties(
    { type, bucket }: BucketName,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<readonly string[]> {
    const props = changesToMessage(properties as PartialProperties);
    await this.#ask({
      request: RpbSetBucketReq,
      value: { type, bucket, props },
      reply: RpbSetBucketResp,
    });
    const carried = messageToChanges(props as Parameters<typeof messageToChanges>[0]);
    return Object.keys(properties).filter((name) => !Object.hasOwn(carried, name));
  }

  async keepsSiblings({ type, bucket }: BucketName): Promise<boolean> {
    const value = { type, bucket };
    const { props } = await this.#ask({ request: RpbGetBucketReq, value, reply: RpbGetBucketResp });
    return keepsSiblings(messageToChanges(props));
  }

  close(): void {
    this.#connection?.close();
  }

  async #ask<Q extends Fields, R extends Fields>(exchange: Exchange<Q, R>): Promise<Message<R>> {
    const frame = Buffer.concat(encodeFrame(this.#writer, exchange.request, exchange.value));
    const connection = this.#connection;
    const isUsable =
      connection?.isOpen === true &&
      (this.#nodes.length === 1 || !this.#choice.shouldReturn(performance.now()));
    const asked = isUsable ? connection : await this.#connect();
    const reply = await asked.ask(frame);
    try {
      return decodeReply(exchange.reply, reply);
    } catch (error) {
      // Whose replies the next ones are is not known either.
      if (isFault(error, 'malformed')) asked.close();
      throw error;
    }
  }

  async #connect(): Promise<PbConnection> {
    this.#connection?.close();
    let last = new Fault('peer-unreachable', 'there is no node');
    for (const node of this.#choice.candidates(performance.now())) {
      try {
        const address = this.#nodes[node] as NodeAddress;
        this.#connection = await PbConnection.open(address, this.#options);
        this.#choice.settle(node, performance.now());
        return this.#connection;
      } catch (error) {
        if (!isFault(error, 'peer-unreachable')) throw error;
        last = error;
      }
    }
    throw last;
  }
}

/** The object has another context than was sent, or was deleted since. */
function isConflict(error: unknown): boolean {
  return isFault(error, 'peer-refused') && ['modified', 'notfound'].includes(error.message);
}
