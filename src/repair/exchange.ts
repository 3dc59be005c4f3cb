/**
 * An exchange: two replicas of a partition come to hold the same.
 *
 * Their hash trees name the segments that differ, the heads of those segments the keys that do, and
 * each such object is sent to whoever lacks part of it, both ways where neither has all. Whatever is
 * sent is merged, so an exchange is idempotent and may be cut off anywhere.
 *
 * Writes on their way make segments differ for a moment; so the trees are looked at twice, and only
 * what differs both times is gone through. A segment that differs by the very same bits in two
 * exchanges although no object in it does is an error of a tree, and is counted again.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { mergeHeads } from '../object/reconcile.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import { differingSegments, SEGMENT_COUNT, SEGMENT_SIZE, segmentOf } from '../storage/hash-tree.ts';
import type { PeerStreamRequest } from '../peer/messages.ts';
import type { Halt } from './halt.ts';
import { Lanes } from './lanes.ts';
import { pairHeads } from './ordered-heads.ts';
import type { HeadPair, KeyHead } from './ordered-heads.ts';
import type { Pace } from './pace.ts';
import type { RepairPorts } from './ports.ts';
import type { SharedTree } from './replica-sets.ts';
import { isAboutObject, RepairRequests } from './requests.ts';

export interface ExchangeOptions {
  /** Between the two looks at the trees; 0: one look is enough. */
  readonly settleMs: number;
  /** Objects on their way at once. */
  readonly objectsMax: number;
  readonly requestTimeoutMs: number;
  /** Of the stream of heads without a sign of life. */
  readonly idleTimeoutMs: number;
}

export interface ExchangeResult {
  /** Segments that were gone through. */
  readonly segments: number;
  /** Objects that the peer was sent, and that it sent. */
  readonly pushed: number;
  readonly pulled: number;
  /** Segments of this node's tree that were wrong. */
  readonly corrected: number;
}

const NOTHING: ExchangeResult = { segments: 0, pushed: 0, pulled: 0, corrected: 0 };

const ALL_SEGMENTS = Array.from({ length: SEGMENT_COUNT }, (_, segment) => segment);

/** Unexplained differences that are remembered, over all trees. */
const SUSPICIONS_MAX = 16_384;

export class Exchanges {
  readonly #ports: RepairPorts;
  readonly #options: ExchangeOptions;
  readonly #requests: RepairRequests;
  readonly #pace: Pace;
  /** `partition/n/peer/segment` → by which bits it differed without a reason. */
  readonly #suspicions = new Map<string, string>();

  constructor(ports: RepairPorts, pace: Pace, options: ExchangeOptions) {
    this.#ports = ports;
    this.#pace = pace;
    this.#options = options;
    this.#requests = new RepairRequests(ports.peer, options.requestTimeoutMs);
  }

  /** Compares every key if `isFull`. Rejects with the fault that cut it off. */
  async run(shared: SharedTree, halt: Halt, isFull = false): Promise<ExchangeResult> {
    let trees = await this.#trees(shared);
    let segments = differingSegments(trees.local, trees.remote);
    if (segments.length === 0 && !isFull) return NOTHING;
    if (this.#options.settleMs > 0 && !isFull) {
      const goesOn = await halt.wait(this.#ports.host.clock, this.#options.settleMs);
      if (!goesOn) return NOTHING;
      const before = new Set(segments);
      trees = await this.#trees(shared);
      segments = differingSegments(trees.local, trees.remote).filter((each) => before.has(each));
      if (segments.length === 0) return NOTHING;
    }
    const healing = new Healing(this.#ports, shared, {
      requests: this.#requests,
      pace: this.#pace,
      halt,
    });
    const compared = isFull ? ALL_SEGMENTS : segments;
    await this.#healDifferences(healing, { shared, segments: compared, halt });
    const unexplained = halt.isSet
      ? []
      : segments.filter((segment) => !healing.segments.has(segment));
    const corrected = await this.#recount(shared, trees, unexplained);
    const { pushed, pulled } = healing;
    return { segments: compared.length, pushed, pulled, corrected };
  }

