/**
 * What clients' writes make of a copy: a value that supersedes what its context has seen, or an update
 * of a data type, which is computed from the states that are here.
 */

import { runInSlices } from '../base/sliced.ts';
import type { Clock } from '../base/host.ts';
import {
  EMPTY_VERSION_VECTOR,
  merge,
  type Dot,
  type VersionVector,
} from '../clock/version-vector.ts';
import type { ApplicationRefusal } from '../datatype/apply.ts';
import { sizeOfOperation } from '../datatype/operation-limits.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import { applyUpdate, type DatatypeUpdate, type UpdateOutcome } from '../object/datatype-update.ts';
import { applyWrite } from '../object/reconcile.ts';
import { withoutValues } from '../object/show.ts';
import type { StoredObject } from '../object/stored-object.ts';
import { objectOf } from './copy.ts';
import type { Copy } from './copy.ts';
import type { CoordinatedWrite } from './replica.ts';

/** What a write starts from. */
export interface WriteBasis {
  readonly copy: Copy | undefined;
  /** What a reaped tombstone had superseded: it is not to come back beside the new value. */
  readonly pastContext: VersionVector | undefined;
  /** The write's own. */
  readonly dot: Dot;
  readonly nowMicros: number;
  readonly vtag: string;
}

export type Made = StoredObject | ApplicationRefusal;

export interface WriteMaker {
  /** What the write holds in memory. */
  readonly sizeBytes: number;
  /** What the client says it has seen: whether this node's chain goes on depends on it. */
  readonly seen: VersionVector;
  /**
   * Undefined: the copy's values are needed; then it is asked again. A promise: it takes its time,
   * during which the copy must stay as it is.
   */
  make(basis: WriteBasis): Made | undefined | Promise<Made>;
}

const OVERHEAD_BYTES = 1_024;

export class ContentWrite implements WriteMaker {
  readonly sizeBytes: number;
  readonly seen: VersionVector;
  readonly #write: CoordinatedWrite;
  readonly #properties: BucketProperties;

  constructor(write: CoordinatedWrite, properties: BucketProperties) {
    this.sizeBytes = write.content.value.length + OVERHEAD_BYTES;
    this.seen = write.context;
    this.#write = write;
    this.#properties = properties;
  }

  make({ copy, pastContext, dot, nowMicros, vtag }: WriteBasis): Made | undefined {
    const { content } = this.#write;
    const context = merge(this.#write.context, pastContext ?? EMPTY_VERSION_VECTOR);
    const write = { context, content, dot, properties: this.#properties, nowMicros, vtag };
    const known = copy === undefined ? undefined : (objectOf(copy) ?? withoutValues(copy.head));
    const object = applyWrite(known, write);
    const isWhole = object.siblings.length === 1 || copy === undefined || hasValues(copy);
    return isWhole ? object : undefined;
  }
}

export class DatatypeWrite implements WriteMaker {
  readonly sizeBytes: number;
  readonly seen: VersionVector;
  readonly #update: DatatypeUpdate;
  readonly #clock: Clock;

  constructor(update: DatatypeUpdate, clock: Clock) {
    this.sizeBytes = sizeOfOperation(update.operation).sizeBytes + OVERHEAD_BYTES;
    this.seen = update.context ?? EMPTY_VERSION_VECTOR;
    this.#update = update;
    this.#clock = clock;
  }

  make({ copy, pastContext, dot, nowMicros, vtag }: WriteBasis): Made | undefined | Promise<Made> {
    if (copy !== undefined && !hasValues(copy) && !isEmpty(copy)) return undefined;
    const local = copy && (objectOf(copy) ?? withoutValues(copy.head));
    const stamp = { dot, past: pastContext ?? EMPTY_VERSION_VECTOR, nowMicros, vtag };
    const outcome = runInSlices(applyUpdate(local, this.#update, stamp), this.#clock);
    return outcome instanceof Promise ? outcome.then(madeOf) : madeOf(outcome);
  }
}

function madeOf(outcome: UpdateOutcome): Made {
  return outcome.kind === 'applied' ? outcome.object : outcome;
}

function hasValues(copy: Copy): boolean {
  return copy.object !== undefined || copy.record !== undefined;
}

/** Whether no sibling has a value, as with tombstones. */
function isEmpty({ head }: Copy): boolean {
  return head.siblings.every(({ valueSizeBytes }) => valueSizeBytes === 0);
}
