/**
 * The faults: crashes, cuts, pauses and bad disks, composed at random.
 *
 * One fault at a time begins, lasts a while and ends, and several may overlap; at the end all of
 * them have ended, because the promises are about what follows. Data is taken away from one node
 * only, the victim: two copies on stable storage promise to survive one lost disk, not two.
 */

import type { SimulatedCluster, SimulatedNode } from './cluster.ts';
import type { SeededRandom } from './world.ts';

export interface FaultOptions {
  /** Mean time between two beginnings. */
  readonly intervalMs: number;
  readonly lastingMaxMs: number;
  readonly kinds: readonly FaultKind[];
  /**
   * Whether a disk is lost only while all others are sure of what they promised: with two that are not,
   * a small cluster agrees on nothing any more.
   */
  readonly keepsVotes: boolean;
}

export type FaultKind =
  | 'crash'
  | 'power-cut'
  | 'clean-restart'
  | 'partition'
  | 'one-way-cut'
  | 'isolate'
  | 'pause'
  | 'loss'
  | 'duplicates'
  | 'corrupt-record'
  | 'failed-sync'
  | 'slow-disk'
  | 'bridge'
  | 'slow-network'
  | 'clock-jump'
  | 'empty-disk'
  | 'old-image'
  | 'secret-image'
  | 'disk-full';

/** How far a wall clock jumps: a second, a minute, a day, ten years; and back. */
const JUMPS_MS = [1_000, 60_000, 86_400_000, 315_576_000_000].flatMap((ms) => [ms, -ms]);
const SLOW_LATENCY_MAX_MS = 300;
/** Of each step of a disk that is about to fail, or that somebody else uses. */
const SLOW_DISK_MAX_MS = 400;
/** An image is restored later than other faults end, so that processes come and go meanwhile. */
const IMAGE_AGE_FACTOR = 5;

export class Faults {
  readonly #cluster: SimulatedCluster;
  readonly #options: FaultOptions;
  readonly #random: SeededRandom;
  /** The one that may lose data. */
  readonly victim: SimulatedNode;
  readonly #latencyMaxMs: number;
  #isOver = false;
  readonly counts = new Map<FaultKind, number>();

