/**
 * GET: what one client read is about, before anyone is asked.
 *
 * Properties, quorums and the preference list are settled here, and what cannot be met is refused;
 * `read.ts` asks the replicas. A share of the reads asks everyone from the start, so that a stale
 * replica that is never among the nearest is met as well.
 */

import type { GetOutcome, GetRequest } from '../object/requests.ts';
import { locate, type CoordinatorPorts } from './ports.ts';
import type { ReadRepair } from './read-repair.ts';
import { Read } from './read.ts';
import { reachOf, readRequirement, requestedN, validateRead } from './requirement.ts';

interface GetOptions {
  /** One read in so many asks every replica. */
  readonly fullReadInterval: number;
}

export class GetCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #repair: ReadRepair;
  readonly #options: GetOptions;

  constructor(ports: CoordinatorPorts, repair: ReadRepair, options: GetOptions) {
    this.#ports = ports;
    this.#repair = repair;
    this.#options = options;
  }

  get(request: GetRequest): Promise<GetOutcome> {
    return this.#read(request, true);
  }

  /** As `get`, with every sibling as it is stored, whatever the bucket shows. */
  getStored(request: GetRequest): Promise<GetOutcome> {
    return this.#read(request, false);
  }

  #read(request: GetRequest, isShown: boolean): Promise<GetOutcome> {
    const { view, lists, host } = this.#ports;
    const { key } = request;
    const properties = view.properties(key.type, key.bucket);
    if (properties === undefined) {
      return Promise.resolve({ kind: 'unknown-bucket-type', type: key.type });
    }
    const n = requestedN(request, properties);
    if (typeof n !== 'number') return Promise.resolve(n);
    const isSloppy = request.sloppyQuorum ?? true;
    const partition = locate(key, properties, view.ring().ringSize);
    const participants = lists.participants(partition, n, isSloppy);
    const required = readRequirement(request, properties, n);
    const failure = validateRead(required, reachOf(participants));
    if (failure !== undefined) return Promise.resolve(failure);
    const timeoutMs = request.timeoutMs ?? this.#ports.requestTimeoutMs;
    if (timeoutMs <= 0) return Promise.resolve({ kind: 'timeout' });
    const asksAll =
      participants.length === 1 ||
      request.asksEveryone === true ||
      host.random.integer(this.#options.fullReadInterval) === 0;
    const plan = {
      request,
      isShown,
      properties,
      required,
      partition,
      participants,
      asksAll,
      isSloppy,
      timeoutMs,
    };
    return new Promise((resolve) => {
      new Read(this.#ports, this.#repair, { plan, resolve }).begin();
    });
  }
}
