/**
 * Absorbing: a record of another cluster is merged into the copies of this one.
 *
 * Nothing is written anew: dots are unique in the world and contexts are never pruned, so a foreign record
 * is merged as a peer's is, without a dot, a hook or a condition. Absorbing twice is the same as once, and
 * what was changed on both sides becomes siblings. As many replicas have it durably as a write of the
 * bucket asks for; the others are owed it. Any node absorbs: where it holds no replica itself, what is owed
 * is noted by one that does.
 *
 * The record comes from outside, so it is checked as a whole before it is sent anywhere. A tombstone of
 * which nothing is here is not stored when a comparison has found it: two clusters that reap at different
 * times would hand it to each other for ever. One that a client has just written is: the value that it
 * deletes may be on its way here by another node.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import { decodeRecord } from '../object/record.ts';
import type { Failure } from '../object/requests.ts';
import { isTombstone } from '../object/show.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { PeerRequest } from '../peer/messages.ts';
import type { Hint, Replica } from '../replica/replica.ts';
import type { GetCoordinator } from './get.ts';
import { mustConfirmMerge, type CoordinatorPorts } from './ports.ts';
import { Write, type WritePlan } from './write.ts';
import { planWrite, remainingMs } from './write-route.ts';

export interface AbsorbRequest {
  readonly key: ObjectKey;
  /** As `encodeRecord` makes it, of whatever cluster. */
  readonly record: Buffer;
  readonly timeoutMs?: number;
  /** Store a tombstone of which nothing is here, too. Default false. */
  readonly keepsTombstone?: boolean;
}

export type AbsorbOutcome =
  /** Durable at as many replicas as a write asks for. */
  | { readonly kind: 'merged' }
  /** It was deleted there and is not known here. */
  | { readonly kind: 'unchanged-tombstone' }
  /** There is no name, or no sound record; nothing was done. */
  | { readonly kind: 'damaged' }
  | Failure;

export interface AbsorbLimits {
  readonly objectSizeMaxBytes: number;
  readonly siblingsMax: number;
}

/**
 * How far beyond the limits of client writes a record may be: merges pass those limits, as those of
 * replicas do, but nobody can make a node decode just anything.
 */
const MERGED_FACTOR = 4;

/** The time of the record itself may be up by then. */
const HINT_TIMEOUT_MS = 5_000;

const MERGED: AbsorbOutcome = { kind: 'merged' };
const UNCHANGED: AbsorbOutcome = { kind: 'unchanged-tombstone' };

export class AbsorbCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #replica: Replica;
  readonly #reads: GetCoordinator;
  readonly #limits: AbsorbLimits;

  constructor(
    ports: CoordinatorPorts,
    replica: Replica,
    reads: GetCoordinator,
    limits: AbsorbLimits,
  ) {
    this.#ports = ports;
    this.#replica = replica;
    this.#reads = reads;
    this.#limits = limits;
  }

  async absorb({
    key,
    record,
    timeoutMs,
    keepsTombstone = false,
  }: AbsorbRequest): Promise<AbsorbOutcome> {
    if (key.bucket === '' || key.key === '') return { kind: 'damaged' };
    const plan = planWrite(this.#ports, key, timeoutMs === undefined ? {} : { timeoutMs });
    if ('kind' in plan) return plan;
    const object = this.#check(record);
    if ('kind' in object) return object;
    if (isTombstone(object) && !keepsTombstone) {
      const unwanted = await this.#findUnwanted(plan);
      if (unwanted !== undefined) return unwanted;
    }
    const outcome = await this.#spread(plan, object, record);
    if (outcome.kind === 'declined') return { kind: 'unavailable', reason: outcome.reason };
    if (outcome.kind !== 'stored') return outcome;
    if (isTombstone(object)) this.#ports.onTombstone(key);
    return MERGED;
  }

  #check(record: Buffer): StoredObject | AbsorbOutcome {
    const { objectSizeMaxBytes, siblingsMax } = this.#limits;
    const sizeBytes = record.length;
    if (sizeBytes > MERGED_FACTOR * objectSizeMaxBytes) return { kind: 'too-large', sizeBytes };
    const object = decodeRecord(record);
    if (object === undefined) return { kind: 'damaged' };
    const count = object.siblings.length;
    return count > MERGED_FACTOR * siblingsMax ? { kind: 'too-many-siblings', count } : object;
  }

  /** Why the tombstone is not to be merged. */
  async #findUnwanted(plan: WritePlan): Promise<AbsorbOutcome | undefined> {
    const { key } = plan;
    const timeoutMs = remainingMs(this.#ports, plan);
    const found = await this.#reads.get({ key, headOnly: true, timeoutMs });
    if (found.kind === 'found') return undefined;
    if (found.kind !== 'not-found') return found;
    return found.tombstone === undefined ? UNCHANGED : undefined;
  }

  /** As a write whose dot was issued elsewhere. */
  #spread(plan: WritePlan, object: StoredObject, record: Buffer): ReturnType<Write['run']> {
    const { key, joint, participants } = plan;
    const all = joint?.union ?? participants;
    const isHere = all.some(({ node }) => node === this.#ports.self);
    const keeper = isHere ? this.#replica : this.#elsewhere(plan, record);
    return new Write(this.#ports, keeper, plan, false).run((placement) => {
      const durable = isHere
        ? this.#replica.merge(key, placement, record, undefined)
        : Promise.resolve();
      // Whoever has got the answer already may no longer wait for it.
      durable.catch(() => {});
      return Promise.resolve({ kind: 'issued', object, record, durable });
    });
  }

  /** Notes what is owed at the first replica that takes the record, for this node holds no copy to owe. */
  #elsewhere(plan: WritePlan, record: Buffer): Pick<Replica, 'addHint'> {
    const { peer } = this.#ports;
    const { key, participants } = plan;
    return {
      addHint: async ({ target }: Hint) => {
        let last: unknown = new Fault('peer-unreachable', 'no other replica is up');
        for (const { node } of participants) {
          if (node === target) continue;
          const request: PeerRequest = { verb: 'merge', key, record, hintFor: target };
          try {
            mustConfirmMerge(await peer.request(node, request, HINT_TIMEOUT_MS));
            return;
          } catch (error) {
            if (!isFault(error)) throw error;
            last = error;
          }
        }
        throw last;
      },
    };
  }
}
