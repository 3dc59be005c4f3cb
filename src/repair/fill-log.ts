/**
 * The fill log: how far each tree that this node is to hold has been filled, durably.
 *
 * An entry is written after the records before it are durable, so whatever it says is there. It
 * belongs to one fill, named by a number; that of another is void and is overwritten in its turn.
 *
 *   meta 'fill/PARTITION/N' → | fill u32 | state u8: 0 under way, 1 folded | last key: 3 names |
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { ObjectKey } from '../base/names.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { TreeName } from './replica-sets.ts';

/** Where a fold of one tree stands. */
export type FoldState =
  | { readonly kind: 'under-way'; readonly after: ObjectKey | undefined }
  /** All records of one source have been merged. */
  | { readonly kind: 'folded' };

const BEGINNING: FoldState = { kind: 'under-way', after: undefined };

export class FillLog {
  readonly #store: Store;
  readonly #fill: number;

  /** `fill` tells this fill from those before it. */
  constructor(store: Store, fill: number) {
    this.#store = store;
    this.#fill = fill;
  }

  async load(tree: TreeName): Promise<FoldState> {
    const bytes = await this.#store.get(entryKey(tree));
    return (bytes && this.#decode(bytes)) ?? BEGINNING;
  }

  /** Durable when it resolves. */
  save(tree: TreeName, state: FoldState): Promise<void> {
    const writer = new ByteWriter(64);
    writer.u32(this.#fill);
    writer.u8(state.kind === 'folded' ? 1 : 0);
    const after = state.kind === 'folded' ? undefined : state.after;
    for (const name of after === undefined ? [] : [after.type, after.bucket, after.key]) {
      writer.varint(name.length);
      writer.byteString(name);
    }
    return this.#store.write([{ kind: 'put', key: entryKey(tree), head: writer.written() }]);
  }

  /** Undefined for an entry of another fill, or one that cannot be read. */
  #decode(bytes: Buffer): FoldState | undefined {
    const reader = new ByteReader(bytes);
    const fill = reader.u32();
    const isFolded = reader.u8() === 1;
    if (!reader.isSound || fill !== this.#fill) return undefined;
    if (isFolded) return { kind: 'folded' };
    if (reader.remaining === 0) return BEGINNING;
    const [type, bucket, key] = [readName(reader), readName(reader), readName(reader)];
    return reader.isSound ? { kind: 'under-way', after: { type, bucket, key } } : undefined;
  }
}

function readName(reader: ByteReader): ObjectKey['key'] {
  return reader.byteString(reader.varint());
}

function entryKey({ partition, nVal }: TreeName): Buffer {
  return encodeMetaKey(utf8ToByteString(`fill/${partition}/${nVal}`));
}
