/**
 * From failure to status: the one table of what Riak's clients are told when a request is not served.
 *
 * Expected failures are values of `object/requests.ts`; faults of the world are thrown. Texts that Riak
 * prints as Erlang terms are written alike, because clients match them.
 */

import { htmlAnswer, textAnswer, typedAnswer } from './answer.ts';
import { utf8ToByteString } from '../../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { notPresentTerm } from '../../object/erlang-text.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Fault } from '../../base/fault.ts';
import type { Failure } from '../../object/requests.ts';

/**
 * `method` matters for the words of a few bodies only; `negotiated` is the content type of those
 * texts that Riak gives none of their own.
 */
export function failureToAnswer(
  failure: Failure,
  method: string,
  negotiated = 'text/plain',
): Answer {
  switch (failure.kind) {
    case 'unknown-bucket-type':
      return textAnswer(404, `Unknown bucket type: ${failure.type}`);
    case 'n-val-violation':
      return typedAnswer(400, negotiated, nValText(failure.n));
    case 'unsatisfied': {
      const { quorum, got, needed } = failure;
      const text = `${QUORUM_LABELS[quorum]}-value unsatisfied: ${got}/${needed}\n`;
      const isUntyped = quorum === 'pw' || quorum === 'node_confirms';
      return typedAnswer(503, isUntyped ? negotiated : 'text/plain', text);
    }
    case 'timeout':
      return textAnswer(503, 'request timed out\n');
    case 'unavailable':
      return textAnswer(503, `Service unavailable: ${failure.reason}\n`);
    case 'precommit-failed':
      return textAnswer(
        403,
        utf8ToByteString(failure.reason ?? `${method} aborted by pre-commit hook.`),
      );
    case 'match-found':
      return htmlAnswer(412);
    case 'modified':
    case 'nothing-to-match':
      return htmlAnswer(409);
    case 'insufficient-replicas':
      return errorTermAnswer(`{insufficient_vnodes,${failure.got},need,${failure.needed}}`);
    case 'insufficient-nodes':
      return errorTermAnswer(`{insufficient_nodes,${failure.got},need,${failure.needed}}`);
    case 'all-nodes-down':
      return errorTermAnswer('all_nodes_down');
    case 'overload':
      return errorTermAnswer('overload');
    case 'too-large':
      return errorTermAnswer(`{too_large,${failure.sizeBytes}}`);
    case 'too-many-siblings':
      return errorTermAnswer(`{too_many_siblings,${failure.count}}`);
    case 'element-not-present':
      return errorTermAnswer(notPresentTerm(failure.element));
    case 'field-not-present':
      return errorTermAnswer(notPresentTerm(failure.field));
  }
}

/** The answer to a write to a bucket whose type is not there. */
export function refuseUnknownType(exchange: Exchange, type: ByteString): Answer | undefined {
  if (type === DEFAULT_BUCKET_TYPE) return undefined;
  const properties = exchange.context.service.bucketTypeProperties(type);
  return properties === undefined
    ? failureToAnswer({ kind: 'unknown-bucket-type', type }, exchange.method)
    : undefined;
}

const QUORUM_LABELS = {
  r: 'R',
  w: 'W',
  dw: 'DW',
  pr: 'PR',
  pw: 'PW',
  node_confirms: 'node_confirms',
} as const;

function nValText(n: number): string {
  return `Specified w/dw/pw/node_confirms values invalid for bucket n value of ${n}\n`;
}

/** `term` in Erlang's syntax. */
function errorTermAnswer(term: string): Answer {
  return textAnswer(500, `Error:\n${term}\n`);
}

/** What a thrown fault comes to; undefined: the client has gone and there is no one to answer. */
export function faultToAnswer(fault: Fault): Answer | undefined {
  const { code } = fault;
  if (code === 'closed') return undefined;
  if (code === 'timeout') return textAnswer(503, 'request timed out\n');
  if (code.startsWith('store-') || code === 'disk-full')
    return textAnswer(503, `Service unavailable: ${code}\n`);
  return errorTermAnswer(code.replaceAll('-', '_'));
}

/** The answer to a name that JSON cannot hold, because its bytes are not UTF-8. */
export function unwritableNameAnswer(): Answer {
  return textAnswer(
    500,
    'Error:\nnot_utf8: a name here is not UTF-8 and has no JSON form; use Protocol Buffers\n',
  );
}
