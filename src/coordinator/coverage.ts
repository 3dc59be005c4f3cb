/**
 * Coverage: a question to the whole cluster, each partition answered by one node.
 *
 * The plan names the fewest nodes that together hold every partition; each streams its answers in
 * order, and they are merged into one ordered stream. When a node is lost on the way, or hangs until
 * it is judged down, a new plan finds other holders for its partitions, and they go on strictly after
 * the last item it sent, so that nothing is missed and nothing comes twice. Memory is bounded by two
 * batches of each node; the reader's pace is the brake.
 *
 * Like Riak's, these answers are those of one replica: what has not reached it yet is not there.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault, assert, isFault } from '../base/fault.ts';
import { Heap } from '../base/heap.ts';
import { LAST_KEY, type NodeId, type Partition } from '../base/names.ts';
import { compareIntegerTerms, fieldTypeOf, type IndexMatch } from '../object/index-entries.ts';
import type { FoldPiece, FoldScan } from '../peer/folds.ts';
import type {
  CoverageShare,
  IndexScan,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import { BatchCursor } from './batch-cursor.ts';
import { findShares, type ReplicaCounts } from './coverage-shares.ts';
import type { CoordinatorPorts } from './ports.ts';

export interface CoverageOptions {
  /**
   * No batch for this long ends the query with a `timeout` fault. 1 is never enough, as with Riak, so
   * that a client that wants to see a time-out sees one however quick the nodes are.
   */
  readonly timeoutMs: number;
}

/** Ascending: negative if `left` comes first, 0 only for equal items. */
type Order<T> = (left: T, right: T) => number;

/** One kind of question: how to ask it, and how its answers are ordered. */
interface Question<T> {
  /** Now: asked again whenever shares are given out. */
  readonly n: () => ReplicaCounts;
  readonly order: Order<T>;
  /** Whether items of several nodes that are equal in order are one and the same, and are given once. */
  readonly isSameIfEqual: boolean;
  /** Items at most; no limit if undefined. */
  readonly limit: number | undefined;
  /** `after`: only what comes strictly after it is of interest. */
  request(share: CoverageShare, after: T | undefined): PeerStreamRequest;
  items(item: PeerStreamItem): readonly T[];
}

/** What a question to the whole cluster takes at least. */
const LEAST_TIME_MS = 1;

/** How long a node is waited for until it is asked whether it is still up. */
const WATCH_MS = 1_000;

/** How often a node is asked again while it gives nothing. */
const FAILURES_MAX = 3;

/** Of keys; a listing that goes on is asked for as what it is then, a range of them. */
const KEY_INDEX = '$key' as ByteString;

/** Items handed on at once. */
const BATCH_MAX = 1_000;

type CoveragePorts = Pick<CoordinatorPorts, 'host' | 'peer' | 'self' | 'view'>;

export class CoverageCoordinator {
  readonly #ports: CoveragePorts;

  constructor(ports: CoveragePorts) {
    this.#ports = ports;
  }

