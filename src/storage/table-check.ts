/**
 * What is damaged in a table of a running LevelDB, and which keys it may have held.
 *
 * Tables never change, so they can be read beside LevelDB, which compares no CRC of what it reads. The
 * index has for each block a key between its last one and the next block's first, so the keys that a damaged block
 * held lie between two keys of the index.
 */

import type { Sliced } from '../base/sliced.ts';
import type { KeySpan } from './keys.ts';
import { firstKeyOf, readTableInSlices } from './table-file.ts';
import type { DataBlock } from './table-file.ts';

export interface TableDamage {
  /** `table`: nothing of it can be told, `filter`: it may deny any of the keys. */
  readonly part: 'table' | 'blocks' | 'filter';
  readonly blockCount: number;
  /** Where the keys lie that cannot be trusted to be found. */
  readonly spans: readonly KeySpan[];
}

export interface CheckedTable {
  readonly name: string;
  readonly sizeBytes: number;
  /** Undefined: it is sound. */
  readonly damage: TableDamage | undefined;
}

/** Behind each user's key in a table: a number and a kind. */
const INTERNAL_SIZE = 8;

export function* findDamage(table: Buffer): Sliced<TableDamage | undefined> {
  const content = yield* readTableInSlices(table);
  if (content === undefined) return UNREADABLE;
  const { blocks, hasSoundFilter } = content;
  const damaged = [...blocks.keys()].filter((index) => blocks[index]?.isSound === false);
  const blockCount = damaged.length;
  if (!hasSoundFilter) {
    const spans = [{ from: startOf(blocks, 0), to: userKey(blocks.at(-1)?.indexKey) }];
    return { part: 'filter', blockCount, spans };
  }
  if (blockCount === 0) return undefined;
  const spans = damaged.map((index) => {
    return { from: startOf(blocks, index), to: userKey(blocks[index]?.indexKey) };
  });
  return { part: 'blocks', blockCount, spans };
}

/** Of a table that cannot be read at all. */
export const UNREADABLE: TableDamage = {
  part: 'table',
  blockCount: 0,
  spans: [{ from: undefined, to: undefined }],
};

function startOf(blocks: readonly DataBlock[], index: number): Buffer | undefined {
  const before = blocks[index - 1];
  if (before !== undefined) return userKey(before.indexKey);
  const [first] = blocks;
  return first?.isSound === true ? userKey(firstKeyOf(first)) : undefined;
}

function userKey(internal: Buffer | undefined): Buffer | undefined {
  return internal?.subarray(0, Math.max(internal.length - INTERNAL_SIZE, 0));
}
