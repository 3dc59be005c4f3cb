/**
 * Folds: what operators ask of all keys of a bucket, or of the cluster.
 *
 * A fold is a coverage query, so each key is looked at once, at one of its replicas: what has not reached
 * that one is not seen. Few run at a time, each in bounded memory; a fold ends when its time is up, or at
 * its next step when nobody waits for it any more. What a fold changes it changes by the roads that
 * clients and repair take, some keys at a time, while the coverage query waits: a delete covers just what
 * was found, so that what is written meanwhile stays, and a tombstone goes by the reaper's rule.
 */

import { Fault, isFault, unreachable } from '../base/fault.ts';
import { sleep, type Host } from '../base/host.ts';
import { runInSlices } from '../base/sliced.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import { decodeContext } from '../clock/context.ts';
import { replicaCountsOfType } from '../membership/effective-properties.ts';
import type { DeleteOutcome, DeleteRequest, GetRequest } from '../object/requests.ts';
import { TictacTree } from '../object/tictac-tree.ts';
import type { FoldCopies, FoldPiece, FoldQuestion, FoldRange } from '../peer/folds.ts';
import { Lanes } from '../repair/lanes.ts';
import {
  FOLD_HELD_MAX_BYTES,
  GatheredAmounts,
  GatheredContexts,
  GatheredStatistics,
  gatherLeaves,
  HeldBytes,
  type Gathering,
} from './fold-held.ts';
import type {
  BucketName,
  FoldChange,
  FoldOptions,
  FoldOutcome,
  FoldRequest,
  FoldService,
} from './fold-requests.ts';
import type { NodeParts } from './node-parts.ts';
import type { ReplicationQueues } from './replication-queues.ts';

/** Folds of this node under way. */
const FOLDS_MAX = 4;
/** Silence of a node after which another is asked. */
const IDLE_TIMEOUT_MS = 60_000;
/** Keys under change at once. */
const LANES_MAX = 8;
/** Between two attempts at what the node had no room for. */
const ROOM_WAIT_MS = 100;

export interface FoldsPorts {
  readonly host: Host;
  /** Throws the fault that keeps the node from serving. */
  readonly mustServe: () => Pick<NodeParts, 'coverage' | 'topology' | 'gets' | 'repair'>;
  readonly replication: Pick<ReplicationQueues, 'has' | 'offerForSync'>;
  /** As of any client. */
  readonly delete: (request: DeleteRequest) => Promise<DeleteOutcome>;
}

const TOO_MANY: FoldOutcome = { kind: 'too-many', heldMaxBytes: FOLD_HELD_MAX_BYTES };

export class Folds implements FoldService {
  readonly #ports: FoldsPorts;
  #underWay = 0;

  constructor(ports: FoldsPorts) {
    this.#ports = ports;
  }

  async fold(request: FoldRequest, options: FoldOptions): Promise<FoldOutcome> {
    const { metrics } = this.#ports.host;
    if (this.#underWay >= FOLDS_MAX) {
      metrics.count('clusteraae_fsm_create_error');
      throw new Fault('overload', 'too many folds are under way');
    }
    metrics.count('clusteraae_fsm_create');
    this.#count(1);
    try {
      return await new FoldRun(this.#ports, options).run(request);
    } finally {
      this.#count(-1);
    }
  }

  #count(more: number): void {
    this.#underWay += more;
    this.#ports.host.metrics.gauge('clusteraae_fsm_active', this.#underWay);
  }
}

/** One fold under way. */
class FoldRun {
  readonly #ports: FoldsPorts;
  readonly #parts: ReturnType<FoldsPorts['mustServe']>;
  readonly #options: FoldOptions;
  readonly #endMs: number;

  constructor(ports: FoldsPorts, options: FoldOptions) {
    this.#ports = ports;
    this.#parts = ports.mustServe();
    this.#options = options;
    this.#endMs = ports.host.clock.monotonicMs() + options.timeoutMs;
  }

  run(request: FoldRequest): Promise<FoldOutcome> {
    switch (request.kind) {
      case 'find-keys': {
        const { range, by, above } = request;
        return this.#amounts(range, { kind: by, above });
      }
      case 'statistics':
        return this.#statistics(request.range);
      case 'buckets':
        return this.#listBuckets();
      case 'contexts':
        return this.#contexts([request.range], request.copies);
      case 'n-val-contexts':
        return this.#ofAllBuckets(request, (ranges) => this.#contexts(ranges, 'all'));
      case 'tree':
        return this.#tree([request.range], new TictacTree(request.size), request.seed);
      case 'n-val-tree': {
        const tree = new TictacTree(request.size);
        const all = { ...request, segments: undefined, modified: undefined };
        return this.#ofAllBuckets(all, (ranges) => this.#tree(ranges, tree, undefined));
      }
      case 'reap':
      case 'erase':
      case 'repair':
      case 'replicate':
        return this.#change(request);
      default:
        return unreachable(request);
    }
  }

