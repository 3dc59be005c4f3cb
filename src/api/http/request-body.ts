/**
 * Request bodies: read whole, because an object is stored whole, but never beyond a limit for each
 * request and a budget for all of them together.
 */

import type { ByteBudget } from '../../base/byte-budget.ts';
import { Fault } from '../../base/fault.ts';
import type { IncomingMessage } from 'node:http';

type BodyOutcome =
  | { readonly kind: 'read'; readonly body: Buffer }
  /** Beyond the limit; what is left of it is not read. */
  | { readonly kind: 'too-large' }
  /** Beyond the budget. */
  | { readonly kind: 'overload' };

const NO_BODY: BodyOutcome = { kind: 'read', body: Buffer.alloc(0) };

/** What `Content-Length` announces; undefined for a chunked body, 0 for none. */
export function announcedSizeBytes(request: IncomingMessage): number | undefined {
  if (request.headers['transfer-encoding'] !== undefined) return undefined;
  return Number(request.headers['content-length'] ?? 0);
}

/**
 * Reads the body; what was read stays taken from `budget` until the caller gives it back. Rejects with
 * the fault `closed` when the client goes before its end.
 */
export function readBody(
  request: IncomingMessage,
  limitBytes: number,
  budget: ByteBudget,
): Promise<BodyOutcome> {
  const announced = announcedSizeBytes(request);
  if (announced === 0) return Promise.resolve(NO_BODY);
  if (announced !== undefined && announced > limitBytes) {
    return Promise.resolve({ kind: 'too-large' });
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const giveUp = (outcome: BodyOutcome): void => {
      request.off('data', onData);
      request.pause();
      budget.giveBack(sizeBytes);
      sizeBytes = 0;
      resolve(outcome);
    };
    const onData = (chunk: Buffer): void => {
      if (sizeBytes + chunk.length > limitBytes) return giveUp({ kind: 'too-large' });
      if (!budget.tryTake(chunk.length)) return giveUp({ kind: 'overload' });
      sizeBytes += chunk.length;
      chunks.push(chunk);
    };
    request.on('data', onData);
    request.on('end', () => {
      const [only] = chunks;
      const isOne = chunks.length === 1 && only !== undefined;
      resolve({ kind: 'read', body: isOne ? only : Buffer.concat(chunks, sizeBytes) });
    });
    request.on('close', () => {
      if (request.complete) return;
      budget.giveBack(sizeBytes);
      sizeBytes = 0;
      reject(new Fault('closed', 'the client closed the connection within a request'));
    });
    request.on('error', () => {
      // 'close' follows and says the same.
    });
  });
}
