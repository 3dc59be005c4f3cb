/**
 * Between the client's values and the protocol's messages.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import type { RpbContent } from '../api/pbc/messages/content-messages.ts';
import type { InputOf, MessageOf } from '../api/pbc/messages/message-type.ts';
import type {
  ClientMetadata,
  ClientSibling,
  QuorumChoice,
  ReadChoices,
  WriteChoices,
} from './types.ts';

const SYMBOLS: Readonly<Record<string, number>> = {
  one: 0xffff_fffe,
  quorum: 0xffff_fffd,
  all: 0xffff_fffc,
  default: 0xffff_fffb,
};

/** The options that requests share; what is absent stays absent. */
export function optionsOf(choices: ReadChoices & WriteChoices): {
  readonly r?: number | undefined;
  readonly [name: string]: number | boolean | undefined;
} {
  return {
    r: quorum(choices.r),
    pr: quorum(choices.pr),
    w: quorum(choices.w),
    dw: quorum(choices.dw),
    pw: quorum(choices.pw),
    node_confirms: choices.nodeConfirms,
    notfound_ok: choices.notFoundOk,
    basic_quorum: choices.basicQuorum,
    head: choices.headOnly,
    return_body: choices.returnBody,
    timeout: choices.timeoutMs,
    if_none_match: choices.ifNoneMatch,
    if_not_modified: choices.ifNotModified,
  };
}

export function siblingToContent(
  value: Buffer,
  metadata: ClientMetadata,
): InputOf<typeof RpbContent> {
  const { contentType, userMetadata, indexes } = metadata;
  return {
    value,
    content_type: contentType === undefined ? undefined : utf8ToByteString(contentType),
    usermeta: userMetadata?.map(toPair),
    indexes: indexes?.map(toPair),
  };
}

export function contentToSibling(content: MessageOf<typeof RpbContent>): ClientSibling {
  const { content_type, usermeta, indexes, last_mod = 0, last_mod_usecs = 0 } = content;
  return {
    value: content.value,
    metadata: {
      ...(content_type === undefined ? {} : { contentType: byteStringToUtf8(content_type) }),
      userMetadata: usermeta.map(fromPair),
      indexes: indexes.map(fromPair),
    },
    isTombstone: content.deleted === true,
    lastModifiedMs: last_mod * 1000 + last_mod_usecs / 1000,
    vtag: content.vtag ?? '',
  };
}

function quorum(choice: QuorumChoice | undefined): number | undefined {
  return typeof choice === 'string' ? SYMBOLS[choice] : choice;
}

function toPair([key, value]: readonly [string, string]): { key: ByteString; value: ByteString } {
  return { key: utf8ToByteString(key), value: utf8ToByteString(value) };
}

function fromPair(pair: {
  readonly key: ByteString;
  readonly value: ByteString | undefined;
}): readonly [string, string] {
  return [byteStringToUtf8(pair.key), byteStringToUtf8(pair.value ?? ('' as ByteString))];
}