  async #amounts(range: FoldRange, question: FoldQuestion): Promise<FoldOutcome> {
    const gathered = new GatheredAmounts();
    const failure = await this.#gather(range, question, gathered);
    if (failure !== undefined) return failure;
    const { clock } = this.#ports.host;
    return { kind: 'amounts', amounts: await runInSlices(gathered.sorted(), clock) };
  }

  async #statistics(range: FoldRange): Promise<FoldOutcome> {
    const gathered = new GatheredStatistics();
    const question: FoldQuestion = { kind: 'statistics', copies: 'all' };
    const failure = await this.#gather(range, question, gathered);
    return failure ?? { kind: 'statistics', statistics: gathered.total() };
  }

  async #contexts(ranges: readonly FoldRange[], copies: FoldCopies): Promise<FoldOutcome> {
    const gathered = new GatheredContexts();
    for (const range of ranges) {
      const question: FoldQuestion = { kind: 'contexts', copies };
      const failure = await this.#gather(range, question, gathered.ofBucket(range));
      if (failure !== undefined) return failure;
    }
    const { clock } = this.#ports.host;
    return { kind: 'contexts', contexts: await runInSlices(gathered.sorted(), clock) };
  }

  async #tree(
    ranges: readonly FoldRange[],
    tree: TictacTree,
    seed: number | undefined,
  ): Promise<FoldOutcome> {
    for (const range of ranges) {
      const failure = await this.#gather(range, { kind: 'leaves', seed }, gatherLeaves(tree));
      if (failure !== undefined) return failure;
    }
    return { kind: 'tree', tree };
  }

  async #listBuckets(): Promise<FoldOutcome> {
    const buckets = await this.#buckets();
    return buckets === undefined ? TOO_MANY : { kind: 'buckets', buckets };
  }

  /** Of the buckets that have this n_val now. */
  async #ofAllBuckets(
    { nVal, segments, modified }: Pick<FoldRange, 'segments' | 'modified'> & { nVal: number },
    fold: (ranges: readonly FoldRange[]) => Promise<FoldOutcome>,
  ): Promise<FoldOutcome> {
    const { topology } = this.#parts;
    const buckets = await this.#buckets();
    if (buckets === undefined) return TOO_MANY;
    return fold(
      buckets
        .filter(({ type, bucket }) => topology.properties(type, bucket)?.n_val === nVal)
        .map((name) => ({ ...name, keys: undefined, segments, modified })),
    );
  }

  /** Undefined: too many to hold. */
  async #buckets(): Promise<readonly BucketName[] | undefined> {
    const { coverage, topology } = this.#parts;
    const state = topology.state();
    const held = new HeldBytes();
    const buckets: BucketName[] = [];
    for (const type of [...[...state.bucketTypes.keys()].sort(), DEFAULT_BUCKET_TYPE]) {
      const first = replicaCountsOfType(state, type);
      if (first === undefined) continue;
      const n = (): typeof first => replicaCountsOfType(topology.state(), type) ?? first;
      for await (const names of coverage.listBuckets(type, n, this.#coverageOptions())) {
        this.#mustGoOn();
        for (const bucket of names) {
          if (!held.take(type.length + bucket.length)) return undefined;
          buckets.push({ type, bucket });
        }
      }
    }
    return buckets;
  }

  async #gather(
    range: FoldRange,
    question: FoldQuestion,
    gathering: Gathering,
  ): Promise<FoldOutcome | undefined> {
    const pieces = this.#pieces(range, question);
    if ('kind' in pieces) return pieces;
    for await (const piece of pieces) if (!gathering.add(piece)) return TOO_MANY;
    return undefined;
  }

  #pieces(range: FoldRange, question: FoldQuestion): AsyncIterable<FoldPiece> | FoldOutcome {
    const { type, bucket } = range;
    const { topology } = this.#parts;
    const properties = topology.properties(type, bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type };
    const n = (): number => (topology.properties(type, bucket) ?? properties).n_val;
    return this.#wantedPieces({ range, question, after: undefined }, n);
  }

  async *#wantedPieces(
    scan: Parameters<NodeParts['coverage']['fold']>[0],
    n: () => number,
  ): AsyncGenerator<FoldPiece> {
    const { coverage } = this.#parts;
    for await (const pieces of coverage.fold(scan, n, this.#coverageOptions())) {
      for (const piece of pieces) {
        this.#mustGoOn();
        yield piece;
      }
    }
  }

  async #change(request: FoldChange): Promise<FoldOutcome> {
    const change = CHANGES[request.kind];
    const queue = request.kind === 'replicate' ? request.queue : undefined;
    if (queue !== undefined && !this.#ports.replication.has(queue))
      return { kind: 'unknown-queue' };
    if ('isCountOnly' in request && request.isCountOnly) {
      const gathered = new GatheredStatistics();
      const { copies } = change;
      const question: FoldQuestion = { kind: 'statistics', copies };
      const failure = await this.#gather(request.range, question, gathered);
      return failure ?? { kind: 'count', count: gathered.total().count };
    }
    const pieces = this.#pieces(request.range, change.question);
    if ('kind' in pieces) return pieces;
    const tally = { count: 0, changed: 0 };
    const lanes = new Lanes(LANES_MAX);
    try {
      for await (const piece of pieces) {
        for (const [name, context] of foundIn(piece)) {
          this.#mustGoOn();
          const { type, bucket } = request.range;
          const key: ObjectKey = { type, bucket, key: name };
          tally.count += 1;
          await lanes.start(async () => {
            if (await this.#tryChange(request, key, context)) tally.changed += 1;
          });
        }
      }
    } finally {
      await lanes.end();
      this.#report(request.kind, tally);
    }
    return { kind: 'count', count: queue === undefined ? tally.count : tally.changed };
  }

  /** Whether it was done: what is in the way of one key is no reason to leave out the others. */
  async #tryChange(
    request: FoldChange,
    key: ObjectKey,
    context: Buffer | undefined,
  ): Promise<boolean> {
    try {
      return await this.#changeKey(request, key, context);
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
  }

  async #changeKey(
    request: FoldChange,
    key: ObjectKey,
    context: Buffer | undefined,
  ): Promise<boolean> {
    switch (request.kind) {
      case 'reap':
        return this.#parts.repair.reap(key);
      case 'erase':
        return this.#erase(key, context);
      case 'replicate':
        return this.#ports.replication.offerForSync(request.queue, key);
      case 'repair': {
        const read: GetRequest = { key, headOnly: true, asksEveryone: true };
        const { kind: outcome } = await this.#parts.gets.get(read);
        return outcome === 'found' || outcome === 'not-found';
      }
    }
  }

  async #erase(key: ObjectKey, context: Buffer | undefined): Promise<boolean> {
    const seen = context && decodeContext(context);
    if (seen === undefined) return false;
    for (;;) {
      const outcome = await this.#ports.delete({ key, context: seen });
      if (outcome.kind !== 'overload') return outcome.kind === 'deleted';
      await sleep(this.#ports.host.clock, ROOM_WAIT_MS);
      if (!this.#options.isWanted() || this.#leftMs() <= 0) return false;
    }
  }

  #report(
    kind: FoldChange['kind'],
    tally: { readonly count: number; readonly changed: number },
  ): void {
    const { log, metrics } = this.#ports.host;
    if (kind === 'reap') metrics.count('fold_reaped_total', tally.changed);
    else if (kind === 'erase') metrics.count('fold_erased_total', tally.changed);
    else if (kind === 'repair') metrics.count('fold_repaired_total', tally.changed);
    // While members are away no tombstone goes.
    const awaited = kind === 'reap' ? this.#parts.repair.reapAwaits() : [];
    log.info('job.fold-ended', { fold: kind, ...tally, awaited });
  }

  #coverageOptions(): { readonly timeoutMs: number } {
    return { timeoutMs: Math.max(0, Math.min(IDLE_TIMEOUT_MS, this.#leftMs())) };
  }

  #leftMs(): number {
    return this.#endMs - this.#ports.host.clock.monotonicMs();
  }

  #mustGoOn(): void {
    if (!this.#options.isWanted()) throw new Fault('closed', 'nobody waits for the fold');
    if (this.#leftMs() <= 0) throw new Fault('timeout', 'the fold took too long');
  }
}

const CHANGES = {
  reap: {
    copies: 'tombstones',
    question: { kind: 'keys', copies: 'tombstones' },
  },
  erase: {
    copies: 'live',
    question: { kind: 'contexts', copies: 'live' },
  },
  repair: {
    copies: 'all',
    question: { kind: 'keys', copies: 'all' },
  },
  replicate: {
    copies: 'all',
    question: { kind: 'keys', copies: 'all' },
  },
} as const;

function* foundIn(piece: FoldPiece): Generator<[key: ByteString, context: Buffer | undefined]> {
  if (piece.kind === 'amounts') for (const [key] of piece.amounts) yield [key, undefined];
  if (piece.kind === 'contexts') for (const [key, context] of piece.contexts) yield [key, context];
}
