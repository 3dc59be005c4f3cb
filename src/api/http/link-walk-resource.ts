/**
 * Link walking: `/buckets/B/keys/K/BUCKET,TAG,KEEP/…`, from an object along its links.
 *
 * Each step follows the links of all that the step before found, each target once for each tag that
 * leads there; what is not there is passed over, but what was deleted and not reaped yet is shown as
 * deleted, as in a map phase. Kept steps come back in order, each a multipart within the multipart. How
 * many objects a walk may touch is bounded, in number and in bytes, as a few steps can reach a whole
 * bucket.
 */

import { escapeControls, keyPath } from './address.ts';
import { emptyAnswer, textAnswer } from './answer.ts';
import { failureToAnswer } from './failure-answer.ts';
import { formatHttpDate } from './http-date.ts';
import { MultipartWriter } from './multipart.ts';
import { contextHeader } from './object-answer.ts';
import { partHeaders } from './object-headers.ts';
import { decodeName } from './percent.ts';
import { newBoundary } from './transmission.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { withoutValues } from '../../object/show.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { ObjectKey } from '../../base/names.ts';
import type { Link, StoredObject } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Offer, Resource } from './resource.ts';

const STEPS_MAX = 16;
const OBJECTS_MAX = 10_000;
/** Of the values that are read. The answer is held whole, beside them. */
const VALUES_MAX_BYTES = 128 * 1024 * 1024;
const READS_AT_ONCE = 16;
const EXPIRES_AFTER_MICROS = 600 * 1_000_000;
const OFFER: Offer = { mediaTypes: ['multipart/mixed'], encodings: ['identity'] };

interface Step {
  /** Undefined: any. */
  readonly bucket: ByteString | undefined;
  readonly tag: ByteString | undefined;
  readonly isKept: boolean;
}

interface Found {
  readonly key: ObjectKey;
  readonly object: StoredObject;
}

export class LinkWalkResource implements Resource {
  readonly route = 'link walk';
  readonly methods = ['GET', 'HEAD', 'POST'];
  readonly #exchange: Exchange;
  readonly #address: BucketAddress;
  readonly #start: ObjectKey;
  readonly #texts: readonly string[];
  #steps: readonly Step[] = [];
  #origin: Found | undefined;
  #readCount = 0;
  #readBytes = 0;

  constructor(
    exchange: Exchange,
    address: BucketAddress,
    walk: { readonly key: ByteString; readonly stepCount: number },
  ) {
    this.#exchange = exchange;
    this.#address = address;
    this.#start = { type: address.type, bucket: address.bucket, key: walk.key };
    this.#texts = rawPieces(exchange).slice(-walk.stepCount);
  }

