/**
 * Why a data type could not be had or changed, in Riak's words.
 *
 * Some of them carry the double quotes of a printed string, and one two blanks in a row.
 */

import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { failureToErrorText } from './error-text.ts';
import { printBinary } from '../../object/erlang-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type {
  FetchDatatypeOutcome,
  UpdateDatatypeOutcome,
} from '../../object/datatype-requests.ts';

export type DatatypeRefusal = Exclude<
  FetchDatatypeOutcome | UpdateDatatypeOutcome,
  { readonly kind: 'found' | 'not-found' | 'updated' }
>;

interface Asked {
  readonly type: ByteString;
  readonly action: 'fetch' | 'update';
}

export function datatypeErrorText(refusal: DatatypeRefusal, { type, action }: Asked): string {
  if (refusal.kind === 'unknown-bucket-type') {
    return `Error no bucket type \`${printBinary(refusal.type)}\``;
  }
  if (refusal.kind === 'siblings-off') {
    return type === DEFAULT_BUCKET_TYPE
      ? `"Counters require bucket property 'allow_mult=true'"`
      : '"Bucket must be allow_mult=true"';
  }
  if (refusal.kind === 'no-datatype') {
    const unsupported = `\`${refusal.datatype ?? 'undefined'}\` is not a supported type`;
    return action === 'fetch' ? unsupported : `Bucket datatype ${unsupported}`;
  }
  if (refusal.kind === 'wrong-type') {
    const { operation, datatype } = refusal;
    return `Operation type is \`${operation}\` but  bucket type is \`${datatype}\`.`;
  }
  if (refusal.kind === 'operation-too-large') return '"the operation is too large"';
  return failureToErrorText(refusal);
}
