/**
 * Bucket properties as JSON, in and out.
 *
 * Out: every effective property, `name` first where there is one, the others by name; of a created
 * type also that it is active, and its claimant, the member of the cluster that tools ask about it.
 */

import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { encodeJson, parseJson, quoteName, quoteText } from './json-text.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { NodeService, PropertiesOutcome } from '../../node/node-service.ts';
import type { BucketProperties, PartialProperties } from '../../object/bucket-properties.ts';
import type { Answer } from './answer.ts';
import { emptyAnswer, jsonAnswer, textAnswer } from './answer.ts';

/** `{…}`, or undefined where the bucket's name is not UTF-8. */
export function propertiesJson(
  service: NodeService,
  properties: BucketProperties,
  name: { readonly type: ByteString; readonly bucket?: ByteString },
): string | undefined {
  const shown: Record<string, unknown> = { ...properties };
  if (name.type !== DEFAULT_BUCKET_TYPE) {
    shown['active'] = true;
    shown['claimant'] = service.state().members[0]?.id ?? service.id;
  }
  const members = Object.keys(shown)
    .filter((property) => property !== 'name' && shown[property] !== undefined)
    .sort()
    .map((property) => `${quoteText(property)}:${encodeJson(shown[property])}`);
  if (name.bucket !== undefined) {
    const quoted = quoteName(name.bucket);
    if (quoted === undefined) return undefined;
    members.unshift(`"name":${quoted}`);
  }
  return `{${members.join(',')}}`;
}

/** The changes in `{"props":{…}}`, not yet validated, or undefined where the body is not of that form. */
export function parseProperties(body: Buffer): PartialProperties | undefined {
  const value = parseJson(body);
  return isObject(value) && isObject(value['props']) ? value['props'] : undefined;
}

function isObject(value: unknown): value is Record<string, PartialProperties> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a client is told of a body of another form; `what` is `bucket` or `bucket type`. */
export function badPropertiesAnswer(what: string): Answer {
  const form = '{"props":{...bucket properties...}}';
  return textAnswer(400, `${what} PUT must be a JSON object of the form:\n${form}`);
}

/** `unknownText` is Riak's word for a type that is not there. */
export function propertiesOutcomeAnswer(outcome: PropertiesOutcome, unknownText: string): Answer {
  switch (outcome.kind) {
    case 'changed':
    case 'exists':
      return emptyAnswer(204);
    case 'refused': {
      const reasons = outcome.refusals.map(({ property, reason }) => [property, reason] as const);
      return jsonAnswer(400, encodeJson(Object.fromEntries(reasons)));
    }
    case 'unknown-bucket-type':
      return jsonAnswer(400, quoteText(unknownText));
    case 'no-default-update':
      return jsonAnswer(400, quoteText('no_default_update'));
    case 'timeout':
      return textAnswer(503, 'request timed out\n');
  }
}

/** Whether a request's body says it is JSON; parameters of the media type do not matter. */
export function isJsonType(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}
