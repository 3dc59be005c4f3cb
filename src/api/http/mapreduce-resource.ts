/**
 * MapReduce jobs: `POST /mapred`, the results whole or, with `chunked=true`, as they come.
 *
 * Whole results are gathered up to a limit, because a failure at the end must still give a status of
 * its own; larger ones have to be asked for in parts. A failure among the parts is a bare JSON object
 * that ends the body, as Riak ends it.
 */

import { utf8ToByteString } from '../../base/bytes.ts';
import { isFault } from '../../base/fault.ts';
import { phaseFailureJson } from '../../mapreduce/failure-text.ts';
import { parseJsonJob } from '../../mapreduce/job-from-json.ts';
import { demandOfJob, mayMapOf } from '../../mapreduce/job-needs.ts';
import { isRefusal } from '../../mapreduce/job.ts';
import { runJob } from '../../mapreduce/run-job.ts';
import { JsonResults, quoteText } from '../../mapreduce/term-json.ts';
import { htmlAnswer, jsonAnswer, textAnswer } from './answer.ts';
import { refuseJob } from './job-switch.ts';
import { newBoundary } from './transmission.ts';
import type { Job, JobOutcome, JobRefusal } from '../../mapreduce/job.ts';
import type { JobEvent, JobFailure } from '../../mapreduce/job-ports.ts';
import type { Demand } from '../../security/needs.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Offer, Resource } from './resource.ts';

const WHOLE_LIMIT_BYTES = 64 * 1024 * 1024;

const USAGE =
  'This resource accepts POSTs with bodies containing JSON of the form:\n' +
  '{\n "inputs":[...list of inputs...],\n "query":[...list of map/reduce phases...]\n}\n';

const OFFER: Offer = { mediaTypes: ['application/json'], encodings: ['identity'] };

