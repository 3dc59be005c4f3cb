/**
 * One client connection: requests strictly in order, one at a time, replies in the same order.
 *
 * A request that the node has no room for waits at its entrance as bytes; the code of its frame says
 * all that its turn or its refusal needs. Requests behind the one under way stay in the decoder as
 * bytes too; when there are too many the socket is not read, and TCP makes the client wait. A stream
 * of replies goes on only while the client reads. Whatever a client sends, it gets an answer or a
 * closed connection.
 *
 * With STARTTLS a connection ends and hands its socket over: the one that goes on over TLS begins anew,
 * with nothing of what came in clear.
 */

import { assert, isFault } from '../../base/fault.ts';
import { faultToErrorText } from './error-text.ts';
import { FrameDecoder } from './framing.ts';
import { errorReply, malformedReply, reply as replyOf } from './handler.ts';
import { LogIn, STRANGER_MAX_BYTES } from './log-in.ts';
import { RpbStartTls } from './messages/server-messages.ts';
import { strangerText } from './permissions.ts';
import { ReplyQueue } from './reply-queue.ts';
import { RequestAccount } from './request-account.ts';
import { findRoute } from './routes.ts';
import type { Place, Waiter } from '../../node/entrance.ts';
import type { Socket } from 'node:net';
import type { Host } from '../../base/host.ts';
import type { ByteBudget } from '../../base/byte-budget.ts';
import type { FlushRound } from '../../base/flush-round.ts';
import type { Frame } from './framing.ts';
import type { Answer, Reply, Session } from './handler.ts';
import type { ProtoWriter } from './messages/proto-writer.ts';
import type { PbcOptions } from './pbc-options.ts';
import type { Route } from './routes.ts';

/** Bytes behind the request under way above which the socket is not read. */
const READ_AHEAD_MAX_BYTES = 64 * 1024;
/** What each connection may hold without asking the budget. */
const UNBUDGETED_BYTES = 64 * 1024;
/** A client is not slow as long as it sends this much. */
const SLOWEST_BYTES_PER_MS = 64;

/** How long a client may keep its side open after the last reply. */
const LINGER_MAX_MS = 5000;

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly host: Host;
  readonly options: PbcOptions;
  readonly writer: ProtoWriter;
  readonly round: FlushRound;
  readonly budget: ByteBudget;
  /** Begins TLS on the socket of a connection that has handed it over. */
  readonly startTls: (socket: Socket, connection: PbcConnection) => void;
}

/** The request that is under way: one at the most. */
type Request =
  | { readonly kind: 'none' }
  /** It waits at the entrance for room. */
  | {
      readonly kind: 'waiting';
      readonly frame: Frame;
      readonly route: Route;
      readonly place: Place;
    }
  /** `isInside`: the entrance has let it in, and is to be told when it is answered. */
  | { readonly kind: 'served'; readonly sizeBytes: number; readonly isInside: boolean };

/** Where a connection is in its life; it goes down this list only. */
type Phase =
  | { readonly kind: 'open' }
  /** The client will send nothing more: what it has sent is served still. */
  | { readonly kind: 'input-ended' }
  /** Nothing more is served. What is under way is answered; then come the refusal, if any, and the end. */
  | { readonly kind: 'ending'; readonly refusal: Reply | undefined }
  /** The last reply has left; the client has yet to end its side. */
  | { readonly kind: 'ended'; readonly atMs: number }
  /** The socket has gone on to TLS. */
  | { readonly kind: 'handed-over' }
  | { readonly kind: 'closed' };

const NO_REQUEST: Request = { kind: 'none' };
const ENDING: Phase = { kind: 'ending', refusal: undefined };

