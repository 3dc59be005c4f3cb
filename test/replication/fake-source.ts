/**
 * A node of another cluster, as far as a sink sees it: one queue, with what a test puts there, and the same
 * promise as a real one: what was given out is out until its connection asks again.
 */

import { crc32 } from 'node:zlib';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeAddress } from '../../src/client/connection.ts';
import { encodeFrame, FrameDecoder, writeFrames } from '../../src/api/pbc/framing.ts';
import { decodeMessage, writeMessage } from '../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../src/api/pbc/messages/proto-writer.ts';
import type { Fields, MessageInput, MessageType } from '../../src/api/pbc/messages/message-type.ts';
import { RpbErrorResp } from '../../src/api/pbc/messages/server-messages.ts';
import {
  ReplicatedLot,
  RpbFetchReq,
  RpbFetchResp,
  RpbPushReq,
  RpbPushResp,
} from '../../src/api/pbc/messages/replication-messages.ts';

export const QUEUE = 'site_a';

interface Out {
  lot: readonly string[];
}

export class FakeSource {
  /** Keys that wait. */
  waiting: string[] = [];
  /** Keys whose lots were acknowledged. */
  readonly acknowledged: string[] = [];
  readonly pushed: string[] = [];
  /** How old the keys were that came back last. */
  pushedAgesMs: readonly number[] = [];
  /** What is sent in place of the next lot. */
  broken: Buffer | undefined;
  dropMark = 7;
  /** Marks at which full-syncs that have gone through began. */
  readonly comparedMarks: number[] = [];
  lotMax = 10;
  fetches = 0;
  readonly #outs = new Map<Socket, Out>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async listen(): Promise<FakeSource> {
    const source = new FakeSource();
    await new Promise<void>((resolve) => {
      source.#server.listen(0, '127.0.0.1', resolve);
    });
    return source;
  }

  get address(): NodeAddress {
    const { port } = this.#server.address() as AddressInfo;
    return { host: '127.0.0.1', port };
  }

  get connections(): number {
    return this.#outs.size;
  }

  cut(): void {
    for (const socket of this.#outs.keys()) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const out: Out = { lot: [] };
    this.#outs.set(socket, out);
    const decoder = new FrameDecoder(1_000_000);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#outs.delete(socket);
      this.waiting.unshift(...out.lot);
    });
    socket.on('data', (piece: Buffer) => {
      decoder.push(piece);
      for (let next = decoder.next(); next.kind === 'frame'; next = decoder.next()) {
        const { code, body } = next.frame;
        if (code === RpbFetchReq.code) this.#fetch(socket, out, body);
        else if (code === RpbPushReq.code) this.#push(socket, body);
      }
    });
  }

  #fetch(socket: Socket, out: Out, body: Buffer): void {
    const { queuename } = decodeMessage(RpbFetchReq, body, { fieldCountMax: 10 });
    if (queuename !== QUEUE) {
      const errmsg = `There is no queue ${queuename}` as ByteString;
      send(socket, RpbErrorResp, { errmsg, errcode: 0 });
      return;
    }
    this.fetches += 1;
    this.acknowledged.push(...out.lot);
    out.lot = this.waiting.splice(0, this.lotMax);
    if (out.lot.length === 0) {
      send(socket, RpbFetchResp, { queue_empty: true });
      return;
    }
    const writer = new ProtoWriter();
    writer.begin(0, 1_024);
    writeMessage(ReplicatedLot, writer, {
      items: out.lot.map((key) => ({
        bucket: 'b' as ByteString,
        key: key as ByteString,
        record: Buffer.from(key),
        age_ms: 1_500,
        is_sync: key.startsWith('sync'),
      })),
    });
    const lot = Buffer.concat(writer.finish());
    const crc_check = crc32(lot);
    const replencoded_object = this.broken ?? lot;
    this.broken = undefined;
    send(socket, RpbFetchResp, { queue_empty: false, replencoded_object, crc_check });
  }

  #push(socket: Socket, body: Buffer): void {
    const {
      queuename,
      keys_value,
      compared_mark: mark,
      age_ms: agesMs,
    } = decodeMessage(RpbPushReq, body, { fieldCountMax: 10_000 });
    if (mark !== undefined) this.comparedMarks.push(mark);
    const keys = keys_value.map(({ key }) => String(key));
    this.pushed.push(...keys);
    if (keys.length > 0) this.pushedAgesMs = agesMs;
    this.waiting.push(...keys);
    const queue_exists = queuename === QUEUE;
    send(socket, RpbPushResp, {
      queuename,
      queue_exists,
      fsync_length: this.waiting.length,
      drop_mark: keys.length === 0 ? this.dropMark : undefined,
    });
  }
}

function send<F extends Fields>(
  socket: Socket,
  type: MessageType<F>,
  message: MessageInput<F>,
): void {
  if (!socket.destroyed) writeFrames(socket, encodeFrame(new ProtoWriter(), type, message));
}
