/**
 * A fill: this node comes to hold trees that it did not, from the nodes that do.
 *
 * First each tree is folded: all records of one source come over a bulk stream and are merged, and how
 * far that has come is noted durably, so that it goes on from there whichever side was restarted, and
 * from another source when one is lost (all have the same order of keys). Then each tree is exchanged
 * with every source that can be reached, a majority at least: what one replica lacked another has, and
 * what was written during the fold is found too.
 *
 * All of it is merging, so a fill may be cut off anywhere. An object that cannot be read or taken is
 * counted and left to anti-entropy; it does not keep the others from coming.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { PeerStreamItem } from '../peer/messages.ts';
import type { ByteRateLimit } from './byte-rate-limit.ts';
import type { Exchanges } from './exchange.ts';
import type { FillLog } from './fill-log.ts';
import type { Halt } from './halt.ts';
import { Lanes } from './lanes.ts';
import type { TransferPorts } from './ports.ts';
import type { GainedTree } from './replica-sets.ts';
import { isAboutObject } from './requests.ts';
import type { TransferKind, TransferProgress } from './transfer-progress.ts';

export interface FillOptions {
  /** Trees on their way at once. */
  readonly treesMax: number;
  /** Of a source's stream without a sign of life. */
  readonly idleTimeoutMs: number;
}

export interface FillMeans {
  readonly kind: TransferKind & ('fill' | 'refill');
  readonly options: FillOptions;
  readonly log: FillLog;
  readonly exchanges: Exchanges;
  readonly rateLimit: ByteRateLimit;
  readonly progress: TransferProgress;
  /** Whether the trees are still to be filled. */
  readonly isWanted: () => boolean;
  /** Whether the fold may be left out: most of the data is here already. */
  readonly isHereMostly: boolean;
}

/** How often, and how far apart, a merge is tried that this node's own store has no room for. */
const OVERLOAD_TRIES = 200;
const OVERLOAD_PAUSE_MS = 50;

type Records = Extract<PeerStreamItem, { readonly kind: 'records' }>['records'];

export class Fill {
  readonly #ports: TransferPorts;
  readonly #means: FillMeans;
  readonly #halt: Halt;

  constructor(ports: TransferPorts, means: FillMeans, halt: Halt) {
    this.#ports = ports;
    this.#means = means;
    this.#halt = halt;
  }

