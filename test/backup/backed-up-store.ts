/**
 * A store with backups, on real files: bodies of more than a kibibyte are in the value log, in short
 * segments.
 */

import type { BackupProgress, BackupRequest } from '../../src/backup/backup-writer.ts';
import { Backups } from '../../src/backup/backups.ts';
import type { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { recordingHost, type RecordingHost } from '../storage/recording-host.ts';
import { putParts } from '../storage/store-compliance.ts';

export const ALL = { from: Buffer.of(0), to: Buffer.of(0xff) };
export const ORIGIN = { node: 'a@b', cluster: 'test', epoch: 7 };
export const FAST = 1024 ** 3;

export interface BackedUpStore {
  readonly host: RecordingHost;
  readonly store: LevelDbStore;
  readonly backups: Backups;
}

export async function openBackedUp(folder: string, node = ORIGIN.node): Promise<BackedUpStore> {
  const host = recordingHost();
  const store = await openLevelDbStore(host, {
    folder,
    durability: 'os',
    inlineMaxBytes: 1024,
    segmentSizeBytes: 16 * 1024,
  });
  const notePath = `${folder}.last-backup`;
  const ports = { snapshot: () => store.snapshot(), origin: () => ({ ...ORIGIN, node }), notePath };
  return { host, store, backups: new Backups(host, ports) };
}

/** Sixty keys, of which each third has a body in the value log. */
export async function fill(store: LevelDbStore, round: number): Promise<void> {
  const operations = Array.from({ length: 60 }, (_, index) =>
    putParts(`key ${index}`, `${round}`.repeat(index % 3 === 0 ? 2000 : 10)),
  );
  await store.write(operations);
}

/** Resolves with what was done, rejects with why it was not. */
export async function made(
  backups: Backups,
  request: Partial<BackupRequest> & { readonly folder: string },
): Promise<BackupProgress> {
  backups.create({ bytesPerSecond: FAST, ...request });
  const { state, reason, progress } = await ended(backups);
  if (state !== 'done' || progress === undefined) throw new Error(`${state}: ${reason}`);
  return progress;
}

export async function ended(backups: Backups): Promise<ReturnType<Backups['status']>> {
  await until(() => backups.status().state !== 'running');
  return backups.status();
}

export async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error('it does not come about');
    await new Promise((next) => setTimeout(next, 5));
  }
}
