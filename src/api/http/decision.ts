/**
 * The decision pipeline: in which order a request is judged.
 *
 * Clients see the first objection, so the order is part of the protocol: method, body digest, query
 * and headers, who asks, permission, media type, negotiation, existence, conditions, action. It is that of
 * Riak's web machine, which follows RFC 9110. Every resource goes this one way. One that needs room at
 * the node waits for it when its body has been read: a slow sender must not hold it.
 */

import { createHash } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { escapeControls } from './address.ts';
import { emptyAnswer, htmlAnswer } from './answer.ts';
import { checkConditions, isConditional } from './conditional.ts';
import { isCrossSite } from './cross-site.ts';
import { failureToAnswer } from './failure-answer.ts';
import { gzipAnswer } from './gzip.ts';
import { chooseMediaType, chooseToken } from './negotiation.ts';
import { refuseStranger, refuseUser } from './authorization.ts';
import { announcedSizeBytes, readBody } from './request-body.ts';
import { findRoom } from './room.ts';
import type { ByteBudget } from '../../base/byte-budget.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Existence, Form, Offer, Resource } from './resource.ts';

const KNOWN_METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'TRACE',
  'CONNECT',
  'OPTIONS',
]);

const NOTHING_CHOSEN: Form = { mediaType: 'text/html', encoding: 'identity' };

/** The answer, whatever the request. Rejects with faults only; the body stays on the budget. */
export async function decide(
  exchange: Exchange,
  resource: Resource | undefined,
  budget: ByteBudget,
): Promise<Answer> {
  const { method, context } = exchange;
  if (resource === undefined) return htmlAnswer(404);
  if (!KNOWN_METHODS.has(method)) return htmlAnswer(501);
  if (!resource.methods.includes(method)) {
    return htmlAnswer(405, '', ['Allow', resource.methods.join(', ')]);
  }
  const isBodyRead = hasBody(method) || exchange.headers['content-md5'] !== undefined;
  const fault = isBodyRead
    ? await findFaultWithBody(exchange, resource, budget)
    : resource.findFault?.();
  if (fault !== undefined) return fault;

  const isGuarded = context.service.gatekeeper.isEnabled();
  const stranger = isGuarded ? await refuseStranger(exchange, resource) : undefined;
  if (stranger !== undefined) return stranger;
  if (resource.isOpenToOtherSites !== true && isCrossSite(exchange)) return htmlAnswer(403);
  const denial = isGuarded ? refuseUser(exchange, resource) : undefined;
  if (denial !== undefined) return denial;
  if (resource.needsRoom !== true) return serve(exchange, resource);
  const room = await findRoom(exchange);
  if (room === 'gone') throw new Fault('closed', 'the client left while it waited');
  if (room === 'refused') return failureToAnswer({ kind: 'overload' }, method);
  try {
    return await serve(exchange, resource);
  } finally {
    context.service.entrance.exit();
  }
}

/** What comes of a request that can be read and may be brought. */
async function serve(exchange: Exchange, resource: Resource): Promise<Answer> {
  const { method } = exchange;
  const refusal = await resource.refuse?.();
  if (refusal !== undefined) return refusal;
  const refusedType = hasBody(method) ? resource.refuseMediaType?.() : undefined;
  if (refusedType !== undefined) return refusedType;

  const offer = resource.offer?.();
  const form = offer === undefined ? NOTHING_CHOSEN : choose(exchange, offer);
  if (form === undefined) return htmlAnswer(406);

  const existence = (await resource.exists?.()) ?? { kind: 'present' };
  const answer = judgeExistence(exchange, resource, existence) ?? (await resource.act(form));
  return offer === undefined ? answer : finish(answer, offer, form);
}

/** Steps up to the body's own faults. A body that no one asked about is still read to its end. */
async function findFaultWithBody(
  exchange: Exchange,
  resource: Resource,
  budget: ByteBudget,
): Promise<Answer | undefined> {
  const digest = exchange.headers['content-md5'];
  if (digest === undefined) {
    const fault = resource.findFault?.();
    if (fault !== undefined) return fault;
  }
  const unread = await takeBody(exchange, budget);
  if (unread !== undefined) return unread;
  if (digest !== undefined) {
    if (createHash('md5').update(exchange.body).digest('base64') !== digest) {
      return htmlAnswer(400);
    }
    const fault = resource.findFault?.();
    if (fault !== undefined) return fault;
  }
  return resource.findBodyFault?.();
}

