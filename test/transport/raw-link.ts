/** The other end of a link, frame by frame, for tests in which it misbehaves. */

import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { ClientDuplexStream, ServerDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { WireTuple, WireValue } from '../../src/peer/tuple-reader.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/frame.ts';
import { LINK_PATH, PEER_SERVICE, sameBytes } from '../../src/transport/peer-service.ts';

/** Dials a server by hand. */
export class RawClient {
  readonly messages: unknown[] = [];
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  /** How the call ended: the details of its status. */
  ended: string | undefined;
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc-node.flow_control_window': 65_536,
    });
    this.call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(LINK_PATH, sameBytes, sameBytes);
    this.call.on('data', (frame: Buffer) => this.messages.push(...decodeFrame(frame)));
    this.call.on('error', (error: ServiceError) => {
      this.ended ??= error.details;
    });
    this.call.on('end', () => {
      this.ended ??= '';
    });
  }

  send(...messages: readonly WireValue[]): void {
    this.call.write(encodeFrame(messages, 100));
  }

  close(): void {
    this.call.cancel();
    this.#client.close();
  }
}

/** Answers links by hand: `answer` gets the messages of each frame. */
export class RawServer {
  readonly #server = new Server();
  calls: ServerDuplexStream<Buffer, Buffer>[] = [];

  constructor(answer: (messages: readonly unknown[], send: (frame: Buffer) => void) => void) {
    this.#server.addService(PEER_SERVICE, {
      Link: (call: ServerDuplexStream<Buffer, Buffer>) => {
        this.calls.push(call);
        call.on('error', () => {});
        call.on('data', (frame: Buffer) => {
          answer(decodeFrame(frame), (reply) => call.write(reply));
        });
        call.on('end', () => call.end());
      },
      Stream: (call: ServerDuplexStream<Buffer, Buffer>) => call.end(),
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  close(): void {
    for (const call of this.calls) call.end();
    this.#server.forceShutdown();
  }
}

/** A frame whose checksum is not that of its messages. */
export function damagedFrame(...messages: readonly WireTuple[]): Buffer {
  const frame = Buffer.from(encodeFrame(messages, 100));
  frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
  return frame;
}
