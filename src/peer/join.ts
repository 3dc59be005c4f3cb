/**
 * Asking to be taken in: what a node says to a cluster that does not know it.
 *
 * Links are for members only, so this is a call of its own, to an address rather than a node. The
 * same call serves a node that the others call a stranger: it asks what the cluster's state is now,
 * and learns from it that it has been removed.
 *
 * | message | tuple |
 * |---|---|
 * | request | [purpose, cluster, lineage, ring size, node, host, peer port, http port, pbc port, location] |
 * | welcome | [0, state document, whether the asker is new] |
 * | refused | [1, reason, text] |
 *
 * Fields behind these are of a later release and passed over.
 */

import type { NodeId } from '../base/names.ts';
import type { Newcomer } from '../membership/staging.ts';
import { malformed, TupleReader, type WireTuple } from './tuple-reader.ts';
import { readNodeId } from './wire-values.ts';

export interface JoinRequest {
  /** To be taken in, or to hear the state of a cluster that one was part of. */
  readonly purpose: JoinPurpose;
  readonly clusterName: string;
  /** Of the state that the asker acts on. */
  readonly lineage: string;
  readonly ringSize: number;
  readonly newcomer: Newcomer;
}

export type JoinPurpose = 'join' | 'inquire';

export type JoinReply =
  /** The join is staged, or was before; `document` is the state to act on. */
  | {
      readonly kind: 'welcome';
      readonly document: Buffer;
      /** No state before named the asker as a member, so it cannot have voted. */
      readonly isNew: boolean;
    }
  | { readonly kind: 'refused'; readonly reason: JoinRefusal; readonly text: string };

/** Append-only: an index is a wire number. */
const JOIN_REFUSALS = [
  'other-cluster',
  'other-ring-size',
  'other-version',
  'same-name',
  'other-lineage',
  'no-room',
  'no-majority',
  'not-ready',
] as const;
export type JoinRefusal = (typeof JOIN_REFUSALS)[number];

const PURPOSES: readonly JoinPurpose[] = ['join', 'inquire'];

const PORT_MAX = 65_535;

/** Where a cluster's node listens for its peers. */
export interface JoinAddress {
  readonly host: string;
  readonly port: number;
}

/** How a node reaches a cluster that it is not part of. */
export interface JoinPort {
  /** Rejects with a fault: `peer-unreachable`, `peer-malformed` or `timeout`. */
  askToJoin(address: JoinAddress, request: JoinRequest, timeoutMs: number): Promise<JoinReply>;
}

/** What a node offers to those who want to be taken in. */
export interface JoinHandler {
  admit(request: JoinRequest): Promise<JoinReply>;
}

export function joinRequestToTuple(request: JoinRequest): WireTuple {
  const { purpose, clusterName, lineage, ringSize, newcomer } = request;
  const { id, host, peerPort, httpPort, pbcPort, location } = newcomer;
  return [
    PURPOSES.indexOf(purpose),
    clusterName,
    lineage,
    ringSize,
    id,
    host,
    peerPort,
    httpPort,
    pbcPort,
    location,
  ];
}

export function tupleToJoinRequest(tuple: unknown): JoinRequest {
  const reader = new TupleReader(tuple);
  return {
    purpose: reader.choice(PURPOSES),
    clusterName: readName(reader),
    lineage: readName(reader),
    ringSize: reader.count(),
    newcomer: {
      id: readNodeId(reader),
      host: readHost(reader),
      peerPort: reader.integer(0, PORT_MAX),
      httpPort: reader.integer(0, PORT_MAX),
      pbcPort: reader.integer(0, PORT_MAX),
      location: readText(reader),
    },
  };
}

export function joinReplyToTuple(reply: JoinReply): WireTuple {
  if (reply.kind === 'welcome') return [0, reply.document, reply.isNew];
  return [1, JOIN_REFUSALS.indexOf(reply.reason), reply.text];
}

export function tupleToJoinReply(tuple: unknown): JoinReply {
  return readReply(new TupleReader(tuple));
}

export function joinRefused(reason: JoinRefusal, text: string): JoinReply {
  return { kind: 'refused', reason, text };
}

/** Whether `node` is a name that a node may have. */
export function isNodeName(node: NodeId): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(node) && node.length <= 255;
}

function readReply(reader: TupleReader): JoinReply {
  if (reader.integer(0, 1) === 0) {
    return { kind: 'welcome', document: reader.bytes(), isNew: reader.boolean() };
  }
  // A later release may have reasons that are unknown here; its sentence is for people anyway.
  const reason = JOIN_REFUSALS[reader.count()] ?? 'not-ready';
  return { kind: 'refused', reason, text: readText(reader).slice(0, 500) };
}

function readName(reader: TupleReader): string {
  const text = readText(reader);
  if (text === '') throw malformed('no name');
  return text;
}

/** All members dial it from then on. */
function readHost(reader: TupleReader): string {
  const host = readName(reader);
  if (/[\s\p{Cc}]/u.test(host)) throw malformed('no host');
  return host;
}

function readText(reader: TupleReader): string {
  const text = reader.text();
  if (text.length > 1_000) throw malformed('a text too long');
  return text;
}