  constructor(cluster: SimulatedCluster, options: FaultOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = cluster.world.random.fork();
    this.victim = this.#random.pick(cluster.nodes);
    this.#latencyMaxMs = cluster.network.options.latencyMaxMs;
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
    this.#cluster.network.options.latencyMaxMs = this.#latencyMaxMs;
    // Members may leave meanwhile.
    for (const node of this.#cluster.nodes.slice()) {
      if (!this.#cluster.nodes.includes(node)) continue;
      node.resume();
      node.disk.failNextWrite = undefined;
      node.disk.isFull = false;
      node.disk.slowedByMs = 0;
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
    const node = this.#random.pick(this.#cluster.nodes);
    switch (kind) {
      case 'crash':
        if (!node.isUp) return;
        node.crash();
        this.#later(() => void node.start());
        return;
      case 'power-cut':
        // They come back one after the other, in any order.
        for (const each of this.#cluster.nodes) {
          each.crash();
          this.#later(() => void each.start());
        }
        return;
      case 'clean-restart':
        if (node.isUp) void node.stop().then(() => node.start());
        return;
      case 'pause':
        node.pause();
        this.#later(() => {
          node.resume();
        });
        return;
      case 'clock-jump':
        node.clock.wallOffsetMs += this.#random.pick(JUMPS_MS);
        return;
      case 'partition':
      case 'one-way-cut':
      case 'isolate':
      case 'bridge':
        this.#cut(kind, node);
        return;
      case 'loss':
      case 'duplicates':
      case 'slow-network':
        this.#degrade(kind);
        return;
      case 'failed-sync':
      case 'corrupt-record':
      case 'empty-disk':
      case 'old-image':
        this.#spoil(kind, node);
        return;
      case 'secret-image':
        void this.#imageInSecret();
        return;
      case 'slow-disk':
        node.disk.slowedByMs = SLOW_DISK_MAX_MS;
        this.#later(() => {
          node.disk.slowedByMs = 0;
        });
        return;
      case 'disk-full':
        node.disk.isFull = true;
        this.#later(() => {
          node.disk.isFull = false;
        });
    }
  }

  /** Unless all faults have ended by then. */
  #later(end: () => void, lastingMaxMs = this.#options.lastingMaxMs): void {
    this.#cluster.world.after(this.#random.integer(lastingMaxMs), () => {
      if (!this.#isOver) end();
    });
  }

  #cut(kind: 'partition' | 'one-way-cut' | 'isolate' | 'bridge', node: SimulatedNode): void {
    const { nodes, network } = this.#cluster;
    if (kind === 'one-way-cut') network.cut(node.id, this.#random.pick(nodes).id);
    else {
      const side = new Set(
        kind === 'isolate' ? [node] : nodes.filter(() => this.#random.chance(0.5)),
      );
      // A bridge still reaches both sides, which do not reach each other.
      const bridge = kind === 'bridge' ? node : undefined;
      for (const left of nodes) {
        for (const right of nodes) {
          if (left === bridge || right === bridge) continue;
          if (side.has(left) !== side.has(right)) network.cut(left.id, right.id);
        }
      }
    }
    this.#later(() => {
      network.heal();
    });
  }

  #degrade(kind: 'loss' | 'duplicates' | 'slow-network'): void {
    const { options } = this.#cluster.network;
    if (kind === 'loss') options.dropRate = 0.2;
    else if (kind === 'duplicates') options.duplicateRate = 0.3;
    else options.latencyMaxMs = SLOW_LATENCY_MAX_MS;
    this.#later(() => {
      if (kind === 'loss') options.dropRate = 0;
      else if (kind === 'duplicates') options.duplicateRate = 0;
      else options.latencyMaxMs = this.#latencyMaxMs;
    });
  }

  #spoil(
    kind: 'failed-sync' | 'corrupt-record' | 'empty-disk' | 'old-image',
    node: SimulatedNode,
  ): void {
    const { victim } = this;
    switch (kind) {
      case 'failed-sync':
        node.disk.failNextWrite = 'the disk reported an error';
        // An operator restarts the node; its store comes back with a new actor epoch.
        this.#later(() => {
          if (!node.isFenced()) return;
          node.crash();
          void node.start();
        });
        return;
      case 'corrupt-record':
        victim.corruptRecord();
        return;
      case 'empty-disk':
        if (this.#mayForget() && this.#hasCompanion()) void victim.restartWith(undefined);
        return;
      case 'old-image': {
        const image = victim.disk.copy();
        const ageMaxMs = IMAGE_AGE_FACTOR * this.#options.lastingMaxMs;
        this.#later(() => {
          if (this.#mayForget()) void victim.restartWith(image);
        }, ageMaxMs);
      }
    }
  }

  #mayForget(): boolean {
    if (!this.#options.keepsVotes) return true;
    return this.#cluster.nodes.every((node) => node === this.victim || node.hasVoted);
  }

  /** A node with an empty disk knows those of its configuration; if they have left, it has to be told to join. */
  #hasCompanion(): boolean {
    const { initialState, nodes } = this.#cluster;
    const founders = new Set<string>(initialState.members.map(({ id }) => id));
    return nodes.some((node) => node !== this.victim && founders.has(node.id));
  }

  /**
   * An image of the victim, taken as it runs or stands still, is put back and nobody is told. It has begun
   * again in between, in half of the cases exactly once.
   */
  async #imageInSecret(): Promise<void> {
    const { victim } = this;
    if (this.#random.chance(0.5)) await victim.stop();
    const image = victim.disk.copy();
    victim.crash();
    await victim.start();
    this.#later(() => {
      if (this.#random.chance(0.5)) victim.crash();
      void victim.start().then(() => {
        if (this.#mayForget()) void victim.restartInSecretWith(image);
      });
    });
  }
}
