/**
 * A key by an operator: where it is, and whether its copies agree.
 */

import { byteStringToUtf8, type ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { KeyFingerprint } from '../node/key-fingerprint.ts';
import type { KeyTrace, TracedCopy } from '../node/key-trace.ts';
import type { OperatorService } from '../node/operations.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import { textToName } from './name-text.ts';

type Options = Readonly<Record<string, unknown>>;

export interface LocatedKey extends KeyTrace {
  readonly type: string;
  readonly bucket: string;
  readonly key: string;
  /** What the node that was asked calls it in its slow log. */
  readonly fingerprint: string;
}

export function keyCommands(
  operator: OperatorService,
  fingerprint: KeyFingerprint,
): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['key locate', async (options) => locate(operator, fingerprint, options)],
  ]);
}

async function locate(
  operator: OperatorService,
  fingerprint: KeyFingerprint,
  options: Options,
): Promise<LocatedKey> {
  const key: ObjectKey = {
    type: nameOf(options, 'type'),
    bucket: nameOf(options, 'bucket'),
    key: nameOf(options, 'key'),
  };
  const trace = await operator.locate(key);
  if (trace === undefined) {
    throw new AdminRefusal(`${byteStringToUtf8(key.type)} is not an active bucket type`);
  }
  return {
    type: byteStringToUtf8(key.type),
    bucket: byteStringToUtf8(key.bucket),
    key: byteStringToUtf8(key.key),
    fingerprint: fingerprint.of(key),
    ...trace,
  };
}

function nameOf(options: Options, name: string): ByteString {
  const text = options[name];
  if (typeof text !== 'string' || text === '') throw new AdminRefusal(`a ${name} is needed`);
  return textToName(text);
}

const VERDICTS: Readonly<Record<KeyTrace['verdict'], string>> = {
  agree: 'all replicas hold the same',
  absent: 'no replica holds it',
  differ: 'THE REPLICAS DIFFER',
  unknown: 'not all replicas answered; those that did hold the same',
};

/** For people; what scripts read is the JSON. */
export function locatedKeyText(located: LocatedKey): string {
  const { type, bucket, key, partition, nVal, epoch, hintCount } = located;
  const serving = located.preferenceList
    .map(({ node, isPrimary }) => `${node} (${isPrimary ? 'primary' : 'fallback'})`)
    .join(', ');
  return [
    `${type} / ${bucket} / ${key} (#${located.fingerprint}): ` +
      `partition ${partition}, n_val ${nVal}, epoch ${epoch}`,
    `preference list: ${serving}`,
    `verdict: ${VERDICTS[located.verdict]}; ${hintCount} hints pending`,
    ...located.copies.flatMap(copyLines),
  ].join('\n');
}

function copyLines(copy: TracedCopy): string[] {
  const facts = [
    copy.role,
    copy.isUp ? 'up' : 'DOWN',
    copy.fault === undefined ? copy.state : `${copy.state} (${copy.fault})`,
    ...(copy.sizeBytes > 0 ? [`${copy.sizeBytes} bytes`] : []),
    ...(copy.causalHash === undefined ? [] : [`hash ${copy.causalHash}`]),
    ...(copy.isBehind ? ['BEHIND'] : []),
    ...copy.hintsFor.map((target) => `owed to ${target}`),
  ];
  const context = copy.context.length === 0 ? [] : [`    context  ${copy.context.join(' ')}`];
  const siblings = copy.siblings.map((sibling) => {
    const what = sibling.isTombstone ? 'tombstone' : `${sibling.valueSizeBytes} bytes`;
    const when = new Date(sibling.lastModifiedMicros / 1000).toISOString();
    const indexes = `${sibling.indexEntryCount} index entries`;
    return `    sibling  ${sibling.dot}  ${when}  ${what}  ${indexes}  vtag ${sibling.vtag}`;
  });
  return [`  ${copy.node}: ${facts.join(', ')}`, ...context, ...siblings];
}
