/**
 * What a handler is: a request in, an answer out. It decides nothing but how the protocol says it.
 *
 * An answer is one reply, now or later, or a stream of replies of which the last says so itself.
 */

import { runInSlices } from '../../base/sliced.ts';
import { jobRefusalText } from '../../object/job-class.ts';
import { encodeFrameInSlices } from './framing.ts';
import { RpbErrorResp } from './messages/server-messages.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Clock, Metrics, Random } from '../../base/host.ts';
import type { Span } from '../../base/span.ts';
import type { NodeService } from '../../node/node-service.ts';
import type { QueueConsumer } from '../../node/replication-queues.ts';
import type { RequestTarget } from '../../node/slow-log.ts';
import type { ScriptEngine } from '../../mapreduce/script.ts';
import type { JobClass } from '../../object/job-class.ts';
import type { Fields, Message, MessageInput, MessageType } from './messages/message-type.ts';

/** One connection, as its handlers see it. */
export interface Session {
  readonly node: NodeService;
  readonly random: Random;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly disabledJobs: ReadonlySet<JobClass>;
  /** Undefined: JavaScript is refused. */
  readonly scripts: ScriptEngine | undefined;
  /** Over TLS. */
  readonly isEncrypted: boolean;
  /** The client's. */
  readonly address: string;
  /** The common name in the certificate by which the client has proved itself, in lower case. */
  readonly certificateName: string | undefined;
  /** Who was admitted, by the name given; undefined: nobody. Counts while security is on. */
  user: string | undefined;
  /** Whether the client is still there to take an answer, as far as its socket tells. */
  readonly isWanted: () => boolean;
  /** An answer of one message may not become larger. */
  readonly replySizeMaxBytes: number;
  /** The request under way, when it has been read. */
  underWay: RequestTarget | undefined;
  /** What the request under way is traced by; undefined: it is not. */
  span: Span | undefined;
  /** What the client fetches of queues; undefined: it has fetched nothing. */
  consumer: QueueConsumer | undefined;
  /** What the client set, given back when it asks; nothing else comes of it. */
  clientId: Buffer;
}

export interface Reply {
  readonly type: MessageType<Fields>;
  readonly value: MessageInput<Fields>;
  /** The connection ends after this one. */
  readonly isFinal: boolean;
  /** Of the object that was read or written, where that is known. */
  readonly siblings?: number;
  /** A large reply, encoded before it is sent. */
  readonly frame?: readonly Buffer[];
}

export type Answer = Reply | Promise<Reply> | AsyncIterable<Reply>;

/** Rejects, and throws from a stream, only faults; anything else is a bug. */
export type Handler<F extends Fields> = (request: Message<F>, session: Session) => Answer;

export function reply<F extends Fields>(type: MessageType<F>, value: MessageInput<F>): Reply {
  return { type, value, isFinal: false };
}

/** Encoded in slices, so that others are served meanwhile. */
export async function largeReply<F extends Fields>(
  type: MessageType<F>,
  value: MessageInput<F>,
  clock: Clock,
): Promise<Reply> {
  const frame = await runInSlices(encodeFrameInSlices(type, value), clock);
  return { ...reply(type, value), frame };
}

/** Names appear in `text` byte for byte, so each of its characters is one byte. */
export function errorReply(text: string): Reply {
  return reply(RpbErrorResp, { errmsg: text as ByteString, errcode: 0 });
}

/** For requests that make no sense, where Riak's handler crashes and takes the connection along. */
export function malformedReply(reason: string): Reply {
  return { ...errorReply(`Error processing incoming message: ${reason}`), isFinal: true };
}

/** The refusal, if this class of work is switched off. */
export function findJobRefusal(session: Session, job: JobClass): Reply | undefined {
  return session.disabledJobs.has(job) ? errorReply(jobRefusalText(job)) : undefined;
}
