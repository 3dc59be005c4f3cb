/**
 * Listings: the queries that need every partition once, so many at a time.
 *
 * Each goes by the n_val of what it lists: of n replicas in a row one is enough. A listing of a type's
 * buckets takes the least of them all, so that none is passed over.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { replicaCountsOfType } from '../membership/effective-properties.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { IndexScan } from '../peer/messages.ts';
import { CoverageAdmission, type CoverageLimits } from './coverage-admission.ts';
import type { NodeParts } from './node-parts.ts';
import type { CoverageOptions } from './node-service.ts';

export interface ListingsPorts {
  readonly host: Pick<Host, 'clock' | 'metrics'>;
  /** Throws the fault that keeps the node from serving. */
  readonly mustServe: () => Pick<NodeParts, 'coverage' | 'topology'>;
}

export class Listings {
  readonly #admission: CoverageAdmission;
  readonly #mustServe: ListingsPorts['mustServe'];

  constructor({ host, mustServe }: ListingsPorts, limits: CoverageLimits) {
    this.#admission = new CoverageAdmission(host, limits);
    this.#mustServe = mustServe;
  }

  buckets(
    type: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    const { coverage, topology } = this.#mustServe();
    const n = known(() => replicaCountsOfType(topology.state(), type));
    return this.#admission.admit('list_fsm', options.timeoutMs, () => {
      return coverage.listBuckets(type, n, options);
    });
  }

  keys(
    type: ByteString,
    bucket: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    const { coverage, topology } = this.#mustServe();
    const n = known(() => topology.properties(type, bucket)?.n_val);
    return this.#admission.admit('list_fsm', options.timeoutMs, () => {
      return coverage.listKeys({ type, bucket }, n, options);
    });
  }

  index(scan: IndexScan, options: CoverageOptions): AsyncIterableIterator<readonly IndexMatch[]> {
    const { coverage, topology } = this.#mustServe();
    const n = known(() => topology.properties(scan.type, scan.bucket)?.n_val);
    return this.#admission.admit('index_fsm', options.timeoutMs, () => {
      return coverage.index(scan, n, options);
    });
  }
}

/** Throws where it is unknown now. */
function known<T>(find: () => T | undefined): () => T {
  const first = find();
  if (first === undefined) throw new Fault('malformed', 'the bucket type is unknown');
  return () => find() ?? first;
}
