/**
 * What a request requires: its options over the bucket's properties, as numbers, checked.
 *
 * The checks that need no reply happen here, before anything is sent: quorums above n, and quorums
 * that the replicas which are up now cannot meet. Order and outcome of the checks are Riak's, because
 * clients see which of several reasons wins.
 *
 * Source: Riak KV's documentation on replication properties, and recorded answers of a cluster.
 */

import { NAME_MAX_BYTES, type ObjectKey } from '../base/names.ts';
import { resolveQuorum } from '../object/bucket-properties.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { Failure, ReadOptions, RequestOptions, WriteOptions } from '../object/requests.ts';
import type { Participant } from './participants.ts';

/** Counts are of positions; see `participants.ts`. */
export interface ReadRequirement {
  readonly n: number;
  readonly r: number;
  /** Of those, from primaries. */
  readonly pr: number;
  /** Distinct nodes. */
  readonly nodeConfirms: number;
  /** Whether "no copy" counts for r. */
  readonly notFoundOk: boolean;
  /** Whether a majority of "no copy" and failures is enough to give up. */
  readonly basicQuorum: boolean;
}

export interface WriteRequirement {
  readonly n: number;
  readonly w: number;
  /** At least 1: the coordinating replica's own write. */
  readonly dw: number;
  /** Durable at primaries. */
  readonly pw: number;
  readonly nodeConfirms: number;
}

/** What the replicas that are up can give at most. */
export interface Reach {
  readonly positions: number;
  readonly primaries: number;
  readonly nodes: number;
}

/** Why nothing may be stored under this key. */
export function findTooLong({ type, bucket, key }: ObjectKey): Failure | undefined {
  const sizeBytes = Math.max(type.length, bucket.length, key.length);
  return sizeBytes > NAME_MAX_BYTES ? { kind: 'too-large', sizeBytes } : undefined;
}

/** The n to use, or the violation: a request may narrow the bucket's n, never widen it. */
export function requestedN(
  options: RequestOptions,
  properties: BucketProperties,
): number | (Failure & { kind: 'n-val-violation' }) {
  const { nVal } = options;
  if (nVal === undefined) return properties.n_val;
  if (Number.isInteger(nVal) && nVal >= 1 && nVal <= properties.n_val) return nVal;
  return { kind: 'n-val-violation', n: nVal };
}

export function readRequirement(
  options: ReadOptions,
  properties: BucketProperties,
  n: number,
): ReadRequirement {
  return {
    n,
    r: resolveQuorum(options.r ?? properties.r, n),
    pr: resolveQuorum(options.pr ?? properties.pr, n),
    nodeConfirms: options.nodeConfirms ?? resolveQuorum(properties.node_confirms, n),
    notFoundOk: options.notFoundOk ?? properties.notfound_ok,
    basicQuorum: options.basicQuorum ?? properties.basic_quorum,
  };
}

export function writeRequirement(
  options: WriteOptions,
  properties: BucketProperties,
  n: number,
): WriteRequirement {
  return {
    n,
    w: resolveQuorum(options.w ?? properties.w, n),
    dw: Math.max(1, resolveQuorum(options.dw ?? properties.dw, n)),
    pw: resolveQuorum(options.pw ?? properties.pw, n),
    nodeConfirms: options.nodeConfirms ?? resolveQuorum(properties.node_confirms, n),
  };
}

export function reachOf(participants: readonly Participant[]): Reach {
  let positions = 0;
  let primaries = 0;
  for (const participant of participants) {
    positions += participant.positionCount;
    primaries += participant.primaryCount;
  }
  return { positions, primaries, nodes: participants.length };
}

/** Undefined: the request may be sent. */
export function validateRead(required: ReadRequirement, reach: Reach): Failure | undefined {
  const { n, r, pr, nodeConfirms } = required;
  if (r > n || pr > n) return { kind: 'n-val-violation', n };
  if (pr > reach.primaries) {
    return { kind: 'unsatisfied', quorum: 'pr', needed: pr, got: reach.primaries };
  }
  // Even r = 0 takes one reply to answer with.
  const needed = Math.max(1, r);
  if (needed > reach.positions) {
    return { kind: 'insufficient-replicas', needed, got: reach.positions };
  }
  if (nodeConfirms > reach.nodes) {
    return { kind: 'insufficient-nodes', needed: nodeConfirms, got: reach.nodes };
  }
  return undefined;
}

/** Undefined: the request may be sent. */
export function validateWrite(required: WriteRequirement, reach: Reach): Failure | undefined {
  const { n, w, dw, pw, nodeConfirms } = required;
  if (w > n || dw > n || pw > n || nodeConfirms > n) return { kind: 'n-val-violation', n };
  if (reach.positions === 0) return { kind: 'all-nodes-down' };
  if (pw > reach.primaries) {
    return { kind: 'unsatisfied', quorum: 'pw', needed: pw, got: reach.primaries };
  }
  const needed = Math.max(w, dw, pw);
  if (needed > reach.positions) {
    return { kind: 'insufficient-replicas', needed, got: reach.positions };
  }
  // Riak writes first and then reports it; refusing before anything is written is kinder.
  if (nodeConfirms > reach.nodes) {
    return {
      kind: 'unsatisfied',
      quorum: 'node_confirms',
      needed: nodeConfirms,
      got: reach.nodes,
    };
  }
  return undefined;
}
