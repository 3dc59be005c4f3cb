/**
 * Faults during a run: a node killed and started again, paused, cut off from the others, with a full or a slow
 * disk, made to leave, or joined; or a command of the operator.
 *
 * Only nodes that this run has started are touched; for others there is `command`. The links between two sites are
 * cut for both runs by the one whose fault it is.
 */

import { spawn } from 'node:child_process';
import { Fault } from '../../src/base/fault.ts';
import { leave } from './departure.ts';
import { callAfter } from './long-timer.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';
import type { LongTimer } from './long-timer.ts';
import type { FaultEvent } from '../workload/workload.ts';

/** Between the sites of a run of two. */
export interface Links {
  cut(): void;
  mend(): void;
}

export type OnMark = (label: string) => void;

/** What can be done to nodes that were started for it, beside signals; nodes by their number, from 1. */
export interface FaultMeans {
  /** Its name, when it is to join. */
  newcomer(node: number): string;
  /** Starts it, and has it taken in; resolves when it has what it shall own, or the signal has come. */
  join(node: number, signal: AbortSignal, onMark: OnMark): Promise<void>;
  /** Whether the node is kept from the others; those that are at one time reach each other. */
  setApart(node: number, isApart: boolean): void;
  setFull(node: number, isFull: boolean): void;
  /** Undefined: as fast as the disk is. */
  setDiskRate(node: number, bytesPerSecond: number | undefined): void;
}

export interface FaultPlace {
  readonly cluster: DevCluster | undefined;
  readonly links?: Links | undefined;
  /** Of what the events of this run need. */
  readonly means?: FaultMeans | undefined;
}

/** What signals and other members can do; for the rest a cluster must have been made. */
const NEEDS_MEANS: ReadonlySet<FaultEvent['action']> = new Set([
  'join',
  'partition',
  'full_disk',
  'slow_disk',
]);

/** Rejects where the events need nodes of this run and there are none. */
export function requireFaultsPossible(
  events: readonly FaultEvent[],
  { cluster, links, means }: FaultPlace,
): void {
  for (const event of events) {
    const { action, command } = event;
    if (action === 'command' && command === undefined) {
      throw new Fault('config', 'a fault of kind command needs its command');
    }
    if (action === 'cut' && links === undefined) {
      throw new Fault('config', 'cut needs two sites (node build/bench/two-sites.js)');
    }
    if (action === 'command' || action === 'cut') continue;
    if (cluster === undefined || (NEEDS_MEANS.has(action) && means === undefined)) {
      throw new Fault('config', `${action} needs nodes that the run has started (--start)`);
    }
    requireNode(event, cluster.nodes.length);
  }
}

/** Throws where the event is of a node that is not there, or would join and is. */
export function requireNode({ action, node }: FaultEvent, count: number): void {
  if (action === 'join' && node <= count) {
    const text = `join of node ${node}: it is there from the start; the first that can join is ${count + 1}`;
    throw new Fault('config', text);
  }
  if (action !== 'join' && node > count) {
    const text = `${action} of node ${node} needs --start ${node} or more, not ${count}`;
    throw new Fault('config', text);
  }
}

/** A fault that is over after its time, or at the end of its phase. */
interface Spell {
  readonly began: string;
  readonly over: string;
  readonly notOver: string;
  begin(): void;
  end(): void | Promise<void>;
}

export class FaultTimeline {
  readonly #place: FaultPlace;
  readonly #onMark: OnMark;
  readonly #timers: LongTimer[] = [];
  /** Ways back that are still owed. */
  readonly #repairs = new Set<() => Promise<void>>();
  readonly #closing = new AbortController();
  readonly #moves: Promise<void>[] = [];
  /** What the nodes do that are about to leave or to join. */
  readonly #moving = new Map<string, string>();

  constructor(place: FaultPlace, onMark: OnMark) {
    this.#place = place;
    this.#onMark = onMark;
  }

  begin(events: readonly FaultEvent[]): void {
    for (const event of events) {
      this.#timers.push(callAfter(event.atMs, () => this.#strike(event)));
    }
  }

