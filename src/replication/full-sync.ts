/**
 * One full-sync: everything that a source's cluster holds is compared with what is here, and what differs is
 * put on its queue, from where it comes as everything does.
 *
 * So it finds what no queue told of: writes of before replication was set up, keys that were queued on a node
 * when it died, or dropped where the queue was full. It compares bucket by bucket in bounded memory, and
 * puts no more keys on the queue than are being fetched.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import type { NodeAddress } from '../client/connection.ts';
import { isTransient } from '../client/error-reply.ts';
import type { BucketName } from '../node/fold-requests.ts';
import type { Halt } from '../repair/halt.ts';
import { BucketComparison, UnknownBucketType, type ComparisonPorts } from './bucket-comparison.ts';
import { CurrentLogin } from './current-login.ts';
import type { ReplicationPorts, Source } from './ports.ts';
import { RemoteFolds } from './remote-folds.ts';
import { SourceQueue } from './source-queue.ts';

export interface FullSyncProgress {
  readonly buckets: number;
  readonly bucketsCompared: number;
  /** Of types that are unknown here. */
  readonly bucketsUnknown: number;
  /** Put on the queue because they differ; those on their way just then are among them. */
  readonly keys: number;
}

export interface FullSyncResult extends FullSyncProgress {
  /** By the wall. */
  readonly endedAt: string;
  readonly durationMs: number;
  /** Why it ended early; undefined: everything was compared. */
  readonly failure: string | undefined;
}

const PUSH_KEYS_MAX = 1_000;
/** Keys on the queue of a node above which no more are put there. */
const QUEUED_MAX = 20_000;
const QUEUED_WAIT_MS = 250;
/** A queue that does not become shorter for so long is not fetched from. */
const QUEUED_PATIENCE_MS = 600_000;

/** Buckets that fail one after the other: then it is not they that are at fault. */
const FAILED_IN_ROW_MAX = 8;

class NobodyFetches extends Fault {
  constructor() {
    super('timeout', 'nobody fetches what differs');
  }
}

/** Of the nodes that could be asked. */
type DropMarks = ReadonlyMap<NodeAddress, number>;

/** What is asked of the source's cluster. */
export type Remote = ComparisonPorts['remote'] & Pick<RemoteFolds, 'buckets' | 'close' | 'push'>;

export class FullSync {
  readonly #ports: ReplicationPorts;
  readonly #source: Source;
  readonly #halt: Halt;
  readonly #remote: Remote;
  /** Of one node, while it is asked for its mark. */
  #asked: SourceQueue | undefined;
  #progress: FullSyncProgress = { buckets: 0, bucketsCompared: 0, bucketsUnknown: 0, keys: 0 };

  /** `remote`: default: that of the source. */
  constructor(
    ports: ReplicationPorts,
    source: Source,
    { halt, remote }: { readonly halt: Halt; readonly remote?: Remote },
  ) {
    this.#ports = ports;
    this.#source = source;
    this.#halt = halt;
    this.#remote = remote ?? new RemoteFolds(ports.dialler, source);
  }

  get progress(): FullSyncProgress {
    return this.#progress;
  }

  /** What is asked of the source fails at once; `halt` has been set. */
  end(): void {
    this.#remote.close();
    this.#asked?.close();
  }

  /** Throws bugs only. */
  async run(): Promise<FullSyncResult> {
    const { clock } = this.#ports.host;
    const startMs = clock.monotonicMs();
    let failure: string | undefined;
    try {
      const marks = await this.#dropMarks();
      await this.#compareAll();
      await this.#tellNodes(marks);
    } catch (error) {
      if (!isFault(error)) throw error;
      failure = error.message;
    } finally {
      this.#remote.close();
    }
    return {
      ...this.#progress,
      endedAt: new Date(clock.wallMicros() / 1_000).toISOString(),
      durationMs: Math.round(clock.monotonicMs() - startMs),
      failure,
    };
  }

