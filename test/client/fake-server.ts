/**
 * A server that speaks frames and does as a test says: answers late, out of turn, or not at all.
 */

import { createServer, type AddressInfo, type Socket } from 'node:net';
import { encodeFrame, FrameDecoder } from '../../src/api/pbc/framing.ts';
import type { Fields, MessageInput, MessageType } from '../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../src/api/pbc/messages/proto-writer.ts';
import type { Address } from '../../src/client/connection.ts';

export interface FakeServer {
  readonly address: Address;
  /** Connections that were ever made. */
  readonly connectionCount: () => number;
  readonly openCount: () => number;
  /** Cuts what is open and stops listening. Idempotent. */
  readonly close: () => Promise<void>;
}

export type OnFrame = (code: number, body: Buffer, socket: Socket) => void;

export async function serveFrames(onFrame: OnFrame): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  const server = createServer((socket) => {
    const decoder = new FrameDecoder(1 << 20);
    connectionCount += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (piece) => {
      decoder.push(piece);
      for (let next = decoder.next(); next.kind === 'frame'; next = decoder.next()) {
        onFrame(next.frame.code, Buffer.from(next.frame.body), socket);
      }
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: '127.0.0.1', port },
    connectionCount: () => connectionCount,
    openCount: () => sockets.size,
    close: () =>
      new Promise((closed) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => closed());
      }),
  };
}

export function reply<F extends Fields>(
  socket: Socket,
  type: MessageType<F>,
  value: MessageInput<F>,
): void {
  socket.write(encodeFrame(new ProtoWriter(), type, value));
}
