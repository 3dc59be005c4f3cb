/**
 * A key by an operator: where it is, whether its copies agree, and its erasure.
 */

import { byteStringToUtf8, type ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { KeyFingerprint } from '../node/key-fingerprint.ts';
import type { ErasureOptions, KeyErasure } from '../node/key-erasure.ts';
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

export interface ErasedKey extends Omit<KeyErasure, 'trace'> {
  /** Afterwards. */
  readonly located: LocatedKey;
}

export interface KeyCommandsPorts {
  readonly operator: Pick<OperatorService, 'locate' | 'erase'>;
  readonly clients: ErasureOptions['clients'];
  /** Whether tombstones stay until they are reaped by hand. */
  readonly keepsTombstones: boolean;
  readonly fingerprint: KeyFingerprint;
}

/** Less than a command waits for its answer. */
const ERASE_TIMEOUT_MS = 30_000;

export function keyCommands(ports: KeyCommandsPorts): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['key locate', (options) => locate(ports, options)],
    ['key erase', (options) => erase(ports, options)],
  ]);
}

async function locate(
  { operator, fingerprint }: KeyCommandsPorts,
  options: Options,
): Promise<LocatedKey> {
  const key = keyOf(options);
  const trace = await operator.locate(key);
  return locatedKey(key, trace ?? refuseType(key), fingerprint);
}

async function erase(
  { operator, clients, keepsTombstones, fingerprint }: KeyCommandsPorts,
  options: Options,
): Promise<ErasedKey> {
  const key = keyOf(options);
  const erasure = await operator.erase(key, {
    clients,
    keepsTombstone: keepsTombstones && options['reap'] !== true,
    timeoutMs: ERASE_TIMEOUT_MS,
  });
  const { trace, ...rest } = erasure ?? refuseType(key);
  return { ...rest, located: locatedKey(key, trace, fingerprint) };
}

function keyOf(options: Options): ObjectKey {
  return {
    type: nameOf(options, 'type'),
    bucket: nameOf(options, 'bucket'),
    key: nameOf(options, 'key'),
  };
}

function refuseType({ type }: ObjectKey): never {
  throw new AdminRefusal(`${byteStringToUtf8(type)} is not an active bucket type`);
}

function locatedKey(key: ObjectKey, trace: KeyTrace, fingerprint: KeyFingerprint): LocatedKey {
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

/** What an erasure came to, and what it cannot reach. */
export function erasedKeyText(erased: ErasedKey): string {
  return [locatedKeyText(erased.located), '', ...erasureLines(erased)].join('\n');
}

function erasureLines({ verdict, wasThere, deleted, located }: ErasedKey): string[] {
  if (verdict === 'rewritten') {
    return ['What was there has gone, but a client has written the key again meanwhile.'];
  }
  if (verdict === 'left') {
    const refusal = deleted === undefined || deleted === 'deleted' ? '' : ` (${deleted})`;
    return [`NOT ERASED${refusal}: see above what is left. Repeat it when all members are up.`];
  }
  const gone =
    located.verdict === 'absent'
      ? 'Erased: no member holds anything of the key.'
      : 'Erased: every replica holds its tombstone and nothing else. It stays, as delete_mode says, for\n' +
        'other clusters to take; when they have, repeat it with --reap, here and there.';
  return [
    wasThere ? gone : `There was no value. ${gone}`,
    'Not reached: backups, other clusters, and what files of the store hold until they are rewritten.',
  ];
}
