/**
 * Fold scans: the heads of a bucket's copies in some partitions of this node, in the order of keys.
 *
 * Like listings, by one short scan for each page of a partition, so that nothing is held open between two
 * pages and every page gives others their turn; of a copy nothing is kept but what was found. Where only
 * tombstones are asked for, the node's notes of them are read and not the bucket. Copies whose heads cannot
 * be read are left out.
 */

import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import { LAST_KEY, type Partition } from '../base/names.ts';
import type { FoldPiece, FoldScan } from '../peer/folds.ts';
import type { CoverageShare } from '../peer/messages.ts';
import {
  decodeObjectKey,
  decodeTombKey,
  encodeObjectKey,
  keyAfter,
  objectKeyRange,
  tombKeyRange,
} from '../storage/keys.ts';
import type { KeyRange } from '../storage/keys.ts';
import type { ScanEntry, ScanRange, Store } from '../storage/store.ts';
import { judgeCopy, PieceBuilder, type Finding } from './fold-findings.ts';
import type { FoldTurns } from './fold-turns.ts';
import { mergeInOrder } from './ordered-merge.ts';

/** Copies whose heads are read at once. */
const PAGE_COUNT = 128;
/** Keys that one piece goes over at most, and what it may hold. */
const PIECE_KEYS_MAX = 1_024;
const PIECE_BYTES_MAX = 128 * 1024;
const FIRST_KEY = '' as ByteString;

type Findings = Map<ByteString, Finding>;

export interface FoldPorts {
  readonly store: Store;
  /** Shared by all folds of the node. */
  readonly turns: FoldTurns;
}

export async function* scanFold(
  ports: FoldPorts,
  share: CoverageShare,
  scan: FoldScan,
): AsyncIterableIterator<FoldPiece> {
  const { range, question, after } = scan;
  const from = range.keys?.from ?? FIRST_KEY;
  const first = after === undefined || after < from ? from : after;
  const last = range.keys?.to ?? LAST_KEY;
  if (first > last) return;
  // Every key lies in one partition, so nothing is found twice.
  const findings: Findings = new Map();
  const pages = asksForTombstones(scan) ? tombstonePages : copyPages;
  const sources = share.partitions.map((partition) => {
    return pages(ports, { scan, partition, keys: { first, last } }, findings);
  });
  for await (const keys of mergeInOrder(sources, PIECE_KEYS_MAX)) {
    let builder = new PieceBuilder(question);
    let upTo: ByteString | undefined;
    for (const key of keys) {
      const finding = findings.get(key);
      findings.delete(key);
      if (key === after) continue;
      upTo = key;
      if (finding === undefined) continue;
      builder.add(key, finding);
      if (builder.sizeBytes < PIECE_BYTES_MAX) continue;
      yield { upTo, ...builder.findings() };
      builder = new PieceBuilder(question);
      upTo = undefined;
    }
    if (upTo !== undefined) yield { upTo, ...builder.findings() };
  }
}

function asksForTombstones({ question }: FoldScan): boolean {
  return 'copies' in question && question.copies === 'tombstones';
}

interface Source {
  readonly scan: FoldScan;
  readonly partition: Partition;
  readonly keys: { readonly first: ByteString; readonly last: ByteString };
}

async function* copyPages(
  ports: FoldPorts,
  { scan, partition, keys }: Source,
  findings: Findings,
): AsyncGenerator<ByteString[]> {
  const range = objectKeyRange(partition, scan.range, keys);
  for await (const page of pagesOf(ports, range, { headsOnly: true })) {
    const names: ByteString[] = [];
    for (const { key: entry, value } of page) {
      const { key } = decodeObjectKey(entry);
      names.push(key.key);
      const finding = judgeCopy(scan, key, value);
      if (finding !== undefined) findings.set(key.key, finding);
    }
    yield names;
  }
}

async function* tombstonePages(
  ports: FoldPorts,
  { scan, partition, keys }: Source,
  findings: Findings,
): AsyncGenerator<ByteString[]> {
  const range = tombKeyRange(partition, scan.range, keys);
  for await (const page of pagesOf(ports, range, { keysOnly: true })) {
    const noted = page.map(({ key: entry }) => decodeTombKey(entry).key);
    const heads = await Promise.all(
      noted.map((key) => readHead(ports.store, encodeObjectKey(partition, key))),
    );
    for (const [index, key] of noted.entries()) {
      const head = heads[index];
      const finding = head === undefined ? undefined : judgeCopy(scan, key, head);
      if (finding !== undefined) findings.set(key.key, finding);
    }
    yield noted.map(({ key }) => key);
  }
}

/** Each a scan of its own. */
async function* pagesOf(
  { store, turns }: FoldPorts,
  range: KeyRange,
  what: { readonly headsOnly: true } | { readonly keysOnly: true },
): AsyncGenerator<readonly ScanEntry[]> {
  let { from } = range;
  for (;;) {
    const page = await turns.take(() => firstBatch(store, { from, to: range.to, ...what }));
    const last = page.at(-1);
    if (last === undefined) return;
    from = keyAfter(last.key);
    yield page;
  }
}

/** The first batch only: its size is bounded in bytes too. */
async function firstBatch(
  store: Store,
  range: Omit<ScanRange, 'limit'>,
): Promise<readonly ScanEntry[]> {
  for await (const page of store.scan({ ...range, limit: PAGE_COUNT })) return page;
  return [];
}

async function readHead(store: Store, entry: Buffer): Promise<Buffer | undefined> {
  try {
    return await store.getHead(entry);
  } catch (error) {
    if (isFault(error, 'store-corrupt')) return undefined;
    throw error;
  }
}
