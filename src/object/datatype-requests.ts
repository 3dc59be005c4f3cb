/**
 * What a client may ask of a data type, and what it may be told.
 *
 * As `requests.ts`: nothing here knows a protocol, and expected outcomes are values. A bucket of the
 * default type has counters only, those of Riak 1.4.
 */

import type { ObjectKey } from '../base/names.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { DatatypeName, DatatypeOperation, DatatypeValue } from '../datatype/operation.ts';
import type { Failure, ReadOptions, WriteOptions } from './requests.ts';

export interface FetchDatatypeRequest extends ReadOptions {
  readonly key: ObjectKey;
}

export interface UpdateDatatypeRequest extends WriteOptions {
  readonly key: ObjectKey;
  readonly operation: DatatypeOperation;
  /**
   * What the client had seen, as it was given with a value: removals take away just that. Without it
   * they act on the coordinating replica's state, and what is not there refuses the operation.
   */
  readonly context?: VersionVector;
  readonly returning: 'nothing' | 'value';
}

export interface ShownDatatype {
  readonly value: DatatypeValue;
  /** To be sent back with removals; undefined where nothing can be removed. */
  readonly context: VersionVector | undefined;
}

/** The bucket holds no data types. */
export type NoDatatype =
  /** Data types need `allow_mult`. */
  | { readonly kind: 'siblings-off' }
  /** `datatype` is the property; undefined: there is none. */
  | { readonly kind: 'no-datatype'; readonly datatype: string | undefined };

export type FetchDatatypeOutcome =
  | { readonly kind: 'found'; readonly shown: ShownDatatype }
  | { readonly kind: 'not-found'; readonly datatype: DatatypeName }
  | NoDatatype
  | Failure;

export type UpdateDatatypeOutcome =
  /** `shown` is there if the request asked for it. */
  | { readonly kind: 'updated'; readonly shown: ShownDatatype | undefined }
  /** The bucket has another data type than the operation. */
  | {
      readonly kind: 'wrong-type';
      readonly operation: DatatypeName;
      readonly datatype: DatatypeName;
    }
  /** Too many pieces, too deeply nested, or a number too long. */
  | { readonly kind: 'operation-too-large' }
  | NoDatatype
  | Failure;
