/**
 * The hot keys of a node by an operator. Keys are fingerprints, unless they are asked for.
 */

import { HALF_LIFE_MS, type HotKeys, type HotKeysOf, type KeyUse } from '../node/hot-keys.ts';
import type { KeyFingerprint } from '../node/key-fingerprint.ts';
import type { AdminCommand } from './admin-server.ts';
import { nameToText } from './name-text.ts';

const LIMIT = 20;

export interface ShownHotKey {
  readonly type: string;
  readonly bucket: string;
  readonly keyFingerprint: string;
  /** There if it was asked for. */
  readonly key?: string;
  readonly perSecond: number;
  readonly share: number;
  readonly margin: number;
}

export interface ShownHotKeys {
  readonly perSecond: number;
  readonly keys: readonly ShownHotKey[];
}

export interface HotKeyReport {
  /** What is as old as this weighs half. */
  readonly halfLifeSeconds: number;
  readonly reads: ShownHotKeys;
  readonly writes: ShownHotKeys;
}

export function hotKeyCommands(
  hotKeys: HotKeys,
  fingerprint: KeyFingerprint,
): Map<string, AdminCommand> {
  const show = (use: KeyUse, isRevealed: boolean): ShownHotKeys => {
    const { perSecond, keys }: HotKeysOf = hotKeys.report(use, LIMIT);
    return {
      perSecond,
      keys: keys.map(({ key, ...figures }) => ({
        type: nameToText(key.type),
        bucket: nameToText(key.bucket),
        keyFingerprint: fingerprint.of(key),
        ...(isRevealed ? { key: nameToText(key.key) } : {}),
        ...figures,
      })),
    };
  };
  const report = ({ revealKeys }: Readonly<Record<string, unknown>>): HotKeyReport => ({
    halfLifeSeconds: HALF_LIFE_MS / 1_000,
    reads: show('read', revealKeys === true),
    writes: show('write', revealKeys === true),
  });
  return new Map<string, AdminCommand>([['hotkeys', async (options) => report(options)]]);
}
