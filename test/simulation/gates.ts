/**
 * Gates: who lets whom in, by the rules of the real transport.
 *
 * A link has two ends, and each judges what the other says of itself (`transport/peer-gate.ts`): so an
 * image of a node that has been followed by another is heard by nobody here either. Whether a node is a
 * member is left to the nodes. A process that has died is heard out where it had been let in.
 */

import type { Clock, Host } from '../../src/base/host.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { AdmittedPeer, PeerStart } from '../../src/node/peer-starts.ts';
import type { NodeIntroduction, Succession } from '../../src/node/succession.ts';
import { PROTOCOL_FROM, PROTOCOL_TO, type Hello } from '../../src/transport/handshake.ts';
import { PeerGate } from '../../src/transport/peer-gate.ts';

/** The node behind a gate. */
export interface GatedNode {
  /** Undefined: it cannot introduce itself yet, and is not asked to. */
  introduction(): NodeIntroduction | undefined;
  succession(): Pick<Succession, 'admittedBy' | 'refusedBy'> | undefined;
  admittedPeer(peer: AdmittedPeer): void;
  recallPeer(node: NodeId): PeerStart | undefined;
  liveMembers(): readonly NodeId[];
}

const RELEASE = 'simulated';

/** One process's gate. */
export class Gate {
  readonly #node: GatedNode;
  readonly #gate: PeerGate;

  constructor(node: GatedNode, clock: Clock) {
    this.#node = node;
    this.#gate = new PeerGate(quietHost(clock), {
      introduce: () => ({ ...mustIntroduce(node), release: RELEASE }),
      isMember: () => true,
      recall: (id) => node.recallPeer(id),
      isUp: (id) => node.liveMembers().includes(id),
    });
    this.#gate.onAdmitted((peer) => node.admittedPeer(peer));
  }

  /**
   * Whether the link to `target` is open, or opens now; `isAlive`: the process behind this end still
   * runs. Else this end hears why, unless the other end is the one that is not welcome.
   */
  opensTo(target: Gate, isAlive: boolean): boolean {
    const [own, theirs] = [this.#node.introduction(), target.#node.introduction()];
    if (own === undefined || theirs === undefined) return true;
    if (!isAlive) return target.#gate.incarnationOf(own.node) === own.incarnation;
    const refusal = target.#gate.admit(helloOf(own, theirs.node));
    const succession = this.#node.succession();
    if (refusal !== undefined) {
      if (refusal.remembered) succession?.refusedBy(theirs.node, refusal.remembered);
      return false;
    }
    if (this.#gate.admit(helloOf(theirs, own.node)) !== undefined) return false;
    succession?.admittedBy(theirs.node, target.#gate.isVouchingFor(helloOf(own, theirs.node)));
    return true;
  }
}

function helloOf(introduction: NodeIntroduction, dialled: NodeId): Hello {
  const protocol = { protocolFrom: PROTOCOL_FROM, protocolTo: PROTOCOL_TO };
  return { ...introduction, ...protocol, dialled, release: RELEASE };
}

function mustIntroduce(node: GatedNode): NodeIntroduction {
  const introduction = node.introduction();
  if (introduction === undefined) throw new Error('a link has two ends that know their names');
  return introduction;
}

function quietHost(clock: Clock): Host {
  const silent = (): void => undefined;
  return {
    clock,
    random: { bytes: () => Buffer.alloc(0), integer: () => 0 },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    metrics: { count: silent, gauge: silent, observe: silent },
  };
}
