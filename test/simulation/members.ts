/**
 * Members that come and go: an operator who has nodes join, leave and replace each other, and takes one
 * out by force, one after the other, whatever else happens meanwhile.
 *
 * A command that fails, or whose node dies with it, is given again, as an operator would. A node that
 * has left is switched off, and its disk is not looked at any more: what it had must be with others.
 * Who is taken out by force is the one that may lose data anyway, and half of the time its machine is
 * gone before: what a quorum has acknowledged lives on in the copies of others.
 */

import type { NodeId } from '../../src/base/names.ts';
import {
  findMember,
  stageForceRemove,
  stageLeave,
  stageReplace,
} from '../../src/membership/staging.ts';
import type { ClusterChangeOutcome } from '../../src/node/cluster-changes.ts';
import type { VertebraNode } from '../../src/node/node.ts';
import type { SimulatedCluster, SimulatedNode } from './cluster.ts';
import type { SeededRandom } from './world.ts';

const MEMBERS_MIN = 3;
const MEMBERS_MAX = 7;
/** Agreement and its spreading end by themselves before that, unless the node died. */
const PATIENCE_MS = 40_000;
const RETRY_MS = 1_000;
/** Looks at whether a member has gone until its going is staged again. */
const REMEDY_TRIES = 40;

export interface MembersOptions {
  /** The mean pause between two changes. */
  readonly intervalMs: number;
  /** Who may be taken out by force. */
  readonly victim: SimulatedNode;
}

export class Members {
  joinedCount = 0;
  leftCount = 0;
  forcedCount = 0;
  readonly #cluster: SimulatedCluster;
  readonly #options: MembersOptions;
  readonly #random: SeededRandom;
  #isOver = false;
  #work: Promise<void> = Promise.resolve();

  constructor(cluster: SimulatedCluster, options: MembersOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = cluster.world.random.fork();
  }

  start(): void {
    this.#work = this.#changeOnAndOn();
  }

