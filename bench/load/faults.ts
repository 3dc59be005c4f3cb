/**
 * Faults during a run: a node killed and started again, a node paused, or a command of the operator.
 *
 * Only nodes that this run has started are ever killed or paused; for others there is `command`.
 */

import { spawn } from 'node:child_process';
import { Fault } from '../../src/base/fault.ts';
import type { DevCluster } from '../../src/cli/dev-cluster.ts';
import type { FaultEvent } from '../workload/workload.ts';

export type OnMark = (label: string) => void;

/** Rejects where the events need nodes of this run and there are none. */
export function requireFaultsPossible(
  events: readonly FaultEvent[],
  cluster: DevCluster | undefined,
): void {
  for (const { action, node, command } of events) {
    if (action === 'command' && command === undefined) {
      throw new Fault('config', 'a fault of kind command needs its command');
    }
    if (action === 'command') continue;
    if (cluster === undefined) {
      throw new Fault('config', `${action} needs nodes that the run has started (--start)`);
    }
    if (cluster.nodes[node - 1] === undefined) {
      throw new Fault('config', `there is no node ${node} to ${action}`);
    }
  }
}

export class FaultTimeline {
  readonly #cluster: DevCluster | undefined;
  readonly #onMark: OnMark;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Ways back that are still owed. */
  readonly #repairs = new Set<() => Promise<void>>();

  constructor(cluster: DevCluster | undefined, onMark: OnMark) {
    this.#cluster = cluster;
    this.#onMark = onMark;
  }

  begin(events: readonly FaultEvent[]): void {
    for (const event of events) {
      this.#timers.push(setTimeout(() => this.#strike(event), event.atMs));
    }
  }

  /** Undoes what is not undone yet. */
  async end(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    await Promise.all([...this.#repairs].map((repair) => repair()));
  }

  #strike(event: FaultEvent): void {
    if (event.action === 'command') {
      this.#onMark(event.command ?? '');
      spawn(event.command ?? '', { shell: true, stdio: 'ignore' }).on('error', () => {
        this.#onMark('the command could not be run');
      });
      return;
    }
    const node = this.#cluster?.nodes[event.node - 1];
    if (this.#cluster === undefined || node === undefined) return;
    const child = this.#cluster.mustChild(node.name);
    this.#onMark(`${event.action} ${node.name}`);
    child.kill(event.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    const repair = async (): Promise<void> => {
      if (!this.#repairs.delete(repair)) return;
      if (event.action === 'pause') child.kill('SIGCONT');
      else await this.#cluster?.launch(node).ready();
      this.#onMark(`${node.name} is back`);
    };
    this.#repairs.add(repair);
    const onFailure = (): void => this.#onMark(`${node.name} did not come back`);
    this.#timers.push(setTimeout(() => void repair().catch(onFailure), event.forMs));
  }
}
