/**
 * MapReduce jobs, as JSON or as an Erlang term; results come in the form of the job.
 *
 * Each reply holds some results of one phase, as they come; the last holds nothing but `done`.
 */

import { utf8ToByteString } from '../../../base/bytes.ts';
import { encodeTerm } from '../../../mapreduce/external-term.ts';
import { phaseFailureJson } from '../../../mapreduce/failure-text.ts';
import { parseJsonJob } from '../../../mapreduce/job-from-json.ts';
import { parseTermJob } from '../../../mapreduce/job-from-term.ts';
import { mayMapOf } from '../../../mapreduce/job-needs.ts';
import { isRefusal } from '../../../mapreduce/job.ts';
import { runJob } from '../../../mapreduce/run-job.ts';
import { JsonResults } from '../../../mapreduce/term-json.ts';
import { printBinary } from '../../../object/erlang-text.ts';
import { errorReply, findJobRefusal, reply } from '../handler.ts';
import { RpbMapRedResp } from '../messages/map-reduce-messages.ts';
import type { Job, JobOutcome, JobRefusal } from '../../../mapreduce/job.ts';
import type { JobFailure } from '../../../mapreduce/job-ports.ts';
import type { TermList } from '../../../mapreduce/term.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type { RpbMapRedReq } from '../messages/map-reduce-messages.ts';
import type { MessageOf } from '../messages/message-type.ts';

const JSON_TYPE = 'application/json';
const TERM_TYPE = 'application/x-erlang-binary';

/** Undefined where a result has no such form. */
type Encode = (results: TermList) => Buffer | undefined;

export function mapReduce(message: MessageOf<typeof RpbMapRedReq>, session: Session): Answer {
  const refusal = findJobRefusal(session, 'map_reduce');
  if (refusal !== undefined) return refusal;
  const job = readJob(message, session);
  const { content_type } = message;
  if (job === undefined) {
    return errorReply(`{unknown_content_type,${printBinary(content_type)}}`);
  }
  return answer(job, content_type === JSON_TYPE ? encodeJson : encodeTerm, session);
}

/** Undefined: in no form that is known. */
export function readJob(
  { request, content_type }: MessageOf<typeof RpbMapRedReq>,
  session: Session,
): JobOutcome | undefined {
  const isAllowed = !session.disabledJobs.has('map_reduce_js');
  const languages = { hasScripts: session.scripts !== undefined && isAllowed };
  if (content_type === JSON_TYPE) return parseJsonJob(request, languages);
  return content_type === TERM_TYPE ? parseTermJob(request, languages) : undefined;
}

function answer(job: JobOutcome, encode: Encode, session: Session): Answer {
  if (!isRefusal(job)) return replies(job, encode, session);
  const isScript = job.refusal === 'bad-phase' && job.isScript === true;
  const refusal = isScript ? findJobRefusal(session, 'map_reduce_js') : undefined;
  return refusal ?? errorReply(refusalText(job));
}

async function* replies(job: Job, encode: Encode, session: Session): AsyncGenerator<Reply> {
  const { clock, metrics, scripts, isWanted, node } = session;
  const mayMap = mayMapOf(node.gatekeeper, session);
  const host = { clock, metrics, scripts, mayMap, isWanted };
  for await (const event of runJob(job, node, host)) {
    if (event.kind === 'failed') return yield errorReply(failureText(event.failure));
    const response = encode(event.results);
    if (response === undefined) {
      return yield { ...errorReply('Error processing stream message: bad_term'), isFinal: true };
    }
    if (response.length > session.replySizeMaxBytes) {
      return yield errorReply('Too many results for one message');
    }
    yield reply(RpbMapRedResp, { phase: event.phase, response });
  }
  return yield reply(RpbMapRedResp, { done: true });
}

function encodeJson(results: TermList): Buffer | undefined {
  const json = new JsonResults();
  json.add(results);
  const text = json.text();
  return text === undefined ? undefined : Buffer.from(text, 'latin1');
}

function refusalText(refusal: JobRefusal): string {
  switch (refusal.refusal) {
    case 'invalid-json':
      return `{invalid_json,${refusal.reason}}`;
    case 'not-object':
      return 'not_json';
    case 'missing-field':
      return 'missing_field';
    case 'no-term':
      return 'badarg';
    case 'bad-field':
      return utf8ToByteString(`{${refusal.field},${refusal.term}}`);
    case 'bad-source':
      return utf8ToByteString(`Error sending inputs: ${refusal.term}`);
    case 'bad-phase':
      return utf8ToByteString(`Phase ${refusal.fitting}: ${refusal.reason}`);
  }
}

function failureText(failure: JobFailure): string {
  switch (failure.reason) {
    case 'timeout':
      return 'timeout';
    case 'source':
      return utf8ToByteString(`Error sending inputs: ${failure.term}`);
    case 'phase':
      return phaseFailureJson(failure);
  }
}
