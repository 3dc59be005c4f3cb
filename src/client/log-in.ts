/**
 * From a bare connection to one of a user's: STARTTLS, the TLS handshake, name and password.
 *
 * What a node sends before it is asked, or in clear behind its word to begin TLS, is someone else's: the
 * connection is given up. Times are kept by whoever owns the socket, by destroying it.
 */

import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { FrameDecoder, encodeFrame } from '../api/pbc/framing.ts';
import { ProtoWriter } from '../api/pbc/messages/proto-writer.ts';
import { RpbAuthReq, RpbAuthResp, RpbStartTls } from '../api/pbc/messages/server-messages.ts';
import type { Fields, MessageInput, MessageType } from '../api/pbc/messages/message-type.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { Login } from './credentials.ts';
import { decodeReply } from './error-reply.ts';

/** Of a node that hashes passwords one after the other, and tells a wrong one after five seconds. */
export const LOGIN_TIMEOUT_MS = 20_000;

const REPLY_SIZE_MAX_BYTES = 64 * 1024;

/**
 * The socket to go on with. Rejects with `login-refused` and the node's words, or with
 * `peer-unreachable` where there is no connection over TLS to be had.
 */
export async function logIn(socket: Socket, host: string, login: Login): Promise<TLSSocket> {
  try {
    await ask(socket, { request: RpbStartTls, value: {}, reply: RpbStartTls });
    const secured = await handshake(socket, host, login);
    const { user, password } = login;
    await ask(secured, { request: RpbAuthReq, value: { user, password }, reply: RpbAuthResp });
    return secured;
  } catch (error) {
    if (isFault(error, 'peer-refused')) throw new Fault('login-refused', error.message);
    if (isFault(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault('peer-unreachable', `no TLS: ${why}`, { cause: error });
  }
}

function handshake(socket: Socket, host: string, login: Login): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({ socket, ...login.tlsOptions(host) });
    const fail = (error?: Error): void => {
      reject(error ?? new Error('the node ended the handshake'));
    };
    secured.once('error', fail);
    secured.once('close', fail);
    secured.once('secureConnect', () => {
      secured.off('error', fail);
      secured.off('close', fail);
      resolve(secured);
    });
  });
}

interface Question<Q extends Fields, R extends Fields> {
  readonly request: MessageType<Q>;
  readonly value: MessageInput<Q>;
  readonly reply: MessageType<R>;
}

/** Sends a request, and takes the one reply to it. */
function ask<Q extends Fields, R extends Fields>(
  socket: Socket,
  { request, value, reply }: Question<Q, R>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const decoder = new FrameDecoder(REPLY_SIZE_MAX_BYTES);
    const settle = (error?: unknown): void => {
      socket.off('data', receive);
      socket.off('error', settle);
      socket.off('close', lose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const lose = (): void => settle(new Error('the node closed the connection'));
    const receive = (piece: Buffer): void => {
      decoder.push(piece);
      const outcome = decoder.next();
      if (outcome.kind === 'incomplete') return;
      if (outcome.kind !== 'frame' || decoder.bufferedBytes > 0) {
        settle(new Fault('peer-malformed', 'a node sent what was not asked for'));
        return;
      }
      try {
        decodeReply(reply, outcome.frame);
        settle();
      } catch (error) {
        settle(error);
      }
    };
    socket.on('data', receive);
    socket.on('error', settle);
    socket.on('close', lose);
    socket.write(Buffer.concat(encodeFrame(new ProtoWriter(), request, value)));
  });
}
