/** Links and streams over gRPC. */

import { Metadata, status } from '@grpc/grpc-js';
import type { ChannelCredentials, Client, ServiceError } from '@grpc/grpc-js';
import { Fault } from '../base/fault.ts';
import { malformed } from '../peer/tuple-reader.ts';
import type { Carrier, Connection, LinkCall, StreamCall } from './carrier.ts';
import { addressToText, dial, type PeerAddress } from './channel.ts';
import { JOIN_PATH, LINK_PATH, sameBytes, STREAM_PATH } from './peer-service.ts';

export interface GrpcCarrierOptions {
  /** For the next connection. */
  readonly credentials: () => ChannelCredentials;
  /** Silence after which a connection is probed; half of it again, and it is closed. Default 10,000. */
  readonly keepaliveMs?: number;
  /** Longest pause before streams try again to connect. Default 2,000. */
  readonly reconnectDelayMaxMs?: number;
}

export class GrpcCarrier implements Carrier {
  readonly defer = setImmediate;
  readonly #options: GrpcCarrierOptions;

  constructor(options: GrpcCarrierOptions) {
    this.#options = options;
  }

  dial(address: PeerAddress, use: 'link' | 'bulk'): Connection {
    const { credentials, keepaliveMs = 10_000, reconnectDelayMaxMs } = this.#options;
    return new GrpcConnection(address, credentials, (shown) => {
      return dial(address, { credentials: shown, keepaliveMs, reconnectDelayMaxMs, use });
    });
  }
}

class GrpcConnection implements Connection {
  readonly #address: PeerAddress;
  readonly #credentials: () => ChannelCredentials;
  readonly #connect: (credentials: ChannelCredentials) => Client;
  #shown: ChannelCredentials;
  #client: Client;

  constructor(
    address: PeerAddress,
    credentials: () => ChannelCredentials,
    connect: (credentials: ChannelCredentials) => Client,
  ) {
    this.#address = address;
    this.#credentials = credentials;
    this.#connect = connect;
    this.#shown = credentials();
    this.#client = connect(this.#shown);
  }

  openLink(): LinkCall {
    return this.#client.makeBidiStreamRequest<Buffer, Buffer>(LINK_PATH, sameBytes, sameBytes);
  }

  openStream(question: Buffer): StreamCall {
    this.#showNewest();
    return this.#client.makeServerStreamRequest<Buffer, Buffer>(
      STREAM_PATH,
      sameBytes,
      sameBytes,
      question,
    );
  }

  ask(question: Buffer, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<Buffer, Buffer>(
        JOIN_PATH,
        sameBytes,
        sameBytes,
        question,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error !== null) reject(faultOf(error, this.#address));
          else if (answer === undefined) reject(malformed('no answer'));
          else resolve(answer);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }

  /**
   * gRPC connects again by itself after a rest, with the credentials that it was given, and these may have
   * ended by then. What is under way goes on where it is.
   */
  #showNewest(): void {
    const newest = this.#credentials();
    if (newest === this.#shown) return;
    this.#client.close();
    this.#shown = newest;
    this.#client = this.#connect(newest);
  }
}

function faultOf(error: ServiceError, address: PeerAddress): Fault {
  const where = addressToText(address);
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new Fault('timeout', `${where} did not answer in time`, { cause: error });
  }
  return new Fault('peer-unreachable', `${where}: ${error.details}`, { cause: error });
}
