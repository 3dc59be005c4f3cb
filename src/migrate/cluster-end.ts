/**
 * One end of a migration: a cluster, Riak or Vertebra, behind its Protocol Buffers API.
 *
 * Reads are made anew while the nodes are away (`patience.ts`); a write is made once, because whoever
 * writes has to look at both ends again before the next attempt.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { Fault } from '../base/fault.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { ObjectKey } from '../base/names.ts';
import { VertebraClient } from '../client/client.ts';
import type { NodeAddress } from '../client/client.ts';
import type { Credentials } from '../client/credentials.ts';
import type { ReceivedObject } from '../client/client-types.ts';
import type { DatatypeOperation } from '../datatype/operation.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import type { Registers } from '../datatype/hyperloglog.ts';
import { ABSENT, versionOfSiblings, versionOfSketch, versionOfValue } from './carried-object.ts';
import type { CarriedSibling, Reading, Version } from './carried-object.ts';
import { Patience, isPassing, spent } from './patience.ts';
import { SKETCH_CONTENT_TYPE, decodeSketch, decodeSketches, encodeSketch } from './sketch.ts';
import type { Place } from './walk.ts';

export interface EndOptions {
  readonly nodes: readonly NodeAddress[];
  /** Of a cluster with security on. */
  readonly credentials?: Credentials | undefined;
  /** Objects under way at a time. */
  readonly concurrency: number;
  /** Of one request. */
  readonly timeoutMs: number;
  /** With a cluster that does not answer. */
  readonly patienceMs: number;
}

/** What a conditional write came to. */
export type Written =
  /** `version`: what the end shows since; undefined: it did not say. `siblings`: how many. */
  | { readonly kind: 'stored'; readonly version: Version | undefined; readonly siblings: number }
  /** The end shows something else than was expected. */
  | { readonly kind: 'changed' };

export interface WriteBasis {
  readonly context: Buffer | undefined;
  /** Undefined: whatever is there now. */
  readonly expects?: 'nothing' | 'context';
}

const PAGE_COUNT = 1_000;
/** A listing waits as long as this for its next batch. */
const LISTING_TIMEOUT_MS = 3_600_000;
const LISTING_PAUSE_MS = 1_000;
const LEGACY_COUNTER = 'application/riak_counter';

export class ClusterEnd {
  readonly patience: Patience;
  readonly #client: VertebraClient;
  #storesSketches: boolean | undefined;

