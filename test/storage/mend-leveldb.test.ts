/**
 * A mended store holds what could be read, nothing that stands for what is gone, and knows that it may
 * have forgotten. Real files, flipped, cut short and removed.
 */

import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { Partition } from '../../src/base/names.ts';
import {
  allObjectsRange,
  encodeIndexKey,
  encodeMetaKey,
  encodeObjectKey,
  encodeTreeKey,
} from '../../src/storage/keys.ts';
import { mendLevelDb } from '../../src/storage/mend-leveldb.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import type { WriteOperation } from '../../src/storage/store.ts';
import { recordingHost } from './recording-host.ts';
import { put, putParts, scanAll } from './store-compliance.ts';

const ALL = { from: Buffer.of(0), to: Buffer.of(0xff) };
const root = mkdtempSync(join(tmpdir(), 'vertebra-mend-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const ENTRY = { field: utf8ToByteString('f_bin'), term: utf8ToByteString('x') };
const META = encodeMetaKey(utf8ToByteString('state'));

/** Two rounds of objects with index entries and trees, in several tables. */
async function damagedOnce(): Promise<string> {
  const folder = join(root, 'sound');
  for (const round of ['1', '2', '3']) {
    const store = await openLevelDbStore(recordingHost(), { folder, writeBufferSizeBytes: 65_536 });
    const operations = Array.from({ length: 400 }, (_, index): WriteOperation[] => {
      const partition = (index % 8) as Partition;
      const name = `${round} ${index}`;
      const key = {
        type: utf8ToByteString('t'),
        bucket: utf8ToByteString('b'),
        key: utf8ToByteString(name),
      };
      return [
        putParts(encodeObjectKey(partition, key), `${name} ${'body'.repeat(index)}`),
        put(encodeIndexKey(partition, key, ENTRY), ''),
        put(encodeTreeKey({ partition, nVal: 3, segment: index }), 'a segment'),
      ];
    });
    await store.write([...operations.flat(), put(META, round), put('zzz', 'nobody knows')]);
    await store.close();
  }
  return folder;
}

function tablesOf(folder: string): string[] {
  const tables = readdirSync(folder)
    .filter((name) => /\.(ldb|log)$/.test(name))
    .sort();
  return tables.map((name) => join(folder, name)).filter((path) => statSync(path).size > 1_000);
}

const DAMAGES: Readonly<Record<string, (folder: string) => void>> = {
  'a manifest that is lost': (folder) => rmSync(join(folder, 'CURRENT')),
  'a manifest cut short': (folder) => {
    const [manifest = ''] = readdirSync(folder).filter((name) => name.startsWith('MANIFEST'));
    truncateSync(join(folder, manifest), 20);
  },
  'a table that is missing': (folder) => rmSync(tablesOf(folder)[0] as string),
  'a table cut short': (folder) => truncateSync(tablesOf(folder)[0] as string, 900),
  'a table with flipped bits': (folder) => {
    const path = tablesOf(folder)[0] as string;
    const bytes = readFileSync(path);
    for (let at = 50; at < bytes.length; at += 1_000) bytes[at] = (bytes[at] ?? 0) ^ 0x55;
    writeFileSync(path, bytes);
  },
};

const sound = await damagedOnce();
const before = await readAll(sound);

async function readAll(folder: string): Promise<Map<string, string>> {
  const store = await openLevelDbStore(recordingHost(), { folder });
  const entries = await scanAll(store, ALL);
  await store.close();
  return new Map(
    entries.map(({ key, value }) => [key.toString('latin1'), value.toString('latin1')]),
  );
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  t.test(`${what}: what can be read is kept`, async (t) => {
    const folder = join(root, what);
    cpSync(sound, folder, { recursive: true });
    damage(folder);
    const mended = await mendLevelDb(folder);
    t.ok(mended.objects > 100, `${mended.objects} objects`);
    t.ok(mended.dropped >= 1, 'at least the key that is none');

    const host = recordingHost();
    const store = await openLevelDbStore(host, { folder });
    t.teardown(() => store.close());
    t.equal(store.mayHaveForgotten, true);
    const objects = (await scanAll(store, allObjectsRange())).map(({ key }) =>
      key.toString('latin1'),
    );
    t.equal(objects.length, mended.objects);
    const after = await scanAll(store, ALL);
    const spaces = new Set(after.map(({ key }) => String.fromCharCode(key[0] ?? 0)));
    t.notOk(spaces.has('t') || spaces.has('z'), 'no tree, no strange key');
    const entryCount = after.filter(({ key }) => key[0] === 'i'.charCodeAt(0)).length;
    t.ok(entryCount <= objects.length, 'no index entry without its object');
    const isWhole = !what.includes('table');
    if (isWhole) t.equal(objects.length, 1_200, 'nothing is lost with a manifest');
    const changed = after.filter(({ key, value }) => {
      const isOfLog = key[0] === 'v'.charCodeAt(0);
      return !isOfLog && value.toString('latin1') !== before.get(key.toString('latin1'));
    });
    if (isWhole) t.same(changed, [], 'each entry is as it was');
    await store.endCopy();
    await store.close();
    const again = await openLevelDbStore(recordingHost(), { folder });
    t.teardown(() => again.close());
    t.equal(again.mayHaveForgotten, false, 'once');
  });
}

/** Values that LevelDB does not pack, so that damage in them reads as another value, or another key. */
async function unpacked(): Promise<string> {
  const folder = join(root, 'unpacked');
  for (const round of ['1', '2', '3']) {
    const store = await openLevelDbStore(recordingHost(), { folder, writeBufferSizeBytes: 65_536 });
    const operations = Array.from({ length: 300 }, (_, index): WriteOperation => {
      const key = utf8ToByteString(`${round} ${index}`);
      const bucket = { type: utf8ToByteString('t'), bucket: utf8ToByteString('b') };
      const objectKey = encodeObjectKey((index % 8) as Partition, { ...bucket, key });
      return { kind: 'put', key: objectKey, head: randomBytes(300) };
    });
    await store.write(operations);
    await store.close();
  }
  return folder;
}

t.test(
  'whatever bytes of its tables change, a store is mended, and holds what it held',
  async (t) => {
    const folder = await unpacked();
    const held = await readAll(folder);
    const tables = tablesOf(folder).filter((path) => path.endsWith('.ldb'));
    t.ok(tables.length >= 2, `${tables.length} tables`);
    const places = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(places, { minLength: 1, maxLength: tables.length }),
        async (harm) => {
          const copy = join(root, 'flipped');
          rmSync(copy, { recursive: true, force: true });
          cpSync(folder, copy, { recursive: true });
          for (const [index, table] of harm.entries()) {
            const path = join(copy, basename(tables[index] as string));
            const bytes = readFileSync(path);
            for (const place of table) {
              const at = Math.floor(place * bytes.length);
              bytes[at] = ~(bytes[at] ?? 0) & 0xff;
            }
            writeFileSync(path, bytes);
          }
          const { objects, lostBlocks } = await mendLevelDb(copy);
          const after = await readAll(copy);
          const changed = [...after].filter(
            ([key, value]) => key.startsWith('o') && held.get(key) !== value,
          );
          t.same(changed, []);
          t.ok(objects === 900 || lostBlocks > 0 || objects <= 600, `${objects} objects`);
        },
      ),
      { numRuns: 6 },
    );
  },
);

