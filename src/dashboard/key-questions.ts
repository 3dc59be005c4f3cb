/**
 * Questions about keys, for who started the dashboard with them: what hot keys are called, and
 * where one key is.
 *
 * Each is asked when a viewer asks, and not by itself: keys may be patients' numbers, and a node
 * records that its hot keys were revealed.
 */

import { AdminRefusal } from '../admin/admin-server.ts';
import type { HotKeyReport } from '../admin/hot-key-commands.ts';
import type { LocatedKey } from '../admin/key-commands.ts';
import type { Gatherer } from './gatherer.ts';
import type { LocatedKeyView, RevealedKey } from './page/snapshot.ts';

const UNREACHED = 'no node answers over its admin socket';

/** Of the nodes that answer: one may have gone since. Rejects with `AdminRefusal` where none does. */
export async function revealHotKeys(
  gatherer: Pick<Gatherer, 'socketSources'>,
): Promise<readonly RevealedKey[]> {
  const sources = gatherer.socketSources();
  const answers = await Promise.allSettled(
    sources.map(async ({ node, ask }): Promise<RevealedKey[]> => {
      const { reads, writes } = (await ask('hotkeys', { revealKeys: true })) as HotKeyReport;
      return [...reads.keys, ...writes.keys].flatMap(({ keyFingerprint: fingerprint, key }) =>
        key === undefined ? [] : [{ node, fingerprint, key }],
      );
    }),
  );
  const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  if (sources.length > 0 && told.length === 0) throw new AdminRefusal(UNREACHED);
  return told.flat();
}

/** Rejects with `AdminRefusal` where nobody can say. */
export async function locateKey(gatherer: Gatherer, asked: unknown): Promise<LocatedKeyView> {
  if (gatherer.teller === undefined) throw new AdminRefusal(UNREACHED);
  const { type, bucket, key } = Object(asked) as Record<string, unknown>;
  // The node checks them.
  return (await gatherer.teller.ask('key locate', { type, bucket, key })) as LocatedKey &
    LocatedKeyView;
}
