/**
 * How index queries and folds over objects tell, in a stream, why they end too early.
 */

import { isFault } from '../../base/fault.ts';
import { faultToErrorText } from './error-text.ts';
import { errorReply } from './handler.ts';
import type { Reply, Session } from './handler.ts';

/** Riak prints what ends these streams as it gets it: `{error,timeout}`. Elsewhere it is the reason alone. */
export function streamErrorReply(reason: string): Reply {
  return errorReply(`{error,${reason}}`);
}

export async function* withFaultsInside(
  replies: AsyncIterable<Reply>,
  { metrics }: Session,
): AsyncGenerator<Reply> {
  try {
    yield* replies;
  } catch (error) {
    if (!isFault(error)) throw error;
    metrics.count('pbc_faults_total');
    yield streamErrorReply(faultToErrorText(error));
  }
}
