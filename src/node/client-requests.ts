/**
 * Client requests: each is noted, let in if there is room for it, served when the node knows the newest
 * epoch that it has heard of, and let out again.
 *
 * Who is not let in hears so at once, and nothing of his request was done. What a request waits here is
 * of its own time.
 */

import type { Clock } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import type { AbsorbOutcome, AbsorbRequest } from '../coordinator/absorb.ts';
import { sizeOfOperation } from '../datatype/operation-limits.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
  PutTerms,
} from '../object/requests.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../object/datatype-requests.ts';
import type { Admission, ClientWork } from './admission.ts';
import type { HotKeys } from './hot-keys.ts';
import type { NodeParts } from './node-parts.ts';

const OVERLOAD: Failure = { kind: 'overload' };
const TIMEOUT: Failure = { kind: 'timeout' };

export interface ClientRequestsPorts {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly hotKeys: HotKeys;
  /** What serves, or why nothing does. */
  readonly serving: () => NodeParts | Failure;
  /** Told of each write that was served, and how it ended; undefined: by a fault. */
  readonly written?: ((key: ObjectKey, outcome: string | undefined) => void) | undefined;
}

interface Timed {
  readonly timeoutMs?: number;
}

interface Ended {
  readonly kind: string;
}

export class ClientRequests {
  readonly #clock: Clock;
  readonly #admission: Admission;
  readonly #hotKeys: HotKeys;
  readonly #serving: ClientRequestsPorts['serving'];
  readonly #written: ClientRequestsPorts['written'];
  /** Writes that are to be told. */
  readonly #untold = new Set<ObjectKey>();

  constructor({ clock, admission, hotKeys, serving, written }: ClientRequestsPorts) {
    this.#clock = clock;
    this.#admission = admission;
    this.#hotKeys = hotKeys;
    this.#serving = serving;
    this.#written = written;
  }

  get(request: GetRequest): Promise<GetOutcome> {
    this.#hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', request, ({ gets }, timed) => gets.get(timed));
  }

  /** As `get`, with every sibling as it is stored: of another cluster, not of a client. */
  getStored(request: GetRequest): Promise<GetOutcome> {
    return this.#admitted('node_get_fsm', request, ({ gets }, timed) => gets.getStored(timed));
  }

  put(request: PutRequest): Promise<PutOutcome> {
    this.#hotKeys.note('write', request.key);
    const sizeBytes = request.content.value.length;
    return this.#admittedWrite(request, ({ puts }, timed) => puts.put(timed), sizeBytes);
  }

  findPutRefusal(terms: PutTerms): Promise<Failure | undefined> {
    return this.#admitted('node_put_fsm', terms, ({ puts }, timed) => puts.findRefusal(timed));
  }

  delete(request: DeleteRequest): Promise<DeleteOutcome> {
    this.#hotKeys.note('write', request.key);
    return this.#admittedWrite(request, ({ deletes }, timed) => deletes.delete(timed));
  }

  fetchDatatype(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome> {
    this.#hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', request, ({ datatypes }, timed) => {
      return datatypes.fetch(timed);
    });
  }

  updateDatatype(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome> {
    this.#hotKeys.note('write', request.key);
    const { sizeBytes } = sizeOfOperation(request.operation);
    const serve = ({ datatypes }: NodeParts, timed: UpdateDatatypeRequest) =>
      datatypes.update(timed);
    return this.#admittedWrite(request, serve, sizeBytes);
  }

  /** The node stops, and waits for them no longer: those that are under way may have happened. */
  tellUnanswered(): void {
    for (const key of this.#untold) this.#written?.(key, undefined);
  }

  #admittedWrite<Request extends Timed & { readonly key: ObjectKey }, Outcome extends Ended>(
    request: Request,
    serve: (parts: NodeParts, request: Request) => Promise<Outcome>,
    sizeBytes = 0,
  ): Promise<Outcome | Failure> {
    const written = this.#written;
    if (written === undefined) return this.#admitted('node_put_fsm', request, serve, sizeBytes);
    const serveAndTell = async (parts: NodeParts, timed: Request): Promise<Outcome> => {
      const key = { ...request.key };
      let ended: string | undefined;
      this.#untold.add(key);
      try {
        const outcome = await serve(parts, timed);
        ended = outcome.kind;
        return outcome;
      } finally {
        this.#untold.delete(key);
        written(key, ended);
      }
    };
    return this.#admitted('node_put_fsm', request, serveAndTell, sizeBytes);
  }

  /** A record of another cluster; let in as clients' writes are, but no client's use of the key. */
  absorb(request: AbsorbRequest): Promise<AbsorbOutcome> {
    const serve = ({ absorbs }: NodeParts, timed: AbsorbRequest) => absorbs.absorb(timed);
    return this.#admitted('node_put_fsm', request, serve, request.record.length);
  }

  /** `sizeBytes`: what the request holds while it is served. */
  async #admitted<Request extends Timed, Outcome>(
    work: ClientWork,
    request: Request,
    serve: (parts: NodeParts, request: Request) => Promise<Outcome>,
    sizeBytes = 0,
  ): Promise<Outcome | Failure> {
    const parts = this.#serving();
    if ('kind' in parts) return parts;
    const enteredMs = this.#admission.tryEnter(work, sizeBytes);
    if (enteredMs === undefined) return OVERLOAD;
    try {
      const { underWay } = parts.catchUp;
      if (underWay === undefined) return await serve(parts, request);
      const timed = await this.#caughtUp(underWay, request);
      return timed === undefined ? TIMEOUT : await serve(parts, timed);
    } finally {
      this.#admission.leave(work, { sizeBytes, atMs: enteredMs });
    }
  }

  /** The request with what is left of its time; undefined: nothing is. */
  async #caughtUp<Request extends Timed>(
    underWay: Promise<void>,
    request: Request,
  ): Promise<Request | undefined> {
    const { timeoutMs } = request;
    // Without one, or with one that means another, it has more time than any fetch takes.
    if (timeoutMs === undefined || timeoutMs <= 0) return underWay.then(() => request);
    const startedMs = this.#clock.monotonicMs();
    let cancel = (): void => {};
    const timeUp = new Promise<void>((resolve) => {
      cancel = this.#clock.after(timeoutMs, resolve);
    });
    await Promise.race([underWay, timeUp]);
    cancel();
    const leftMs = timeoutMs - (this.#clock.monotonicMs() - startedMs);
    return leftMs > 0 ? { ...request, timeoutMs: leftMs } : undefined;
  }
}
