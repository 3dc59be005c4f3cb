/**
 * An object as an answer: one value, or siblings as a list of vtags or as multipart.
 */

import { encodeContext } from '../../clock/context.ts';
import { siblingsEtag } from '../../object/vtag.ts';
import { escapeControls } from './address.ts';
import { formatHttpDate } from './http-date.ts';
import { MultipartWriter } from './multipart.ts';
import { partHeaders, siblingHeaders } from './object-headers.ts';
import { newBoundary } from './transmission.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import type { Sibling, StoredObject } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Validators } from './conditional.ts';
import type { Exchange } from './exchange.ts';

/** The opaque context as the header has it. */
export function contextHeader(context: VersionVector): string {
  return encodeContext(context).toString('base64');
}

/** Of one sibling where there is one or one was asked for, otherwise of the whole. */
export function objectValidators(object: StoredObject, sibling: Sibling | undefined): Validators {
  if (sibling !== undefined) {
    return { etag: escapeControls(sibling.vtag), lastModifiedMicros: sibling.lastModifiedMicros };
  }
  return { etag: siblingsEtag(object.context), lastModifiedMicros: newestMicros(object) };
}

function newestMicros(object: StoredObject): number {
  return object.siblings.reduce((newest, { lastModifiedMicros }) => {
    return Math.max(newest, lastModifiedMicros);
  }, 0);
}

/** One value. `isHead`: the value itself is not there, its size is. */
export function siblingAnswer(
  object: StoredObject,
  sibling: Sibling,
  shape: { readonly status: number; readonly address: BucketAddress; readonly isHead: boolean },
): Answer {
  const { status, address, isHead } = shape;
  const headers = siblingHeaders(sibling, address.bucket, address.form);
  headers.push('X-Riak-Vclock', contextHeader(object.context));
  return isHead
    ? { status, headers, body: undefined, headSizeBytes: sibling.valueSizeBytes }
    : { status, headers, body: sibling.value };
}

/** All siblings, as `text/plain` or as `multipart/mixed`. */
export function siblingsAnswer(
  exchange: Exchange,
  object: StoredObject,
  shape: {
    readonly status: number;
    readonly address: BucketAddress;
    readonly mediaType: string;
    readonly isHead: boolean;
  },
): Answer {
  const { etag, lastModifiedMicros } = objectValidators(object, undefined);
  const headers = [
    'X-Riak-Vclock',
    contextHeader(object.context),
    'ETag',
    `"${etag}"`,
    'Last-Modified',
    formatHttpDate(lastModifiedMicros),
  ];
  const { status, address, isHead } = shape;
  if (shape.mediaType !== 'multipart/mixed') {
    headers.push('Content-Type', 'text/plain');
    const vtags = object.siblings.map(({ vtag }) => `${vtag}\n`).join('');
    return { status, headers, body: `Siblings:\n${vtags}` };
  }
  const boundary = newBoundary(exchange);
  const writer = new MultipartWriter(boundary);
  for (const sibling of object.siblings) {
    const value = isHead ? sibling.valueSizeBytes : sibling.value;
    writer.part(partHeaders(sibling, address.bucket, address.form), value);
  }
  headers.push('Content-Type', `multipart/mixed; boundary=${boundary}`);
  const body = writer.end();
  return isHead
    ? { status, headers, body: undefined, headSizeBytes: writer.sizeBytes }
    : { status, headers, body };
}
