/**
 * Data types: `/types/T/buckets/B/datatypes[/K]`, in JSON.
 *
 * What the bucket's type allows is judged before the body, because the body's form depends on it.
 * A POST without a key makes one up, and its location names the `keys` path, as Riak's does.
 */

import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { randomKey } from '../../object/vtag.ts';
import { createdLocation } from './address.ts';
import { emptyAnswer, htmlAnswer, jsonAnswer, textAnswer } from './answer.ts';
import { parseOperation, shownToJson } from './datatype-json.ts';
import { failureToAnswer, unwritableNameAnswer } from './failure-answer.ts';
import {
  NO_PARAMETERS,
  ParameterReader,
  parseInteger,
  parseObjectParameters,
} from './object-parameters.ts';
import { encodeName } from './percent.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { DatatypeName } from '../../datatype/operation.ts';
import type { NoDatatype, ShownDatatype } from '../../object/datatype-requests.ts';
import type { Failure } from '../../object/requests.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';

const OFFER: Offer = { mediaTypes: ['application/json'], encodings: ['identity', 'gzip'] };
/** Stands for the endless wait that a time-out of 0 asks for. */
const LONGEST_WAIT_MS = 60 * 60 * 1000;

export class DatatypeResource implements Resource {
  readonly methods = ['GET', 'HEAD', 'POST'];
  readonly isMadeByPost = true;
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #key: ObjectKey;
  readonly #isKeyMade: boolean;
  #parameters = NO_PARAMETERS;
  #timeout: { readonly timeoutMs?: number } = {};
  #datatype: DatatypeName = 'counter';
  #isContextShown = true;
  #isValueReturned = false;
  #shown: ShownDatatype | undefined;