  /** Undoes what is not undone yet; a node that leaves or joins goes on with it. */
  async end(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    await Promise.all([...this.#repairs].map((repair) => repair()));
  }

  /** Marks what the run does not see the end of. */
  markUnfinished(): void {
    for (const [name, what] of this.#moving) this.#onMark(`${name} is still ${what}`);
  }

  /** Nothing is marked any more. */
  async close(): Promise<void> {
    await this.end();
    this.#closing.abort();
    await Promise.all(this.#moves);
  }

  #strike(event: FaultEvent): void {
    const { cluster, means } = this.#place;
    const node = cluster?.nodes[event.node - 1];
    if (event.action === 'command') this.#command(event.command ?? '');
    else if (event.action === 'join') this.#join(event.node, means);
    else if (event.action === 'cut') this.#spell(this.#cut(), event.forMs);
    else if (cluster === undefined || node === undefined) return;
    else if (event.action === 'leave') this.#leave(cluster, node);
    else if (event.action === 'kill' || event.action === 'pause') {
      this.#spell(ofProcess(event.action, cluster, node), event.forMs);
    } else if (means !== undefined) this.#spell(ofMeans(event, node, means), event.forMs);
  }

  /** One that fails has done nothing, or something else: the plots must not call it a fault. */
  #command(command: string): void {
    this.#onMark(command);
    const child = spawn(command, { shell: true, stdio: 'ignore' });
    child.on('error', () => this.#onMark(`${command}: it could not be run`));
    child.on('exit', (code, signal) => {
      if (code === 0 || this.#closing.signal.aborted) return;
      this.#onMark(`${command}: it ended with ${signal ?? `code ${code}`}`);
    });
  }

  #spell({ began, over, notOver, begin, end }: Spell, forMs: number): void {
    this.#onMark(began);
    try {
      begin();
    } catch (error) {
      this.#onMark(`${began}: it could not be done: ${reasonOf(error)}`);
      return;
    }
    const repair = async (): Promise<void> => {
      if (!this.#repairs.delete(repair)) return;
      try {
        await end();
        this.#onMark(over);
      } catch {
        // What was measured is worth its report all the more.
        this.#onMark(notOver);
      }
    };
    this.#repairs.add(repair);
    this.#timers.push(callAfter(forMs, () => void repair()));
  }

  #cut(): Spell {
    const { links } = this.#place;
    return {
      began: 'the links between the sites are cut',
      over: 'the links between the sites are back',
      notOver: 'the links between the sites did not come back',
      begin: () => links?.cut(),
      end: () => links?.mend(),
    };
  }

  #leave(cluster: DevCluster, node: DevNode): void {
    const { signal } = this.#closing;
    const departure = leave({ cluster, node, signal }, this.#onMark);
    this.#move(node.name, { work: departure, what: 'handing over', refused: 'does not leave' });
  }

  #join(node: number, means: FaultMeans | undefined): void {
    if (means === undefined) return;
    const name = means.newcomer(node);
    this.#onMark(`join ${name}`);
    const arrival = means.join(node, this.#closing.signal, this.#onMark);
    this.#move(name, { work: arrival, what: 'taking over', refused: 'does not join' });
  }

  #move(
    name: string,
    { work, what, refused }: { work: Promise<void>; what: string; refused: string },
  ): void {
    this.#moving.set(name, what);
    const move = work
      .catch((error: unknown) => this.#onMark(`${name} ${refused}: ${reasonOf(error)}`))
      .finally(() => this.#moving.delete(name));
    this.#moves.push(move);
  }
}

function ofProcess(action: 'kill' | 'pause', cluster: DevCluster, node: DevNode): Spell {
  const child = cluster.mustChild(node.name);
  return {
    began: `${action} ${node.name}`,
    over: `${node.name} is back`,
    notOver: `${node.name} did not come back`,
    begin: () => child.kill(action === 'kill' ? 'SIGKILL' : 'SIGSTOP'),
    end: async () => {
      if (action === 'pause') child.kill('SIGCONT');
      else await cluster.launch(node).ready();
    },
  };
}

function ofMeans(
  { action, node, diskRate }: FaultEvent,
  { name }: DevNode,
  means: FaultMeans,
): Spell {
  if (action === 'partition') {
    return {
      began: `${name} is cut off from the others`,
      over: `${name} reaches the others again`,
      notOver: `${name} stays cut off from the others`,
      begin: () => means.setApart(node, true),
      end: () => means.setApart(node, false),
    };
  }
  if (action === 'full_disk') {
    return {
      began: `the disk of ${name} is full`,
      over: `the disk of ${name} has room again`,
      notOver: `the disk of ${name} stays full`,
      begin: () => means.setFull(node, true),
      end: () => means.setFull(node, false),
    };
  }
  return {
    began: `the disk of ${name} takes ${(diskRate ?? 0) / 1_024} KiB/s`,
    over: `the disk of ${name} is as fast as before`,
    notOver: `the disk of ${name} stays slow`,
    begin: () => means.setDiskRate(node, diskRate),
    end: () => means.setDiskRate(node, undefined),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
