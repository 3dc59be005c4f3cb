/**
 * Sending an answer: framing, ranges, streams at the pace of the reader.
 *
 * A whole body goes out with its length in one write. A stream is sent chunk by chunk, and the next
 * chunk is not asked for while the client has not taken the last: a slow reader costs one chunk. A
 * stream that fails in the middle cuts the connection, since no status can be sent any more.
 */

import { once } from 'node:events';
import { Fault } from '../../base/fault.ts';
import { base62 } from '../../object/vtag.ts';
import { reasonOf } from './answer.ts';
import { applyRange } from './ranges.ts';
import type { ServerResponse } from 'node:http';
import type { Answer, Chunk } from './answer.ts';
import type { Exchange } from './exchange.ts';

const SERVER_NAME = 'Vertebra';

/** Resolves when the answer has been handed to the connection; rejects with `closed` if it broke. */
export async function transmit(exchange: Exchange, answer: Answer): Promise<void> {
  const { response, method, headers } = exchange;
  const range = method === 'GET' || method === 'HEAD' ? headers.range : undefined;
  const sent =
    range === undefined ? answer : applyRange(answer, range, () => newBoundary(exchange));
  const { status, body } = sent;
  sent.headers.push('Server', SERVER_NAME);
  // Whether a client that waits for leave to send its body will still send it, no one can tell.
  if (exchange.isContinueExpected) exchange.mustClose = true;
  if (exchange.mustClose) sent.headers.push('Connection', 'close');

  if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) {
    writeHead(response, sent);
    if (method === 'HEAD') response.end();
    else await sendStream(exchange, body);
    return;
  }
  const sizeBytes = body?.length ?? sent.headSizeBytes ?? (method === 'HEAD' ? undefined : 0);
  if (sizeBytes !== undefined && status !== 204 && status !== 304) {
    sent.headers.push('Content-Length', `${sizeBytes}`);
  }
  writeHead(response, sent);
  const isSent = body !== undefined && method !== 'HEAD';
  if (isSent) exchange.replyBytes = body.length;
  if (exchange.mustClose && !exchange.request.complete && !exchange.isContinueExpected) {
    if (isSent) response.write(body, 'latin1');
    else response.flushHeaders();
    await awaitClient(exchange, linger(exchange));
    response.end();
    return;
  }
  await exchange.context.round.join();
  if (isSent) response.end(body, 'latin1');
  else response.end();
}

/** A client that is still sending would lose the answer, were the connection cut at once. */
const LINGER_MS = 2_000;

/** Discards what still comes, until its end, or the client goes, or the time is up. */
function linger(exchange: Exchange): Promise<void> {
  const { request, context } = exchange;
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      resolve();
    };
    const cancel = context.host.clock.after(LINGER_MS, done);
    request.on('end', done);
    request.on('close', done);
    request.resume();
  });
}

function writeHead(response: ServerResponse, answer: Answer): void {
  const reason = reasonOf(answer.status);
  if (reason === undefined) response.writeHead(answer.status, answer.headers);
  else response.writeHead(answer.status, reason, answer.headers);
}

async function sendStream(exchange: Exchange, body: AsyncIterable<Chunk>): Promise<void> {
  const { response } = exchange;
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.on('close', onClose);
  try {
    for await (const chunk of body) {
      if (response.closed) throw new Fault('closed', 'the client closed the connection');
      exchange.replyBytes += chunk.length;
      if (!response.write(chunk, 'latin1')) {
        await awaitClient(exchange, drained(response, gone.signal));
      }
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    response.off('close', onClose);
  }
}

/** What the client takes is not the time that its request took. */
async function awaitClient(exchange: Exchange, waiting: Promise<void>): Promise<void> {
  const { clock } = exchange.context.host;
  const fromMs = clock.monotonicMs();
  try {
    await waiting;
  } finally {
    exchange.clientMs += clock.monotonicMs() - fromMs;
  }
}

/** A reader that stalls is cut off by the connection's own time-out, which aborts this too. */
async function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  try {
    await once(response, 'drain', { signal: gone });
  } catch (error) {
    throw new Fault('closed', 'the client closed the connection', { cause: error });
  }
}

/** Of 160 bits, the leading zeros too: the same request tells the same length every time. */
const BOUNDARY_LENGTH = 27;

/** A multipart boundary: 160 random bits, which no value will hold by chance. */
export function newBoundary(exchange: Exchange): string {
  return base62(exchange.context.host.random.bytes(20)).padStart(BOUNDARY_LENGTH, '0');
}
