/**
 * An exchange: two replicas of a partition come to hold the same.
 *
 * Their hash trees name the segments that differ, the causal hashes in those segments the keys that
 * do, and each such object is sent to whoever lacks part of it (`healing.ts`). Whatever is sent is
 * merged, so an exchange is idempotent and may be cut off anywhere. A full exchange believes neither
 * trees nor filed hashes, and compares the heads of all copies.
 *
 * Writes on their way make segments differ for a moment; so the trees are looked at twice, and only
 * what differs both times is gone through. A segment that differs by the very same bits in two
 * exchanges although no object in it does is an error of a tree, and is counted again.
 */

import { Fault } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { recordCausalHash } from '../object/record.ts';
import { ALL_SEGMENTS, differingSegments, SEGMENT_SIZE, segmentOf } from '../storage/hash-tree.ts';
import type { KeyHash, KeyHead, PeerStreamRequest } from '../peer/messages.ts';
import type { ByteRateLimit } from './byte-rate-limit.ts';
import { compareKeys, differingKeys } from './differing-keys.ts';
import type { DifferingKey } from './differing-keys.ts';
import type { Halt } from './halt.ts';
import { Healing } from './healing.ts';
import { Lanes } from './lanes.ts';
import type { RepairPorts } from './ports.ts';
import type { SharedTree } from './replica-sets.ts';
import { Recounts } from './recounts.ts';
import { RepairRequests } from './requests.ts';
import { Suspicions } from './suspicions.ts';

export interface ExchangeOptions {
  /** Between the two looks at the trees; 0: one look is enough. */
  readonly settleMs: number;
  /** Objects that are healed together. */
  readonly batchMax: number;
  readonly requestTimeoutMs: number;
  /** Of a stream without a sign of life. */
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

/** So that one batch is fetched while another is merged. */
const BATCHES_AT_ONCE = 2;

/** Over all trees. */
const SUSPICIONS_MAX = 16_384;

export class Exchanges {
  readonly #ports: RepairPorts;
  readonly #options: ExchangeOptions;
  readonly #requests: RepairRequests;
  readonly #rateLimit: ByteRateLimit;
  readonly #recounts: Recounts;
  readonly #suspicions = new Suspicions(SUSPICIONS_MAX);

  constructor(ports: RepairPorts, rateLimit: ByteRateLimit, options: ExchangeOptions) {
    this.#ports = ports;
    this.#rateLimit = rateLimit;
    this.#options = options;
    this.#recounts = new Recounts(ports);
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
      rateLimit: this.#rateLimit,
      halt,
    });
    const compared = isFull ? ALL_SEGMENTS : segments;
    const differing = isFull ? this.#differingHeads(shared) : this.#differingIn(shared, segments);
    await this.#healDifferences(healing, { differing, halt });
    const unexplained = halt.isSet
      ? []
      : segments.filter((segment) => !healing.segments.has(segment));
    const corrected = await this.#recount(shared, { ...trees, unexplained }, halt);
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
    scope: { readonly halt: Halt; readonly differing: AsyncIterable<readonly DifferingKey[]> },
  ): Promise<void> {
    const lanes = new Lanes(BATCHES_AT_ONCE);
    let gathered: DifferingKey[] = [];
    const flush = async (): Promise<void> => {
      const batch = gathered;
      gathered = [];
      if (batch.length > 0) await lanes.start(() => healing.heal(batch));
    };
    for await (const found of scope.differing) {
      if (scope.halt.isSet) break;
      for (const each of found) {
        gathered.push(each);
        if (gathered.length >= this.#options.batchMax) await flush();
      }
    }
    if (!scope.halt.isSet) await flush();
    await lanes.end();
  }

  /** By what is filed under the segments. */
  #differingIn(
    { partition, nVal, peer }: SharedTree,
    segments: readonly number[],
  ): AsyncGenerator<readonly DifferingKey[]> {
    const local = this.#ports.replica.hashes(partition, nVal, segments);
    const remote = this.#remoteHashes(peer, { verb: 'hashes', partition, nVal, segments });
    return differingKeys(local, remote, compareFiled);
  }

  /** By the heads of all copies. */
  #differingHeads({ partition, nVal, peer }: SharedTree): AsyncGenerator<readonly DifferingKey[]> {
    const local = hashesOf(this.#ports.replica.heads(partition, nVal, ALL_SEGMENTS));
    const request = { verb: 'heads', partition, nVal, segments: ALL_SEGMENTS } as const;
    return differingKeys(local, this.#remoteHashes(peer, request), compareKeys);
  }

  async *#remoteHashes(
    peer: NodeId,
    request: PeerStreamRequest,
  ): AsyncGenerator<readonly KeyHash[]> {
    const items = this.#ports.peer.stream(peer, request, this.#options.idleTimeoutMs);
    for await (const item of items) {
      if (item.kind === 'hashes') yield item.hashes;
      else if (item.kind === 'heads') yield item.heads.flatMap(hashOf);
      else throw new Fault('peer-refused', 'a peer sent no hashes');
    }
  }

  /** Counts again what has differed by the same bits before. */
  async #recount(
    { partition, nVal, peer }: SharedTree,
    { local, remote, unexplained }: TreePair & { readonly unexplained: readonly number[] },
    halt: Halt,
  ): Promise<number> {
    const suspects: number[] = [];
    for (const segment of unexplained) {
      const name = `${partition}/${nVal}/${peer}/${segment}`;
      const isWrong = this.#suspicions.confirm(name, differenceAt(segment, local, remote));
      if (isWrong) suspects.push(segment);
    }
    if (suspects.length === 0) return 0;
    this.#ports.host.log.warn('repair.tree-recounted', {
      partition,
      nVal,
      segments: suspects.length,
    });
    return this.#recounts.run({ partition, nVal }, halt, suspects);
  }
}

interface TreePair {
  readonly local: Buffer;
  readonly remote: Buffer;
}

/** The order in which copies are filed. */
function compareFiled(left: ObjectKey, right: ObjectKey): number {
  const byKey = compareKeys(left, right);
  return byKey === 0 ? 0 : segmentOf(left) - segmentOf(right) || byKey;
}

async function* hashesOf(
  batches: AsyncIterable<readonly KeyHead[]>,
): AsyncGenerator<readonly KeyHash[]> {
  for await (const heads of batches) yield heads.flatMap(hashOf);
}

/** A head that is not sound is none. */
function hashOf({ key, head }: KeyHead): KeyHash[] {
  const hash = recordCausalHash(head);
  return hash === undefined ? [] : [{ key, hash }];
}

function differenceAt(segment: number, local: Buffer, remote: Buffer): string {
  const offset = segment * SEGMENT_SIZE;
  const bytes = Buffer.from(local.subarray(offset, offset + SEGMENT_SIZE));
  for (const [index, byte] of bytes.entries()) {
    bytes[index] = byte ^ remote.readUInt8(offset + index);
  }
  return bytes.toString('latin1');
}
