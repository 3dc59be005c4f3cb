/** The gRPC server that peers dial. */

import { Server } from '@grpc/grpc-js';
import type {
  sendUnaryData,
  ServerCredentials,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerHandler } from '../peer/peer.ts';
import { addressToTarget, addressToText, serverOptions } from './channel.ts';
import type { PeerAddress } from './channel.ts';
import { PeerCalls, type PeerCallsOptions } from './peer-calls.ts';
import type { PeerGate } from './peer-gate.ts';
import { PEER_SERVICE } from './peer-service.ts';

export interface PeerServerOptions extends PeerCallsOptions {
  readonly credentials: ServerCredentials;
  /** Silence after which a connection is probed; half of it again, and it is closed. Default 10,000. */
  readonly keepaliveMs?: number;
}

export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #server: Server;
  readonly #calls: PeerCalls;

  constructor(
    ports: { readonly host: Host; readonly gate: PeerGate },
    handler: PeerHandler,
    options: PeerServerOptions,
  ) {
    this.#options = options;
    const calls = new PeerCalls({ ...ports, handler, defer: setImmediate }, options);
    this.#calls = calls;
    this.#server = new Server(serverOptions(options.keepaliveMs ?? 10_000));
    this.#server.addService(PEER_SERVICE, {
      Link: (call: ServerDuplexStream<Buffer, Buffer>) => calls.acceptLink(call),
      Stream: (call: ServerWritableStream<Buffer, Buffer>) => calls.acceptStream(call),
      Join: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
        calls.acceptJoin(call, answer),
    });
  }

  /** Port 0 takes a free one. Resolves with the port; rejects with a `config` fault. */
  listen(address: PeerAddress): Promise<number> {
    return new Promise((resolve, reject) => {
      const [text, target] = [addressToText(address), addressToTarget(address)];
      this.#server.bindAsync(target, this.#options.credentials, (cause, port) => {
        if (cause === null) resolve(port);
        else reject(new Fault('config', `cannot listen for peers on ${text}`, { cause }));
      });
    });
  }

  /** Ends the links and streams of nodes that are no members any more. */
  dropStrangers(isMember: (node: NodeId) => boolean): void {
    this.#calls.dropStrangers(isMember);
  }

  /** Ends all links and streams and closes the port. Idempotent. */
  close(): void {
    this.#calls.close();
    this.#server.forceShutdown();
  }
}
