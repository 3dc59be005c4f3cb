/**
 * Comparing one bucket with the source's: which of its keys hold something that is not here.
 *
 * Hash trees first: where they are equal, that is all. Else the contexts of the keys in the segments that
 * differ; where those are too many to hold, range of keys by range of keys. A key differs if this cluster
 * has not seen all that the source has. What only this cluster has is the other direction's business, and so
 * is a tombstone of which nothing is here, for it is not taken over.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { LAST_KEY } from '../base/names.ts';
import { Turns } from '../base/turns.ts';
import { isTransient } from '../client/error-reply.ts';
import { decodeContext } from '../clock/context.ts';
import { descends } from '../clock/version-vector.ts';
import type { BucketName, FoldOutcome, FoldRequest } from '../node/fold-requests.ts';
import type { FoldRange } from '../node/node-service.ts';
import { branchCount, type SegmentFilter, type TictacTree } from '../object/tictac-tree.ts';
import type { Halt } from '../repair/halt.ts';
import { jittered, type ReplicationNode } from './ports.ts';
import { TOO_MANY, unpackBranch, type KeyContext, type RemoteFolds } from './remote-folds.ts';

export interface ComparisonPorts {
  readonly host: Host;
  readonly node: ReplicationNode;
  readonly remote: Pick<RemoteFolds, 'contexts' | 'lastOfNext' | 'tombstones' | 'tree'>;
  readonly halt: Halt;
}

const TREE_SIZE = 'xsmall';
const HASH_SIZE_BYTES = 4;
/** Of a branch that is unpacked: a fraction of a millisecond. */
const BRANCH_UNITS = 8_192;
/** Of one key that is compared. */
const KEY_UNITS = 256;
const RANGE_KEYS = 50_000;
const FOLD_TIMEOUT_MS = 3_600_000;
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 10_000;
/** How long a fold is tried again that a node has no room or no nodes for, since it first failed. */
const PATIENCE_MS = 300_000;
const FIRST_KEY = '' as ByteString;
const DIGITS_FIRST = 8;
const BASE = 257n;

/** What is kept there cannot be kept here. */
export class UnknownBucketType extends Fault {
  constructor() {
    super('config', 'the bucket type is unknown here');
  }
}

type Contexts = readonly KeyContext[] | typeof TOO_MANY;

export class BucketComparison {
  readonly #ports: ComparisonPorts;
  readonly #bucket: BucketName;
  readonly #rangeKeys: number;

  /** `rangeKeys`: of a range, where the bucket is compared in ranges. */
  constructor(ports: ComparisonPorts, bucket: BucketName, rangeKeys = RANGE_KEYS) {
    this.#ports = ports;
    this.#bucket = bucket;
    this.#rangeKeys = rangeKeys;
  }

  /** Keys that are to be fetched, in lots. Throws `UnknownBucketType` at once. */
  async *differing(): AsyncGenerator<readonly ByteString[]> {
    const segments = await this.#differingSegments();
    if (segments === undefined) return;
    const range: FoldRange = { ...this.#bucket, keys: undefined, segments, modified: undefined };
    const found = await this.#compare(range);
    if (found !== TOO_MANY) yield found;
    else yield* this.#byRanges(range);
  }

  /** Undefined: there are none. */
  async #differingSegments(): Promise<SegmentFilter | undefined> {
    const { node, remote, host } = this.#ports;
    const range: FoldRange = { ...this.#bucket, ...EVERYTHING };
    const [theirs, ours] = await Promise.all([
      this.#patiently(() => remote.tree(this.#bucket, TREE_SIZE)),
      this.#patiently(() =>
        this.#fold(node, { kind: 'tree', range, size: TREE_SIZE, seed: undefined }),
      ),
    ]);
    const { tree } = treeOf(ours);
    if (tree.root().equals(theirs.root)) return undefined;
    const segments = new Set<number>();
    const turns = new Turns(host.clock);
    for (let branch = 0; branch < branchCount(TREE_SIZE); branch += 1) {
      if (hashAt(tree.root(), branch) === hashAt(theirs.root, branch)) continue;
      const left = tree.branch(branch);
      const right = unpackBranch(theirs.packedBranches.get(branch));
      const count = left.length / HASH_SIZE_BYTES;
      for (let index = 0; index < count; index += 1) {
        if (hashAt(left, index) !== hashAt(right, index)) segments.add(branch * count + index);
      }
      if (turns.spend(BRANCH_UNITS)) await turns.pass();
    }
    return { size: TREE_SIZE, segments };
  }

