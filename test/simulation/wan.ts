/**
 * The line between two sites: connections on which nodes of one cluster ask those of another.
 *
 * What is said are frames of Protocol Buffers, answered by the handlers of the real server. A connection
 * is one process's to another: it breaks when either is gone or the line is cut, at each end in its own
 * time, so that a node may keep what it gave out for somebody who is long dead. A request is lost on the
 * way, or its reply is.
 */

import { errorReply, type Reply, type Session } from '../../src/api/pbc/handler.ts';
import { faultToErrorText } from '../../src/api/pbc/error-text.ts';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/api/pbc/framing.ts';
import type { Fields, Message } from '../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../src/api/pbc/messages/proto-writer.ts';
import { PBC_DEFAULTS } from '../../src/api/pbc/pbc-options.ts';
import { findRoute } from '../../src/api/pbc/routes.ts';
import { assert, Fault, isFault } from '../../src/base/fault.ts';
import type { NodeAddress } from '../../src/client/connection.ts';
import { decodeReply, isTransient, isUnsent } from '../../src/client/error-reply.ts';
import type { PinnedCall } from '../../src/client/pinned-connection.ts';
import type { Call } from '../../src/client/requester.ts';
import type { Dialler, PinnedLine, PooledLine } from '../../src/replication/dialler.ts';
import type { ServingProcess } from './cluster.ts';
import type { NodeClock, SeededRandom, World } from './world.ts';

/** Who serves at an address now; undefined: nobody. */
export type FindProcess = (address: NodeAddress) => ServingProcess | undefined;

const LATENCY_MAX_MS = 60;
/** By then a client sees that nothing comes any more. */
const NOTICED_MAX_MS = 3_000;
/** By then a server does, who waits for the next request; or it is told at once. */
const NOTICED_BY_SERVER_MAX_MS = 20_000;
const TOLD_MAX_MS = 20;

export class Wan {
  readonly world: World;
  readonly random: SeededRandom;
  readonly #connections = new Set<WanConnection>();
  isCut = false;
  /** A planted bug: what a connection was given goes with it. */
  forgetsGiven = false;

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork();
  }

  /** What a process of one site reaches those of the other by. */
  diallerOf(client: ServingProcess, find: FindProcess): Dialler {
    const pinned = ({ address }: { readonly address: NodeAddress }): WanConnection => {
      const connection = new WanConnection(this, { clock: client.host.clock, address, find });
      this.#connections.add(connection);
      return connection;
    };
    return {
      pinned,
      pooled: ({ nodes }) => new WanPool(nodes, pinned, client.host.clock),
    };
  }

  /** The process is gone. */
  lost({ host: { clock } }: ServingProcess): void {
    for (const connection of this.#connections) {
      if (connection.isOf(clock)) connection.break();
    }
  }

  /** Nothing passes, and what was connected will not be again. */
  cut(): void {
    this.isCut = true;
    for (const connection of this.#connections) connection.break();
  }

  forget(connection: WanConnection): void {
    this.#connections.delete(connection);
  }

  latencyMs(): number {
    return this.random.integer(LATENCY_MAX_MS * 1_000) / 1_000;
  }
}

interface Ends {
  /** The client's. */
  readonly clock: NodeClock;
  readonly address: NodeAddress;
  readonly find: FindProcess;
}

class WanConnection implements PinnedLine {
  readonly #wan: Wan;
  readonly #ends: Ends;
  readonly #writer = new ProtoWriter();
  #server: ServingProcess | undefined;
  #session: Session | undefined;
  #isBroken = false;
  /** The client knows. */
  #fault: Fault | undefined;
  #lose: ((fault: Fault) => void) | undefined;

  constructor(wan: Wan, ends: Ends) {
    this.#wan = wan;
    this.#ends = ends;
  }

  get isClosed(): boolean {
    return this.#fault !== undefined;
  }

  isOf(clock: NodeClock): boolean {
    return this.#ends.clock === clock || this.#server?.host.clock === clock;
  }

  async call<Q extends Fields, R extends Fields>(call: PinnedCall<Q, R>): Promise<Message<R>> {
    if (this.#fault !== undefined) throw new Fault('peer-closed', 'the connection was lost');
    assert(this.#lose === undefined, 'one call at a time');
    const request = frameOf(encodeFrame(this.#writer, call.request, call.value));
    const { clock } = this.#ends;
    let cancel = (): void => undefined;
    try {
      const reply = await new Promise<Frame>((resolve, reject) => {
        this.#lose = reject;
        cancel = clock.after(call.timeoutMs, () => {
          this.#end(new Fault('timeout', 'no reply in time'));
        });
        this.#carry(() => {
          this.#arrive(request, (frame) => clock.whenRunning(() => resolve(frame)));
        });
      });
      return decodeReply(call.reply, reply);
    } finally {
      cancel();
      this.#lose = undefined;
    }
  }

  close(): void {
    this.#end(new Fault('closed', 'the connection was closed'));
  }

  /** Each end sees it in its own time. */
  break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#wan.forget(this);
    const { world, random } = this.#wan;
    world.after(random.integer(NOTICED_MAX_MS), () => {
      this.#ends.clock.whenRunning(() => {
        this.#fail(new Fault('peer-closed', 'the connection broke'));
      });
    });
    const server = this.#server;
    const noticedMaxMs = random.chance(0.5) ? TOLD_MAX_MS : NOTICED_BY_SERVER_MAX_MS;
    world.after(random.integer(noticedMaxMs), () => {
      server?.host.clock.whenRunning(() => {
        if (!this.#wan.forgetsGiven) this.#session?.consumer?.end();
      });
    });
  }

