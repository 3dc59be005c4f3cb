/**
 * Leftovers: copies on a node that is not, or is no longer, a replica of their keys.
 *
 * They come about in three ways: a ring change or a lower n_val takes a partition from a node that
 * holds copies in it; a writer that has not heard of the change yet writes to it afterwards; a
 * fallback takes a write and loses the hint. In each tree that belongs to other nodes this node goes
 * through its copies key by key. It asks every replica of the key what it holds, sends what is
 * missing there, and drops its own copy, with index entries, hints and its part of the hash tree,
 * once all of them have confirmed that they hold everything durably, provided that the copy has not
 * changed in the meantime. A copy that is damaged goes too, for it can be given to nobody; one that the
 * disk refuses to read stays, and is tried again at each look.
 *
 * Nothing is dropped while one of the replicas is down. An exiting member that holds no copy any more
 * proposes its own removal from the cluster. It is not enough that the trees of others are empty: a copy
 * may be counted by an n_val that has just changed, in a tree that nobody looks at, and be the last one. So
 * what it still holds is counted anew. What no tree counts then is damaged, and says nothing to anyone.
 */

import { isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { finishExit } from '../membership/ring-steps.ts';
import { mergeHeads } from '../object/reconcile.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import { ALL_SEGMENTS } from '../storage/hash-tree.ts';
import { Background } from './background.ts';
import type { ByteRateLimit } from './byte-rate-limit.ts';
import type { Halt } from './halt.ts';
import { Lanes } from './lanes.ts';
import type { TransferPorts } from './ports.ts';
import type { Recounts } from './recounts.ts';
import { foreignTrees, isReplicaNow, replicasOf, type TreeName } from './replica-sets.ts';
import { isAboutObject, RepairRequests } from './requests.ts';
import { isStillHeld } from './still-held.ts';
import type { TransferNote, TransferProgress } from './transfer-progress.ts';

export interface LeftoversOptions {
  /** From the end of a look for leftovers to the next. */
  readonly leftoversRestMs: number;
  /** Keys that are shown at once. */
  readonly objectsMax: number;
  readonly requestTimeoutMs: number;
}

export class Leftovers {
  readonly #ports: TransferPorts;
  readonly #options: LeftoversOptions;
  readonly #rateLimit: ByteRateLimit;
  readonly #recounts: Recounts;
  readonly #progress: TransferProgress;
  readonly #requests: RepairRequests;
  readonly #background: Background;

  constructor(
    ports: TransferPorts,
    options: LeftoversOptions,
    means: {
      readonly rateLimit: ByteRateLimit;
      readonly recounts: Recounts;
      readonly progress: TransferProgress;
    },
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#rateLimit = means.rateLimit;
    this.#recounts = means.recounts;
    this.#progress = means.progress;
    this.#requests = new RepairRequests(ports.peer, options.requestTimeoutMs);
    const background = { name: 'leftovers', restMs: options.leftoversRestMs };
    this.#background = new Background(ports.host, background, (halt) => this.round(halt));
  }

  start(): void {
    this.#background.start();
  }

  /** A step has closed. */
  wake(): void {
    this.#background.wake();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  async round(halt: Halt): Promise<void> {
    const { replica, self, view } = this.#ports;
    const held: TreeName[] = [];
    for (const tree of foreignTrees(view, self)) {
      if (halt.isSet) return;
      if (await replica.holdsAny(tree.partition, tree.nVal)) held.push(tree);
    }
    this.#ports.host.metrics.gauge('transfer_leftover_trees', held.length);
    this.#noteWork(held);
    let isClean = true;
    for (const tree of held) {
      if (halt.isSet) return;
      if (await this.#handOver(tree, halt)) this.#progress.treeDone('hand-over');
      else isClean = false;
    }
    if (isClean) await this.#leave(halt);
  }

  #noteWork(held: readonly TreeName[]): void {
    const { standstills } = this.#progress;
    if (held.length === 0) {
      standstills.end('hand-over');
      return;
    }
    const owners = new Set(held.flatMap((tree) => replicasOf(this.#ports.view, tree)));
    standstills.begin('hand-over', `${held.length}`, [...owners]);
    this.#progress.beginWork('hand-over', held.length);
  }

  /** Whether nothing is left of the tree. */
  async #handOver(tree: TreeName, halt: Halt): Promise<boolean> {
    const { partition, nVal } = tree;
    const { replica, view } = this.#ports;
    const owners = replicasOf(view, tree);
    if (!owners.every((node) => view.isUp(node))) return false;
    const note = this.#progress.begin('hand-over', tree, owners);
    const lanes = new Lanes(this.#options.objectsMax);
    let keptCount = 0;
    try {
      for await (const batch of replica.heads(partition, nVal, ALL_SEGMENTS)) {
        for (const { key, head } of batch) {
          if (halt.isSet) break;
          await lanes.start(async () => {
            if (!(await this.#giveAway({ key, head, tree }, halt, note))) keptCount += 1;
          });
        }
        if (halt.isSet) break;
      }
      await lanes.end();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#ports.host.metrics.count('transfer_broken_off');
      const [peer] = owners;
      if (peer !== undefined) {
        this.#progress.failed({ kind: 'hand-over', partition, peer, code: error.code });
      }
      return false;
    } finally {
      note.end();
    }
    if (keptCount > 0 || halt.isSet) return false;
    return this.#isEmpty(tree, halt);
  }

  /** What stands for no copy that can be read is an error of the tree. */
  async #isEmpty(tree: TreeName, halt: Halt): Promise<boolean> {
    const { partition, nVal } = tree;
    const { replica } = this.#ports;
    if (!(await replica.holdsAny(partition, nVal))) return true;
    await this.#recounts.run(tree, halt);
    return !(await replica.holdsAny(partition, nVal));
  }

  /** Whether the copy has gone. */
  async #giveAway(
    copy: { readonly key: ObjectKey; readonly head: Buffer; readonly tree: TreeName },
    halt: Halt,
    note: TransferNote,
  ): Promise<boolean> {
    const { key, head, tree } = copy;
    const { host, replica, self, view } = this.#ports;
    const placement = view.place(key);
    const hash = recordCausalHash(head);
    if (placement === undefined || hash === undefined) return false;
    // The key is placed elsewhere by now, and what it has there is not what was looked at.
    if (placement.partition !== tree.partition) return false;
    for (const owner of replicasOf(view, tree)) {
      if (owner === self || !view.isUp(owner)) return false;
      const shown = await this.#show(owner, { key, head, tree }, halt);
      if (shown === 'refused') return false;
      if (shown === 'unreadable') {
        host.metrics.count('transfer_unreadable');
        host.log.error('repair.transfer.unreadable', { partition: tree.partition });
        return replica.drop(key, placement, undefined);
      }
      note.add(0, shown);
    }
    // While that took its time a ring or an n_val may have given the copy back.
    if (isReplicaNow(this.#ports, key, tree.partition)) return false;
    const isGone = await replica.drop(key, placement, hash);
    if (isGone) {
      note.add(1, 0);
      host.metrics.count('transfer_dropped');
    }
    return isGone;
  }

  /** Sees to it that `owner` holds all of the copy; how many bytes that took. */
  async #show(
    owner: NodeId,
    {
      key,
      head,
      tree,
    }: { readonly key: ObjectKey; readonly head: Buffer; readonly tree: TreeName },
    halt: Halt,
  ): Promise<number | 'refused' | 'unreadable'> {
    const { host, replica } = this.#ports;
    try {
      const theirs = await this.#requests.get(owner, key, true);
      if (holdsAll(theirs, head)) return 0;
    } catch (error) {
      // A copy that its owner cannot read is replaced by what it is sent.
      if (!isFault(error, 'store-corrupt')) throw error;
    }
    const record = await replica.getRecord(key, tree.partition, false);
    if (record === undefined) return replica.isDamaged(key) ? 'unreadable' : 'refused';
    // It has changed: the next look shows it as it is then.
    if (recordCausalHash(record)?.equals(recordCausalHash(head) ?? record) !== true)
      return 'refused';
    if (!(await this.#rateLimit.take(record.length, halt))) return 'refused';
    if (!(await isStillHeld(replica, { key, partition: tree.partition }, record))) return 'refused';
    try {
      await this.#requests.merge(owner, key, record);
    } catch (error) {
      if (!isFault(error) || !isAboutObject(error)) throw error;
      host.metrics.count('transfer_refused');
      return 'refused';
    }
    return record.length;
  }

  /** False also where the next round has to hand over what was counted. */
  async #hasNothingReadable(halt: Halt): Promise<boolean> {
    const { host, replica, self, view } = this.#ports;
    const { epoch } = view.state();
    for (const tree of foreignTrees(view, self)) {
      await this.#recounts.run(tree, halt);
      if (halt.isSet || (await replica.holdsAny(tree.partition, tree.nVal))) return false;
    }
    // By another n_val a copy may have been passed over.
    if (view.state().epoch !== epoch) return false;
    host.log.warn('repair.transfer.damaged-left');
    return true;
  }

  async #leave(halt: Halt): Promise<void> {
    const { propose, replica, self, view } = this.#ports;
    const { epoch, members, step } = view.state();
    const status = members.find(({ id }) => id === self)?.status;
    if (status !== 'exiting' || step !== undefined || replica.hintCounts().size > 0) return;
    if ((await replica.holdsCopies()) && !(await this.#hasNothingReadable(halt))) return;
    if (view.hasSpread(epoch)) await propose((state) => finishExit(state, self));
  }
}

function holdsAll(theirs: Buffer | undefined, mine: Buffer): boolean {
  const [left, right] = [theirs && decodeHead(theirs), decodeHead(mine)];
  return left !== undefined && right !== undefined && mergeHeads(left, right) === left;
}
