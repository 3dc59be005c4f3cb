/**
 * A backup on a base shares with it what has not changed, is whole without it, and believes nothing
 * that it says. Real LevelDB, real files.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { Backups } from '../../src/backup/backups.ts';
import { encodeManifest, readManifest } from '../../src/backup/backup-manifest.ts';
import type { BackupRequest } from '../../src/backup/backup-writer.ts';
import { verifyBackup } from '../../src/backup/verify-backup.ts';
import type { StoreSnapshot } from '../../src/storage/store-snapshot.ts';
import { putParts, scanTexts } from '../storage/store-compliance.ts';
import { ALL, ended, FAST, fill, made, openBackedUp, ORIGIN, until } from './backed-up-store.ts';
import type { BackedUpStore } from './backed-up-store.ts';

const root = mkdtempSync(join(tmpdir(), 'vertebra-incremental-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const on = (folder: string, isTrusted = false): Pick<BackupRequest, 'base'> => ({
  base: { folder, isTrusted },
});

const LARGE = [0, 1, 2].map((index) => `large ${index}`);

/** A store with several segments, and a full backup. */
async function withBase(t: Test, name: string): Promise<BackedUpStore & { readonly base: string }> {
  const opened = await openBackedUp(join(root, name));
  t.teardown(() => opened.store.close());
  await fill(opened.store, 1);
  await opened.store.write(LARGE.map((key) => putParts(key, 'x'.repeat(9000))));
  const base = join(root, `${name}-base`);
  await made(opened.backups, { folder: base });
  return { ...opened, base };
}

function segmentsOf(folder: string): string[] {
  const values = join(folder, 'store', 'values');
  return readdirSync(values)
    .sort()
    .map((name) => join(values, name));
}

async function restored(t: Test, folder: string): Promise<readonly unknown[]> {
  t.match(await verifyBackup(folder), { isSound: true, problems: [] });
  const copy = `${folder}-restored`;
  cpSync(folder, copy, { recursive: true });
  const { store } = await openBackedUp(join(copy, 'store'));
  try {
    return await scanTexts(store, ALL);
  } finally {
    await store.close();
  }
}

t.test('it is whole without its base, though segments have moved and vanished since', async (t) => {
  const { store, backups, host, base } = await withBase(t, 'live');
  const baseSegments = segmentsOf(base).length;
  // Of each segment one body stays as it was: it moves, and the segment goes.
  for (let round = 2; round < 8; round += 1) {
    const overwritten = Array.from({ length: 16 }, (_, index) => index).filter(
      (index) => index % 8 > round - 2,
    );
    await store.write(
      overwritten.map((index) => putParts(`key ${3 * index}`, `${round}`.repeat(2000))),
    );
  }
  await store.write([{ kind: 'remove', key: Buffer.from('key 57') }]);
  for (const done of ['store_log_segments_collected_total', 'store_log_moved_bytes_total']) {
    await until(() => (host.counters.get(done) ?? 0) > 1);
  }
  const before = await scanTexts(store, ALL);
  const folder = join(root, 'second');
  const { bytes, sharedBytes, checkedBytes, baseDamaged } = await made(backups, {
    folder,
    ...on(base),
  });
  t.ok(sharedBytes > 0 && bytes > 16 * 1024);
  t.same([checkedBytes, baseDamaged], [sharedBytes, 0]);
  const shared = segmentsOf(folder).filter((path) => statSync(path).nlink === 2);
  t.ok(shared.length > 0 && shared.length < baseSegments);
  const manifest = await readManifest(folder);
  t.match(manifest, { sharedBytes, base: { folder: base, isTrusted: false } });
  t.equal(manifest.files.filter(({ isShared }) => isShared).length, shared.length);
  t.equal(host.counters.get('backup_shared_bytes_total'), sharedBytes);

  rmSync(base, { recursive: true });
  const third = join(root, 'third');
  t.ok((await made(backups, { folder: third, ...on(folder) })).sharedBytes > 0);
  rmSync(folder, { recursive: true });
  t.same(await restored(t, third), before);
});

