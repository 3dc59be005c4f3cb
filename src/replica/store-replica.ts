/**
 * The replica over a store: every change through the write path, every read from what is durable.
 *
 * A record that cannot be read is counted, reported without its key, and treated as absent
 * (`copy-reads.ts`). Its hash and index entries stay until a merge brings the object back, and that
 * merge overwrites it. If even its head is gone, nobody knows what it added to its index and its
 * hash-tree segment: the segment differs from its peers' until it is recounted by an exchange; index
 * entries of terms that the object no longer has may stay behind, which a query shows as a match of a
 * key that the reader then finds changed.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { keyToString, type NodeId, type ObjectKey, type Partition } from '../base/names.ts';
import type { Span } from '../base/span.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { DatatypeUpdate } from '../object/datatype-update.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import { decodeRecord, recordCausalHash } from '../object/record.ts';
import type { NewContent } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { FoldPiece, FoldScan } from '../peer/folds.ts';
import type {
  CopyTrace,
  CoverageShare,
  IndexScan,
  KeyHash,
  KeyRecord,
  PartitionSize,
} from '../peer/messages.ts';
import { HashTrees } from '../storage/hash-tree.ts';
import { decodeTombKey, tombRange } from '../storage/keys.ts';
import type { BucketName } from '../storage/keys.ts';
import { readable } from '../storage/readable.ts';
import type { Store } from '../storage/store.ts';
import { DropChange, HintChange, MergeChange, ReapChange, SettleHintChange } from './changes.ts';
import { ClientWriteChange } from './client-write.ts';
import type { ObjectLimits } from './client-write.ts';
import type { CheckedCopies } from './copy-check.ts';
import { slotOperations } from './copy-operations.ts';
import { CopyReads } from './copy-reads.ts';
import { CountedCopies } from './counted-copies.ts';
import { scanBuckets, scanIndex, scanKeys } from './coverage-scans.ts';
import { DamagedCopies } from './damaged-copies.ts';
import { restoreDerived, sweepIndexes } from './derived-entries.ts';
import type { DerivedPage, DerivedPorts } from './derived-entries.ts';
import { scanFold } from './fold-scan.ts';
import { FoldTurns } from './fold-turns.ts';
import { Graveyard } from './graveyard.ts';
import type { GraveyardOptions } from './graveyard.ts';
import { HintLedger } from './hint-ledger.ts';
import type { Identity } from './identity.ts';
import { IndexSweep } from './index-sweep.ts';
import { keyPages } from './key-pages.ts';
import type { KeySlot, SlotChanges } from './key-slot.ts';
import { OwnChains } from './own-chains.ts';
import { estimatePartition } from './partition-size.ts';
import type {
  CoordinatedOutcome,
  CoordinatedWrite,
  Hint,
  Placement,
  RecountOptions,
  Replica,
} from './replica.ts';
import { RecentRecords } from './recent-records.ts';
import { fileMembers } from './segment-members.ts';
import { ContentWrite, DatatypeWrite, type WriteMaker } from './write-makers.ts';
import { WritePath } from './write-path.ts';
import type { WritePathOptions } from './write-path.ts';

export interface StoreReplicaOptions extends ObjectLimits, WritePathOptions, GraveyardOptions {
  /** Of the records that were read last. */
  readonly recentRecordsMaxBytes: number;
}

export const STORE_REPLICA_DEFAULTS: StoreReplicaOptions = {
  objectSizeMaxBytes: 50 * 1024 * 1024,
  siblingsMax: 100,
  changesMax: 32_768,
  bytesMax: 256 * 1024 * 1024,
  recentHeadsMax: 16_384,
  recentRecordsMaxBytes: 16 * 1024 * 1024,
  graveMs: 600_000,
  gravesMax: 65_536,
};

export interface StoreReplicaPorts {
  readonly store: Store;
  readonly identity: Identity;
  /** Effective properties; of an unknown type, those of the default type. */
  readonly properties: (type: ByteString, bucket: ByteString) => BucketProperties;
  /** Whether there is no room for new data; default: there is. Deletes are taken all the same. */
  readonly isDiskFull?: () => boolean;
}

