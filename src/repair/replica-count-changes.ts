/**
 * Changed replica counts: with a new n_val a bucket's copies belong to other hash trees, and some of
 * them to other nodes.
 *
 * A tree counts copies by the n_val that they were written with. So a node notes durably which n_vals
 * its trees stand for, and where the cluster's state says otherwise it recounts the trees of those
 * partitions in which it holds copies of the buckets in question. Anti-entropy then compares them with
 * whoever is to hold them now, and what this node holds no more by the new count shows in a tree that
 * is others' (`leftovers.ts`). An n_val that comes and goes between two looks is remembered in memory
 * only: a node that stops within those seconds does not recount what it wrote by it.
 *
 *   meta 'n-vals' → JSON: a list of {type, bucket, nVal}; without a bucket: of all buckets of the type
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  createdTypeProperties,
  effectiveTypeProperties,
} from '../membership/effective-properties.ts';
import {
  bucketRange,
  decodeTreeKey,
  encodeMetaKey,
  partitionRange,
  treeRange,
  typeRange,
} from '../storage/keys.ts';
import type { KeyRange } from '../storage/keys.ts';
import { Background } from './background.ts';
import type { Halt } from './halt.ts';
import type { TransferPorts } from './ports.ts';
import type { Recounts } from './recounts.ts';

/** Without a bucket: all of the type. */
interface BucketOrType {
  readonly type: ByteString;
  readonly bucket: ByteString | undefined;
}

/** A type, or a bucket with an n_val of its own, and how many replicas its objects have. */
interface Scope extends BucketOrType {
  readonly nVal: number;
}

type Scopes = ReadonlyMap<string, Scope>;

const NOTE_KEY = encodeMetaKey(utf8ToByteString('n-vals'));

export class ReplicaCountChanges {
  readonly #ports: TransferPorts;
  readonly #recounts: Recounts;
  readonly #background: Background;
  #state: ClusterState | undefined;
  /** What the trees stand for. */
  #scopes: Scopes | undefined;
  /** By the newest state that was adopted. */
  #adopted: Scopes | undefined;
  /** By name, what states have changed since a round began, also where the next state took it back. */
  #passed = new Map<string, BucketOrType>();