t.test('of a store at rest all is shared', async (t) => {
  const { store, backups, base } = await withBase(t, 'resting');
  const folder = join(root, 'at-rest');
  const { sharedBytes } = await made(backups, { folder, ...on(base) });
  const values = segmentsOf(base).reduce((sum, path) => sum + statSync(path).size, 0);
  t.equal(sharedBytes, values);
  t.same(await restored(t, folder), await scanTexts(store, ALL));
});

/** Numbers and sizes of its segments. */
function shapesOf(folder: string): string[] {
  return segmentsOf(folder).map((path) => `${basename(path)} ${statSync(path).size}`);
}

t.test(
  'segments of the same numbers and sizes after the disk was lost are not shared',
  async (t) => {
    const { store, base } = await withBase(t, 'lost');
    await store.close();
    rmSync(join(root, 'lost'), { recursive: true });
    const anew = await openBackedUp(join(root, 'lost'));
    t.teardown(() => anew.store.close());
    await fill(anew.store, 2);
    await anew.store.write(LARGE.map((key) => putParts(key, 'y'.repeat(9000))));
    const folder = join(root, 'anew');
    const progress = await made(anew.backups, { folder, ...on(base, true) });
    t.match(progress, { sharedBytes: 0, baseDamaged: 0 });
    t.same(shapesOf(folder), shapesOf(base));
    t.same(await restored(t, folder), await scanTexts(anew.store, ALL));
  },
);

t.test('nor are those whose numbers came again because the last ones were collected', async (t) => {
  const { store, base } = await withBase(t, 'again');
  // The first eight bodies fill the first segment, which stays.
  const later = Array.from({ length: 12 }, (_, index) => `key ${3 * (8 + index)}`);
  const removed = [...later, ...LARGE].map((key) => Buffer.from(key));
  await store.write(removed.map((key) => ({ kind: 'remove', key })));
  await store.close();
  const collecting = await openBackedUp(join(root, 'again'));
  await until(() => readdirSync(join(root, 'again', 'values')).length === 1);
  await collecting.store.close();
  const anew = await openBackedUp(join(root, 'again'));
  t.teardown(() => anew.store.close());
  await anew.store.write(later.map((key) => putParts(key, '2'.repeat(2000))));
  await anew.store.write(LARGE.map((key) => putParts(key, 'y'.repeat(9000))));
  const folder = join(root, 'renumbered');
  const { sharedBytes } = await made(anew.backups, { folder, ...on(base, true) });
  t.same(shapesOf(folder), shapesOf(base));
  t.equal(sharedBytes, statSync(segmentsOf(base)[0] as string).size);
  t.same(await restored(t, folder), await scanTexts(anew.store, ALL));
});

t.test('what is damaged, short, gone or no file in the base is copied from the node', async (t) => {
  const { store, backups, host, base } = await withBase(t, 'harmed');
  const [flipped = '', short = '', gone = '', linked = ''] = segmentsOf(base);
  const bytes = readFileSync(flipped);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(flipped, bytes);
  truncateSync(short, 10);
  rmSync(gone);
  renameSync(linked, `${base}.elsewhere`);
  symlinkSync(`${base}.elsewhere`, linked);
  const folder = join(root, 'mended');
  const progress = await made(backups, { folder, ...on(base) });
  t.match(progress, { step: 'whole', baseDamaged: 4 });
  t.equal(host.counters.get('backup_base_damaged_total'), 4);
  t.same(await restored(t, folder), await scanTexts(store, ALL));

  const believing = join(root, 'believing');
  t.match(await made(backups, { folder: believing, ...on(base, true) }), { baseDamaged: 3 });
  t.match((await verifyBackup(believing)).problems, [/00000001.vlog is damaged/]);
});

/** Of a store whose snapshots are changed. */
function backupsWith(
  { host, store }: BackedUpStore,
  change: (snapshot: StoreSnapshot) => void,
): Backups {
  const snapshot = (): StoreSnapshot => {
    const taken = store.snapshot();
    change(taken);
    return taken;
  };
  return new Backups(host, { snapshot, origin: () => ORIGIN, notePath: join(root, 'note') });
}

t.test('a base that goes meanwhile costs copying', async (t) => {
  const opened = await withBase(t, 'going');
  const removing = backupsWith(opened, (snapshot) => {
    const segments = snapshot.segments.bind(snapshot);
    snapshot.segments = () => {
      rmSync(opened.base, { recursive: true, force: true });
      return segments();
    };
  });
  const folder = join(root, 'gone');
  const { sharedBytes, baseDamaged } = await made(removing, { folder, ...on(opened.base) });
  t.ok(sharedBytes === 0 && baseDamaged > 0);
  t.same(await restored(t, folder), await scanTexts(opened.store, ALL));
});