  /**
   * Names in order, without duplicates. `n`: the least n_val of the type's buckets, and the type's own, as
   * they are now; here as in all the others, a query may outlast them.
   * While a node is down, a bucket of fewer replicas than usual is listed if some of it can be reached.
   */
  listBuckets(
    type: ByteString,
    n: () => ReplicaCounts,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    return this.#ask(
      {
        n,
        order: compareBytes,
        isSameIfEqual: true,
        limit: undefined,
        request: (share) => ({ verb: 'list-buckets', share, type }),
        items: namesOf,
      },
      options,
    );
  }

  /** Keys in order, without duplicates. */
  listKeys(
    bucket: { readonly type: ByteString; readonly bucket: ByteString },
    n: () => number,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    const { type, bucket: name } = bucket;
    return this.#ask(
      {
        n: () => bothOf(n()),
        order: compareBytes,
        isSameIfEqual: true,
        limit: undefined,
        request: (share, after) =>
          after === undefined
            ? { verb: 'list-keys', share, type, bucket: name }
            : { verb: 'index', share, query: keysAfter({ type, bucket: name }, after) },
        items: keysOf,
      },
      options,
    );
  }

  /** Entries by term, then by key; at most `scan.limit` in all. */
  index(
    scan: IndexScan,
    n: () => number,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly IndexMatch[]> {
    return this.#ask(
      {
        n: () => bothOf(n()),
        order: indexOrder(scan.field),
        isSameIfEqual: true,
        limit: scan.limit,
        request: (share, after) => ({
          verb: 'index',
          share,
          query: after === undefined ? scan : { ...scan, after: { term: after[0], key: after[1] } },
        }),
        items: (item) => (item.kind === 'index-entries' ? item.entries : wrongKind(item)),
      },
      options,
    );
  }

  /**
   * What a fold finds, in pieces; together they tell of each copy once, whatever nodes are lost on the
   * way: a key is told twice only if it lies at two places, on two nodes, since its bucket's
   * `chash_keyfun` was changed. Nothing is held back for the sake of order but the pieces of nodes that
   * are ahead of others.
   */
  fold(
    scan: FoldScan,
    n: () => number,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly FoldPiece[]> {
    return this.#ask(
      {
        n: () => bothOf(n()),
        order: (left: FoldPiece, right: FoldPiece) => compareBytes(left.upTo, right.upTo),
        // A key that lies at two places may be the last of two nodes' pieces, which tell of others, too.
        isSameIfEqual: false,
        limit: undefined,
        request: (share, after) => ({
          verb: 'fold',
          share,
          scan: after === undefined ? scan : { ...scan, after: after.upTo },
        }),
        items: (item) => (item.kind === 'folded' ? [item.piece] : wrongKind(item)),
      },
      options,
    );
  }

  #ask<T>(question: Question<T>, options: CoverageOptions): AsyncIterableIterator<readonly T[]> {
    return new CoverageQuery(this.#ports, question, options);
  }
}

/** What a cursor reads: of which node, for which partitions, and after which item. */
interface Share<T> {
  readonly node: NodeId;
  readonly partitions: readonly Partition[];
  readonly after: T | undefined;
}

class CoverageQuery<T> implements AsyncIterableIterator<readonly T[]> {
  readonly #ports: CoveragePorts;
  readonly #question: Question<T>;
  readonly #options: CoverageOptions;
  /** Cursors that have shown their next item, the one with the least first. */
  readonly #ready: Heap<BatchCursor<T, Share<T>>>;
  /** Nodes that have failed. */
  readonly #lost = new Set<NodeId>();
  /** How often, since an item was last given. */
  readonly #failuresByNode = new Map<NodeId, number>();
  /** The least that they have been: copies that a higher n_val asks for are still to be made. */
  #n: ReplicaCounts | undefined;
  /** Whether one of them had too much to do. */
  #hasOverload = false;
  /** Cursors that have not shown their next item. */
  #hungry: BatchCursor<T, Share<T>>[] = [];
  #left: number;
  #lastGiven: T | undefined;
  #deadlineMs = 0;
  #hasBegun = false;
  #isClosed = false;

