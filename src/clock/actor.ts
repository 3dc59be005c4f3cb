/**
 * Actors: who issues dots, and how a dot is kept from ever naming two writes.
 *
 * A node that forgot some of its writes (a lost disk, a restored backup, one damaged record) and then
 * counted on from what it still knew would issue an old dot for a new write; every replica that had
 * seen the old one would take the new one for superseded, and drop it. So an actor is more than a
 * node: its identity is drawn at a start, so that a copy of the disk draws another, and its key epoch is
 * fresh when the copy of one key may have forgotten. A dot of a fresh actor is
 * covered by nobody's context, so the worst that forgetting can do is leave a sibling too many
 * (ARCHITECTURE.md, invariant 3).
 */

import { assert } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Actor, Dot, VersionVector } from './version-vector.ts';

/** Eight random bytes, drawn at a start of a node and kept while its next ones follow clean stops. */
export type NodeIdentity = ByteString & { readonly __nodeIdentity: unique symbol };

/** The actors of one node in one actor epoch are those that start with this. */
export type ActorPrefix = ByteString & { readonly __actorPrefix: unique symbol };

export interface ActorParts {
  readonly identity: NodeIdentity;
  /** 0 to 2^32 - 1; 1 but for builds that counted their starts by it. */
  readonly actorEpoch: number;
  /** 0 to 2^48 - 1; each is used for one key only, and rises within an actor epoch. */
  readonly keyEpoch: number;
}

export const NODE_IDENTITY_SIZE_BYTES = 8;
/** | identity 8 | actor epoch 4 | key epoch 6 |, big-endian, so that order is age. */
export const ACTOR_SIZE_BYTES = 18;
export const ACTOR_EPOCH_MAX = 2 ** 32 - 1;
export const KEY_EPOCH_MAX = 2 ** 48 - 1;
const PREFIX_SIZE_BYTES = 12;

export function actorPrefix(identity: NodeIdentity, actorEpoch: number): ActorPrefix {
  assert(identity.length === NODE_IDENTITY_SIZE_BYTES, 'a node identity is eight bytes');
  assert(isCountTo(actorEpoch, ACTOR_EPOCH_MAX), 'an actor epoch is below 2^32');
  return (identity + u32(actorEpoch)) as ActorPrefix;
}

export function encodeActor(parts: ActorParts): Actor {
  return actorOf(actorPrefix(parts.identity, parts.actorEpoch), parts.keyEpoch);
}

export function decodeActor(actor: Actor): ActorParts {
  assert(actor.length === ACTOR_SIZE_BYTES, 'an actor is 18 bytes');
  return {
    identity: actor.slice(0, NODE_IDENTITY_SIZE_BYTES) as NodeIdentity,
    actorEpoch: fromBigEndian(actor, NODE_IDENTITY_SIZE_BYTES, PREFIX_SIZE_BYTES),
    keyEpoch: fromBigEndian(actor, PREFIX_SIZE_BYTES, ACTOR_SIZE_BYTES),
  };
}

/** Bytewise: by identity, then by age. */
export function compareActors(left: Actor, right: Actor): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** By actor, then by counter: the order of an object's siblings. */
export function compareDots(left: Dot, right: Dot): number {
  return left.actor === right.actor
    ? left.counter - right.counter
    : compareActors(left.actor, right.actor);
}

export interface DotIssue {
  /** Of the coordinating node, in its present actor epoch. */
  readonly prefix: ActorPrefix;
  /** The context of its copy; undefined if it has no readable one. */
  readonly local: VersionVector | undefined;
  /**
   * Whether the copy has been held without a gap since this node last issued a dot on it. A copy
   * that a peer brought back to a node without one is not: the peer may be behind with this node's
   * own dots.
   */
  readonly isContinuous: boolean;
  /** What the client says it has seen. */
  readonly client: VersionVector;
  /** A key epoch that was never used in this actor epoch, above all that were. */
  readonly freshKeyEpoch: () => number;
}

/**
 * The dot for a new write: the next one of the node's newest actor on this key, or the first one of
 * a fresh actor where that chain may have been forgotten.
 */
export function nextDot(issue: DotIssue): Dot {
  const { prefix, local, client } = issue;
  const actor = issue.isContinuous ? newestActor(prefix, local) : undefined;
  if (actor === undefined || isBeyond(prefix, { client, local })) {
    return { actor: actorOf(prefix, issue.freshKeyEpoch()), counter: 1 };
  }
  return { actor, counter: (local?.get(actor) ?? 0) + 1 };
}

function newestActor(prefix: ActorPrefix, local: VersionVector | undefined): Actor | undefined {
  if (local === undefined) return undefined;
  let newest: Actor | undefined;
  for (const [actor, counter] of local) {
    // A chain at its end is one that a client made up: it cannot be counted on.
    if (counter === Number.MAX_SAFE_INTEGER || !actor.startsWith(prefix)) continue;
    if (newest === undefined || actor > newest) newest = actor;
  }
  return newest;
}

/** Whether the client has seen dots of this node that the node's own copy has not. */
function isBeyond(
  prefix: ActorPrefix,
  seen: { readonly client: VersionVector; readonly local: VersionVector | undefined },
): boolean {
  for (const [actor, counter] of seen.client) {
    if (actor.startsWith(prefix) && (seen.local?.get(actor) ?? 0) < counter) return true;
  }
  return false;
}

function actorOf(prefix: ActorPrefix, keyEpoch: number): Actor {
  assert(isCountTo(keyEpoch, KEY_EPOCH_MAX), 'a key epoch is below 2^48');
  const high = Math.floor(keyEpoch / 2 ** 32);
  return (prefix + String.fromCharCode(high >>> 8, high & 0xff) + u32(keyEpoch)) as Actor;
}

/** The low 32 bits, big-endian. */
function u32(value: number): string {
  return String.fromCharCode(
    (value >>> 24) & 0xff,
    (value >>> 16) & 0xff,
    (value >>> 8) & 0xff,
    value & 0xff,
  );
}

function isCountTo(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

function fromBigEndian(text: ByteString, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index += 1) value = value * 256 + text.charCodeAt(index);
  return value;
}