  async #compareAll(): Promise<void> {
    const buckets = await this.#remote.buckets();
    this.#note({ buckets: buckets.length });
    let failure: Fault | undefined;
    let inRow = 0;
    for (const bucket of buckets) {
      if (this.#halt.isSet) throw new Fault('closed', 'the full-sync was ended');
      try {
        await this.#compare(bucket);
        inRow = 0;
        this.#note({ bucketsCompared: this.#progress.bucketsCompared + 1 });
      } catch (error) {
        if (error instanceof UnknownBucketType) {
          this.#note({ bucketsUnknown: this.#progress.bucketsUnknown + 1 });
          continue;
        }
        if (!isFault(error) || error instanceof NobodyFetches || this.#halt.isSet) throw error;
        // One that cannot be compared, or that the user may not read, is no reason to leave out the others.
        failure ??= error;
        const isRefused = error.code === 'peer-refused' && !isTransient(error);
        if (!isRefused) inRow += 1;
        if (inRow >= FAILED_IN_ROW_MAX) break;
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** Where keys are dropped from now on, the node's mark is another at the end. */
  async #dropMarks(): Promise<DropMarks> {
    const marks = new Map<NodeAddress, number>();
    for (const address of this.#source.nodes) {
      const mark = await this.#atNode(address, (node) => node.dropMark());
      if (mark !== undefined) marks.set(address, mark);
    }
    return marks;
  }

  /** What each node had dropped when this began has been found. */
  async #tellNodes(marks: DropMarks): Promise<void> {
    for (const [address, mark] of marks) {
      await this.#atNode(address, (node) => node.noteCompared(mark));
    }
  }

  /** Undefined also where the node cannot be asked: the next full-sync may tell it. */
  async #atNode<T>(
    address: NodeAddress,
    ask: (node: SourceQueue) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#halt.isSet) throw new Fault('closed', 'the full-sync was ended');
    const login = new CurrentLogin(this.#source).get();
    const { queue } = this.#source;
    const node = new SourceQueue(this.#ports.dialler, { address, queue, login });
    this.#asked = node;
    try {
      return await ask(node);
    } catch (error) {
      if (!isFault(error)) throw error;
      return undefined;
    } finally {
      this.#asked = undefined;
      node.close();
    }
  }

  async #compare(bucket: BucketName): Promise<void> {
    const remote = this.#remote;
    const ports = { ...this.#ports, remote, halt: this.#halt };
    for await (const keys of new BucketComparison(ports, bucket).differing()) {
      for (let from = 0; from < keys.length; from += PUSH_KEYS_MAX) {
        const some = keys.slice(from, from + PUSH_KEYS_MAX);
        const taken = await this.#push(bucket, some);
        // The queue is not for the bucket.
        if (taken === 0) return;
      }
    }
  }

  /** How many of them the queue is for; undefined: the source does not say. */
  async #push(bucket: BucketName, keys: readonly ByteString[]): Promise<number | undefined> {
    const { clock, metrics } = this.#ports.host;
    const pushed = keys.map((key) => ({ ...bucket, key }));
    const { queued: before, taken } = await this.#remote.push(pushed);
    const count = taken ?? keys.length;
    this.#note({ keys: this.#progress.keys + count });
    const { name: source } = this.#source;
    if (count > 0) metrics.count(`replication_requested_total{source="${source}"}`, count);
    if (taken === 0) return taken;
    let queued = before;
    let least = queued;
    let untilMs = clock.monotonicMs() + QUEUED_PATIENCE_MS;
    while (queued > QUEUED_MAX) {
      if (queued < least) untilMs = clock.monotonicMs() + QUEUED_PATIENCE_MS;
      least = Math.min(least, queued);
      const goesOn = await this.#halt.wait(clock, QUEUED_WAIT_MS);
      if (!goesOn || clock.monotonicMs() > untilMs) {
        throw new NobodyFetches();
      }
      ({ queued } = await this.#remote.push([]));
    }
    return taken;
  }

  #note(more: Partial<FullSyncProgress>): void {
    this.#progress = { ...this.#progress, ...more };
  }
}
