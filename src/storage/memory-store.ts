/**
 * The store in memory: an ordered map with the promises of `Store`, but that it forgets on exit.
 *
 * A write is applied at once, whole, before the call returns; its promise only carries the news. A
 * scan reads a lazily copied clone of the tree, so it sees one moment however long it takes. All is
 * deterministic: the same calls give the same answers in the same order.
 */

import sortedBtree from 'sorted-btree';
import { bytesToByteString, byteStringToBytes } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { assert, Fault } from '../base/fault.ts';
import type { ScanEntry, ScanRange, Store, StoreHealth, WriteOperation } from './store.ts';

/** A batch of a scan ends with the entry that reaches one of these. */
const SCAN_BATCH_COUNT = 256;
const SCAN_BATCH_BYTES = 256 * 1024;

const EMPTY = Buffer.alloc(0);

// The package is CommonJS: its class is the `default` of what Node imports.
type Tree = sortedBtree.default<ByteString, Buffer>;

export class MemoryStore implements Store {
  readonly #tree: Tree = new sortedBtree.default(undefined, compareByteStrings);
  #isClosed = false;

  get(key: Buffer): Promise<Buffer | undefined> {
    if (this.#isClosed) return Promise.reject(closedFault());
    return Promise.resolve(this.#tree.get(bytesToByteString(key)));
  }

  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.get(key);
  }

  refusal(): Fault | undefined {
    return this.#isClosed ? closedFault() : undefined;
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedFault());
    for (const operation of operations) {
      assert(operation.key.length > 0, 'a key is not empty');
      const key = bytesToByteString(operation.key);
      if (operation.kind === 'remove') this.#tree.delete(key);
      // Concatenation copies, so that the caller's buffers stay the caller's.
      else this.#tree.set(key, Buffer.concat([operation.head, operation.body ?? EMPTY]));
    }
    return Promise.resolve();
  }

  async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    if (this.#isClosed) throw closedFault();
    const snapshot = this.#tree.clone();
    let left = range.limit ?? Infinity;
    let batch: ScanEntry[] = [];
    let sizeBytes = 0;
    for (const [key, value] of left > 0 ? entriesOf(snapshot, range) : []) {
      batch.push({ key: byteStringToBytes(key), value: range.keysOnly ? EMPTY : value });
      sizeBytes += key.length + value.length;
      left -= 1;
      if (left === 0) break;
      if (batch.length < SCAN_BATCH_COUNT && sizeBytes < SCAN_BATCH_BYTES) continue;
      yield batch;
      if (this.#isClosed) throw closedFault();
      batch = [];
      sizeBytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  approximateSizeBytes(range: Pick<ScanRange, 'from' | 'to'>): Promise<number> {
    let sizeBytes = 0;
    for (const [key, value] of entriesOf(this.#tree, range)) sizeBytes += key.length + value.length;
    return Promise.resolve(sizeBytes);
  }

  health(): StoreHealth {
    return { kind: 'ready' };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }
}

function* entriesOf(tree: Tree, range: ScanRange): Generator<readonly [ByteString, Buffer]> {
  const from = bytesToByteString(range.from);
  const to = bytesToByteString(range.to);
  if (!range.reverse) {
    for (const entry of tree.entries(from)) {
      if (entry[0] >= to) return;
      yield entry;
    }
    return;
  }
  for (const entry of tree.entriesReversed(to, undefined, true)) {
    if (entry[0] < from) return;
    yield entry;
  }
}

function compareByteStrings(left: ByteString, right: ByteString): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

function closedFault(): Fault {
  return new Fault('store-closed', 'the store is closed');
}