t.test('a mending that was cut off is done again, and keeps each table as it was', async (t) => {
  const folder = join(root, 'cut off');
  cpSync(sound, folder, { recursive: true });
  const table = basename(tablesOf(folder)[0] as string);
  DAMAGES['a table with flipped bits']?.(folder);
  const damaged = readFileSync(join(folder, table));
  mkdirSync(join(folder, 'lost'));
  writeFileSync(join(folder, 'lost', table), 'of the first time');
  writeFileSync(join(folder, `${table}.mended`), 'half a table');
  const { objects } = await mendLevelDb(folder);
  t.ok(objects > 100, `${objects} objects`);
  t.same(readFileSync(join(folder, 'lost', `${table}.1`)), damaged);
  t.equal(readFileSync(join(folder, 'lost', table), 'latin1'), 'of the first time');
});

t.test('a mended store stays one, though its log was damaged before that', async (t) => {
  const folder = join(root, 'damaged before');
  const first = await openLevelDbStore(recordingHost(), { folder });
  for (let index = 0; index < 100; index += 1) await first.write([put(`k${index}`, 'value')]);
  await first.close();
  const log = readdirSync(folder).find((name) => name.endsWith('.log')) ?? '';
  const bytes = readFileSync(join(folder, log));
  bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000);
  writeFileSync(join(folder, log), bytes);
  // Two starts end before they can mark the store; then it is mended.
  rmSync(join(folder, 'values'), { recursive: true });
  writeFileSync(join(folder, 'values'), '');
  for (let start = 0; start < 2; start += 1) {
    await t.rejects(openLevelDbStore(recordingHost(), { folder }), { code: 'config' });
  }
  rmSync(join(folder, 'values'));
  await mendLevelDb(folder);
  const store = await openLevelDbStore(recordingHost(), { folder });
  t.teardown(() => store.close());
  t.same([store.mayHaveForgotten, store.isMended], [true, true]);
});

t.test('a store in use, and a folder that is none, are left alone', async (t) => {
  const folder = join(root, 'in use');
  const store = await openLevelDbStore(recordingHost(), { folder });
  t.teardown(() => store.close());
  await t.rejects(mendLevelDb(folder), { code: 'config', message: /is in use by another process/ });
  await t.rejects(mendLevelDb(join(root, 'nowhere')), {
    code: 'config',
    message: /holds no store/,
  });
  // As one that belongs to another user.
  symlinkSync(join(root, 'endless'), join(root, 'endless'));
  await t.rejects(mendLevelDb(join(root, 'endless')), {
    code: 'config',
    message: /cannot be read: ELOOP/,
  });
});
