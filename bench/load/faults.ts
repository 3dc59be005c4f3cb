/**
 * Faults during a run: a node killed and started again, paused, or made to leave; or a command of the
 * operator.
 *
 * Only nodes that this run has started are touched; for others there is `command`. The links between two sites are
 * cut for both runs by the one whose fault it is.
 */

import { spawn } from 'node:child_process';
import { Fault } from '../../src/base/fault.ts';
import { leave } from './departure.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';
import type { FaultEvent } from '../workload/workload.ts';

/** Between the sites of a run of two. */
export interface Links {
  cut(): void;
  mend(): void;
}

export type OnMark = (label: string) => void;

/** Rejects where the events need nodes of this run and there are none. */
export function requireFaultsPossible(
  events: readonly FaultEvent[],
  {
    cluster,
    links,
  }: { readonly cluster: DevCluster | undefined; readonly links?: Links | undefined },
): void {
  for (const { action, node, command } of events) {
    if (action === 'command' && command === undefined) {
      throw new Fault('config', 'a fault of kind command needs its command');
    }
    if (action === 'cut' && links === undefined) {
      throw new Fault('config', 'cut needs two sites (node build/bench/two-sites.js)');
    }
    if (action === 'command' || action === 'cut') continue;
    if (cluster === undefined) {
      throw new Fault('config', `${action} needs nodes that the run has started (--start)`);
    }
    if (cluster.nodes[node - 1] === undefined) {
      const count = cluster.nodes.length;
      throw new Fault(
        'config',
        `${action} of node ${node} needs --start ${node} or more, not ${count}`,
      );
    }
  }
}

export class FaultTimeline {
  readonly #cluster: DevCluster | undefined;
  readonly #links: Links | undefined;
  readonly #onMark: OnMark;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Ways back that are still owed. */
  readonly #repairs = new Set<() => Promise<void>>();
  readonly #closing = new AbortController();
  readonly #departures: Promise<void>[] = [];
  readonly #leaving = new Set<string>();

  constructor(cluster: DevCluster | undefined, onMark: OnMark, links?: Links) {
    this.#cluster = cluster;
    this.#onMark = onMark;
    this.#links = links;
  }

  begin(events: readonly FaultEvent[]): void {
    for (const event of events) {
      this.#timers.push(setTimeout(() => this.#strike(event), event.atMs));
    }
  }

  /** Undoes what is not undone yet; a node that leaves goes on with it. */
  async end(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    await Promise.all([...this.#repairs].map((repair) => repair()));
  }

  /** Marks what the run does not see the end of. */
  markUnfinished(): void {
    for (const name of this.#leaving) this.#onMark(`${name} is still handing over`);
  }

  /** Nothing is marked any more. */
  async close(): Promise<void> {
    await this.end();
    this.#closing.abort();
    await Promise.all(this.#departures);
  }

  #strike(event: FaultEvent): void {
    if (event.action === 'command') {
      this.#command(event.command ?? '');
      return;
    }
    if (event.action === 'cut') {
      this.#cut(event.forMs);
      return;
    }
    const node = this.#cluster?.nodes[event.node - 1];
    if (this.#cluster === undefined || node === undefined) return;
    if (event.action === 'leave') {
      this.#depart(this.#cluster, node);
      return;
    }
    const child = this.#cluster.mustChild(node.name);
    this.#onMark(`${event.action} ${node.name}`);
    child.kill(event.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    const repair = async (): Promise<void> => {
      if (!this.#repairs.delete(repair)) return;
      try {
        if (event.action === 'pause') child.kill('SIGCONT');
        else await this.#cluster?.launch(node).ready();
        this.#onMark(`${node.name} is back`);
      } catch {
        // What was measured is worth its report all the more.
        this.#onMark(`${node.name} did not come back`);
      }
    };
    this.#repairs.add(repair);
    this.#timers.push(setTimeout(() => void repair(), event.forMs));
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

  #cut(forMs: number): void {
    this.#onMark('the links between the sites are cut');
    this.#links?.cut();
    const repair = async (): Promise<void> => {
      if (!this.#repairs.delete(repair)) return;
      this.#links?.mend();
      this.#onMark('the links between the sites are back');
    };
    this.#repairs.add(repair);
    this.#timers.push(setTimeout(() => void repair(), forMs));
  }

  #depart(cluster: DevCluster, node: DevNode): void {
    const { signal } = this.#closing;
    this.#leaving.add(node.name);
    const departure = leave({ cluster, node, signal }, this.#onMark)
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#onMark(`${node.name} does not leave: ${why}`);
      })
      .finally(() => this.#leaving.delete(node.name));
    this.#departures.push(departure);
  }
}