export class PbcConnection {
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #context: ConnectionContext;
  readonly #decoder: FrameDecoder;
  readonly #replies: ReplyQueue;
  readonly #logIn: LogIn;
  readonly #account: RequestAccount;
  #request = NO_REQUEST;
  #phase: Phase = { kind: 'open' };
  readonly #waiter: Waiter = {
    admit: () => this.#admitted(),
    refuse: () => this.#finish(errorReply('overload')),
  };
  #budgetedBytes = 0;
  #lastActiveMs: number;
  /** Called when the client has read, or has gone. */
  #onRoom: (() => void) | undefined;

  constructor(socket: Socket, session: Session, context: ConnectionContext) {
    const { options, host } = context;
    this.#socket = socket;
    this.#session = session;
    this.#context = context;
    this.#decoder = new FrameDecoder(options.frameSizeMaxBytes);
    this.#replies = new ReplyQueue(socket, context, options.outputMaxBytes);
    this.#logIn = new LogIn(session, options);
    this.#account = new RequestAccount(session, options);
    this.#lastActiveMs = host.clock.monotonicMs();
    socket.on('data', this.#receive);
    socket.on('drain', () => this.#resume());
    socket.on('end', () => {
      if (this.#phase.kind === 'open') this.#phase = { kind: 'input-ended' };
      this.#serve();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
  }

  /** Serves no more requests; what is under way is answered first. */
  end(): void {
    if (this.#isServing) this.#endWith(undefined);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends the connection of a client that keeps it waiting. Called every now and then. */
  checkTimeouts(nowMs: number): void {
    const { options, host } = this.#context;
    if (this.#replies.hasStalled(nowMs, options.stallTimeoutMs)) {
      host.metrics.count('pbc_connections_stalled_total');
      this.destroy();
      return;
    }
    if (this.#request.kind !== 'none') return;
    if (this.#phase.kind === 'ended') {
      // The client has its last reply, and does not end its side.
      if (nowMs - this.#phase.atMs > LINGER_MAX_MS && !this.#replies.hasUnsent) this.destroy();
      return;
    }
    if (!this.#isServing) return;
    const restedMs = nowMs - this.#lastActiveMs;
    if (this.#decoder.isWithinFrame) {
      const grantedMs = this.#decoder.bufferedBytes / SLOWEST_BYTES_PER_MS;
      if (restedMs <= options.frameTimeoutMs + grantedMs) return;
    } else if (restedMs <= options.idleTimeoutMs) {
      return;
    }
    host.metrics.count('pbc_connections_idle_total');
    this.end();
  }

  get #isServing(): boolean {
    return this.#phase.kind === 'open' || this.#phase.kind === 'input-ended';
  }

  readonly #receive = (piece: Buffer): void => {
    if (!this.#isServing) return;
    // While a cut frame comes in, the time runs from its first byte.
    if (!this.#decoder.isWithinFrame) this.#lastActiveMs = this.#context.host.clock.monotonicMs();
    this.#decoder.push(piece);
    this.#serve();
  };

  /** Serves what is there, until a request takes its time or the client does not read. */
  #serve(): void {
    while (this.#isServing && this.#request.kind === 'none' && this.#replies.hasRoom) {
      const outcome = this.#decoder.next();
      if (outcome.kind === 'incomplete') {
        if (this.#phase.kind === 'input-ended') this.#phase = ENDING;
        break;
      }
      if (outcome.kind === 'frame') this.#start(outcome.frame);
      else this.#refuseStream(outcome.kind);
    }
    if (this.#phase.kind === 'ending' && this.#request.kind === 'none') this.#endSocket();
    else if (this.#isServing || this.#phase.kind === 'ending') this.#limitReceiving();
  }

  #start(frame: Frame): void {
    this.#lastActiveMs = this.#context.host.clock.monotonicMs();
    if (this.#logIn.isAwaited) {
      this.#meet(frame);
      return;
    }
    const route = findRoute(frame.code);
    if (route === undefined) {
      this.#context.host.metrics.count('pbc_unknown_codes_total');
      this.#send(errorReply(`Unknown message code: ${frame.code}`));
      return;
    }
    this.#account.begin(route, frame.body.length, this.#lastActiveMs);
    if (route.work !== undefined) {
      const place = this.#session.node.entrance.enter(route.work, this.#waiter);
      if (place !== undefined) {
        this.#request = { kind: 'waiting', frame, route, place };
        return;
      }
    }
    this.#bring(frame, route);
  }

  #meet(frame: Frame): void {
    const meeting = this.#logIn.meet(frame);
    if (meeting === 'start-tls') this.#handOver();
    else if (meeting instanceof Promise) {
      this.#request = { kind: 'served', sizeBytes: frame.body.length, isInside: false };
      meeting.then(this.#finish, this.#fail);
    } else this.#send(meeting);
  }

  /**
   * Agrees to STARTTLS and gives the socket up. What came behind the request in clear may be someone
   * else's, put there so that it would count as the client's: there must be nothing.
   */
  #handOver(): void {
    if (this.#decoder.bufferedBytes > 0) {
      this.#context.host.metrics.count('pbc_tls_injections_total');
      this.destroy();
      return;
    }
    this.#phase = { kind: 'handed-over' };
    // From here on bytes wait in the socket, which TLS empties.
    this.#socket.pause();
    this.#socket.off('data', this.#receive);
    this.#replies.add(replyOf(RpbStartTls, {}));
    this.#replies.flush();
    this.#socket.write('', () => this.#context.startTls(this.#socket, this));
  }

  #admitted(): void {
    const waiting = this.#request;
    assert(waiting.kind === 'waiting', 'who is let in has waited');
    this.#request = NO_REQUEST;
    if (!this.#bring(waiting.frame, waiting.route)) this.#goOn();
  }

  /** Has the node serve it; whether that goes on. What it works on has been let in by the entrance. */
  #bring({ body }: Frame, route: Route): boolean {
    const isInside = route.work !== undefined;
    const answer = this.#answer(body, route);
    if ('value' in answer) {
      if (isInside) this.#session.node.entrance.exit();
      this.#send(answer);
      this.#account.end(this.#lastActiveMs, this.#socket.destroyed);
      return false;
    }
    this.#request = { kind: 'served', sizeBytes: body.length, isInside };
    if (answer instanceof Promise) answer.then(this.#finish, this.#fail);
    else this.#stream(answer).then(this.#goOn, this.#fail);
    return true;
  }

  #answer(body: Buffer, route: Route): Answer {
    try {
      return route.serve(body, this.#session, this.#context.options);
    } catch (error) {
      if (!isFault(error, 'malformed')) return this.#failureReply(error);
      this.#context.host.metrics.count('pbc_malformed_total');
      return malformedReply(error.message);
    }
  }

  /** The stream of bytes makes no sense from here on. */
  #refuseStream(kind: 'empty' | 'too-large'): void {
    this.#context.host.metrics.count('pbc_malformed_total');
    // A frame without a code is not answered, as with Riak.
    if (kind === 'too-large') this.#send(errorReply('Invalid message packet, reason: invalid'));
    this.#phase = ENDING;
  }

  async #stream(replies: AsyncIterable<Reply>): Promise<void> {
    for await (const reply of replies) {
      this.#send(reply);
      if (!this.#replies.hasRoom) await this.#room();
      if (this.#socket.destroyed) return;
    }
  }

  async #room(): Promise<void> {
    if (this.#socket.destroyed) return;
    const { clock } = this.#context.host;
    const fromMs = clock.monotonicMs();
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
    this.#account.waitedForReader(clock.monotonicMs() - fromMs);
  }

  readonly #finish = (reply: Reply): void => {
    this.#send(reply);
    this.#goOn();
  };

  readonly #fail = (error: unknown): void => {
    this.#finish(this.#failureReply(error));
  };

  #failureReply(error: unknown): Reply {
    const { host, options } = this.#context;
    if (isFault(error)) {
      host.metrics.count('pbc_faults_total');
      return errorReply(faultToErrorText(error));
    }
    host.metrics.count('pbc_bugs_total');
    options.onBug(error);
    return malformedReply('internal error');
  }

  readonly #goOn = (): void => {
    const request = this.#request;
    this.#request = NO_REQUEST;
    if (request.kind === 'served' && request.isInside) this.#session.node.entrance.exit();
    this.#lastActiveMs = this.#context.host.clock.monotonicMs();
    this.#account.end(this.#lastActiveMs, this.#socket.destroyed);
    this.#serve();
  };

  #send(reply: Reply): void {
    if (this.#socket.destroyed) return;
    if (this.#phase.kind !== 'ended') this.#account.replied(reply, this.#replies.add(reply));
    if (reply.isFinal && this.#isServing) this.#phase = ENDING;
  }

  #resume(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
    this.#serve();
  }

  /** Reads from the socket only while what is read can be held. */
  #limitReceiving(): void {
    const isWaiting = this.#request.kind !== 'none' || !this.#replies.hasRoom;
    const shouldPause = isWaiting && this.#decoder.bufferedBytes > READ_AHEAD_MAX_BYTES;
    if (shouldPause !== this.#socket.isPaused()) {
      if (shouldPause) this.#socket.pause();
      else this.#socket.resume();
    }
    if (!this.#isServing) return;
    if (this.#decoder.bufferedBytes > STRANGER_MAX_BYTES && this.#logIn.isAwaited) {
      this.#endWith(errorReply(strangerText(this.#session)));
    } else if (!this.#isWithinBudget()) {
      this.#context.host.metrics.count('pbc_overload_total');
      this.#endWith(errorReply('overload'));
    }
  }

  /** Serves nothing more. Replies come in the order of the requests, so `refusal` waits for that under way. */
  #endWith(refusal: Reply | undefined): void {
    this.#phase = { kind: 'ending', refusal };
    if (this.#request.kind === 'none') this.#endSocket();
  }

  #isWithinBudget(): boolean {
    const held = this.#decoder.bufferedBytes + sizeOf(this.#request);
    const wanted = held <= UNBUDGETED_BYTES ? 0 : held;
    const more = wanted - this.#budgetedBytes;
    if (more > 0 && !this.#context.budget.tryTake(more)) return false;
    if (more < 0) this.#context.budget.giveBack(-more);
    this.#budgetedBytes = wanted;
    return true;
  }

  #endSocket(): void {
    assert(this.#phase.kind === 'ending', 'a socket ends when nothing more is served');
    if (this.#phase.refusal !== undefined) this.#send(this.#phase.refusal);
    this.#phase = { kind: 'ended', atMs: this.#context.host.clock.monotonicMs() };
    this.#replies.flush();
    this.#socket.end();
    // What still comes is not looked at, but must be read for the client's end to be seen.
    this.#socket.resume();
  }

  #closed(): void {
    this.#phase = { kind: 'closed' };
    this.#session.consumer?.end();
    if (this.#request.kind === 'waiting') {
      this.#request.place.leave();
      this.#request = NO_REQUEST;
      this.#account.end(this.#context.host.clock.monotonicMs(), true);
    }
    this.#context.budget.giveBack(this.#budgetedBytes);
    this.#budgetedBytes = 0;
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }
}

/** What a request holds while it is under way. */
function sizeOf(request: Request): number {
  if (request.kind === 'waiting') return request.frame.body.length;
  return request.kind === 'served' ? request.sizeBytes : 0;
}
