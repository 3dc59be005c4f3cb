/**
 * Scans for whoever can do with what can be read: damaged tables cost their own entries only.
 */

import { isFault } from '../base/fault.ts';

/** The batches of a scan, without what cannot be read at its end. */
export async function* readable<Batch>(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  try {
    yield* batches;
  } catch (error) {
    if (!isFault(error, 'store-corrupt')) throw error;
  }
}