  constructor(ports: CoveragePorts, question: Question<T>, options: CoverageOptions) {
    this.#ports = ports;
    this.#question = question;
    this.#options = options;
    this.#ready = new Heap((left, right) => question.order(headOf(left), headOf(right)) < 0);
    this.#left = question.limit ?? Number.POSITIVE_INFINITY;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<readonly T[], undefined>> {
    try {
      const batch = await this.#nextBatch();
      if (batch.length > 0) return { done: false, value: batch };
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#close();
    return { done: true, value: undefined };
  }

  /** Ends the query at once, even while `next` waits. */
  return(): Promise<IteratorResult<readonly T[], undefined>> {
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const cursor of [...this.#hungry, ...this.#ready.items()]) cursor.close();
  }

  /** Empty: all is read. */
  async #nextBatch(): Promise<readonly T[]> {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (this.#options.timeoutMs <= LEAST_TIME_MS) throw tooLate();
      this.#open(undefined, undefined);
    }
    this.#deadlineMs = this.#ports.host.clock.monotonicMs() + this.#options.timeoutMs;
    while (!this.#isClosed && this.#left > 0) {
      await this.#feed();
      if (this.#isClosed || this.#ready.least === undefined) break;
      const batch = this.#takeBatch(Math.min(this.#left, BATCH_MAX));
      this.#left -= batch.length;
      if (batch.length > 0) {
        this.#failuresByNode.clear();
        return batch;
      }
    }
    return [];
  }

  /** Items in order until the batch is full or a cursor must be waited for. */
  #takeBatch(max: number): T[] {
    const batch: T[] = [];
    const ready = this.#ready;
    while (batch.length < max && this.#hungry.length === 0) {
      const cursor = ready.least;
      if (cursor === undefined) break;
      const item = cursor.take();
      if (this.#isNew(item)) {
        batch.push(item);
        this.#lastGiven = item;
      }
      if (cursor.head === undefined) {
        ready.pop();
        this.#hungry.push(cursor);
      } else ready.settleLeast();
    }
    return batch;
  }

