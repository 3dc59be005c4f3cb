/**
 * The joint tally: a write that must be enough in two rings at once.
 *
 * While the cluster moves from ring A to ring B a write counts only when its quorums hold in the
 * list of A and in that of B, so that whoever reads in either of them meets it. It is two ordinary
 * tallies; the reply of a node counts in each list where the node stands.
 *
 * Source: Ongaro and Ousterhout 2014, "In Search of an Understandable Consensus Algorithm", section
 * 6 (joint consensus).
 */

import type { NodeId } from '../base/names.ts';
import type { JointLists, Participant } from './participants.ts';
import type { WriteRequirement } from './requirement.ts';
import { WriteTally, type ReplicaFailure, type WriteVerdict } from './tally.ts';

/** One of the two lists, and what has been counted in it. */
interface Half {
  readonly tally: WriteTally;
  /** Each node's own part in this list. */
  readonly partByNode: Map<NodeId, Participant>;
}

export class JointWriteTally {
  readonly #halves: readonly Half[];

  constructor(required: WriteRequirement, each: JointLists['each']) {
    this.#halves = each.map((list) => ({
      tally: new WriteTally(required, list),
      partByNode: new Map(list.map((part) => [part.node, part])),
    }));
  }

  /** Met when both are met; failed when one has failed, and then for its reason. */
  get verdict(): WriteVerdict {
    let verdict: WriteVerdict | undefined;
    for (const { tally } of this.#halves) {
      if (tally.verdict.kind === 'met') verdict ??= tally.verdict;
      else if (verdict === undefined || verdict.kind === 'met') verdict = tally.verdict;
      else if (verdict.kind === 'pending') verdict = tally.verdict;
    }
    return verdict ?? { kind: 'pending' };
  }

  /** The write is durable at `participant`. */
  acknowledge({ node }: Participant): WriteVerdict {
    for (const { tally, partByNode } of this.#halves) {
      const part = partByNode.get(node);
      if (part !== undefined) tally.acknowledge(part);
    }
    return this.verdict;
  }

  fail({ node }: Participant, reason: ReplicaFailure): WriteVerdict {
    for (const { tally, partByNode } of this.#halves) {
      const part = partByNode.get(node);
      if (part !== undefined) tally.fail(part, reason);
    }
    return this.verdict;
  }

  /** Whether a stand-in for `participant` could still save what is lost without it, in either. */
  needs({ node }: Participant): boolean {
    return this.#halves.some(({ tally, partByNode }) => {
      const part = partByNode.get(node);
      return part !== undefined && tally.needs(part);
    });
  }

  /** `standIn` is sent the write in place of `failed`, and takes its part in each list. */
  replace(failed: Participant, standIn: Participant): WriteVerdict {
    for (const { tally, partByNode } of this.#halves) {
      const part = partByNode.get(failed.node);
      if (part === undefined) continue;
      const itsPart = { ...standIn, positionCount: part.positionCount };
      partByNode.set(standIn.node, itsPart);
      tally.replace(part, itsPart);
    }
    return this.verdict;
  }
}