  /** Resolves when the last change that was begun is done. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  async #changeOnAndOn(): Promise<void> {
    const { world } = this.#cluster;
    for (;;) {
      await world.sleep(this.#random.integer(2 * this.#options.intervalMs));
      if (this.#isOver) return;
      const count = this.#cluster.nodes.length;
      const dice = this.#random.integer(4);
      const mayForce = this.#cluster.nodes.includes(this.#options.victim);
      if (dice === 3 && mayForce) await this.#force(count > MEMBERS_MIN);
      else if (count <= MEMBERS_MIN || (dice === 0 && count < MEMBERS_MAX)) await this.#join();
      else if (dice === 1) await this.#leave();
      else await this.#replace();
    }
  }

  async #join(): Promise<void> {
    await this.#takeIn();
    await this.#commit();
  }

  async #leave(): Promise<void> {
    const { id } = this.#random.pick(this.#cluster.nodes);
    await this.#untilDone((node) => node.cluster().clusterChanges.stage((s) => stageLeave(s, id)));
    await this.#commit();
    await this.#untilGone(id, stageLeave);
  }

  async #replace(): Promise<void> {
    const { id: node } = this.#random.pick(this.#cluster.nodes);
    const { id: successor } = await this.#takeIn();
    const change = { kind: 'replace', node, successor } as const;
    await this.#untilDone((each) =>
      each.cluster().clusterChanges.stage((state) => stageReplace(state, change)),
    );
    await this.#commit();
    await this.#untilGone(node, stageLeave);
  }

  /** The victim goes without being asked, alive or not; with no replacement only if it may. */
  async #force(mayShrink: boolean): Promise<void> {
    const { victim } = this.#options;
    const { id: node } = victim;
    // One of three that is lost before the others have met is more than a majority survives.
    while (!this.#cluster.nodes.every((each) => each === victim || each.hasVoted)) {
      await this.#cluster.world.sleep(RETRY_MS);
    }
    victim.hasForgotten = true;
    if (this.#random.chance(0.5)) victim.scrap();
    if (mayShrink && this.#random.chance(0.5)) {
      await this.#untilDone((each) =>
        each.cluster().clusterChanges.stage((state) => stageForceRemove(state, node)),
      );
    } else {
      const { id: successor } = await this.#takeIn();
      const change = { kind: 'force-replace', node, successor } as const;
      await this.#untilDone((each) =>
        each.cluster().clusterChanges.stage((state) => stageReplace(state, change)),
      );
    }
    await this.#commit();
    await this.#untilGone(node, stageForceRemove);
    this.forcedCount += 1;
  }

  /** A new machine, which is in play when it is known that it has been taken in. */
  async #takeIn(): Promise<SimulatedNode> {
    const { world } = this.#cluster;
    const machine = this.#cluster.newLoner();
    await machine.start();
    for (;;) {
      const self = findMember(this.#mustRun(machine).state(), machine.id);
      const host = self?.host ?? '';
      const target = this.#random.pick(this.#cluster.nodes).id;
      const address = { host, port: 9_999 + Number(/\d+/.exec(target)?.[0]) };
      const { joining: door } = this.#mustRun(machine).cluster();
      const joining = machine.ask(() => door.join(address));
      const outcome = await Promise.race([joining, world.sleep(PATIENCE_MS)]);
      if (outcome?.kind === 'joined') break;
      await world.sleep(RETRY_MS);
    }
    this.#cluster.nodes.push(machine);
    this.joinedCount += 1;
    return machine;
  }

  #commit(): Promise<void> {
    return this.#untilDone((node) => node.cluster().clusterChanges.commit(undefined));
  }

  /** Gives the command to one node after the other until it is carried out, or was already. */
  async #untilDone(command: (node: VertebraNode) => Promise<ClusterChangeOutcome>): Promise<void> {
    const { world } = this.#cluster;
    for (;;) {
      const machine = this.#anyServing();
      const node = machine?.node;
      const outcome =
        machine === undefined || node === undefined
          ? undefined
          : await Promise.race([machine.ask(() => command(node)), world.sleep(PATIENCE_MS)]);
      if (outcome?.kind === 'changed' || outcome?.kind === 'unchanged') return;
      if (outcome?.kind === 'not-staged') return;
      if (outcome?.kind === 'not-planned' && outcome.reason === 'nothing-staged') return;
      await world.sleep(RETRY_MS);
    }
  }

  /** Stages it by `remedy` where the command was lost: by then the one asked knew too little. */
  async #untilGone(id: NodeId, remedy: typeof stageLeave): Promise<void> {
    const { world, nodes } = this.#cluster;
    let memberEpoch = 0;
    for (let tries = 1; ; tries += 1) {
      // An older state, of a disk that was set back, may be from before it was taken in.
      for (const { node } of nodes) {
        const state = node?.introduction() && node.state();
        if (state === undefined || findMember(state, id) === undefined) continue;
        memberEpoch = Math.max(memberEpoch, state.epoch);
      }
      const others = nodes.filter((machine) => machine.id !== id && machine.isUp);
      const states = others.flatMap(({ node }) =>
        node?.readiness().isReady === true ? [node.state()] : [],
      );
      const later = states.filter(({ epoch }) => epoch > memberEpoch);
      if (later.some((state) => findMember(state, id) === undefined)) break;
      // The commit was given to a node that had not heard of what was staged.
      if (states.some(({ staged }) => staged.length > 0)) await this.#commit();
      if (tries % REMEDY_TRIES === 0) {
        await this.#untilDone((node) => node.cluster().clusterChanges.stage((s) => remedy(s, id)));
      }
      await world.sleep(RETRY_MS);
    }
    const index = nodes.findIndex((machine) => machine.id === id);
    const [machine] = nodes.splice(index, 1);
    if (machine !== undefined) {
      machine.crash();
      this.#cluster.departed.push(machine);
    }
    this.leftCount += 1;
  }

  #anyServing(): SimulatedNode | undefined {
    const serving = this.#cluster.nodes.filter(({ node }) => node?.readiness().isReady === true);
    return serving.length === 0 ? undefined : this.#random.pick(serving);
  }

  #mustRun({ id, node }: SimulatedNode): VertebraNode {
    if (node === undefined) throw new Error(`${id} does not run`);
    return node;
  }
}
