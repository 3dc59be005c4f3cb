/**
 * The part of this node in a step of the ring: fill what it gains, say so, and see the step closed.
 *
 * A fill begins when every live member sends its writes to both rings, so that nothing is written
 * behind its back. A step is closed when every live member reads in the new ring. Any node may propose
 * that; they do so one after the other, in the order of their names, until one of them succeeds.
 */

import { replicaCountsInUse } from '../membership/effective-properties.ts';
import type { RingStep } from '../membership/cluster-state.ts';
import { closeStep, reportFilled } from '../membership/ring-steps.ts';
import { awaitedMembers } from '../membership/staging.ts';
import { Background } from './background.ts';
import { Fill, type FillMeans } from './fill.ts';
import { FillLog } from './fill-log.ts';
import type { Halt } from './halt.ts';
import type { TransferPorts } from './ports.ts';
import { gainedTrees } from './replica-sets.ts';

export interface StepTransferOptions {
  /** Between two looks at what is to be done. */
  readonly stepRestMs: number;
  /** How long each node leaves the closing to the one before it. */
  readonly closeTurnMs: number;
}

interface StepMeans extends Omit<FillMeans, 'kind' | 'log' | 'isWanted' | 'isHereMostly'> {
  /** Called when a step has closed. */
  readonly closed: () => void;
}

export class StepTransfer {
  readonly #ports: TransferPorts;
  readonly #options: StepTransferOptions;
  readonly #means: StepMeans;
  readonly #background: Background;
  /** Since when a step could be closed. */
  #closableSinceMs: number | undefined;
  #isOpen = false;

  constructor(ports: TransferPorts, options: StepTransferOptions, means: StepMeans) {
    this.#ports = ports;
    this.#options = options;
    this.#means = means;
    const background = { name: 'step_transfer', restMs: options.stepRestMs };
    this.#background = new Background(ports.host, background, (halt) => this.round(halt));
  }

  start(): void {
    this.#background.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Does what there is to do now. */
  async round(halt: Halt): Promise<void> {
    const { self, view } = this.#ports;
    const { step } = view.state();
    if (step?.phase !== 'turning') this.#closableSinceMs = undefined;
    if (this.#isOpen && step === undefined) this.#means.closed();
    this.#isOpen = step !== undefined;
    this.#watch(step);
    if (step?.phase === 'turning') await this.#close(step);
    else if (step?.unfilled.includes(self) === true) await this.#fill(step, halt);
  }

  /** What other nodes are to do yet, they watch themselves. */
  #watch(step: RingStep | undefined): void {
    const { self, view } = this.#ports;
    const { standstills } = this.#means.progress;
    if (step === undefined || (step.phase === 'filling' && !step.unfilled.includes(self))) {
      standstills.end('step');
    } else {
      standstills.begin('step', `${step.since} ${step.phase}`, awaitedMembers(view.state()));
    }
  }

  async #fill(step: RingStep, halt: Halt): Promise<void> {
    const { host, propose, self, store, view } = this.#ports;
    const { since } = step;
    const [from, to] = [view.ring(), view.jointRing()];
    if (to === undefined || !view.hasSpread(since)) return;
    const trees = gainedTrees({ from, to }, self, replicaCountsInUse(view.state()));
    const isWanted = (): boolean => {
      const { step: now } = view.state();
      return now?.since === since && now.phase === 'filling';
    };
    const log = new FillLog(store, since);
    const means = { ...this.#means, kind: 'fill', log, isWanted, isHereMostly: false } as const;
    if (!(await new Fill(this.#ports, means, halt).run(trees))) return;
    host.log.info('repair.transfer.filled', { since, trees: trees.length });
    await propose((state) => reportFilled(state, { node: self, since }));
  }

  async #close({ since }: RingStep): Promise<void> {
    const { host, propose, self, view } = this.#ports;
    const { epoch, members } = view.state();
    if (!view.hasSpread(epoch)) {
      this.#closableSinceMs = undefined;
      return;
    }
    const nowMs = host.clock.monotonicMs();
    this.#closableSinceMs ??= nowMs;
    const rank = members.filter(({ id }) => id < self && view.isUp(id)).length;
    if (nowMs - this.#closableSinceMs < rank * this.#options.closeTurnMs) return;
    await propose((state) => closeStep(state, { since }));
  }
}
