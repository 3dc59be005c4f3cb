/**
 * Standing: what the cluster takes this node for, by the newest state.
 *
 * A node that was removed serves nobody. One that the others hold for down, or at another address than it
 * is configured with, tells them until the state says what is so: a node is never marked as up, or as
 * moved, by anybody else.
 */

import { sleep, type Host } from '../base/host.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { findMember, present, type Newcomer } from '../membership/staging.ts';

export interface StandingPorts {
  readonly state: () => ClusterState;
  readonly isServing: () => boolean;
  /** Has it agreed that this node is up, and where it is configured to be. */
  readonly present: (self: Newcomer) => Promise<unknown>;
}

export class Standing {
  readonly #host: Host;
  readonly #self: Newcomer;
  readonly #ports: StandingPorts;
  readonly #retryMs: number;
  #removal: string | undefined;
  #isPresenting = false;

  /** `self`: as this node is configured; `retryMs`: from one try to be taken for that to the next. */
  constructor(
    host: Host,
    ports: StandingPorts,
    options: { readonly self: Newcomer; readonly retryMs: number },
  ) {
    this.#host = host;
    this.#ports = ports;
    this.#self = options.self;
    this.#retryMs = options.retryMs;
  }

  /** Why the cluster does not count on this node any more; undefined while it does. */
  get removal(): string | undefined {
    return this.#removal;
  }

  note(state: ClusterState): void {
    const { id } = this.#self;
    const status = findMember(state, id)?.status;
    const isRemoved = status === undefined || status === 'invalid';
    if (isRemoved && this.#removal === undefined) {
      this.#host.log.warn('node.removed', { epoch: state.epoch });
    }
    this.#removal = isRemoved
      ? `this node was removed from cluster ${state.clusterName} (epoch ${state.epoch})`
      : undefined;
    if (this.#ports.isServing()) void this.#present();
  }

  async #present(): Promise<void> {
    const { state, isServing } = this.#ports;
    if (this.#isPresenting) return;
    this.#isPresenting = true;
    while (isServing() && present(state(), this.#self).kind === 'changed') {
      await this.#ports.present(this.#self);
      await sleep(this.#host.clock, this.#retryMs);
    }
    this.#isPresenting = false;
  }
}
