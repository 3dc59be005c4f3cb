/**
 * Client requests: each is noted, let in if there is room for it, served when the node knows the newest
 * epoch that it has heard of, and let out again.
 *
 * Who is not let in hears so at once, and nothing of his request was done.
 */

import { sizeOfOperation } from '../datatype/operation-limits.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
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

export interface ClientRequestsPorts {
  readonly admission: Admission;
  readonly hotKeys: HotKeys;
  /** What serves, or why nothing does. */
  readonly serving: () => NodeParts | Failure;
}

export class ClientRequests {
  readonly #admission: Admission;
  readonly #hotKeys: HotKeys;
  readonly #serving: ClientRequestsPorts['serving'];

  constructor({ admission, hotKeys, serving }: ClientRequestsPorts) {
    this.#admission = admission;
    this.#hotKeys = hotKeys;
    this.#serving = serving;
  }

  get(request: GetRequest): Promise<GetOutcome> {
    this.#hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', 0, ({ gets }) => gets.get(request));
  }

  put(request: PutRequest): Promise<PutOutcome> {
    this.#hotKeys.note('write', request.key);
    const sizeBytes = request.content.value.length;
    return this.#admitted('node_put_fsm', sizeBytes, ({ puts }) => puts.put(request));
  }

  delete(request: DeleteRequest): Promise<DeleteOutcome> {
    this.#hotKeys.note('write', request.key);
    return this.#admitted('node_put_fsm', 0, ({ deletes }) => deletes.delete(request));
  }

  fetchDatatype(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome> {
    this.#hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', 0, ({ datatypes }) => datatypes.fetch(request));
  }

  updateDatatype(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome> {
    this.#hotKeys.note('write', request.key);
    const { sizeBytes } = sizeOfOperation(request.operation);
    return this.#admitted('node_put_fsm', sizeBytes, ({ datatypes }) => datatypes.update(request));
  }

  /** `sizeBytes`: what the request holds while it is served. */
  async #admitted<Outcome>(
    work: ClientWork,
    sizeBytes: number,
    serve: (parts: NodeParts) => Promise<Outcome>,
  ): Promise<Outcome | Failure> {
    const parts = this.#serving();
    if ('kind' in parts) return parts;
    const enteredMs = this.#admission.tryEnter(work, sizeBytes);
    if (enteredMs === undefined) return OVERLOAD;
    try {
      if (parts.catchUp.underWay !== undefined) await parts.catchUp.underWay;
      return await serve(parts);
    } finally {
      this.#admission.leave(work, { sizeBytes, atMs: enteredMs });
    }
  }
}