  constructor({ nodes, credentials, concurrency, timeoutMs, patienceMs }: EndOptions) {
    const names = nodes.map(({ host, port }) => `${host}:${port}`);
    this.patience = new Patience(patienceMs, names.join(','));
    this.#client = new VertebraClient({
      nodes,
      credentials,
      // The walk has two of its own.
      connectionsPerNode: concurrency + 2,
      timeoutMs,
      attemptTimeoutMs: timeoutMs,
      attemptsMax: nodes.length + 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** The node that answers says who it is: whether anybody is there at all. */
  async release(): Promise<string> {
    const { node, version } = await this.#client.serverInfo();
    return `${node} ${version}`;
  }

  listBuckets(type: ByteString): AsyncGenerator<readonly ByteString[]> {
    return this.#client.listBuckets(type, { timeoutMs: LISTING_TIMEOUT_MS });
  }

  /** A listing that is cut off may be begun anew, so often in all: keys then come twice. */
  async *listKeys(
    type: ByteString,
    bucket: ByteString,
    listingsMax: number,
  ): AsyncGenerator<readonly ByteString[]> {
    for (let listings = 1; ; listings += 1) {
      try {
        yield* this.#client.listKeys(type, bucket, { timeoutMs: LISTING_TIMEOUT_MS });
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (listings >= listingsMax) throw spent(error);
      }
      this.patience.retries += 1;
      await sleep(LISTING_PAUSE_MS);
    }
  }

  async keysPage(
    type: ByteString,
    bucket: ByteString,
    continuation: Buffer | undefined,
  ): Promise<{
    readonly keys: readonly ByteString[];
    readonly continuation: Buffer | undefined;
  }> {
    const query = { type, bucket, field: '$bucket' as ByteString, from: bucket };
    const page = { maxResults: PAGE_COUNT, continuation };
    const found = await this.patience.with(() => this.#client.indexPage(query, page));
    return { keys: found.matches.map(({ key }) => key), continuation: found.continuation };
  }

  typeProperties(type: ByteString): Promise<PartialProperties> {
    return this.patience.with(() => this.#client.buckets.typeProperties(type));
  }

  async setProperties(place: Place, changes: PartialProperties): Promise<void> {
    await this.#client.buckets.setProperties(place.type, place.bucket, changes);
  }

  async place(type: ByteString, bucket: ByteString): Promise<Place> {
    const properties = await this.patience.with(() => {
      return this.#client.buckets.properties(type, bucket);
    });
    return { type, bucket, datatype: properties.datatype, properties };
  }

  /** Without the values. Of data types and counters: what `read` gives. */
  async version(place: Place, key: ObjectKey): Promise<Version> {
    if (place.datatype !== undefined) return (await this.read(place, key)).version;
    const found = await this.patience.with(() => this.#client.get(key, { headOnly: true }));
    if (found.kind === 'not-found') return ABSENT;
    if (isLegacyCounter(key, found.siblings)) return (await this.#readDatatype(key)).version;
    return versionOfSiblings(found.siblings);
  }

  /** `isCertain`: a majority of the replicas that are to have it must say so. */
  async read(place: Place, key: ObjectKey, isCertain = false): Promise<Reading> {
    if (place.datatype === 'hll') return this.#readSketch(key, isCertain);
    if (place.datatype !== undefined) return this.#readDatatype(key, isCertain);
    const options = isCertain ? ({ pr: 'quorum' } as const) : {};
    const found = await this.patience.with(() => this.#client.get(key, options));
    if (found.kind === 'not-found') {
      return { version: ABSENT, carried: undefined, context: found.context, tombstones: 0 };
    }
    if (isLegacyCounter(key, found.siblings)) return this.#readDatatype(key, isCertain);
    const siblings = found.siblings.filter(({ isTombstone }) => !isTombstone);
    return {
      version: versionOfSiblings(found.siblings),
      carried: siblings.length === 0 ? undefined : { kind: 'siblings', siblings },
      context: found.context,
      tombstones: found.siblings.length - siblings.length,
    };
  }

  /** By its registers, if they can be read; else by its count. */
  async #readSketch(key: ObjectKey, isCertain: boolean): Promise<Reading> {
    const options = isCertain ? ({ pr: 'quorum' } as const) : {};
    const found = await this.patience.with(() => this.#client.get(key, options));
    const { context } = found;
    if (found.kind === 'not-found') {
      return { version: ABSENT, carried: undefined, context, tombstones: 0 };
    }
    const siblings = found.siblings.filter(({ isTombstone }) => !isTombstone);
    const values = siblings.map(({ value }) => value);
    const registers = values.length === 0 ? undefined : decodeSketches(values);
    if (registers === undefined) return this.#readDatatype(key, isCertain);
    this.#storesSketches = values.every((value) => decodeSketch(value) !== undefined);
    const carried = { kind: 'sketch', registers } as const;
    return { version: versionOfSketch(registers), carried, context, tombstones: 0 };
  }

  async #readDatatype(key: ObjectKey, isCertain = false): Promise<Reading> {
    const options = isCertain ? ({ pr: 'quorum' } as const) : {};
    const { value, context } = await this.patience.with(() => {
      return this.#client.datatypes.fetch(key, options);
    });
    return {
      version: value === undefined ? ABSENT : versionOfValue(value),
      carried: value && { kind: 'datatype', value },
      context,
      tombstones: 0,
    };
  }

  /**
   * Whether HyperLogLogs were found to stand here as Vertebra stores them, so that `writeSketch` makes
   * one; undefined: none was seen yet.
   */
  get storesSketches(): boolean | undefined {
    return this.#storesSketches;
  }

  writeSketch(key: ObjectKey, registers: Registers, basis: WriteBasis): Promise<Written> {
    const metadata = { contentType: SKETCH_CONTENT_TYPE };
    return this.write(key, { value: encodeSketch(registers), metadata }, basis);
  }

  async write(
    key: ObjectKey,
    { value, metadata }: Pick<CarriedSibling, 'value' | 'metadata'>,
    { context, expects }: WriteBasis,
  ): Promise<Written> {
    const condition =
      expects && ({ nothing: 'none-match', context: 'not-modified' } as const)[expects];
    const put = await this.#client.put(
      key,
      { value, metadata },
      { context, returning: 'head', ...(condition !== undefined && { condition }) },
    );
    if (put.kind !== 'stored') return { kind: 'changed' };
    const siblings = put.object?.siblings ?? [];
    const version = put.object === undefined ? undefined : versionOfSiblings(siblings);
    return { kind: 'stored', version, siblings: siblings.length };
  }

  async update(key: ObjectKey, operation: DatatypeOperation, context?: Buffer): Promise<void> {
    await this.#client.datatypes.update(key, operation, context);
  }

  async delete(key: ObjectKey, context: Buffer | undefined): Promise<void> {
    await this.#client.delete(key, { context });
  }
}

/** Whether an end says that it has no such bucket type; a permission that lacks is something else. */
export function isUnknownType(error: unknown): error is Fault {
  return isFault(error, 'peer-refused') && UNKNOWN_TYPE.test(error.message);
}

const UNKNOWN_TYPE =
  /^(no_type$|No bucket-type named |Invalid bucket type: |Error no bucket type )/;

/** The counters of Riak 1.4, which stand among the objects of untyped buckets. */
function isLegacyCounter(key: ObjectKey, siblings: ReceivedObject['siblings']): boolean {
  return (
    key.type === DEFAULT_BUCKET_TYPE &&
    siblings.some(({ metadata }) => metadata.contentType === LEGACY_COUNTER)
  );
}
