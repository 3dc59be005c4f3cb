/**
 * Folds as messages have them, checked: what Riak calls no definition of a fold is refused before anything
 * is asked.
 */

import { isTreeSize } from '../../object/tictac-tree.ts';
import { bucketTypeOf } from './request-values.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { FoldRange } from '../../node/node-service.ts';
import type { SegmentFilter } from '../../object/tictac-tree.ts';

/** Segments and branches that a request may name. */
export const SEGMENTS_MAX = 65_536;
/** Of a name in a request: it is written once for each partition, at each node. */
const NAME_SIZE_MAX_BYTES = 65_536;

/** What a client is told whose fold found more than one message, or the node, may hold. */
export const FOUND_TOO_MUCH =
  'Too much was found for one message: narrow the range of keys or of dates';

/** What messages of folds share; those that have no such field have all of it. */
export interface RangeFields {
  readonly type: ByteString | undefined;
  readonly bucket: ByteString;
  readonly key_range: boolean;
  readonly start_key: ByteString | undefined;
  readonly end_key: ByteString | undefined;
  readonly segment_filter?: boolean;
  readonly id_filter?: readonly number[];
  readonly filter_tree_size?: string | undefined;
  readonly modified_range: boolean;
  readonly last_mod_start: number | undefined;
  readonly last_mod_end: number | undefined;
}

/** Undefined: it is no range. */
export function foldRangeOf(fields: RangeFields): FoldRange | undefined {
  const names = [fields.type, fields.bucket, fields.start_key, fields.end_key];
  if (names.some((name) => name !== undefined && name.length > NAME_SIZE_MAX_BYTES)) {
    return undefined;
  }
  const keys = fields.key_range ? keysOf(fields) : undefined;
  if (keys === 'invalid') return undefined;
  const segments =
    fields.segment_filter === true
      ? segmentFilterOf(fields.id_filter ?? [], fields.filter_tree_size)
      : undefined;
  if (segments === 'invalid') return undefined;
  const modified = modifiedRangeOf(fields);
  if (modified === 'invalid') return undefined;
  return { type: bucketTypeOf(fields.type), bucket: fields.bucket, keys, segments, modified };
}

function keysOf({ start_key: from, end_key: to }: RangeFields): FoldRange['keys'] | 'invalid' {
  return from === undefined || to === undefined || to < from ? 'invalid' : { from, to };
}

export function segmentFilterOf(
  ids: readonly number[],
  size: string | undefined,
): SegmentFilter | 'invalid' {
  if (!isTreeSize(size) || ids.length > SEGMENTS_MAX) return 'invalid';
  return { size, segments: new Set(ids) };
}

interface ModifiedFields {
  readonly modified_range?: boolean | undefined;
  readonly last_mod_start: number | undefined;
  readonly last_mod_end: number | undefined;
}

export function modifiedRangeOf({
  modified_range: isGiven,
  last_mod_start: from,
  last_mod_end: to,
}: ModifiedFields): FoldRange['modified'] | 'invalid' {
  if (isGiven !== true) return undefined;
  return from === undefined || to === undefined || to < from ? 'invalid' : { from, to };
}