  findFault(): Answer | undefined {
    const steps = parseSteps(this.#texts);
    if (steps === undefined) {
      return textAnswer(
        400,
        'Invalid link walk query submitted. Valid link walk query format is: ' +
          '/riak/some_bucket/some_key/<bucket>,<riaktag>,0|1/...',
      );
    }
    this.#steps = steps;
    return undefined;
  }

  refuse(): Answer | undefined {
    return this.#address.type !== DEFAULT_BUCKET_TYPE
      ? textAnswer(403, 'Link-walking is not allowed on keys stored in bucket-types.')
      : undefined;
  }

  offer(): Offer {
    return OFFER;
  }

  async exists(): Promise<Existence> {
    const { context, span } = this.#exchange;
    const outcome = await context.service.get({ key: this.#start, span });
    if (outcome.kind === 'found') {
      this.#origin = { key: this.#start, object: outcome.object };
      return { kind: 'present' };
    }
    if (outcome.kind === 'not-found') return { kind: 'missing' };
    return { kind: 'failed', answer: failureToAnswer(outcome, this.#exchange.method) };
  }

  async act(): Promise<Answer> {
    // As good as nothing: it serves to make caches forget.
    if (this.#exchange.method === 'POST') return emptyAnswer(204);
    const boundary = newBoundary(this.#exchange);
    const writer = new MultipartWriter(boundary);
    let found: readonly Found[] = this.#origin === undefined ? [] : [this.#origin];
    for (const step of this.#steps) {
      const next = await this.#follow(found, step);
      if ('status' in next) return next;
      found = next.found;
      if (step.isKept) this.#writeStep(writer, found);
    }
    const expires = this.#exchange.context.host.clock.wallMicros() + EXPIRES_AFTER_MICROS;
    const headers = [
      'Content-Type',
      `multipart/mixed; boundary=${boundary}`,
      'Expires',
      formatHttpDate(expires),
    ];
    return { status: 200, headers, body: writer.end() };
  }

  async #follow(
    sources: readonly Found[],
    step: Step,
  ): Promise<{ readonly found: readonly Found[] } | Answer> {
    const targets = this.#targets(sources, step);
    this.#readCount += targets.length;
    if (this.#readCount > OBJECTS_MAX) {
      return textAnswer(400, `The walk leads to more than ${OBJECTS_MAX} objects\n`);
    }
    const found: Found[] = [];
    for (let index = 0; index < targets.length; index += READS_AT_ONCE) {
      const keys = targets.slice(index, index + READS_AT_ONCE);
      const { context, span } = this.#exchange;
      const outcomes = await Promise.all(keys.map((key) => context.service.get({ key, span })));
      for (const [position, outcome] of outcomes.entries()) {
        if (outcome.kind !== 'found' && outcome.kind !== 'not-found') {
          return failureToAnswer(outcome, this.#exchange.method);
        }
        const object =
          outcome.kind === 'found'
            ? outcome.object
            : outcome.tombstone && withoutValues(outcome.tombstone);
        if (object === undefined) continue;
        found.push({ key: keys[position] as ObjectKey, object });
        for (const { valueSizeBytes } of object.siblings) this.#readBytes += valueSizeBytes;
      }
      if (this.#readBytes > VALUES_MAX_BYTES) {
        return textAnswer(400, `The walk leads to values of more than ${VALUES_MAX_BYTES} bytes\n`);
      }
    }
    return { found };
  }

  /** Each key that a fitting link names, once for each tag; links lead to untyped buckets. */
  #targets(sources: readonly Found[], step: Step): readonly ObjectKey[] {
    const targets = new Map<string, ObjectKey>();
    const { type } = this.#address;
    for (const { object } of sources) {
      for (const { metadata } of object.siblings) {
        for (const { bucket, key, tag } of metadata.links ?? []) {
          if (bucket === undefined || key === undefined) continue;
          if (!isWanted({ bucket, key, tag }, step)) continue;
          const name = `${bucket.length}:${key.length}:${bucket}${key}${tag ?? ''}`;
          targets.set(name, { type, bucket, key });
        }
      }
    }
    return [...targets.values()];
  }

  #writeStep(outer: MultipartWriter, found: readonly Found[]): void {
    const boundary = newBoundary(this.#exchange);
    const writer = new MultipartWriter(boundary);
    for (const { key, object } of found) this.#writeObject(writer, key, object);
    outer.part(['Content-Type', `multipart/mixed; boundary=${boundary}`], writer.end());
  }

  /** Of siblings one is shown, whichever; the others are named. */
  #writeObject(writer: MultipartWriter, key: ObjectKey, object: StoredObject): void {
    const { form } = this.#address;
    const location = escapeControls(keyPath(form, key));
    const [shown, ...others] = object.siblings;
    if (shown === undefined) return;
    const headers = ['X-Riak-Vclock', contextHeader(object.context)];
    if (others.length === 0) headers.push('Location', location);
    else {
      const vtags = others.map(({ vtag }) => escapeControls(vtag)).join(',');
      const shownAt = `${location}?vtag=${escapeControls(shown.vtag)}`;
      headers.push('Location', shownAt, 'X-Riak-Sibling-VTags', vtags);
    }
    headers.push(...partHeaders(shown, key.bucket, form));
    writer.part(headers, shown.value);
  }
}

function isWanted(link: Link, step: Step): boolean {
  return (
    (step.bucket === undefined || step.bucket === link.bucket) &&
    (step.tag === undefined || step.tag === link.tag)
  );
}

/** The pieces of the path as they came: a comma within a name is written `%2C`. */
function rawPieces(exchange: Exchange): readonly string[] {
  return exchange.path.split('/').filter((piece) => piece !== '');
}

/** The last step is kept unless it says 0, the others are if they say 1; one alone always. */
function parseSteps(texts: readonly string[]): readonly Step[] | undefined {
  if (texts.length > STEPS_MAX) return undefined;
  const steps: Step[] = [];
  for (const [index, text] of texts.entries()) {
    const pieces = text.split(',').filter((piece) => piece !== '');
    const [bucket, tag, keep] = pieces;
    if (bucket === undefined || tag === undefined || keep === undefined || pieces.length > 3) {
      return undefined;
    }
    const isLast = index === texts.length - 1;
    const isKept = texts.length === 1 || keep === '1' || (keep !== '0' && isLast);
    steps.push({ bucket: nameUnlessAny(bucket), tag: nameUnlessAny(tag), isKept });
  }
  return steps;
}

function nameUnlessAny(text: string): ByteString | undefined {
  return text === '_' ? undefined : decodeName(text);
}