/** Of a record that is remembered: larger ones are in the value log as a rule. */
const RECENT_RECORD_MAX_BYTES = 5 * 1024;
/** Pages that folds read at once: each is computed on for about a millisecond. */
const FOLD_PAGES_MAX = 2;

export class StoreReplica implements Replica {
  readonly #host: Host;
  readonly #store: Store;
  readonly #properties: StoreReplicaPorts['properties'];
  readonly #isDiskFull: () => boolean;
  readonly #options: StoreReplicaOptions;
  readonly #ledger: HintLedger;
  readonly #chains: OwnChains;
  readonly #graveyard: Graveyard;
  readonly #writePath: WritePath;
  readonly #indexSweep: IndexSweep;
  readonly #recent: RecentRecords;
  readonly #damaged: DamagedCopies;
  readonly #reads: CopyReads;
  readonly #counted: CountedCopies;
  readonly #foldTurns = new FoldTurns(FOLD_PAGES_MAX);

  private constructor(
    host: Host,
    ports: StoreReplicaPorts & { readonly ledger: HintLedger },
    options: StoreReplicaOptions,
  ) {
    this.#host = host;
    this.#store = ports.store;
    this.#properties = ports.properties;
    this.#isDiskFull = ports.isDiskFull ?? (() => false);
    this.#options = options;
    this.#ledger = ports.ledger;
    this.#chains = new OwnChains(ports.identity);
    this.#graveyard = new Graveyard(host, options);
    const { recentRecordsMaxBytes: bytesMax } = options;
    this.#recent = new RecentRecords({ bytesMax, recordMaxBytes: RECENT_RECORD_MAX_BYTES });
    const damaged = new DamagedCopies(host, (id) => this.#forget(id));
    this.#damaged = damaged;
    this.#reads = new CopyReads(host, { store: ports.store, recent: this.#recent, damaged });
    const stored = { store: ports.store, trees: new HashTrees(ports.store) };
    const nValOf = ({ type, bucket }: ObjectKey): number => ports.properties(type, bucket).n_val;
    this.#writePath = new WritePath(host, stored, {
      options,
      nValOf,
      operations: (slot, changes) => slotOperations(slot, changes, host.metrics),
      written: (slot, changes) => this.#onWritten(slot, changes),
      lost: ({ id }) => {
        this.#chains.close(id);
        this.#recent.changed(id, undefined);
      },
      graveOf: (id) => this.#graveyard.find(id),
      damaged,
    });
    this.#counted = new CountedCopies(host, {
      ...stored,
      damaged,
      slots: () => this.#writePath.slots(),
      nValOf,
    });
    this.#indexSweep = new IndexSweep(host, {
      store: ports.store,
      submit: (place, change) => this.#writePath.submit(place, change),
    });
  }

  /** Counts the hints that are kept; one replica for a store, and after its identity was opened. */
  static async open(
    host: Host,
    ports: StoreReplicaPorts,
    options: StoreReplicaOptions = STORE_REPLICA_DEFAULTS,
  ): Promise<StoreReplica> {
    await fileMembers(host, ports.store);
    const ledger = await HintLedger.open(ports.store);
    return new StoreReplica(host, { ...ports, ledger }, options);
  }

  /** Refuses changes from now on (`closed`) and waits for those under way. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#writePath.close(), this.#indexSweep.close()]);
  }

  settled(key: ObjectKey): Promise<void> | undefined {
    return this.#writePath.settledKey(key);
  }

  get(key: ObjectKey, partition: Partition): Promise<StoredObject | undefined> {
    return this.#reads.get(key, partition);
  }

  getRecord(
    key: ObjectKey,
    partition: Partition,
    headOnly: boolean,
    span?: Span,
  ): Promise<Buffer | undefined> {
    return this.#reads.getRecord(key, partition, headOnly, span);
  }

  trace(key: ObjectKey, partition: Partition): Promise<CopyTrace> {
    return this.#reads.trace(key, partition, [...this.#ledger.counts().keys()]);
  }

  check(partition: Partition): AsyncIterableIterator<CheckedCopies> {
    return this.#reads.check(partition);
  }

  isDamaged(key: ObjectKey): boolean {
    return this.#damaged.hasKey(key);
  }

  doubt(key: ObjectKey): void {
    this.#forget(keyToString(key));
  }

  coordinate(
    key: ObjectKey,
    placement: Placement,
    write: CoordinatedWrite,
  ): Promise<CoordinatedOutcome> {
    if (this.#isDiskFull() && !takesNoRoom([write.content])) return this.#refuseData();
    return this.#write(key, placement, new ContentWrite(write, placement.properties));
  }

  update(
    key: ObjectKey,
    placement: Placement,
    update: DatatypeUpdate,
  ): Promise<CoordinatedOutcome> {
    if (this.#isDiskFull()) return this.#refuseData();
    return this.#write(key, placement, new DatatypeWrite(update, this.#host.clock));
  }

  #write(key: ObjectKey, place: Placement, maker: WriteMaker): Promise<CoordinatedOutcome> {
    return new Promise((resolve, reject) => {
      const change = new ClientWriteChange(maker, {
        host: this.#host,
        chains: this.#chains,
        limits: this.#options,
        settlement: { resolve, reject },
        span: place.span,
      });
      this.#writePath.submit({ key, ...place }, change);
    });
  }

  merge(
    key: ObjectKey,
    placement: Placement,
    record: Buffer,
    hintFor: NodeId | undefined,
  ): Promise<void> {
    const object = decodeRecord(record);
    if (object === undefined) {
      this.#host.metrics.count('replica_malformed');
      return Promise.reject(new Fault('malformed', 'a record to be merged is not sound'));
    }
    if (this.#isDiskFull() && !takesNoRoom(object.siblings)) return this.#refuseData();
    return new Promise((resolve, reject) => {
      const { metrics } = this.#host;
      const settlement = { resolve, reject };
      const ports = { metrics, chains: this.#chains, settlement, span: placement.span };
      const change = new MergeChange({ record, object }, hintFor, ports);
      this.#writePath.submit({ key, ...placement }, change);
    });
  }

  #refuseData(): Promise<never> {
    this.#host.metrics.count('disk_refused_total');
    return Promise.reject(new Fault('disk-full', 'the disk is nearly full: no new data is taken'));
  }

  addHint({ target, partition, key }: Hint): Promise<void> {
    return new Promise((resolve, reject) => {
      const change = new HintChange(target, { resolve, reject });
      this.#writePath.submit({ key, ...this.#placement(key, partition) }, change);
    });
  }

  hints(target: NodeId): AsyncIterableIterator<readonly Hint[]> {
    return this.#ledger.hintsFor(target);
  }

  hintCounts(): ReadonlyMap<NodeId, number> {
    return this.#ledger.counts();
  }

  settleHint(
    { target, partition, key }: Hint,
    record: Buffer | undefined,
    dropCopy: boolean,
  ): Promise<void> {
    const confirmedHash = record && recordCausalHash(record);
    if (record !== undefined && confirmedHash === undefined) {
      return Promise.reject(new Fault('malformed', 'a confirmed record is not sound'));
    }
    const targets = [...new Set([target, ...this.#ledger.counts().keys()])];
    return new Promise((resolve, reject) => {
      const request = { target, targets, confirmedHash, dropCopy };
      const change = new SettleHintChange(request, { resolve, reject });
      this.#writePath.submit({ key, ...this.#placement(key, partition) }, change);
    });
  }

  reap(key: ObjectKey, placement: Placement, tombstoneHash: Buffer): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const change = new ReapChange(tombstoneHash, { resolve, reject });
      this.#writePath.submit({ key, ...placement }, change);
    });
  }

  drop(key: ObjectKey, placement: Placement, confirmedHash: Buffer | undefined): Promise<boolean> {
    const targets = [...this.#ledger.counts().keys()];
    return new Promise((resolve, reject) => {
      const change = new DropChange(confirmedHash, targets, { resolve, reject });
      this.#writePath.submit({ key, ...placement }, change);
    });
  }

  holdsCopies(): Promise<boolean> {
    return this.#counted.holdsCopies();
  }

  holdsAny(partition: Partition, nVal: number): Promise<boolean> {
    return this.#counted.holdsAny(partition, nVal);
  }

  estimate(partition: Partition): Promise<PartitionSize> {
    return estimatePartition(this.#store, partition);
  }

  records(
    partition: Partition,
    nVal: number,
    after: ObjectKey | undefined,
  ): AsyncIterableIterator<readonly KeyRecord[]> {
    return this.#counted.records(partition, nVal, after);
  }

  async *listBuckets(share: CoverageShare, type: ByteString): AsyncIterableIterator<ByteString[]> {
    await this.#writePath.settled((key) => key.type === type);
    yield* scanBuckets(this.#store, share, type);
  }

  async *listKeys(
    share: CoverageShare,
    type: ByteString,
    bucket: ByteString,
  ): AsyncIterableIterator<ByteString[]> {
    await this.#settled({ type, bucket });
    yield* scanKeys(this.#store, share, { type, bucket });
  }

  async *index(share: CoverageShare, scan: IndexScan): AsyncIterableIterator<IndexMatch[]> {
    this.#host.metrics.count('vnode_index_reads');
    await this.#settled(scan);
    yield* scanIndex(this.#store, share, scan);
  }

  #settled({ type, bucket }: BucketName): Promise<void> {
    return this.#writePath.settled((key) => key.bucket === bucket && key.type === type);
  }

  fold(share: CoverageShare, scan: FoldScan): AsyncIterableIterator<FoldPiece> {
    this.#host.metrics.count('replica_folds_total');
    return scanFold({ store: this.#store, turns: this.#foldTurns }, share, scan);
  }

  async *tombstones(partition: Partition): AsyncIterableIterator<readonly ObjectKey[]> {
    const noted = keyPages(this.#store, tombRange(partition));
    for await (const page of readable(noted)) yield page.map((key) => decodeTombKey(key).key);
  }

  tree(partition: Partition, nVal: number): Promise<Buffer> {
    return this.#counted.tree(partition, nVal);
  }

  hashes(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<KeyHash[]> {
    return this.#counted.hashes(partition, nVal, segments);
  }

  heads(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<{ readonly key: ObjectKey; readonly head: Buffer }[]> {
    return this.#counted.heads(partition, nVal, segments);
  }

  recountTree(partition: Partition, nVal: number, options: RecountOptions): Promise<number> {
    return this.#counted.recountTree(partition, nVal, options);
  }

  restoreDerived(
    partition: Partition,
    after: Buffer | undefined,
  ): AsyncIterableIterator<DerivedPage> {
    return restoreDerived(this.#derived(), partition, after);
  }

  sweepIndexes(
    partitions: ReadonlySet<Partition>,
    after: Buffer | undefined,
  ): AsyncIterableIterator<DerivedPage> {
    return sweepIndexes(this.#derived(), partitions, after);
  }

  #derived(): DerivedPorts {
    return {
      store: this.#store,
      propertiesOf: ({ type, bucket }) => this.#properties(type, bucket),
      submit: (place, change) => this.#writePath.submit(place, change),
    };
  }

  #placement(key: ObjectKey, partition: Partition): Placement {
    return { partition, properties: this.#properties(key.type, key.bucket) };
  }

  #onWritten(slot: KeySlot, changes: SlotChanges): void {
    for (const { target, isKept } of changes.hints) this.#ledger.note(target, isKept);
    if (changes.copy === undefined) return;
    this.#damaged.overwritten(slot.id);
    const { before, after, wasStored, reaped } = changes.copy;
    this.#recent.changed(slot.id, after?.record);
    if (before === undefined && wasStored) this.#indexSweep.add(slot.place);
    if (after !== undefined) this.#graveyard.open(slot.id);
    else if (reaped !== undefined) this.#graveyard.bury(slot.id, reaped);
  }

  #forget(id: ByteString): void {
    this.#writePath.forgetHead(id);
    this.#recent.forget(id);
  }
}

/** Nothing but tombstones as deletes make them; a client may mark as deleted what has a value. */
function takesNoRoom(contents: readonly NewContent[]): boolean {
  return contents.every(({ isTombstone, value, metadata }) => {
    return isTombstone && value.length === 0 && Object.keys(metadata).length === 0;
  });
}
