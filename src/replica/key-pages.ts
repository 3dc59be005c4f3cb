/**
 * Key pages: the keys of a range, or their heads too, each page read by a scan of its own.
 *
 * Whoever walks a partition, or all that is owed to a node, does so at its own pace, for hours perhaps. An
 * open scan would keep every table of LevelDB's that is merged away meanwhile; between two pages nothing
 * is open. A page shows what is there when it is read.
 */

import { keyAfter, type KeyRange } from '../storage/keys.ts';
import type { ScanEntry, ScanRange, Store } from '../storage/store.ts';

const ENTRIES_PER_PAGE = 256;

/** In order, none empty. Rejects as scans with a limit do, behind what could be read. */
export async function* keyPages(
  store: Store,
  range: KeyRange,
  keysPerPage = ENTRIES_PER_PAGE,
): AsyncGenerator<readonly Buffer[]> {
  for await (const page of pagesOf(store, { ...range, keysOnly: true, limit: keysPerPage })) {
    yield page.map(({ key }) => key);
  }
}

/** As `keyPages`, with at least the heads. */
export function headPages(
  store: Store,
  { from, to }: KeyRange,
): AsyncGenerator<readonly ScanEntry[]> {
  return pagesOf(store, { from, to, headsOnly: true, limit: ENTRIES_PER_PAGE });
}

/** `range.limit`: of a page. */
async function* pagesOf(store: Store, range: ScanRange): AsyncGenerator<readonly ScanEntry[]> {
  for (let { from } = range; ;) {
    const page: ScanEntry[] = [];
    let failure: unknown;
    try {
      for await (const batch of store.scan({ ...range, from })) page.push(...batch);
    } catch (error) {
      failure = error;
    }
    const last = page.at(-1);
    if (last !== undefined) yield page;
    if (failure !== undefined) throw failure;
    if (last === undefined) return;
    from = keyAfter(last.key);
  }
}
