/**
 * What both forms of a job say of its inputs, checked: index ranges and filters.
 */

import { bytesToByteString } from '../base/bytes.ts';
import { indexRefusalTerm } from '../object/erlang-text.ts';
import { compareIntegerTerms, parseIndexEntry, sortRefusals } from '../object/index-entries.ts';
import { badField } from './job.ts';
import { compileKeyFilter } from './key-filter.ts';
import { printTerm } from './term-print.ts';
import { atom, tuple } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { IndexRefusal } from '../object/index-entries.ts';
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
  if (outcome.kind === 'filter') return { kind: 'bucket', type, bucket, filter: outcome.filter };
  const { filter } = outcome;
  const term = tuple(atom('error'), tuple(atom('bad_filter'), filter));
  const unknownFilter = Buffer.isBuffer(filter) ? filter.toString() : '';
  return { refusal: 'bad-source', term: printTerm(term), unknownFilter };
}

/** `ends` is one term to equal, or both ends of a range, in whatever order. */
export function indexInputs(
  { type, bucket }: BucketName,
  index: ByteString,
  ends: readonly Term[],
): JobInputs | JobRefusal {
  const terms: ByteString[] = [];
  const refusals: IndexRefusal[] = [];
  let field = index;
  for (const end of ends) {
    const value = indexValue(end);
    if (value === undefined) return badField('inputs', `{invalid_index_term,${printTerm(end)}}`);
    const outcome = parseIndexEntry(index, value);
    if (outcome.kind === 'entry') {
      ({ field } = outcome.entry);
      terms.push(outcome.entry.term);
    } else {
      refusals.push(outcome);
    }
  }
  if (refusals.length > 0) {
    return badField('inputs', `[${sortRefusals(refusals).map(indexRefusalTerm).join(',')}]`);
  }
  const compare = field.endsWith('_int') ? compareIntegerTerms : compareBytes;
  const [from = bucket, to = from] = terms.toSorted(compare);
  return { kind: 'index', type, bucket, field, from, to };
}

function compareBytes(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function indexValue(term: Term): ByteString | undefined {
  if (Buffer.isBuffer(term)) return bytesToByteString(term);
  return typeof term === 'bigint' ? (term.toString() as ByteString) : undefined;
}
