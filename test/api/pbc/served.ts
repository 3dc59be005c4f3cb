/**
 * A Protocol Buffers server on an ephemeral port over a node in memory, and a bare client that sends
 * frames, whole or in pieces, and sees what comes back.
 */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FrameDecoder, encodeFrame } from '../../../src/api/pbc/framing.ts';
import { findMessageType } from '../../../src/api/pbc/messages/catalogue.ts';
import { decodeMessage } from '../../../src/api/pbc/messages/message-type.ts';
import { RpbPingReq, RpbStartTls } from '../../../src/api/pbc/messages/server-messages.ts';
import { ProtoWriter } from '../../../src/api/pbc/messages/proto-writer.ts';
import { PbcServer } from '../../../src/api/pbc/pbc-server.ts';
import { systemHost } from '../../../src/telemetry/system-host.ts';
import { TRANSCRIPTS_FOLDER } from '../../transcripts/replay.ts';
import { MemoryNode } from '../memory-node.ts';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type {
  Fields,
  MessageInput,
  MessageType,
} from '../../../src/api/pbc/messages/message-type.ts';
import type { PbcOptions } from '../../../src/api/pbc/pbc-options.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Clock, Host, Log } from '../../../src/base/host.ts';
import type { NodeService } from '../../../src/node/node-service.ts';
import type { PartialProperties } from '../../../src/object/bucket-properties.ts';

const DEADLINE_MS = 20_000;
const CLIENT_LIMITS = { fieldCountMax: 10_000_000 };
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Served {
  readonly server: PbcServer;
  readonly node: MemoryNode;
  readonly port: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly gauges: ReadonlyMap<string, number>;
  /** What was told to `onBug`. */
  readonly bugs: readonly unknown[];
}

export interface ServeOptions extends Partial<PbcOptions> {
  /** Default: any free one. */
  readonly port?: number;
  readonly clock?: Clock;
  /** What stands between the server and the node. */
  readonly around?: (node: MemoryNode) => NodeService;
}

export async function serve(options: ServeOptions = {}): Promise<Served> {
  const counts = new Map<string, number>();
  const gauges = new Map<string, number>();
  const system = systemHost(SILENT, {
    count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    gauge: (name, value) => void gauges.set(name, value),
    observe() {},
  });
  const { clock = system.clock, around = (node) => node, port: atPort = 0, ...rest } = options;
  const host: Host = { ...system, clock };
  const node = new MemoryNode(system, { bucketTypes: bucketTypes(), reapAfterMs: 3000 });
  const bugs: unknown[] = [];
  const server = new PbcServer(host, around(node), {
    onBug: (error) => bugs.push(error),
    ...rest,
  });
  const port = await server.listen({ host: '127.0.0.1', port: atPort });
  return { server, node, port, counts, gauges, bugs };
}

function bucketTypes(): Record<string, PartialProperties> {
  const text = readFileSync(new URL('bucket-types.json', TRANSCRIPTS_FOLDER), 'utf8');
  return JSON.parse(text) as Record<string, PartialProperties>;
}

export interface Received {
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** `text` as a name. */
export function name(text: string): ByteString {
  return text as ByteString;
}

const writer = new ProtoWriter();

export function frame<F extends Fields>(type: MessageType<F>, value: MessageInput<F>): Buffer {
  return Buffer.concat(encodeFrame(writer, type, value));
}

export class BareClient {
  readonly socket: Socket;
  readonly #decoder = new FrameDecoder(2 ** 31);
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (piece: Buffer) => {
      this.#decoder.push(piece);
      this.#wake?.();
    });
    // A connection that the server cuts may end in an error; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#wake?.());
    socket.on('close', () => this.#wake?.());
  }

  static connect(port: number): Promise<BareClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        resolve(new BareClient(socket));
      });
      socket.once('error', reject);
    });
  }

  /** Goes on over TLS; this client is not to be used any more. */
  async startTls(options: ConnectionOptions): Promise<BareClient> {
    const agreed = await this.ask(RpbStartTls, {});
    if (agreed.name !== 'RpbStartTls') throw new Error(errorText(agreed));
    this.socket.removeAllListeners('data');
    return new Promise((resolve, reject) => {
      const socket = connectTls({ socket: this.socket, host: '127.0.0.1', ...options }, () => {
        resolve(new BareClient(socket));
      });
      socket.once('error', reject);
    });
  }

  send<F extends Fields>(type: MessageType<F>, value: MessageInput<F>): void {
    this.socket.write(frame(type, value));
  }

  /** The next reply, or 'closed' when the connection ended before it. */
  async next(): Promise<Received | 'closed'> {
    for (;;) {
      const outcome = this.#decoder.next();
      if (outcome.kind === 'frame') {
        const { code, body } = outcome.frame;
        const type = findMessageType(code);
        if (type === undefined) throw new Error(`a reply of code ${code}`);
        return { name: type.name, value: decodeMessage(type, body, CLIENT_LIMITS) };
      }
      if (this.socket.closed || this.socket.readableEnded) return 'closed';
      await this.#change();
    }
  }

  async ask<F extends Fields>(type: MessageType<F>, value: MessageInput<F>) {
    this.send(type, value);
    const reply = await this.next();
    if (reply === 'closed') throw new Error(`closed instead of an answer to ${type.name}`);
    return reply;
  }

  /** Resolves when the connection is closed. */
  async closed(): Promise<void> {
    while ((await this.next()) !== 'closed');
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => reject(new Error('no reply in time')), DEADLINE_MS);
      this.#wake = () => {
        clearTimeout(deadline);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** A round trip on a connection of its own: what was on its way before has arrived. */
export async function pingOnce(port: number): Promise<void> {
  const client = await BareClient.connect(port);
  await client.ask(RpbPingReq, {});
  client.socket.destroy();
}

/** The text of an RpbErrorResp, or what came instead. */
export function errorText(reply: Received | 'closed'): string {
  if (reply === 'closed') return reply;
  return reply.name === 'RpbErrorResp' ? String(reply.value['errmsg']) : reply.name;
}

/** Resolves when the condition holds; rejects when it does not in time. */
export async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error('the condition did not come about');
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
