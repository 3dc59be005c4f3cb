/**
 * What went wrong, in Riak's words: clients compare some of these texts, so they are exact.
 *
 * One function for each kind of trouble: a failure (an expected outcome), a fault (the world's), a
 * refused change of properties, a refused index entry.
 */

import { utf8ToByteString } from '../../base/bytes.ts';
import { unreachable } from '../../base/fault.ts';
import {
  indexRefusalTerm,
  notPresentTerm,
  printReason,
  printString,
} from '../../object/erlang-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Fault } from '../../base/fault.ts';
import type { PropertyRefusal } from '../../node/node-service.ts';
import type { IndexRefusal } from '../../object/index-entries.ts';
import type { Failure } from '../../object/requests.ts';

/** Like all texts here one character is one byte: what was text is UTF-8. */
export function failureToErrorText(failure: Failure): string {
  switch (failure.kind) {
    case 'unknown-bucket-type':
      return 'no_type';
    case 'n-val-violation':
      return `{n_val_violation,${failure.n}}`;
    case 'unsatisfied':
      return `{${failure.quorum}_val_unsatisfied,${failure.needed},${failure.got}}`;
    case 'insufficient-replicas':
      return `{insufficient_vnodes,${failure.got},need,${failure.needed}}`;
    case 'insufficient-nodes':
      return `{insufficient_nodes,${failure.got},need,${failure.needed}}`;
    case 'all-nodes-down':
      return 'all_nodes_down';
    case 'timeout':
      return 'timeout';
    case 'overload':
      return 'overload';
    case 'unavailable':
      return `{unavailable,${printString(utf8ToByteString(failure.reason))}}`;
    case 'too-large':
      return `{too_large,${failure.sizeBytes}}`;
    case 'too-many-siblings':
      return `{too_many_siblings,${failure.count}}`;
    case 'precommit-failed':
      return failure.reason === undefined
        ? 'precommit_fail'
        : `{precommit_fail,<<${printString(utf8ToByteString(failure.reason))}>>}`;
    case 'match-found':
      return 'match_found';
    case 'modified':
      return 'modified';
    case 'nothing-to-match':
      return 'notfound';
    case 'element-not-present':
      return notPresentTerm(failure.element);
    case 'field-not-present':
      return notPresentTerm(failure.field);
    default:
      return unreachable(failure);
  }
}

/** A fault that ended a request; its message stays in the log, for it may name files or peers. */
export function faultToErrorText(fault: Fault): string {
  switch (fault.code) {
    case 'timeout':
    case 'overload':
      return fault.code;
    case 'peer-unreachable':
    case 'peer-refused':
    case 'peer-closed':
    case 'peer-malformed':
    case 'peer-unsupported':
    case 'login-refused':
      return 'insufficient_vnodes_available';
    case 'store-fenced':
    case 'store-corrupt':
    case 'store-closed':
      return '{unavailable,"the store takes no requests"}';
    case 'disk-full':
      return '{unavailable,"the disk is nearly full: no new data is taken"}';
    case 'malformed':
    case 'config':
    case 'closed':
      return `{error,${fault.code}}`;
    default:
      return unreachable(fault.code);
  }
}

/** Refused properties, the first first: `Invalid bucket properties: [{n_val,not_integer}]`. */
export function propertiesErrorText(refusals: readonly PropertyRefusal[]): string {
  const terms = refusals.map(
    ({ property, reason }) => `{${property},${printReason(utf8ToByteString(reason))}}`,
  );
  return `Invalid bucket properties: [${terms.join(',')}]`;
}

/** Entries that a put is refused for. */
export function indexEntriesErrorText(refusals: readonly IndexRefusal[]): string {
  return `{precommit_fail,[${refusals.map(indexRefusalTerm).join(',')}]}`;
}

/** For listings and the properties of buckets. */
export function noSuchTypeText(type: ByteString): string {
  return `No bucket-type named '${type}'`;
}