  /** The keys of the range that the source has more of. */
  async #compare(range: FoldRange): Promise<readonly ByteString[] | typeof TOO_MANY> {
    const { node, remote, host } = this.#ports;
    const request: FoldRequest = { kind: 'contexts', range, copies: 'all' };
    const [theirs, outcome] = await Promise.all([
      this.#patiently(() => remote.contexts(range)),
      this.#patiently(() => this.#fold(node, request)),
    ]);
    const ours = contextsOf(outcome);
    if (theirs === TOO_MANY || ours === TOO_MANY) return TOO_MANY;
    const ourContexts = new Map(ours.map(({ key, context }) => [key, context]));
    const newer: ByteString[] = [];
    const absent: ByteString[] = [];
    const turns = new Turns(host.clock);
    for (const { key, context } of theirs) {
      const known = ourContexts.get(key);
      if (known === undefined) absent.push(key);
      else if (hasMore(context, known)) newer.push(key);
      if (turns.spend(KEY_UNITS)) await turns.pass();
    }
    if (absent.length === 0) return newer;
    const deleted = await this.#patiently(() => remote.tombstones(range));
    if (deleted === TOO_MANY) return TOO_MANY;
    const gone = new Set(deleted.map(({ key }) => key));
    return [...newer, ...absent.filter((key) => !gone.has(key))];
  }

  /** In ranges of so many live keys of the source each. */
  async *#byRanges(range: FoldRange): AsyncGenerator<readonly ByteString[]> {
    const { remote } = this.#ports;
    for (let from: ByteString = FIRST_KEY; ;) {
      const last = await this.#patiently(() =>
        remote.lastOfNext(this.#bucket, from, this.#rangeKeys),
      );
      const to: ByteString = last ?? LAST_KEY;
      yield* this.#ofRange({ ...range, keys: { from, to } });
      if (last === undefined) return;
      from = (last + '\0') as ByteString;
    }
  }

  /** Where even one range is too much, as with millions of tombstones, it is halved. */
  async *#ofRange(range: FoldRange): AsyncGenerator<readonly ByteString[]> {
    const left = [range.keys ?? { from: FIRST_KEY, to: LAST_KEY }];
    for (let keys = left.pop(); keys !== undefined; keys = left.pop()) {
      const found = await this.#compare({ ...range, keys });
      if (found !== TOO_MANY) {
        yield found;
        continue;
      }
      const { from, to } = keys;
      const middle = between(from, to);
      if (middle === undefined) throw new Fault('overload', 'too many keys are too much alike');
      left.push({ from: (middle + '\0') as ByteString, to }, { from, to: middle });
    }
  }

  #fold(node: ReplicationNode, request: FoldRequest): Promise<FoldOutcome> {
    const { halt } = this.#ports;
    const isWanted = (): boolean => !halt.isSet;
    return node.fold(request, { timeoutMs: FOLD_TIMEOUT_MS, isWanted });
  }

  /** Nodes run few folds at once, and may be restarted. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    const { host, halt } = this.#ports;
    let failedMs: number | undefined;
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, 2 * pauseMs)) {
      try {
        return await ask();
      } catch (error) {
        if (!isFault(error) || !isTransient(error)) throw error;
        failedMs ??= host.clock.monotonicMs();
        if (host.clock.monotonicMs() + pauseMs - failedMs > PATIENCE_MS) throw error;
      }
      if (!(await halt.wait(host.clock, jittered(host, pauseMs)))) {
        throw new Fault('closed', 'the full-sync was ended');
      }
    }
  }
}

const EVERYTHING = { keys: undefined, segments: undefined, modified: undefined } as const;

function treeOf(outcome: FoldOutcome): { readonly tree: TictacTree } {
  if (outcome.kind === 'tree') return outcome;
  if (outcome.kind === 'unknown-bucket-type') throw new UnknownBucketType();
  throw new Fault('closed', `a fold here ended with ${outcome.kind}`);
}

function contextsOf(outcome: FoldOutcome): Contexts {
  if (outcome.kind === 'too-many') return TOO_MANY;
  if (outcome.kind === 'contexts') return outcome.contexts;
  throw new Fault('closed', `a fold here ended with ${outcome.kind}`);
}

/** Whether `theirs` has seen something that `ours` has not. */
function hasMore(theirs: Buffer, ours: Buffer): boolean {
  if (theirs.equals(ours)) return false;
  const [left, right] = [decodeContext(theirs), decodeContext(ours)];
  // What cannot be read is fetched, and judged as a whole.
  return left === undefined || right === undefined || !descends(right, left);
}

function hashAt(hashes: Buffer, index: number): number {
  return hashes.readUInt32BE(index * HASH_SIZE_BYTES);
}

/**
 * A name from `from` up to below `to`, about halfway; undefined: there is none.
 *
 * Names are reckoned with as numbers whose digits are their bytes and 1, so that 0 is where a name ends. As
 * many digits behind those that both share are looked at as it takes.
 */
export function between(from: ByteString, to: ByteString): ByteString | undefined {
  if (from >= to) return undefined;
  let shared = 0;
  while (shared < from.length && from[shared] === to[shared]) shared += 1;
  for (let digits = DIGITS_FIRST; ; digits *= 2) {
    const low = numberOf(from.slice(shared), digits);
    const high = numberOf(to.slice(shared), digits);
    const found = (from.slice(0, shared) + nameOf((low + high) / 2n, digits)) as ByteString;
    if (found >= from && found < to) return found;
  }
}

function numberOf(name: string, digits: number): bigint {
  let number = 0n;
  for (let index = 0; index < digits; index += 1) {
    const digit = index < name.length ? name.charCodeAt(index) + 1 : 0;
    number = number * BASE + BigInt(digit);
  }
  return number;
}

/** Up to where the name ends. */
function nameOf(number: bigint, digits: number): string {
  const bytes: number[] = [];
  for (let rest = number; bytes.length < digits; rest /= BASE) bytes.push(Number(rest % BASE) - 1);
  bytes.reverse();
  const end = bytes.indexOf(-1);
  return String.fromCharCode(...bytes.slice(0, end < 0 ? digits : end));
}