  /** By the client. */
  #end(fault: Fault): void {
    this.#fail(fault);
    if (!this.#isBroken) this.break();
  }

  #fail(fault: Fault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#lose?.(fault);
  }

  /** Lost if the line is cut at either end of the way. */
  #carry(deliver: () => void): void {
    const { world, isCut } = this.#wan;
    if (isCut) this.break();
    world.after(this.#wan.latencyMs(), () => {
      if (this.#wan.isCut) this.break();
      if (!this.#isBroken) deliver();
    });
  }

  #arrive(request: Frame, answered: (frame: Frame) => void): void {
    const server = (this.#server ??= this.#ends.find(this.#ends.address));
    if (server === undefined) {
      this.#isBroken = true;
      this.#wan.forget(this);
      this.#ends.clock.whenRunning(() => {
        this.#fail(new Fault('peer-unreachable', 'nobody listens'));
      });
      return;
    }
    this.#session ??= sessionOf(server, () => !this.#isBroken);
    const session = this.#session;
    server.host.clock.whenRunning(() => {
      void serve(request, session).then((frame) => this.#carry(() => answered(frame)));
    });
  }
}

/** Asks one node after the other. */
class WanPool implements PooledLine {
  readonly #nodes: readonly NodeAddress[];
  readonly #dial: (place: { readonly address: NodeAddress }) => WanConnection;
  readonly #clock: NodeClock;
  readonly #open = new Set<WanConnection>();
  #turn = 0;
  #isClosed = false;

  constructor(
    nodes: readonly NodeAddress[],
    dial: (place: { readonly address: NodeAddress }) => WanConnection,
    clock: NodeClock,
  ) {
    this.#nodes = nodes;
    this.#dial = dial;
    this.#clock = clock;
  }

  async call<Q extends Fields, R extends Fields>(call: Call<Q, R>): Promise<Message<R>> {
    const { timeoutMs = 3_600_000 } = call;
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#isClosed) throw new Fault('closed', 'the client was closed');
      this.#turn = (this.#turn + 1) % this.#nodes.length;
      const connection = this.#dial({ address: this.#nodes[this.#turn] as NodeAddress });
      this.#open.add(connection);
      try {
        return await connection.call({ ...call, timeoutMs });
      } catch (error) {
        const isWorthwhile =
          isFault(error) &&
          isTransient(error) &&
          (call.isRepeatable || isUnsent(error)) &&
          attempt < this.#nodes.length &&
          this.#clock.monotonicMs() < endMs;
        if (!isWorthwhile) throw error;
      } finally {
        this.#open.delete(connection);
        connection.close();
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#open) connection.close();
  }
}

function sessionOf({ node, host }: ServingProcess, isWanted: () => boolean): Session {
  const { random, clock, metrics } = host;
  return {
    node,
    random,
    clock,
    metrics,
    disabledJobs: new Set(),
    scripts: undefined,
    isEncrypted: false,
    address: '127.0.0.1',
    certificateName: undefined,
    user: undefined,
    isWanted,
    replySizeMaxBytes: PBC_DEFAULTS.replySizeMaxBytes,
    underWay: undefined,
    span: undefined,
    consumer: undefined,
    clientId: Buffer.alloc(0),
  };
}

async function serve({ code, body }: Frame, session: Session): Promise<Frame> {
  const route = findRoute(code);
  assert(route !== undefined, 'what replication asks is known');
  let reply: Reply;
  try {
    const answer = await route.serve(body, session, PBC_DEFAULTS);
    assert('value' in answer, 'replication asks for no streams');
    reply = answer;
  } catch (error) {
    if (!isFault(error)) throw error;
    reply = errorReply(faultToErrorText(error));
  }
  return frameOf(reply.frame ?? encodeFrame(new ProtoWriter(), reply.type, reply.value));
}

function frameOf(pieces: readonly Buffer[]): Frame {
  const decoder = new FrameDecoder(PBC_DEFAULTS.replySizeMaxBytes);
  decoder.push(Buffer.concat(pieces));
  const outcome = decoder.next();
  assert(outcome.kind === 'frame', 'a frame is one');
  return outcome.frame;
}
