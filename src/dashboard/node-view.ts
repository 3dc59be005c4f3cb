/**
 * What a node said, as the page shows it. Pure.
 */

import type { MemberReport } from '../admin/cluster-status.ts';
import type { TransferReport } from '../node/operations.ts';
import { figuresOf, type MetricsReading } from './metrics-reading.ts';
import type { NodeAnswer, SlowAnswers } from './node-source.ts';
import type { AntiEntropyView, NodeView, TransferView } from './page/snapshot.ts';
import type { Rise } from './rise-watch.ts';

export interface NodeFacts {
  readonly node: string;
  readonly answer: NodeAnswer;
  /** Of this round; absent where the node is silent. */
  readonly reading: MetricsReading | undefined;
  readonly readingBefore: MetricsReading | undefined;
  /** The newest. */
  readonly slow: SlowAnswers | undefined;
  readonly rounds: Rise | undefined;
  /** As the asked member reports it; `none`: it is no member. */
  readonly member: MemberReport | 'none' | undefined;
  readonly hearing: { readonly heardBy: number; readonly askedOf: number };
  readonly wallMs: number;
  readonly nowMs: number;
}

export function nodeView(facts: NodeFacts): NodeView {
  const { node, answer, reading, readingBefore, member: told, hearing, wallMs } = facts;
  const member = told === 'none' ? undefined : told;
  const figures = reading === undefined ? {} : figuresOf(reading, readingBefore, wallMs);
  const socket = answer.by === 'socket' ? answer.socket : undefined;
  return {
    node,
    answersBy: answer.by === 'nothing' ? undefined : answer.by,
    silence: answer.by === 'nothing' ? answer.silence : undefined,
    status: told === 'none' ? 'none' : member?.status,
    ...hearing,
    location: member?.location ?? '',
    release: reading?.release ?? member?.release,
    ...readinessOf(answer, reading),
    partitions: member?.partitions ?? 0,
    pendingPartitions: member?.pendingPartitions,
    figures,
    hints: socket?.hints.targets,
    transfers: socket && transferView(socket.transfers),
    antiEntropy: antiEntropyView(facts),
  };
}

function readinessOf(
  answer: NodeAnswer,
  reading: MetricsReading | undefined,
): Pick<NodeView, 'isReady' | 'reason'> {
  if (answer.by === 'nothing') return { isReady: undefined, reason: undefined };
  if (answer.by === 'socket') {
    const { isReady, reason } = answer.socket.status;
    return { isReady, reason };
  }
  return { isReady: reading?.values.get('node_ready') === 1, reason: answer.readiness };
}

function transferView(report: TransferReport): TransferView {
  const { active, totals, lastFailure, nowMs, isFilled, keysPerSecond, bytesPerSecond } = report;
  return {
    isFilled,
    works: totals.map(({ kind, trees, treesDone, keys, bytes, remainingMs }) => ({
      kind,
      trees,
      treesDone,
      keys,
      bytes,
      ...(remainingMs === undefined ? {} : { remainingMs }),
    })),
    activeCount: active.length,
    peers: [...new Set(active.flatMap(({ peers }) => peers))],
    keysPerSecond,
    bytesPerSecond,
    lastFailure: lastFailure && failureView(lastFailure, nowMs),
  };
}

function failureView(
  { kind, partition, peer, code, atMs }: NonNullable<TransferReport['lastFailure']>,
  nowMs: number,
): TransferView['lastFailure'] {
  return {
    text: `${kind} of partition ${partition} with ${peer}: ${code}`,
    agoMs: nowMs - atMs,
  };
}

/** When a round ended is known from when its counter was seen to rise. */
function antiEntropyView({ rounds, slow, reading, nowMs }: NodeFacts): AntiEntropyView | undefined {
  if (reading === undefined || rounds === undefined) return undefined;
  const seenMs = rounds.lastMs ?? (rounds.total > 0 ? rounds.sinceMs : undefined);
  const round = slow?.repair.antiEntropy.round;
  return {
    isRunning: slow?.repair.antiEntropy.isRunning,
    done: round?.done ?? 0,
    total: round?.total ?? 0,
    roundCount: rounds.total,
    ageMs: seenMs === undefined ? undefined : nowMs - seenMs,
    isAtLeast: rounds.lastMs === undefined,
    scrub: slow === undefined ? 'not told' : scrubText(slow.repair.scrub),
  };
}

function scrubText({ isRunning, walk, walkCount }: SlowAnswers['repair']['scrub']): string {
  if (isRunning && walk !== undefined) return `${walk.partitionsDone} of ${walk.partitionCount}`;
  return walkCount === 0 ? 'no walk yet' : `${walkCount} done`;
}
