/**
 * Scans for whoever can do with what can be read: damaged tables cost their own entries only.
 */

import { isFault } from '../base/fault.ts';
import type { ScanEntry } from './store.ts';

/** The batches of a scan, without what cannot be read at its end. */
export async function* readable(
  batches: AsyncIterable<readonly ScanEntry[]>,
): AsyncGenerator<readonly ScanEntry[]> {
  try {
    yield* batches;
  } catch (error) {
    if (!isFault(error, 'store-corrupt')) throw error;
  }
}