  /** The same bucket lies on many nodes. */
  #isNew(item: T): boolean {
    const { order, isSameIfEqual } = this.#question;
    return !isSameIfEqual || this.#lastGiven === undefined || order(this.#lastGiven, item) !== 0;
  }

  /** Waits until every cursor shows its next item or has ended. */
  async #feed(): Promise<void> {
    for (;;) {
      const cursor = this.#hungry.at(-1);
      if (cursor === undefined || this.#isClosed) return;
      // What comes just when its node is given up has not been given to anyone.
      const last = cursor.last;
      try {
        const hasMore = await this.#fill(cursor);
        this.#hungry.pop();
        if (hasMore) this.#ready.push(cursor);
      } catch (error) {
        if (this.#isClosed) return;
        this.#hungry.pop();
        cursor.close();
        if (!isFault(error) || error.code === 'timeout') throw error;
        this.#ports.host.metrics.count('coverage_restarts_total');
        const { node, partitions, after } = cursor.source;
        this.#lost.add(node);
        this.#failuresByNode.set(node, (this.#failuresByNode.get(node) ?? 0) + 1);
        if (error.code === 'overload') this.#hasOverload = true;
        this.#open(partitions, last ?? after);
      }
    }
  }

  /**
   * As the cursor's own. The node itself answers without a transport that would watch the time; late
   * is too late. One that hangs keeps its link for longer than it is held to be up.
   */
  async #fill(cursor: BatchCursor<T, Share<T>>): Promise<boolean> {
    const { clock } = this.#ports.host;
    const leftMs = (): number => this.#deadlineMs - clock.monotonicMs();
    const filled = cursor.fill();
    for (;;) {
      let cancel = (): void => undefined;
      const pause = new Promise<undefined>((resolve) => {
        cancel = clock.after(Math.min(Math.max(leftMs(), 0), WATCH_MS), () => {
          resolve(undefined);
        });
      });
      try {
        const hasMore = await Promise.race([filled, pause]);
        if (leftMs() <= 0) throw tooLate();
        if (hasMore !== undefined) return hasMore;
      } finally {
        cancel();
      }
      if (this.#canReplace(cursor.source)) {
        throw new Fault('peer-unreachable', 'the node hangs, and others can answer for it');
      }
    }
  }

  /** Whether the node is down, and the rest of its share can be had from others. */
  #canReplace({ node, partitions }: Share<T>): boolean {
    return !this.#ports.view.isUp(node) && this.#findShares(partitions, 0) !== undefined;
  }

  /** Opens streams for `partitions` (all of them if undefined), going on after `after`. */
  #open(partitions: readonly Partition[] | undefined, after: T | undefined): void {
    const { view, peer, host } = this.#ports;
    const shares = this.#findShares(partitions, host.random.integer(view.ring().nodes.length));
    if (shares === undefined) {
      const code = this.#hasOverload ? 'overload' : 'peer-unreachable';
      throw new Fault(code, 'of some partitions no replica answers');
    }
    for (const share of shares) {
      const request = this.#question.request({ partitions: share.partitions }, after);
      const items = peer.stream(share.node, request, this.#options.timeoutMs);
      const batches = new Answers(items, this.#question, after);
      this.#hungry.push(new BatchCursor({ ...share, after }, batches));
    }
  }

  /**
   * Nodes that have not failed, if they are enough. Of the others none is given up for good: in the hours that
   * a listing may take all nodes are started again, one after the other.
   */
  #findShares(
    partitions: readonly Partition[] | undefined,
    seed: number,
  ): ReturnType<typeof findShares> {
    const wanted = {
      counts: this.#counts(),
      partitions: partitions && new Set(partitions),
      localNode: this.#ports.self,
      seed,
    };
    const { view } = this.#ports;
    const failing = [...this.#failuresByNode].filter(([, count]) => count >= FAILURES_MAX);
    return (
      findShares(view, { ...wanted, lost: this.#lost }) ??
      findShares(view, { ...wanted, lost: new Set(failing.map(([node]) => node)) })
    );
  }

  #counts(): ReplicaCounts {
    const now = this.#question.n();
    const { least, usual } = this.#n ?? now;
    this.#n = { least: Math.min(least, now.least), usual: Math.min(usual, now.usual) };
    return this.#n;
  }
}

function bothOf(n: number): ReplicaCounts {
  return { least: n, usual: n };
}

function headOf<T>({ head }: BatchCursor<T, Share<T>>): T {
  assert(head !== undefined, 'a cursor in the heap has an item');
  return head;
}

function tooLate(): Fault {
  return new Fault('timeout', 'no batch came in time');
}

/** The items of one node's stream, without those up to `after`. */
class Answers<T> implements AsyncIterator<readonly T[]> {
  readonly #stream: AsyncIterator<PeerStreamItem>;
  readonly #question: Question<T>;
  readonly #after: T | undefined;

  constructor(stream: AsyncIterator<PeerStreamItem>, question: Question<T>, after: T | undefined) {
    this.#stream = stream;
    this.#question = question;
    this.#after = after;
  }

  async next(): Promise<IteratorResult<readonly T[], undefined>> {
    const result = await this.#stream.next();
    if (result.done === true) return { done: true, value: undefined };
    const items = this.#question.items(result.value);
    const after = this.#after;
    if (after === undefined) return { done: false, value: items };
    const { order } = this.#question;
    return { done: false, value: items.filter((item) => order(after, item) < 0) };
  }

  async return(): Promise<IteratorResult<readonly T[], undefined>> {
    await this.#stream.return?.();
    return { done: true, value: undefined };
  }
}

/** By term, integers by value and all else bytewise, and then by key. */
function indexOrder(field: ByteString): Order<IndexMatch> {
  const compareTerms = fieldTypeOf(field) === 'int' ? compareIntegerTerms : compareBytes;
  return (left, right) => compareTerms(left[0], right[0]) || compareBytes(left[1], right[1]);
}

function compareBytes(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function keysAfter(
  name: { readonly type: ByteString; readonly bucket: ByteString },
  after: ByteString,
): IndexScan {
  const to = LAST_KEY;
  return {
    ...name,
    field: KEY_INDEX,
    from: after,
    to,
    after: { term: after, key: after },
    limit: undefined,
  };
}

function keysOf(item: PeerStreamItem): readonly ByteString[] {
  return item.kind === 'index-entries' ? item.entries.map(([, key]) => key) : namesOf(item);
}

function namesOf(item: PeerStreamItem): readonly ByteString[] {
  return item.kind === 'names' ? item.names : wrongKind(item);
}

function wrongKind(item: PeerStreamItem): never {
  throw new Fault('peer-malformed', `a peer answered a query with ${item.kind}`);
}