  /** Whether all of `trees` are held now; false: try again, what was done is noted. */
  async run(trees: readonly GainedTree[]): Promise<boolean> {
    const { kind, progress, isHereMostly } = this.#means;
    progress.beginWork(kind, trees.length);
    const isFolded = isHereMostly || (await this.#each(trees, (tree) => this.#fold(tree)));
    return isFolded && (await this.#each(trees, (tree) => this.#exchange(tree)));
  }

  /** Whether `step` was true of every tree. */
  async #each(
    trees: readonly GainedTree[],
    step: (tree: GainedTree) => Promise<boolean>,
  ): Promise<boolean> {
    const lanes = new Lanes(this.#means.options.treesMax);
    let isAll = true;
    for (const tree of trees) {
      if (!this.#goesOn()) break;
      await lanes.start(async () => {
        if (!(await step(tree))) isAll = false;
      });
    }
    await lanes.end();
    return isAll && this.#goesOn();
  }

  #goesOn(): boolean {
    return !this.#halt.isSet && this.#means.isWanted();
  }

  async #fold(tree: GainedTree): Promise<boolean> {
    const state = await this.#means.log.load(tree);
    if (state.kind === 'folded') return true;
    const { sources } = tree;
    if (this.#awaited(sources).length === 0 && !sources.some((node) => this.#isUp(node))) {
      this.#noteNoSource(tree);
      await this.#means.log.save(tree, { kind: 'folded' });
      return true;
    }
    // Each partition begins with another source, so that the load is spread.
    const first = tree.partition % sources.length;
    const inTurn = [...sources.slice(first), ...sources.slice(0, first)];
    let { after } = state;
    for (const source of inTurn) {
      if (!this.#goesOn()) return false;
      if (!this.#isUp(source)) continue;
      const folded = await this.#foldFrom(source, tree, after);
      if (folded.isWhole) return true;
      ({ after } = folded);
    }
    return false;
  }

  /** Merges what comes after `after`; how far that went, and whether it was all. */
  async #foldFrom(
    source: NodeId,
    tree: GainedTree,
    after: ObjectKey | undefined,
  ): Promise<{ readonly isWhole: boolean; readonly after: ObjectKey | undefined }> {
    const { partition, nVal } = tree;
    const { kind, log, options, progress } = this.#means;
    const note = progress.begin(kind, tree, [source]);
    let reached = after;
    try {
      const request = { verb: 'records', partition, nVal, after } as const;
      for await (const item of this.#ports.peer.stream(source, request, options.idleTimeoutMs)) {
        if (item.kind !== 'records') throw new Fault('peer-refused', 'a peer sent no records');
        if (!(await this.#mergeAll(tree, item.records))) return { isWhole: false, after: reached };
        const last = item.records.at(-1);
        if (last === undefined) continue;
        reached = last.key;
        await log.save(tree, { kind: 'under-way', after: reached });
        note.add(item.records.length, sizeOf(item.records));
      }
      await log.save(tree, { kind: 'folded' });
      return { isWhole: true, after: reached };
    } catch (error) {
      this.#noteFailure(error, tree, source);
      return { isWhole: false, after: reached };
    } finally {
      note.end();
    }
  }

  /**
   * Durable when it resolves; false: the fill is over. Paid for afterwards: by the end of a long wait what
   * came may have been deleted, and the deletion forgotten.
   */
  async #mergeAll(tree: GainedTree, records: Records): Promise<boolean> {
    const { host } = this.#ports;
    if (!this.#goesOn()) return false;
    await Promise.all(records.map(({ key, record }) => this.#merge(tree, key, record)));
    host.metrics.count('transfer_objects', records.length);
    host.metrics.count('transfer_bytes', sizeOf(records));
    return this.#means.rateLimit.take(sizeOf(records), this.#halt);
  }

  async #merge({ partition }: GainedTree, key: ObjectKey, record: Buffer): Promise<void> {
    const { host, replica, view } = this.#ports;
    const placement = view.place(key);
    if (placement?.partition !== partition) return;
    for (let tries = 1; ; tries += 1) {
      try {
        await replica.merge(key, placement, record, undefined);
        return;
      } catch (error) {
        if (!isFault(error)) throw error;
        if (isAboutObject(error)) {
          host.metrics.count('transfer_refused');
          return;
        }
        if (error.code !== 'overload' || tries >= OVERLOAD_TRIES) throw error;
        await this.#halt.wait(host.clock, OVERLOAD_PAUSE_MS);
      }
    }
  }

  async #exchange(tree: GainedTree): Promise<boolean> {
    const { kind, exchanges, progress } = this.#means;
    const { partition, nVal, sources } = tree;
    const note = progress.begin(kind, tree, sources);
    let doneCount = 0;
    for (const peer of sources) {
      if (!this.#goesOn() || !this.#isUp(peer)) continue;
      try {
        const { pulled } = await exchanges.run({ partition, nVal, peer }, this.#halt);
        note.add(pulled, 0);
        doneCount += 1;
      } catch (error) {
        this.#noteFailure(error, tree, peer);
      }
    }
    note.end();
    const awaitedCount = this.#awaited(sources).length;
    const neededCount = awaitedCount === 0 ? 0 : Math.floor(awaitedCount / 2) + 1;
    if (doneCount < neededCount || !this.#goesOn()) return false;
    progress.treeDone(kind);
    return true;
  }

  #isUp(node: NodeId): boolean {
    return this.#ports.view.isUp(node);
  }

  /** Those that are not given up: an operator has marked the others as down, or removed them. */
  #awaited(sources: readonly NodeId[]): NodeId[] {
    const { members } = this.#ports.view.state();
    return sources.filter((node) => {
      const status = members.find(({ id }) => id === node)?.status;
      return status !== undefined && status !== 'down' && status !== 'invalid';
    });
  }

  #noteNoSource({ partition, nVal, sources }: GainedTree): void {
    if (sources.length === 0) return;
    const { log, metrics } = this.#ports.host;
    metrics.count('transfer_sources_gone');
    log.error('repair.transfer.no-source', { partition, nVal, sources });
  }

  #noteFailure(error: unknown, { partition }: GainedTree, peer: NodeId): void {
    if (!isFault(error)) throw error;
    const { kind, progress } = this.#means;
    const { log, metrics } = this.#ports.host;
    metrics.count('transfer_broken_off');
    log.info('repair.transfer.broken-off', { kind, partition, peer, code: error.code });
    progress.failed({ kind, partition, peer, code: error.code });
  }
}

function sizeOf(records: Records): number {
  return records.reduce((sum, { record }) => sum + record.length, 0);
}
