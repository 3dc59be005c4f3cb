/**
 * The faults: crashes, cuts, pauses and bad disks, composed at random.
 *
 * One fault at a time begins, lasts a while and ends, and several may overlap; at the end all of
 * them have ended, because the promises are about what follows.
 */

import type { SimulatedCluster } from './cluster.ts';
import type { SeededRandom } from './world.ts';

export interface FaultOptions {
  /** Mean time between two beginnings. */
  readonly intervalMs: number;
  readonly lastingMaxMs: number;
  readonly kinds: readonly FaultKind[];
}

export type FaultKind =
  | 'crash'
  | 'clean-restart'
  | 'partition'
  | 'one-way-cut'
  | 'isolate'
  | 'pause'
  | 'loss'
  | 'duplicates'
  | 'corrupt-record'
  | 'failed-sync';

export class Faults {
  readonly #cluster: SimulatedCluster;
  readonly #options: FaultOptions;
  readonly #random: SeededRandom;
  #isOver = false;
  readonly counts = new Map<FaultKind, number>();

  constructor(cluster: SimulatedCluster, options: FaultOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = cluster.world.random.fork();
  }

  start(): void {
    this.#next();
  }

  /** No fault begins any more, and those that last have ended. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#cluster.network.heal();
    this.#cluster.network.options.dropRate = 0;
    this.#cluster.network.options.duplicateRate = 0;
    for (const node of this.#cluster.nodes) {
      node.clock.resume();
      node.disk.failNextWrite = undefined;
      if (node.isFenced()) node.crash();
      if (!node.isUp) await node.start();
    }
  }

  #next(): void {
    const delayMs = this.#random.integer(2 * this.#options.intervalMs);
    this.#cluster.world.after(delayMs, () => {
      if (this.#isOver) return;
      const kind = this.#random.pick(this.#options.kinds);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.#begin(kind);
      this.#next();
    });
  }

  #begin(kind: FaultKind): void {
    const { nodes, network, world } = this.#cluster;
    const node = this.#random.pick(nodes);
    const lastingMs = this.#random.integer(this.#options.lastingMaxMs);
    const later = (end: () => void): void => {
      world.after(lastingMs, () => {
        if (!this.#isOver) end();
      });
    };
    switch (kind) {
      case 'crash':
        if (!node.isUp) return;
        node.crash();
        later(() => void node.start());
        return;
      case 'clean-restart':
        if (!node.isUp) return;
        void node.stop().then(() => node.start());
        return;
      case 'partition': {
        const side = new Set(nodes.filter(() => this.#random.chance(0.5)));
        for (const left of nodes) {
          for (const right of nodes) {
            if (side.has(left) !== side.has(right)) network.cut(left.id, right.id);
          }
        }
        later(() => {
          network.heal();
        });
        return;
      }
      case 'one-way-cut':
        network.cut(node.id, this.#random.pick(nodes).id);
        later(() => {
          network.heal();
        });
        return;
      case 'isolate':
        for (const other of nodes) {
          network.cut(node.id, other.id);
          network.cut(other.id, node.id);
        }
        later(() => {
          network.heal();
        });
        return;
      case 'pause':
        node.clock.pause();
        later(() => {
          node.clock.resume();
        });
        return;
      case 'loss':
        network.options.dropRate = 0.2;
        later(() => {
          network.options.dropRate = 0;
        });
        return;
      case 'duplicates':
        network.options.duplicateRate = 0.3;
        later(() => {
          network.options.duplicateRate = 0;
        });
        return;
      case 'corrupt-record':
        void node.corruptRecord();
        return;
      case 'failed-sync':
        node.disk.failNextWrite = 'the disk reported an error';
        // An operator restarts the node; its store comes back with a new actor epoch.
        later(() => {
          if (!node.isFenced()) return;
          node.crash();
          void node.start();
        });
    }
  }
}
