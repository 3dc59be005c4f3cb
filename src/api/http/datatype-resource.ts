/**
 * Data types: `/types/T/buckets/B/datatypes[/K]`, in JSON.
 *
 * What the bucket's type allows is judged before the body, because the body's form depends on it.
 * A POST without a key makes one up, and its location names the `keys` path, as Riak's does.
 */

import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { runInSlices } from '../../base/sliced.ts';
import { emptyAnswer, htmlAnswer, jsonAnswer, textAnswer } from './answer.ts';
import { parseOperation } from './datatype-json.ts';
import { failureToAnswer, unwritableNameAnswer } from './failure-answer.ts';
import { NO_DATATYPE_PARAMETERS, parseDatatypeParameters } from './object-parameters.ts';
import { encodeName } from './percent.ts';
import { shownToJson } from './shown-json.ts';
import { targetKeyOf, withLocation } from './target-key.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { DatatypeName } from '../../datatype/operation.ts';
import type { NoDatatype, ShownDatatype } from '../../object/datatype-requests.ts';
import type { Failure } from '../../object/requests.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { ParsedOperation } from './datatype-json.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';
import type { Target } from '../../security/permission.ts';
import type { TargetKey } from './target-key.ts';

const OFFER: Offer = { mediaTypes: ['application/json'], encodings: ['identity', 'gzip'] };
/** Stands for the endless wait that a time-out of 0 asks for. */
const LONGEST_WAIT_MS = 60 * 60 * 1000;

export class DatatypeResource implements Resource {
  readonly route = 'datatype';
  readonly target: Target;
  readonly key: ByteString;
  readonly methods = ['GET', 'HEAD', 'POST'];
  readonly needsRoom = true;
  readonly isMadeByPost = true;
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #target: TargetKey;
  #parameters = NO_DATATYPE_PARAMETERS;
  #datatype: DatatypeName = 'counter';
  #shown: ShownDatatype | undefined;

  /** Without a key one is made. */
  constructor(exchange: Exchange, address: BucketAddress, key: ByteString | undefined) {
    this.#exchange = exchange;
    this.#address = address;
    this.target = address;
    this.#target = targetKeyOf(exchange, address, key);
    this.key = this.#target.key.key;
  }

  /** The media type comes before all else, as Riak judges it. */
  findFault(): Answer | undefined {
    const wrongType = this.#exchange.method === 'POST' ? this.#refuseMediaType() : undefined;
    if (wrongType !== undefined) return wrongType;
    const parsed = parseDatatypeParameters(this.#exchange, this.#address);
    if ('status' in parsed) return parsed;
    this.#parameters = parsed;
    return undefined;
  }

  refuse(): Answer | undefined {
    const { type, bucket } = this.#address;
    if (type === DEFAULT_BUCKET_TYPE) return this.#redirect();
    const properties = this.#exchange.context.service.bucketProperties(type, bucket);
    if (properties === undefined) return textAnswer(404, `Unknown bucket type: ${type}\n`);
    const { datatype } = properties;
    if (!properties.allow_mult) return noDatatypeAnswer({ kind: 'siblings-off' });
    if (datatype === undefined) return noDatatypeAnswer({ kind: 'no-datatype', datatype });
    this.#datatype = datatype;
    return undefined;
  }

  /** The default type has counters only, at a place of their own; Riak names it without a key too. */
  #redirect(): Answer {
    const { key, isMade } = this.#target;
    const name = isMade ? 'undefined' : encodeName(key.key);
    const location = `/buckets/${encodeName(key.bucket)}/counters/${name}`;
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
    const { context, method, span } = this.#exchange;
    if (method === 'POST') return { kind: 'present' };
    const outcome = await context.service.fetchDatatype({
      key: this.#target.key,
      ...this.#parameters.read,
      ...this.#timeout(),
      span,
    });
    if (outcome.kind === 'found') {
      this.#shown = outcome.shown;
      return { kind: 'present' };
    }
    // No condition is looked at then, as with Riak: there is nothing that could be otherwise.
    if (outcome.kind === 'not-found') {
      const json = `{"type":"${outcome.datatype}","error":"notfound"}`;
      return { kind: 'failed', answer: jsonAnswer(404, json) };
    }
    return { kind: 'failed', answer: failureAnswer(outcome) };
  }

  act(): Answer | Promise<Answer> {
    return this.#shown === undefined ? this.#change() : this.#show(this.#shown, 200);
  }

  #timeout(): { readonly timeoutMs?: number } {
    const timeoutMs = this.#parameters.timeoutMs;
    return timeoutMs === undefined ? {} : { timeoutMs: timeoutMs || LONGEST_WAIT_MS };
  }

  /** What is no operation has no key made for it yet. */
  async #change(): Promise<Answer> {
    const { clock } = this.#exchange.context.host;
    const parsing = parseOperation(this.#exchange.body, this.#datatype);
    const parsed = await runInSlices(parsing, clock);
    if (typeof parsed === 'string') return textAnswer(400, parsed);
    return withLocation(await this.#update(parsed), this.#address, this.#target);
  }

  async #update({ operation, context }: ParsedOperation): Promise<Answer> {
    const outcome = await this.#exchange.context.service.updateDatatype({
      key: this.#target.key,
      ...this.#parameters.write,
      ...this.#timeout(),
      operation,
      span: this.#exchange.span,
      ...(context === undefined ? {} : { context }),
      returning: this.#parameters.isValueReturned ? 'value' : 'nothing',
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

  async #answerUpdate(shown: ShownDatatype | undefined): Promise<Answer> {
    const status = this.#target.isMade ? 201 : shown === undefined ? 204 : 200;
    return shown === undefined ? emptyAnswer(status) : this.#show(shown, status);
  }

  async #show(shown: ShownDatatype, status: number): Promise<Answer> {
    const { clock } = this.#exchange.context.host;
    const json = await runInSlices(shownToJson(shown, this.#parameters.isContextShown), clock);
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