  /** `changed`: called when trees have been recounted. */
  constructor(
    ports: TransferPorts,
    options: {
      readonly restMs: number;
      readonly recounts: Recounts;
      readonly changed: () => void;
    },
  ) {
    this.#ports = ports;
    this.#recounts = options.recounts;
    const { restMs, changed } = options;
    const background = { name: 'replica_counts', restMs };
    this.#background = new Background(ports.host, background, async (halt) => {
      if (await this.round(halt)) changed();
    });
  }

  start(): void {
    // The store of a new node is still empty now, and nothing is to be counted.
    this.#background.wake();
    this.#background.start();
  }

  /** Of each state, when it comes: until the next one copies are counted by it. */
  stateAdopted(state: ClusterState): void {
    const scopes = scopesOf(state);
    for (const { type, bucket } of changedScopes(this.#adopted ?? scopes, scopes)) {
      this.#passed.set(nameOf({ type, bucket }), { type, bucket });
    }
    this.#adopted = scopes;
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Whether trees were recounted. */
  async round(halt: Halt): Promise<boolean> {
    const { host, store, view } = this.#ports;
    const state = view.state();
    if (state === this.#state) return false;
    const before = (this.#scopes ??= decodeScopes(await store.get(NOTE_KEY)));
    const after = scopesOf(state);
    const passed = this.#passed;
    this.#passed = new Map();
    let treeCount: number | undefined;
    try {
      const changed = changedScopes(before, after, passed);
      treeCount = await this.#recount(changed, state.ringSize, halt);
      if (treeCount === undefined) return false;
      if (changed.length > 0) {
        await store.write([{ kind: 'put', key: NOTE_KEY, head: encodeScopes(after) }]);
      }
    } finally {
      if (treeCount === undefined) this.#passed = new Map([...passed, ...this.#passed]);
    }
    this.#scopes = after;
    this.#state = state;
    if (treeCount > 0) host.log.info('repair.replica-counts-changed', { trees: treeCount });
    return treeCount > 0;
  }

  /** How many trees; undefined: it was halted. */
  async #recount(
    changed: readonly ChangedScope[],
    ringSize: number,
    halt: Halt,
  ): Promise<number | undefined> {
    let treeCount = 0;
    for (let index = 0; index < ringSize; index += 1) {
      const partition = index as Partition;
      for (const nVal of await this.#nValsToCount(partition, changed)) {
        if (halt.isSet) return undefined;
        treeCount += 1;
        await this.#recounts.run({ partition, nVal }, halt);
      }
    }
    return halt.isSet ? undefined : treeCount;
  }

  /**
   * The n_vals of the partition's trees, and the new ones of copies that this node holds in it. Not the
   * old ones alone: a copy may have been counted by an n_val that came and went between two looks, and
   * nobody would look at that tree again.
   */
  async #nValsToCount(
    partition: Partition,
    changed: readonly ChangedScope[],
  ): Promise<ReadonlySet<number>> {
    if (changed.length === 0) return new Set();
    const nVals = await this.#nValsOfTrees(partition);
    if (!(await this.#holdsAny(partitionRange(partition)))) return nVals;
    for (const { type, bucket, to } of changed) {
      const range =
        bucket === undefined
          ? typeRange(partition, type)
          : bucketRange(partition, { type, bucket });
      if (!(await this.#holdsAny(range))) continue;
      if (to !== undefined) nVals.add(to);
    }
    return nVals;
  }

  async #nValsOfTrees(partition: Partition): Promise<Set<number>> {
    const nVals = new Set<number>();
    let range = treeRange(partition);
    for (;;) {
      const first = await this.#firstKey(range);
      if (first === undefined) return nVals;
      const { nVal } = decodeTreeKey(first);
      nVals.add(nVal);
      range = { from: treeRange(partition, nVal).to, to: range.to };
    }
  }

  async #holdsAny(range: KeyRange): Promise<boolean> {
    return (await this.#firstKey(range)) !== undefined;
  }

  async #firstKey(range: KeyRange): Promise<Buffer | undefined> {
    const scan = this.#ports.store.scan({ ...range, keysOnly: true, limit: 1 });
    for await (const [entry] of scan) return entry?.key;
    return undefined;
  }
}

interface ChangedScope extends BucketOrType {
  /** Undefined: it is no more. */
  readonly to: number | undefined;
}

function scopesOf(state: ClusterState): Scopes {
  const scopes: Scope[] = [];
  const defaults = effectiveTypeProperties(state, DEFAULT_BUCKET_TYPE);
  if (defaults !== undefined) {
    scopes.push({ type: DEFAULT_BUCKET_TYPE, bucket: undefined, nVal: defaults.n_val });
  }
  for (const [type, bucketType] of state.bucketTypes) {
    scopes.push({ type, bucket: undefined, nVal: createdTypeProperties(bucketType).n_val });
  }
  for (const [id, { n_val: nVal }] of state.bucketProperties) {
    if (nVal !== undefined) scopes.push({ ...bucketOfId(id), nVal });
  }
  return byName(scopes);
}

function byName(scopes: readonly Scope[]): Scopes {
  return new Map(scopes.map((scope) => [nameOf(scope), scope]));
}

function nameOf({ type, bucket }: BucketOrType): string {
  return JSON.stringify(bucket === undefined ? [type] : [type, bucket]);
}

/** The name of a bucket from its id in the state: `LENGTH:TYPEBUCKET`. */
function bucketOfId(id: ByteString): { readonly type: ByteString; readonly bucket: ByteString } {
  const colon = id.indexOf(':');
  const end = colon + 1 + Number(id.slice(0, colon));
  return { type: id.slice(colon + 1, end) as ByteString, bucket: id.slice(end) as ByteString };
}

/** `passed`: what has been otherwise in between, by name. */
function changedScopes(
  before: Scopes,
  after: Scopes,
  passed: ReadonlyMap<string, BucketOrType> = new Map(),
): ChangedScope[] {
  const changed: ChangedScope[] = [];
  for (const [name, { type, bucket }] of new Map([...passed, ...before, ...after])) {
    const from = nValIn(before, name, type);
    const to = nValIn(after, name, type);
    if (from !== to || passed.has(name)) changed.push({ type, bucket, to });
  }
  return changed;
}

/** A bucket without an n_val of its own has its type's. */
function nValIn(scopes: Scopes, name: string, type: ByteString): number | undefined {
  return (scopes.get(name) ?? scopes.get(nameOf({ type, bucket: undefined })))?.nVal;
}

function encodeScopes(scopes: Scopes): Buffer {
  return Buffer.from(JSON.stringify([...scopes.values()]), 'latin1');
}

/** A note that cannot be read is none: then all is recounted. */
function decodeScopes(bytes: Buffer | undefined): Scopes {
  if (bytes === undefined) return new Map();
  try {
    return byName(JSON.parse(bytes.toString('latin1')) as Scope[]);
  } catch {
    return new Map();
  }
}