t.test('a damaged segment that the node has collected meanwhile fails the backup', async (t) => {
  const { store, base } = await withBase(t, 'collecting');
  await store.close();
  const again = await openBackedUp(join(root, 'collecting'));
  t.teardown(() => again.store.close());
  const [first = ''] = segmentsOf(base);
  writeFileSync(first, Buffer.alloc(statSync(first).size));
  const collecting = backupsWith(again, (snapshot) => {
    const close = snapshot.close.bind(snapshot);
    snapshot.close = async () => {
      await close();
      rmSync(join(root, 'collecting', 'values'), { recursive: true, force: true });
    };
  });
  const folder = join(root, 'never');
  await t.rejects(
    made(collecting, { folder, ...on(base) }),
    /00000001.vlog of the base is damaged, and the node has collected it since: begin again/,
  );
  t.notOk(existsSync(folder) || existsSync(`${folder}.partial`));
});

t.test('what cannot be a base is refused in one sentence, and nothing is left', async (t) => {
  const { backups, base } = await withBase(t, 'choosy');
  const folder = join(root, 'not-made');
  const refused = async (of: string, reason: RegExp): Promise<void> => {
    backups.create({ folder, bytesPerSecond: FAST, ...on(of) });
    t.match(await ended(backups), { state: 'failed', reason });
    t.notOk(existsSync(folder) || existsSync(`${folder}.partial`));
  };
  await refused(join(root, 'nowhere'), /nowhere is no whole backup: backup.json cannot be read/);
  cpSync(base, join(root, 'early.partial'), { recursive: true });
  await refused(join(root, 'early.partial'), /was cut off, or is being made/);

  const path = join(base, 'backup.json');
  const text = readFileSync(path, 'utf8');
  const manifest = await readManifest(base);
  writeFileSync(path, encodeManifest({ ...manifest, node: 'other@b' }));
  await refused(base, /is a backup of other@b in test, not of a@b in test/);
  for (const wrong of [
    { path: '../../etc/passwd' },
    { path: 'store/../x' },
    { sizeBytes: -1 },
    { sha256: '0' },
    { origin: 7 as never },
  ]) {
    const file = { path: 'store/CURRENT', sizeBytes: 1, sha256: '0'.repeat(64), ...wrong };
    writeFileSync(path, encodeManifest({ ...manifest, files: [file] }));
    await refused(base, /says what no manifest says/);
  }
  writeFileSync(path, text.replace('"epoch": 7', '"epoch": 8'));
  await refused(base, /backup.json is damaged: its checksum is wrong/);
  if (statSync('/dev/shm', { throwIfNoEntry: false })?.dev === statSync(root).dev) return;
  const elsewhere = mkdtempSync('/dev/shm/vertebra-base-');
  t.teardown(() => rmSync(elsewhere, { recursive: true }));
  writeFileSync(path, text);
  cpSync(base, elsewhere, { recursive: true });
  await refused(elsewhere, /cannot share its files with .*: it is on another file system/);
});

t.test('a process that is killed leaves what is no backup, and the base as it was', async (t) => {
  const { store, base } = await withBase(t, 'killed');
  const before = await scanTexts(store, ALL);
  await store.close();
  const folder = join(root, 'cut-off');
  const program = join(import.meta.dirname, 'backup-process.js');
  const child = spawn(process.execPath, [program, join(root, 'killed'), folder, base], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  t.equal(String((await once(child.stdout, 'data'))[0]), 'begun\n');
  child.kill('SIGKILL');
  await exited;
  t.equal(existsSync(folder), false);
  await t.rejects(verifyBackup(`${folder}.partial`), /is no whole backup/);
  t.match(await verifyBackup(base), { isSound: true });

  const { backups, store: again } = await openBackedUp(join(root, 'killed'));
  t.teardown(() => again.close());
  await made(backups, { folder, ...on(base) });
  t.equal(existsSync(`${folder}.partial`), false);
  t.same(await restored(t, folder), before);
});