  /** Without a key one is made. */
  constructor(exchange: Exchange, address: BucketAddress, key: ByteString | undefined) {
    const { type, bucket } = address;
    this.#exchange = exchange;
    this.#address = address;
    this.#isKeyMade = key === undefined;
    this.#key = {
      type,
      bucket,
      key: key ?? (randomKey(exchange.context.host.random) as ByteString),
    };
  }

  /** The media type comes before all else, as Riak judges it. */
  findFault(): Answer | undefined {
    const wrongType = this.#exchange.method === 'POST' ? this.#refuseMediaType() : undefined;
    if (wrongType !== undefined) return wrongType;
    const { query } = this.#exchange;
    const text = query.get('timeout');
    const timeoutMs = text === undefined ? undefined : parseInteger(text);
    if (text !== undefined && (timeoutMs === undefined || timeoutMs < 0)) {
      const least = timeoutMs === undefined ? '0' : '0 (or 0 for disabled)';
      const rule = `timeout query parameter must be an integer greater than ${least}`;
      return textAnswer(400, `${rule}, ${text} is invalid\n`);
    }
    const parsed = parseObjectParameters(this.#exchange, this.#address);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;
    if (timeoutMs !== undefined) this.#timeout = { timeoutMs: timeoutMs || LONGEST_WAIT_MS };
    const reader = new ParameterReader(query);
    this.#isContextShown = reader.boolean('include_context') ?? true;
    this.#isValueReturned = reader.boolean('returnbody') ?? false;
    return reader.faults === '' ? undefined : textAnswer(400, reader.faults);
  }

  refuse(): Answer | undefined {
    const { type, bucket } = this.#address;
    if (type === DEFAULT_BUCKET_TYPE) return this.#redirect();
    const properties = this.#exchange.context.service.bucketProperties(type, bucket);
    if (properties === undefined) return textAnswer(404, `Unknown bucket type: ${type}\n`);
    const { datatype } = properties;
    if (datatype === undefined) return noDatatypeAnswer({ kind: 'no-datatype', datatype });
    if (!properties.allow_mult) return noDatatypeAnswer({ kind: 'siblings-off' });
    this.#datatype = datatype;
    return undefined;
  }

  /** The default type has counters only, at a place of their own. */
  #redirect(): Answer {
    const { bucket, key } = this.#key;
    const path = `/buckets/${encodeName(bucket)}/counters`;
    const location = this.#isKeyMade ? path : `${path}/${encodeName(key)}`;
    const text = 'Counters in the default bucket-type should use the legacy URL\n';
    return textAnswer(301, text, ['Location', location]);
  }

  #refuseMediaType(): Answer | undefined {
    const contentType = this.#exchange.header('content-type');
    if (contentType === undefined) return htmlAnswer(500, 'no Content-Type');
    const [mediaType = ''] = contentType.split(';');
    return mediaType.trim().toLowerCase() === 'application/json' ? undefined : htmlAnswer(406);
  }

  offer(): Offer {
    return OFFER;
  }

  async exists(): Promise<Existence> {
    const { context, method } = this.#exchange;
    if (method === 'POST') return { kind: 'present' };
    const outcome = await context.service.fetchDatatype({
      key: this.#key,
      ...this.#parameters.read,
      ...this.#timeout,
    });
    if (outcome.kind === 'found') {
      this.#shown = outcome.shown;
      return { kind: 'present' };
    }
    if (outcome.kind === 'not-found') {
      const json = `{"type":"${outcome.datatype}","error":"notfound"}`;
      return { kind: 'missing', answer: jsonAnswer(404, json) };
    }
    return { kind: 'failed', answer: failureAnswer(outcome) };
  }

  act(): Answer | Promise<Answer> {
    return this.#shown === undefined ? this.#update() : this.#show(this.#shown, 200);
  }

  async #update(): Promise<Answer> {
    const parsed = parseOperation(this.#exchange.body, this.#datatype);
    if (typeof parsed === 'string') return textAnswer(400, parsed);
    const { operation, context } = parsed;
    const outcome = await this.#exchange.context.service.updateDatatype({
      key: this.#key,
      ...this.#parameters.write,
      ...this.#timeout,
      operation,
      ...(context === undefined ? {} : { context }),
      returning: this.#isValueReturned ? 'value' : 'nothing',
    });
    if (outcome.kind === 'updated') return this.#answerUpdate(outcome.shown);
    if (outcome.kind === 'wrong-type') {
      const what = `one on a ${outcome.operation}`;
      return textAnswer(400, `Invalid operation on datatype '${outcome.datatype}': ${what}\n`);
    }
    return outcome.kind === 'operation-too-large'
      ? textAnswer(400, `Invalid operation on datatype '${operation.kind}': too large\n`)
      : failureAnswer(outcome);
  }

  #answerUpdate(shown: ShownDatatype | undefined): Answer {
    const status = this.#isKeyMade ? 201 : shown === undefined ? 204 : 200;
    const answer = shown === undefined ? emptyAnswer(status) : this.#show(shown, status);
    if (this.#isKeyMade) {
      answer.headers.push('Location', createdLocation(this.#address, this.#key.key));
    }
    return answer;
  }

  #show(shown: ShownDatatype, status: number): Answer {
    const json = shownToJson(shown, this.#isContextShown);
    return json === undefined ? unwritableNameAnswer() : jsonAnswer(status, json);
  }
}

function noDatatypeAnswer(outcome: NoDatatype): Answer {
  return outcome.kind === 'siblings-off'
    ? textAnswer(403, 'Bucket must be allow_mult=true\n')
    : textAnswer(403, `Bucket datatype '${outcome.datatype}' is not a supported type.\n`);
}

/** As for objects, but for a line end, and always plain text. */
function failureAnswer(failure: Failure | NoDatatype): Answer {
  if (failure.kind === 'siblings-off' || failure.kind === 'no-datatype') {
    return noDatatypeAnswer(failure);
  }
  return failure.kind === 'unknown-bucket-type'
    ? textAnswer(404, `Unknown bucket type: ${failure.type}\n`)
    : failureToAnswer(failure, 'POST');
}
