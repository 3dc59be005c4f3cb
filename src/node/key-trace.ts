/**
 * The trace of a key: where it should be, what each node holds of it, and whether they agree.
 *
 * Every member is asked, not only the replicas, because a copy that lies where it should not is just
 * what an operator looks for. Nothing is repaired by looking, and no value leaves its node.
 */

import { isFault, type FaultCode } from '../base/fault.ts';
import type { Epoch, NodeId, ObjectKey, Partition } from '../base/names.ts';
import { decodeActor } from '../clock/actor.ts';
import {
  descends,
  EMPTY_VERSION_VECTOR,
  merge,
  type Dot,
  type VersionVector,
} from '../clock/version-vector.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import type { ObjectHead } from '../object/stored-object.ts';
import type { CopyState, CopyTrace } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';
import type { Topology } from './topology.ts';

/** `other`: neither a replica nor a stand-in now, and it holds something all the same. */
export type CopyRole = 'primary' | 'fallback' | 'other';

export interface TracedSibling {
  readonly dot: string;
  readonly lastModifiedMicros: number;
  readonly vtag: string;
  readonly isTombstone: boolean;
  readonly valueSizeBytes: number;
  readonly indexEntryCount: number;
}

export interface TracedCopy {
  readonly node: NodeId;
  readonly role: CopyRole;
  readonly isUp: boolean;
  readonly state: CopyState | 'unknown';
  /** Why the state is unknown. */
  readonly fault: FaultCode | undefined;
  /** `identity.actor epoch.key epoch:counter` of each actor. */
  readonly context: readonly string[];
  /** In hex; what replicas compare. */
  readonly causalHash: string | undefined;
  /** Whether another copy has seen writes that this one has not. */
  readonly isBehind: boolean;
  readonly siblings: readonly TracedSibling[];
  readonly sizeBytes: number;
  readonly hintsFor: readonly NodeId[];
}

/**
 * `agree`: all primaries hold the same; `absent`: all hold nothing; `differ`: two of them do not hold
 * the same, or one is damaged; `unknown`: those that answered agree, and not all did.
 */
export type TraceVerdict = 'agree' | 'absent' | 'differ' | 'unknown';

export interface KeyTrace {
  readonly partition: Partition;
  readonly nVal: number;
  readonly epoch: Epoch;
  readonly verdict: TraceVerdict;
  /** Who serves it now, position by position. */
  readonly preferenceList: readonly {
    readonly partition: Partition;
    readonly node: NodeId;
    readonly isPrimary: boolean;
  }[];
  /** Primaries in the order of the list, then fallbacks, then others that hold something. */
  readonly copies: readonly TracedCopy[];
  /** Copies that are owed to some node. */
  readonly hintCount: number;
}

export interface KeyTracePorts {
  readonly peer: Peer;
  readonly topology: Topology;
  readonly timeoutMs: number;
}

/** Undefined: the bucket type is unknown. */
export async function traceKey(
  ports: KeyTracePorts,
  key: ObjectKey,
): Promise<KeyTrace | undefined> {
  const { topology } = ports;
  const place = topology.place(key);
  if (place === undefined) return undefined;
  const { partition } = place;
  const nVal = place.properties.n_val;
  const isUp = (node: NodeId): boolean => topology.isUp(node);
  const { positions } = topology.ring().activePreferenceList(partition, nVal, isUp);
  const primaries = topology.ring().preferenceList(partition, nVal).replicas;
  const roles = new Map<NodeId, CopyRole>(primaries.map(({ node }) => [node, 'primary']));
  for (const { node } of positions) if (!roles.has(node)) roles.set(node, 'fallback');
  for (const { id } of topology.state().members) if (!roles.has(id)) roles.set(id, 'other');

  const asked = await Promise.all(
    [...roles].map(async ([node, role]) => ({ node, role, answer: await ask(ports, node, key) })),
  );
  const newest = contextOf(asked.map(({ answer }) => answer));
  const copies = asked
    .map(({ node, role, answer }) => describe({ node, role, isUp: isUp(node) }, answer, newest))
    .filter((copy) => copy.role !== 'other' || copy.state !== 'absent' || copy.hintsFor.length > 0);
  return {
    partition,
    nVal,
    epoch: topology.epoch,
    verdict: verdictOn(copies.filter(({ role }) => role === 'primary')),
    preferenceList: positions.map(({ partition: at, node, isPrimary }) => {
      return { partition: at, node, isPrimary };
    }),
    copies,
    hintCount: copies.reduce((sum, { hintsFor }) => sum + hintsFor.length, 0),
  };
}

/** What all members that answer have seen of the key, wherever they hold it. */
export async function seenOfKey(ports: KeyTracePorts, key: ObjectKey): Promise<VersionVector> {
  const members = ports.topology.state().members;
  return contextOf(await Promise.all(members.map(({ id }) => ask(ports, id, key))));
}

function contextOf(answers: readonly Answer[]): VersionVector {
  return answers
    .map(({ head }) => head?.context ?? EMPTY_VERSION_VECTOR)
    .reduce(merge, EMPTY_VERSION_VECTOR);
}

interface Answer {
  readonly trace: CopyTrace | undefined;
  readonly head: ObjectHead | undefined;
  readonly fault: FaultCode | undefined;
}

async function ask(ports: KeyTracePorts, node: NodeId, key: ObjectKey): Promise<Answer> {
  try {
    const reply = await ports.peer.request(node, { verb: 'trace', key }, ports.timeoutMs);
    if (reply.kind !== 'trace') return { trace: undefined, head: undefined, fault: 'peer-refused' };
    const { trace } = reply;
    return { trace, head: trace.head && decodeHead(trace.head), fault: undefined };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { trace: undefined, head: undefined, fault: error.code };
  }
}

function describe(
  holder: Pick<TracedCopy, 'node' | 'role' | 'isUp'>,
  { trace, head, fault }: Answer,
  newest: VersionVector,
): TracedCopy {
  return {
    ...holder,
    state: trace?.state ?? 'unknown',
    fault,
    context:
      head === undefined
        ? []
        : [...head.context].map(([actor, counter]) => dotText({ actor, counter })),
    causalHash: trace?.head && recordCausalHash(trace.head)?.toString('hex'),
    isBehind: trace !== undefined && !descends(head?.context ?? EMPTY_VERSION_VECTOR, newest),
    siblings: (head?.siblings ?? []).map((sibling) => ({
      dot: dotText(sibling.dot),
      lastModifiedMicros: sibling.lastModifiedMicros,
      vtag: sibling.vtag,
      isTombstone: sibling.isTombstone,
      valueSizeBytes: sibling.valueSizeBytes,
      indexEntryCount: sibling.metadata.indexes?.length ?? 0,
    })),
    sizeBytes: trace?.sizeBytes ?? 0,
    hintsFor: trace?.hintsFor ?? [],
  };
}

function verdictOn(primaries: readonly TracedCopy[]): TraceVerdict {
  const answered = primaries.filter(({ state }) => state !== 'unknown');
  if (answered.some(({ state }) => state === 'damaged')) return 'differ';
  if (new Set(answered.map(({ causalHash }) => causalHash)).size > 1) return 'differ';
  if (answered.length < primaries.length) return 'unknown';
  return answered[0]?.state === 'absent' ? 'absent' : 'agree';
}

/** As `3fa94c…e1.2.17:4`. */
function dotText({ actor, counter }: Dot): string {
  const { identity, actorEpoch, keyEpoch } = decodeActor(actor);
  return `${Buffer.from(identity, 'latin1').toString('hex')}.${actorEpoch}.${keyEpoch}:${counter}`;
}