export class MapReduceResource implements Resource {
  readonly route = 'mapreduce';
  readonly methods = ['GET', 'HEAD', 'POST'];
  readonly #exchange: Exchange;
  readonly #isChunked: boolean;
  #job: JobOutcome | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#isChunked = exchange.query.get('chunked') === 'true';
  }

  findFault(): Answer | undefined {
    return this.#exchange.method === 'POST' ? undefined : textAnswer(400, USAGE);
  }

  findBodyFault(): Answer | undefined {
    const { scripts, disabledJobs } = this.#exchange.context.options;
    const hasScripts = scripts !== undefined && !disabledJobs.has('map_reduce_js');
    this.#job = parseJsonJob(this.#exchange.body, { hasScripts });
    return isRefusal(this.#job) ? bodyFault(this.#job) : undefined;
  }

  /** What is no job is refused with its own words; nothing of it is run. */
  demand(): Demand {
    const job = this.#job as JobOutcome;
    return isRefusal(job) ? [] : demandOfJob(job);
  }

  refuse(): Answer | undefined {
    return refuseJob(this.#exchange, 'map_reduce');
  }

  #refuseScript(refusal: JobRefusal): Answer | undefined {
    const isScript = refusal.refusal === 'bad-phase' && refusal.isScript === true;
    return isScript ? refuseJob(this.#exchange, 'map_reduce_js') : undefined;
  }

  refuseMediaType(): Answer | undefined {
    const [mediaType = ''] = (this.#exchange.header('content-type') ?? '').split(';');
    return mediaType.trim().toLowerCase() === 'application/json' ? undefined : htmlAnswer(415);
  }

  /** Results that come in parts are JSON, and offered as JSON. */
  offer(): Offer {
    return OFFER;
  }

  act(): Answer | Promise<Answer> {
    const job = this.#job as JobOutcome;
    if (isRefusal(job)) return this.#refuseScript(job) ?? this.#answerRefusal(job);
    const { response, context } = this.#exchange;
    const { service, options } = context;
    const { clock, metrics } = context.host;
    const mayMap = mayMapOf(service.gatekeeper, this.#exchange);
    const isWanted = (): boolean => !response.closed;
    const { scripts } = options;
    const events = runJob(job, service, { clock, metrics, scripts, mayMap, isWanted });
    if (!this.#isChunked) return wholeAnswer(job, events);
    const boundary = newBoundary(this.#exchange);
    return partsAnswer(parts(events, boundary), boundary);
  }

  /** Riak looks for what the inputs name when the job runs, and parts have begun by then. */
  #answerRefusal(refusal: JobRefusal): Answer {
    return this.#isChunked && refusal.refusal === 'bad-source'
      ? partsAnswer(sourceJson(refusal.unknownFilter), newBoundary(this.#exchange))
      : setupFault(refusal);
  }
}

function partsAnswer(body: Answer['body'], boundary: string): Answer {
  return { status: 200, headers: ['Content-Type', `multipart/mixed;boundary=${boundary}`], body };
}

/** What is wrong with the body, whoever sends it; undefined: it waits for its turn. */
function bodyFault(refusal: JobRefusal): Answer | undefined {
  switch (refusal.refusal) {
    case 'invalid-json':
      return textAnswer(
        400,
        `The POST body was not valid JSON.\nThe error from the parser was:\n${refusal.reason}\n`,
      );
    case 'not-object':
    case 'no-term':
      return textAnswer(400, 'The POST body was not a JSON object.\n');
    case 'missing-field':
      return textAnswer(400, 'The post body was missing the "inputs" or "query" field.\n');
    case 'bad-field': {
      const text = `An error occurred parsing the "${refusal.field}" field.\n${refusal.term}`;
      return textAnswer(400, utf8ToByteString(text));
    }
    case 'bad-source':
    case 'bad-phase':
      return undefined;
  }
}

function setupFault(refusal: JobRefusal): Answer {
  if (refusal.refusal === 'bad-phase') {
    const { phase, reason } = refusal;
    return jsonAnswer(400, `{"phase":${phase},"error":${quoteText(reason)}}`);
  }
  return refusal.refusal === 'bad-source'
    ? jsonAnswer(500, sourceJson(refusal.unknownFilter))
    : (bodyFault(refusal) as Answer);
}

/** Inputs that cannot be had are an error of the running job, of which Riak says little here. */
function sourceJson(unknownFilter: string | undefined): string {
  return unknownFilter === undefined
    ? '{"error":"map_reduce_error"}'
    : `{"bad_filter":${quoteText(unknownFilter)}}`;
}

function failureAnswer(failure: JobFailure): Answer {
  return jsonAnswer(500, failureJson(failure));
}

function failureJson(failure: JobFailure): string {
  switch (failure.reason) {
    case 'timeout':
      return '{"error":"timeout"}';
    case 'source':
      return sourceJson(undefined);
    case 'phase':
      return phaseFailureJson(failure);
  }
}

/**
 * The results of one kept phase as they are, those of several as a list of lists, in which a phase
 * without results has none.
 */
async function wholeAnswer(job: Job, events: AsyncIterable<JobEvent>): Promise<Answer> {
  const kept = job.phases.flatMap(({ isKept }, phase) => (isKept ? [phase] : []));
  const resultsByPhase = new Map(kept.map((phase) => [phase, new JsonResults()]));
  if (job.phases.length === 0) resultsByPhase.set(0, new JsonResults());
  let sizeBytes = 0;
  for await (const event of events) {
    if (event.kind === 'failed') return failureAnswer(event.failure);
    const results = resultsByPhase.get(event.phase);
    if (results === undefined) continue;
    sizeBytes -= results.sizeBytes;
    results.add(event.results);
    sizeBytes += results.sizeBytes;
    if (sizeBytes > WHOLE_LIMIT_BYTES) {
      return jsonAnswer(500, '{"error":"too many results for one answer, use chunked=true"}');
    }
  }
  const texts = Array.from(resultsByPhase.values(), (results) => results.text());
  if (texts.includes(undefined)) return htmlAnswer(500, 'bad_term');
  if (kept.length < 2) return jsonAnswer(200, texts[0] ?? '[]');
  return jsonAnswer(200, `[${texts.filter((text) => text !== '[]').join(',')}]`);
}

async function* parts(events: AsyncIterable<JobEvent>, boundary: string): AsyncIterable<string> {
  try {
    for await (const event of events) {
      if (event.kind === 'failed') return yield failureJson(event.failure);
      const results = new JsonResults();
      results.add(event.results);
      const text = results.text();
      if (text === undefined) return yield '{"error":"bad_term"}';
      yield (
        `\r\n--${boundary}\r\nContent-Type: application/json\r\n\r\n` +
        `{"phase":${event.phase},"data":${text}}`
      );
    }
    yield `\r\n--${boundary}--\r\n`;
  } catch (error) {
    if (!isFault(error)) throw error;
    yield `{"error":"${error.code}"}`;
  }
}
