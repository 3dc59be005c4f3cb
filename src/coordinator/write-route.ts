/**
 * The route of a write: which node coordinates it.
 *
 * A write is coordinated by a node that holds a replica, because only a replica can issue its next
 * dot. A node that holds none passes the request on, one hop, and tries the next replica only while
 * it is certain that the one before did nothing: a write that may have happened is never repeated,
 * for it would come back as its own sibling.
 *
 * Source: DeCandia et al. 2007, "Dynamo", section 4.5.
 */

import { isFault, type FaultCode } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { resolveQuorum } from '../object/bucket-properties.ts';
import type { Failure, WriteOptions } from '../object/requests.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import { MessageTooLarge } from '../peer/peer.ts';
import type { Participant } from './participants.ts';
import { locate, type CoordinatorPorts } from './ports.ts';
import { reachOf, requestedN, validateWrite, writeRequirement } from './requirement.ts';
import type { CoordinatedPut, WritePlan } from './write.ts';

/** Faults after which the request has certainly not been carried out. */
const NOT_CARRIED_OUT: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'peer-unreachable',
  'peer-refused',
  'peer-unsupported',
  'store-fenced',
  'store-closed',
  'disk-full',
  'overload',
  'closed',
]);

/** What came of a write, wherever it was coordinated. */
export type RoutedWrite =
  | (CoordinatedPut & { readonly kind: 'stored' })
  | { readonly kind: 'forwarded'; readonly reply: PeerReply }
  | Failure;

export function planWrite(
  ports: CoordinatorPorts,
  key: ObjectKey,
  options: WriteOptions,
): WritePlan | Failure {
  const { view, lists, host } = ports;
  const properties = view.properties(key.type, key.bucket);
  if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
  // As with Riak the buckets of a write-once type have their own n and nodes, no time-out of 0.
  const isWriteOnce = properties.write_once;
  const n = isWriteOnce ? properties.n_val : requestedN(options, properties);
  if (typeof n !== 'number') return n;
  const isSloppy = options.sloppyQuorum ?? true;
  const partition = locate(key, properties, view.ring().ringSize);
  const participants = lists.participants(partition, n, isSloppy);
  const nodeConfirms = resolveQuorum(properties.node_confirms, n);
  const heard = isWriteOnce ? { ...options, nodeConfirms } : options;
  const required = writeRequirement(heard, properties, n);
  const joint = lists.jointLists(partition, n, isSloppy);
  const failure =
    validateWrite(required, reachOf(participants)) ??
    (joint && validateWrite(required, reachOf(joint.each[1])));
  if (failure !== undefined) return failure;
  let { timeoutMs = ports.requestTimeoutMs } = options;
  if (timeoutMs <= 0 && isWriteOnce) timeoutMs = ports.requestTimeoutMs;
  if (timeoutMs <= 0) return { kind: 'timeout' };
  const deadlineMs = host.clock.monotonicMs() + timeoutMs;
  const { span } = options;
  return { key, properties, required, partition, participants, joint, isSloppy, deadlineMs, span };
}

/** Milliseconds until the plan's deadline; 0 or less: the time is up. */
export function remainingMs(ports: CoordinatorPorts, plan: WritePlan): number {
  return plan.deadlineMs - ports.host.clock.monotonicMs();
}

/** Coordinates here if this node holds a replica, or else forwards `request` to one that does. */
export async function routeWrite(
  ports: CoordinatorPorts,
  plan: WritePlan,
  ways: {
    readonly coordinateHere: () => Promise<CoordinatedPut>;
    readonly request: PeerRequest;
  },
): Promise<RoutedWrite> {
  const { self, host } = ports;
  let unavailable: string | undefined;
  if (coordinatesHere(plan.participants, self)) {
    const outcome = await ways.coordinateHere();
    if (outcome.kind !== 'declined') return outcome;
    host.metrics.count('puts_declined_total');
    if (outcome.isOverload) return { kind: 'overload' };
    unavailable = outcome.isDiskFull === true ? outcome.reason : 'the store takes no writes';
  }
  host.metrics.count('coord_redirs_total');
  const forwarded = await forward(ports, plan, ways.request);
  if (forwarded !== undefined) return forwarded;
  return unavailable === undefined
    ? { kind: 'all-nodes-down' }
    : { kind: 'unavailable', reason: unavailable };
}

/** Why this node coordinates no write of the plan; undefined: it holds a replica of the key. */
export function findDecline(
  ports: CoordinatorPorts,
  { participants, joint }: WritePlan,
): (CoordinatedPut & { readonly kind: 'declined' }) | undefined {
  // Who asks may act on the step's other ring already.
  const able = joint?.union ?? participants;
  if (able.some(({ node }) => node === ports.self)) return undefined;
  return { kind: 'declined', reason: 'holds no replica of the key', isOverload: false };
}

/**
 * The plan anew, when a condition or a hook has been waited for: by then others may hold the key, and this node
 * none of it. Nothing has been done yet.
 */
export function planAnew(
  ports: CoordinatorPorts,
  plan: WritePlan,
  options: WriteOptions,
): WritePlan | CoordinatedPut {
  const timeoutMs = remainingMs(ports, plan);
  if (timeoutMs <= 0) return { kind: 'timeout' };
  const anew = planWrite(ports, plan.key, { ...options, timeoutMs });
  return 'kind' in anew ? anew : (findDecline(ports, anew) ?? anew);
}

/** Undefined: no other replica took it. */
async function forward(
  ports: CoordinatorPorts,
  plan: WritePlan,
  request: PeerRequest,
): Promise<RoutedWrite | undefined> {
  const { self, peer } = ports;
  for (const { node } of inOrder(ports, plan.participants)) {
    if (node === self) continue;
    const timeoutMs = remainingMs(ports, plan);
    if (timeoutMs <= 0) return { kind: 'timeout' };
    try {
      const reply = await peer.request(node, request, timeoutMs);
      return reply.kind === 'failed' ? reply.failure : { kind: 'forwarded', reply };
    } catch (error) {
      if (!isFault(error)) throw error;
      // Nor would any other replica be sent it.
      if (error instanceof MessageTooLarge)
        return { kind: 'too-large', sizeBytes: error.sizeBytes };
      // The write may have happened: only the client can decide to repeat it.
      if (!NOT_CARRIED_OUT.has(error.code)) return { kind: 'timeout' };
    }
  }
  return undefined;
}

/** As a primary, or as a stand-in where no primary is up. */
function coordinatesHere(participants: readonly Participant[], self: NodeId): boolean {
  let isMember = false;
  let hasPrimary = false;
  for (const { node, primaryCount } of participants) {
    if (node === self) {
      if (primaryCount > 0) return true;
      isMember = true;
    } else if (primaryCount > 0) hasPrimary = true;
  }
  return isMember && !hasPrimary;
}

/** Primaries first, and of them those that answer in time. */
function inOrder(
  { answerTimes }: CoordinatorPorts,
  participants: readonly Participant[],
): readonly Participant[] {
  const distanceOf = ({ node, primaryCount }: Participant): number => {
    return primaryCount === 0 ? 2 : Number(answerTimes.isLate(node));
  };
  return participants.toSorted((left, right) => distanceOf(left) - distanceOf(right));
}
