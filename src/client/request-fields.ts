/**
 * Requests of the client as fields of their messages.
 *
 * Written out field by field: objects put together from parts cost more than all the rest of a
 * request.
 */

import { newToContent } from '../api/pbc/content-values.ts';
import { quorumToNumber } from '../api/pbc/request-values.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Quorum } from '../object/bucket-properties.ts';
import type { RpbDelReq } from '../api/pbc/messages/delete-messages.ts';
import type { RpbGetReq } from '../api/pbc/messages/get-messages.ts';
import type { RpbIndexReq } from '../api/pbc/messages/index-messages.ts';
import type { InputOf } from '../api/pbc/messages/message-type.ts';
import type { RpbPutReq } from '../api/pbc/messages/put-messages.ts';
import type {
  DeleteOptions,
  GetOptions,
  IndexQuery,
  PutContent,
  PutOptions,
  PutTarget,
} from './client-types.ts';

export function getFields(key: ObjectKey, options: GetOptions): InputOf<typeof RpbGetReq> {
  return {
    bucket: key.bucket,
    key: key.key,
    r: quorumField(options.r),
    pr: quorumField(options.pr),
    basic_quorum: options.basicQuorum,
    notfound_ok: options.notFoundOk,
    head: options.headOnly,
    deletedvclock: true,
    timeout: options.timeoutMs,
    sloppy_quorum: options.sloppyQuorum,
    n_val: options.nVal,
    type: key.type,
    node_confirms: options.nodeConfirms,
  };
}

export function putFields(
  target: PutTarget,
  content: PutContent,
  options: PutOptions,
): InputOf<typeof RpbPutReq> {
  const { metadata = {}, value } = content;
  const { returning, condition } = options;
  return {
    bucket: target.bucket,
    key: target.key,
    vclock: options.context,
    content: newToContent({ metadata, value, isTombstone: false }),
    w: quorumField(options.w),
    dw: quorumField(options.dw),
    return_body: returning === 'body' ? true : undefined,
    pw: quorumField(options.pw),
    if_not_modified: condition === 'not-modified' ? true : undefined,
    if_none_match: condition === 'none-match' ? true : undefined,
    return_head: returning === 'head' ? true : undefined,
    timeout: options.timeoutMs,
    asis: options.asIs,
    sloppy_quorum: options.sloppyQuorum,
    n_val: options.nVal,
    type: target.type,
    node_confirms: options.nodeConfirms,
  };
}

export function deleteFields(key: ObjectKey, options: DeleteOptions): InputOf<typeof RpbDelReq> {
  return {
    bucket: key.bucket,
    key: key.key,
    rw: quorumField(options.rw),
    vclock: options.context,
    r: quorumField(options.r),
    w: quorumField(options.w),
    pr: quorumField(options.pr),
    pw: quorumField(options.pw),
    dw: quorumField(options.dw),
    timeout: options.timeoutMs,
    sloppy_quorum: options.sloppyQuorum,
    n_val: options.nVal,
    type: key.type,
  };
}

export function indexFields(query: IndexQuery): InputOf<typeof RpbIndexReq> {
  const { from, to } = query;
  return {
    bucket: query.bucket,
    index: query.field,
    qtype: to === undefined ? 'eq' : 'range',
    key: to === undefined ? from : undefined,
    range_min: to === undefined ? undefined : from,
    range_max: to,
    return_terms: query.returnsTerms,
    timeout: query.timeoutMs,
    type: query.type,
    term_regex: query.termRegex,
  };
}

function quorumField(quorum: Quorum | undefined): number | undefined {
  return quorum === undefined ? undefined : quorumToNumber(quorum);
}
