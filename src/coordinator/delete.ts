/**
 * DELETE: a write of a tombstone.
 *
 * With a context the tombstone covers what that context has seen, whether or not there is anything.
 * Without one the delete reads first, and covers what it finds; nothing found is nothing to delete.
 * A value written meanwhile stays, as a sibling of the tombstone. The reaper is told, and removes the
 * tombstone once every replica has it.
 */

import type { VersionVector } from '../clock/version-vector.ts';
import type { Quorum } from '../object/bucket-properties.ts';
import type { DeleteOutcome, DeleteRequest, Failure, NewContent } from '../object/requests.ts';
import type { GetCoordinator } from './get.ts';
import { type CoordinatorPorts } from './ports.ts';
import type { PutCoordinator } from './put.ts';

const TOMBSTONE: NewContent = { metadata: {}, value: Buffer.alloc(0), isTombstone: true };

type ReadResult =
  | { readonly kind: 'found'; readonly context: VersionVector }
  | { readonly kind: 'not-found' }
  | Failure;

export class DeleteCoordinator {
  readonly #ports: CoordinatorPorts;
  readonly #reads: GetCoordinator;
  readonly #writes: PutCoordinator;

  constructor(ports: CoordinatorPorts, reads: GetCoordinator, writes: PutCoordinator) {
    this.#ports = ports;
    this.#reads = reads;
    this.#writes = writes;
  }

  async delete(request: DeleteRequest): Promise<DeleteOutcome> {
    const { key } = request;
    const properties = this.#ports.view.properties(key.type, key.bucket);
    if (properties === undefined) return { kind: 'unknown-bucket-type', type: key.type };
    const { clock } = this.#ports.host;
    const startMs = clock.monotonicMs();
    const rw = request.rw ?? properties.rw;
    const timeoutMs = request.timeoutMs ?? this.#ports.requestTimeoutMs;

    let { context } = request;
    if (context === undefined) {
      // Of the read it stands for r only where the request says nothing of the write either.
      const r = request.r ?? (request.w === undefined ? rw : undefined);
      const found = await this.#read(request, r, timeoutMs);
      if (found.kind !== 'found') return found;
      context = found.context;
    }
    const outcome = await this.#writes.put({
      ...request,
      w: request.w ?? rw,
      context,
      content: TOMBSTONE,
      returning: 'nothing',
      timeoutMs: timeoutMs - (clock.monotonicMs() - startMs),
    });
    if (outcome.kind !== 'stored') return outcome;
    this.#ports.onTombstone(key);
    return { kind: 'deleted' };
  }

  async #read(
    request: DeleteRequest,
    r: Quorum | undefined,
    timeoutMs: number,
  ): Promise<ReadResult> {
    const found = await this.#reads.get({
      ...request,
      ...(r === undefined ? {} : { r }),
      headOnly: true,
      timeoutMs,
    });
    if (found.kind === 'found') return { kind: 'found', context: found.object.context };
    return found.kind === 'not-found' ? { kind: 'not-found' } : found;
  }
}