function hasBody(method: string): boolean {
  return method === 'PUT' || method === 'POST';
}

async function takeBody(exchange: Exchange, budget: ByteBudget): Promise<Answer | undefined> {
  const { options } = exchange.context;
  const announced = announcedSizeBytes(exchange.request) ?? 0;
  if (exchange.isContinueExpected && announced <= options.bodyLimitBytes) {
    exchange.response.writeContinue();
    exchange.isContinueExpected = false;
  }
  const outcome = await readBody(exchange.request, options.bodyLimitBytes, budget);
  if (outcome.kind === 'read') {
    exchange.body = outcome.body;
    exchange.startedMs = exchange.context.host.clock.monotonicMs();
    return undefined;
  }
  exchange.mustClose = true;
  return htmlAnswer(outcome.kind === 'too-large' ? 413 : 503);
}

function choose(exchange: Exchange, offer: Offer): Form | undefined {
  const { headers } = exchange;
  const mediaType = chooseMediaType(headers.accept, offer.mediaTypes);
  if (mediaType === undefined) return undefined;
  if (offer.charset !== undefined) {
    const acceptCharset = exchange.header('accept-charset');
    // What clients understood without saying so when HTTP/1.1 was young.
    const charset = chooseToken(acceptCharset, [offer.charset], 'ISO-8859-1');
    if (charset === undefined) return undefined;
  }
  const acceptEncoding = exchange.header('accept-encoding');
  const encoding = chooseToken(acceptEncoding, offer.encodings, 'identity');
  return encoding === undefined ? undefined : { mediaType, encoding };
}

/** Preconditions; undefined: the action may go on. */
function judgeExistence(
  exchange: Exchange,
  resource: Resource,
  existence: Existence,
): Answer | undefined {
  const { headers, method, context } = exchange;
  if (existence.kind === 'unasked') return undefined;
  if (existence.kind === 'failed') return existence.answer;
  if (existence.kind === 'missing') {
    if (headers['if-match'] !== undefined) return htmlAnswer(412);
    const isMade = method === 'PUT' || (method === 'POST' && resource.isMadeByPost === true);
    return isMade ? undefined : htmlAnswer(404);
  }
  const { validators } = existence;
  // Nearly all end here.
  if (!isConditional(headers) && headers['if-modified-since'] === undefined) return undefined;
  const status = checkConditions(headers, method, {
    validators,
    nowMicros: context.host.clock.wallMicros(),
  });
  if (status === undefined) return undefined;
  if (status === 412) return htmlAnswer(412);
  return emptyAnswer(304, validators === undefined ? [] : ['ETag', `"${validators.etag}"`]);
}

/**
 * Names what was negotiated, and compresses where that was asked for. An answer without a body names
 * its type and its coding too, as Riak's does: there are clients that read the header of each answer
 * unasked.
 */
function finish(answer: Answer, offer: Offer, form: Form): Answer | Promise<Answer> {
  const { status, body } = answer;
  if (status >= 400) return answer;
  if (body === undefined && (status === 201 || status === 204)) {
    const { charset } = offer;
    const named = charset === undefined ? '' : `; charset=${escapeControls(charset)}`;
    answer.headers.push('Content-Type', `${form.mediaType}${named}`);
  }
  const hasTypes = offer.mediaTypes.length > 1;
  const hasEncodings = offer.encodings.length > 1;
  if (hasTypes || hasEncodings) {
    const vary = `${hasTypes ? 'Accept' : ''}${hasTypes && hasEncodings ? ', ' : ''}`;
    answer.headers.push('Vary', hasEncodings ? `${vary}Accept-Encoding` : vary);
  }
  if (form.encoding === 'identity') return answer;
  answer.headers.push('Content-Encoding', form.encoding);
  return hasEncodings && offer.isCoded !== true ? gzipAnswer(answer) : answer;
}