  async #trees({ partition, nVal, peer }: SharedTree): Promise<TreePair> {
    const [local, remote] = await Promise.all([
      this.#ports.replica.tree(partition, nVal),
      this.#requests.tree(peer, partition, nVal),
    ]);
    return { local, remote };
  }

  async #healDifferences(
    healing: Healing,
    scope: {
      readonly shared: SharedTree;
      readonly segments: readonly number[];
      readonly halt: Halt;
    },
  ): Promise<void> {
    const { partition, nVal, peer } = scope.shared;
    const { segments } = scope;
    const local = this.#ports.replica.heads(partition, nVal, segments);
    const remote = this.#remoteHeads(peer, { verb: 'heads', partition, nVal, segments });
    const lanes = new Lanes(this.#options.objectsMax);
    for await (const pair of pairHeads(local, remote)) {
      if (scope.halt.isSet) break;
      const remedy = remedyFor(pair);
      if (remedy !== 'none') await lanes.start(() => healing.heal(pair.key, remedy));
    }
    await lanes.end();
  }

  async *#remoteHeads(
    peer: NodeId,
    request: PeerStreamRequest,
  ): AsyncGenerator<readonly KeyHead[]> {
    const items = this.#ports.peer.stream(peer, request, this.#options.idleTimeoutMs);
    for await (const item of items) {
      if (item.kind !== 'heads') throw new Fault('peer-refused', 'a peer sent no heads');
      yield item.heads;
    }
  }

  /** Counts again what has differed by the same bits before. */
  async #recount(
    { partition, nVal, peer }: SharedTree,
    { local, remote }: TreePair,
    unexplained: readonly number[],
  ): Promise<number> {
    const suspects: number[] = [];
    for (const segment of unexplained) {
      const name = `${partition}/${nVal}/${peer}/${segment}`;
      const difference = differenceAt(segment, local, remote);
      if (this.#suspicions.get(name) === difference) {
        suspects.push(segment);
        this.#suspicions.delete(name);
      } else if (this.#suspicions.size < SUSPICIONS_MAX) {
        this.#suspicions.set(name, difference);
      }
    }
    if (suspects.length === 0) return 0;
    this.#ports.host.log.warn('repair.tree-recounted', {
      partition,
      nVal,
      segments: suspects.length,
    });
    return this.#ports.replica.recountTree(partition, nVal, suspects);
  }
}

interface TreePair {
  readonly local: Buffer;
  readonly remote: Buffer;
}

type Remedy = 'none' | 'push' | 'pull' | 'both';

/** What makes the two copies equal. A head that is not sound is none. */
function remedyFor({ local, remote }: HeadPair): Remedy {
  const mine = local && recordCausalHash(local);
  const theirs = remote && recordCausalHash(remote);
  if (mine === undefined) return theirs === undefined ? 'none' : 'pull';
  if (theirs === undefined) return 'push';
  if (mine.equals(theirs)) return 'none';
  const left = local && decodeHead(local);
  const right = remote && decodeHead(remote);
  if (left === undefined || right === undefined) return 'both';
  const merged = mergeHeads(left, right);
  if (merged === left) return 'push';
  return merged === right ? 'pull' : 'both';
}

interface HealingMeans {
  readonly requests: RepairRequests;
  readonly pace: Pace;
  readonly halt: Halt;
}

/** The objects of one exchange that are sent one way or the other. */
class Healing {
  /** Where something differed. */
  readonly segments = new Set<number>();
  pushed = 0;
  pulled = 0;
  readonly #ports: RepairPorts;
  readonly #shared: SharedTree;
  readonly #means: HealingMeans;

  constructor(ports: RepairPorts, shared: SharedTree, means: HealingMeans) {
    this.#ports = ports;
    this.#shared = shared;
    this.#means = means;
  }

  /** An object that one side refuses or cannot read must not keep the others from being healed. */
  async heal(key: ObjectKey, remedy: Remedy): Promise<void> {
    this.segments.add(segmentOf(key));
    const hasPulled = remedy === 'push' || (await this.#attempt(() => this.#pull(key)));
    // What a peer cannot read it can still be given.
    if (remedy !== 'pull' || !hasPulled) await this.#attempt(() => this.#push(key));
  }

  /** False: this object cannot go that way. */
  async #attempt(step: () => Promise<boolean>): Promise<boolean> {
    try {
      return await step();
    } catch (error) {
      if (!isFault(error) || !isAboutObject(error)) throw error;
      this.#ports.host.metrics.count('anti_entropy_refused');
      return false;
    }
  }

  async #pull(key: ObjectKey): Promise<boolean> {
    const { replica, view } = this.#ports;
    const { requests, pace, halt } = this.#means;
    const placement = view.place(key);
    if (placement === undefined || placement.partition !== this.#shared.partition) return true;
    const record = await requests.get(this.#shared.peer, key, false);
    if (record === undefined) return false;
    if (!(await pace.take(record.length, halt))) return true;
    await replica.merge(key, placement, record, undefined);
    this.pulled += 1;
    return true;
  }

  async #push(key: ObjectKey): Promise<boolean> {
    const { requests, pace, halt } = this.#means;
    const { partition, peer } = this.#shared;
    const record = await this.#ports.replica.getRecord(key, partition, false);
    if (record === undefined || !(await pace.take(record.length, halt))) return true;
    await requests.merge(peer, key, record);
    this.pushed += 1;
    return true;
  }
}

function differenceAt(segment: number, local: Buffer, remote: Buffer): string {
  const offset = segment * SEGMENT_SIZE;
  const bytes = Buffer.from(local.subarray(offset, offset + SEGMENT_SIZE));
  for (const [index, byte] of bytes.entries()) {
    bytes[index] = byte ^ remote.readUInt8(offset + index);
  }
  return bytes.toString('latin1');
}
