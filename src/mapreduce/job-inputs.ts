/**
 * What both forms of a job say of its inputs, checked: index ranges and filters.
 */

import { bytesToByteString } from '../base/bytes.ts';
import { parseIndexEntry } from '../object/index-entries.ts';
import { badField } from './job.ts';
import { compileKeyFilter } from './key-filter.ts';
import { printTerm } from './term-print.ts';
import { atom, binary, tuple } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { JobInputs, JobRefusal } from './job.ts';
import type { Term, TermList } from './term.ts';

/** A bucket with its type. */
export interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

export function bucketInputs(
  { type, bucket }: BucketName,
  filters: TermList,
): JobInputs | JobRefusal {
  if (filters.length === 0) return { kind: 'bucket', type, bucket, filter: undefined };
  const outcome = compileKeyFilter(filters);
  if (outcome.kind === 'filter') return { kind: 'bucket', type, bucket, filter: outcome.passes };
  const { filter } = outcome;
  const term = tuple(atom('error'), tuple(atom('bad_filter'), filter));
  const unknownFilter = Buffer.isBuffer(filter) ? filter.toString() : '';
  return { refusal: 'bad-source', term: printTerm(term), unknownFilter };
}

/** `ends` is one term to equal, or the first and the last of a range. */
export function indexInputs(
  { type, bucket }: BucketName,
  index: ByteString,
  ends: readonly Term[],
): JobInputs | JobRefusal {
  const terms: ByteString[] = [];
  let field = index;
  for (const end of ends) {
    const value = indexValue(end);
    if (value === undefined) return badField('inputs', `{invalid_index_term,${printTerm(end)}}`);
    const outcome = parseIndexEntry(index, value);
    switch (outcome.kind) {
      case 'entry':
        ({ field } = outcome.entry);
        terms.push(outcome.entry.term);
        break;
      case 'unknown-field-type':
        return badField('inputs', `{unknown_field_type,${printTerm(binary(outcome.field))}}`);
      case 'unparsable': {
        const refused = tuple(binary(outcome.field), binary(outcome.value));
        return badField('inputs', `{field_parsing_failed,${printTerm(refused)}}`);
      }
    }
  }
  const [from = bucket, to = from] = terms;
  return { kind: 'index', type, bucket, field, from, to };
}

function indexValue(term: Term): ByteString | undefined {
  if (Buffer.isBuffer(term)) return bytesToByteString(term);
  return typeof term === 'bigint' ? (term.toString() as ByteString) : undefined;
}
