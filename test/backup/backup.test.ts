/**
 * A backup is the store as it was at one moment, whatever is written meanwhile; it is whole or it is
 * none; and its checksums find what has happened to it. Real LevelDB, real files.
 */

import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { cpSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Backups } from '../../src/backup/backups.ts';
import { writeBackup } from '../../src/backup/backup-writer.ts';
import { verifyBackup } from '../../src/backup/verify-backup.ts';
import { Halt } from '../../src/repair/halt.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import { putParts, scanTexts } from '../storage/store-compliance.ts';
import { ALL, ended, FAST, fill, openBackedUp, ORIGIN, until } from './backed-up-store.ts';
import type { BackedUpStore } from './backed-up-store.ts';

const root = mkdtempSync(join(tmpdir(), 'vertebra-backup-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

async function openStore(t: Test, folder: string): Promise<BackedUpStore> {
  const opened = await openBackedUp(folder);
  t.teardown(() => opened.store.close());
  return opened;
}

t.test('a backup shows one moment, though everything is overwritten meanwhile', async (t) => {
  const { store, backups, host } = await openStore(t, join(root, 'live'));
  await fill(store, 1);
  const before = await scanTexts(store, ALL);
  const folder = join(root, 'moment');
  t.equal(backups.create({ folder, bytesPerSecond: 200_000 }), true);
  t.equal(backups.create({ folder, bytesPerSecond: FAST }), false, 'one at a time');
  for (let round = 2; round < 8; round += 1) await fill(store, round);
  t.match(await ended(backups), { state: 'done', progress: { step: 'whole' } });
  const gauge = 'backup_last_success_timestamp_seconds';
  const seconds = host.gauges.get(gauge);
  t.ok(seconds !== undefined && seconds > 0);
  host.gauges.delete(gauge);
  await backups.recall();
  t.equal(host.gauges.get(gauge), seconds, 'known after a restart');
  t.notSame(await scanTexts(store, ALL), before);
  t.match(await verifyBackup(folder), { isSound: true, manifest: ORIGIN, problems: [] });

  cpSync(folder, join(root, 'restored'), { recursive: true });
  const restored = await openStore(t, join(root, 'restored', 'store'));
  t.same(await scanTexts(restored.store, ALL), before);
  t.same(await scanTexts(restored.store, ALL), before);
});

t.test('who starts from a backup takes a new identity, once', async (t) => {
  const { store, backups, host } = await openStore(t, join(root, 'named'));
  const { mark: origin } = (await openIdentity(store, host)).lineage.origin;
  const folder = join(root, 'of-named');
  backups.create({ folder, bytesPerSecond: FAST });
  t.equal((await ended(backups)).state, 'done');

  const opening = await openStore(t, join(folder, 'store'));
  await opening.store.write([putParts('mended', 'x')]);
  await opening.store.close();
  const open = async (): Promise<BackedUpStore & { readonly origin: string }> => {
    const opened = await openStore(t, join(folder, 'store'));
    const { mayHaveForgotten } = opened.store;
    const restored = await openIdentity(opened.store, opened.host, { mayHaveForgotten });
    await restored.noteLinked();
    await opened.store.endCopy();
    await opened.store.close();
    return { ...opened, origin: restored.lineage.origin.mark };
  };
  const [first, second] = [await open(), await open()];
  t.not(first.origin, origin);
  t.equal(first.store.mayHaveForgotten, true);
  t.ok(first.host.events.includes('warn store.is_copy'));
  t.equal(second.origin, first.origin, 'the mark is gone');
  t.match((await verifyBackup(folder)).isSound, false, 'and it is no backup any more');
});

t.test('what is cut off is never taken for a backup', async (t) => {
  const { store, backups } = await openStore(t, join(root, 'cut'));
  await fill(store, 1);
  const folder = join(root, 'cut-off');
  // What a process that was killed left.
  mkdirSync(`${folder}.partial/store`, { recursive: true });
  writeFileSync(`${folder}.partial/made-by`, '');
  backups.create({ folder, bytesPerSecond: 1000 });
  await backups.cancel();
  t.equal(backups.status().state, 'cancelled');
  t.equal(existsSync(folder) || existsSync(`${folder}.partial`), false);
  await t.rejects(verifyBackup(folder), /is no whole backup/);
  mkdirSync(`${folder}.partial/store`, { recursive: true });
  await t.rejects(verifyBackup(`${folder}.partial`), /is no whole backup/);
  backups.create({ folder, bytesPerSecond: FAST });
  t.equal((await ended(backups)).state, 'done');
  t.equal(existsSync(`${folder}.partial`), false);
});

t.test('of two nodes that are given one folder the second is refused', async (t) => {
  const [one, other] = [
    await openStore(t, join(root, 'one')),
    await openStore(t, join(root, 'other')),
  ];
  await fill(one.store, 1);
  await fill(other.store, 2);
  const folder = join(root, 'shared');
  const others = new Backups(other.host, {
    snapshot: () => other.store.snapshot(),
    origin: () => ({ ...ORIGIN, node: 'c@d' }),
    notePath: join(root, 'other.last-backup'),
  });
  const begun: Promise<ReturnType<Backups['status']>>[] = [];
  const snapshot = one.store.snapshot();
  const readSegment = snapshot.readSegment.bind(snapshot);
  // The first has written its entries when the second begins, and goes on while that has not ended.
  snapshot.readSegment = async (...place) => {
    if (begun.length === 0) {
      others.create({ folder, bytesPerSecond: 10_000 });
      await until(
        () => others.status().progress !== undefined || others.status().state !== 'running',
      );
      begun.push(ended(others));
    }
    return readSegment(...place);
  };
  const work = { origin: ORIGIN, snapshot, halt: new Halt(), report: () => undefined };
  await writeBackup(one.host, { folder, bytesPerSecond: FAST }, work);
  t.match(await verifyBackup(folder), { isSound: true, manifest: { node: 'a@b' }, problems: [] });
  const reason = /shared\.partial is of a@b in test, which makes a backup there, or was ended/;
  t.match(await Promise.all(begun), [{ state: 'failed', reason }]);
  t.equal(existsSync(`${folder}.partial`), false);
});

t.test('one that is cancelled when all is written is gone as well', async (t) => {
  const { store, host } = await openStore(t, join(root, 'late'));
  await fill(store, 1);
  const folder = join(root, 'late-cancelled');
  const halt = new Halt();
  await writeBackup(
    host,
    { folder, bytesPerSecond: FAST },
    {
      origin: ORIGIN,
      snapshot: store.snapshot(),
      halt,
      report: ({ step }) => {
        if (step === 'whole') halt.set();
      },
    },
  );
  t.equal(existsSync(folder) || existsSync(`${folder}.partial`), false);
});

t.test(
  'a folder that is there, a parent that is not, a store that closes: one sentence',
  async (t) => {
    const { store, backups, host } = await openStore(t, join(root, 'refused'));
    await fill(store, 1);
    const tried = async (folder: string): Promise<unknown> => {
      backups.create({ folder, bytesPerSecond: FAST });
      return ended(backups);
    };
    t.match(await tried(root), { state: 'failed', reason: /is there already/ });
    t.match(await tried(join(root, 'no', 'where')), { state: 'failed', reason: /is no folder/ });
    backups.create({ folder: join(root, 'closing'), bytesPerSecond: 1000 });
    await store.close();
    t.match(await ended(backups), { state: 'failed', reason: 'the store is closed' });
    t.equal(host.counters.get('backup_failures_total'), 3);
    t.equal(existsSync(join(root, 'closing.partial')), false);
  },
);

t.test(
  'a backup takes nothing of what the node keeps free, before and while it is made',
  async (t) => {
    const { store, host } = await openStore(t, join(root, 'reserved'));
    const large = Array.from({ length: 40 }, (_, index) =>
      putParts(`${index}`, 'x'.repeat(1 << 20)),
    );
    await store.write(large);
    const folder = join(root, 'of-reserved');
    for (const looksMax of [0, 1, 2, 3]) {
      let looks = 0;
      const backups = new Backups(host, {
        snapshot: () => store.snapshot(),
        origin: () => ORIGIN,
        notePath: join(root, 'note'),
        reserveAt: async (place) => {
          t.equal(place, root);
          looks += 1;
          return looks > looksMax ? 2 ** 60 : 0;
        },
      });
      backups.create({ folder, bytesPerSecond: FAST });
      const reason =
        /MiB more, and \d+ MiB are free, of which \d+ stay for the node \(disk.reserve\)/;
      t.match(await ended(backups), { state: 'failed', reason });
      t.equal(existsSync(folder) || existsSync(`${folder}.partial`), false);
    }
  },
);

t.test('verifying names every file that is damaged, short, missing or too many', async (t) => {
  const { store, backups } = await openStore(t, join(root, 'sound'));
  await fill(store, 1);
  await store.write(['x', 'y'].map((key) => putParts(key, key.repeat(9000))));
  const folder = join(root, 'verified');
  backups.create({ folder, bytesPerSecond: FAST });
  await ended(backups);
  const values = join(folder, 'store', 'values');
  const segments = readdirSync(values)
    .sort()
    .map((name) => join(values, name));
  t.ok(segments.length > 3);
  const [flipped = '', short = '', gone = '', linked = ''] = segments;
  const bytes = readFileSync(flipped);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(flipped, bytes);
  truncateSync(short, 10);
  rmSync(gone);
  renameSync(linked, join(root, 'elsewhere'));
  symlinkSync(join(root, 'elsewhere'), linked);
  writeFileSync(join(values, 'more'), '');
  const verdict = await verifyBackup(folder);
  t.equal(verdict.isSound, false);
  t.match(verdict.problems, [
    /00000001.vlog is damaged: its checksum is wrong/,
    /00000002.vlog has 10 bytes instead of \d+/,
    /00000003.vlog cannot be read: ENOENT/,
    /00000004.vlog is no file/,
    /values\/more does not belong to it/,
  ]);
  appendFileSync(join(folder, 'backup.json'), 'x');
  await t.rejects(verifyBackup(folder), /is no JSON/);
  const manifest = JSON.parse(readFileSync(join(folder, 'backup.json'), 'utf8').slice(0, -1));
  writeFileSync(join(folder, 'backup.json'), JSON.stringify({ ...manifest, node: 'other' }));
  await t.rejects(verifyBackup(folder), /is damaged: its checksum is wrong/);
});

t.test(
  'a segment that is needed and gone fails the backup, one that is not does not',
  async (t) => {
    const { store, backups } = await openStore(t, join(root, 'robbed'));
    await fill(store, 1);
    const values = join(root, 'robbed', 'values');
    const needed = join(values, readdirSync(values).sort()[0] as string);
    const bytes = readFileSync(needed);
    truncateSync(needed, 100);
    const folder = join(root, 'of-robbed');
    backups.create({ folder, bytesPerSecond: FAST });
    t.match(await ended(backups), {
      state: 'failed',
      reason: /cut short.*`vertebra admin repair scrub`/,
    });
    t.equal(existsSync(folder), false);
    writeFileSync(needed, bytes);
    backups.create({ folder, bytesPerSecond: FAST });
    t.equal((await ended(backups)).state, 'done');
  },
);
