/**
 * The tables of a store that is open are checked beside LevelDB: what is damaged is found with the keys
 * that may be lost, what comes and goes is not.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { Partition } from '../../src/base/names.ts';
import { encodeObjectKey, partitionsWithin } from '../../src/storage/keys.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import type { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import type { CheckedTable } from '../../src/storage/table-check.ts';
import { recordingHost } from './recording-host.ts';
import { put } from './store-compliance.ts';

const RING_SIZE = 64;
const PARTITION = 5 as Partition;
const root = mkdtempSync(join(tmpdir(), 'vertebra-live-tables-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

function keyOf(index: number): Buffer {
  return encodeObjectKey(PARTITION, {
    type: utf8ToByteString('t'),
    bucket: utf8ToByteString('b'),
    key: utf8ToByteString(String(index).padStart(6, '0')),
  });
}

async function opened(name: string): Promise<{ folder: string; store: LevelDbStore }> {
  const folder = join(root, name);
  // Opening writes what is in the log as a table.
  const first = await openLevelDbStore(recordingHost(), { folder });
  await first.write(
    Array.from({ length: 1_000 }, (_, index) => put(keyOf(index), randomBytes(60).toString('hex'))),
  );
  await first.close();
  const store = await openLevelDbStore(recordingHost(), { folder, writeBufferSizeBytes: 65_536 });
  t.teardown(() => store.close());
  return { folder, store };
}

async function checked(store: LevelDbStore): Promise<CheckedTable[]> {
  const tables: CheckedTable[] = [];
  for await (const table of store.checkTables()) tables.push(table);
  return tables;
}

/** Of the largest table. */
function tableOf(folder: string): string {
  const paths = readdirSync(folder).filter((name) => name.endsWith('.ldb'));
  const bySize = paths.map((name) => join(folder, name));
  return bySize.sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0] as string;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
  writeFileSync(path, bytes);
}

t.test('a bit that flips under a running store is found, and where its keys lie', async (t) => {
  const { folder, store } = await opened('flipped');
  const sound = await checked(store);
  t.ok(sound.length > 0, 'there are tables');
  t.ok(sound.every(({ damage }) => damage === undefined));

  const path = tableOf(folder);
  flip(path, Math.floor(readFileSync(path).length / 2));
  const [found] = (await checked(store)).filter(({ damage }) => damage !== undefined);
  t.match(found?.damage, { part: 'blocks', blockCount: 1 });
  const [{ from, to } = { from: undefined, to: undefined }] = found?.damage?.spans ?? [];
  t.ok(from !== undefined && to !== undefined && Buffer.compare(from, to) < 0);
  t.same(partitionsWithin({ from, to }, RING_SIZE), [PARTITION]);
  const doubted = Array.from({ length: 1_000 }, (_, index) => keyOf(index)).filter((key) => {
    return Buffer.compare(key, from as Buffer) >= 0 && Buffer.compare(key, to as Buffer) <= 0;
  });
  t.ok(doubted.length > 5 && doubted.length < 200, `${doubted.length} keys of 1,000`);
});

t.test('the first block, the filter, and a table that cannot be read', async (t) => {
  const { folder, store } = await opened('parts');
  const path = tableOf(folder);
  const bytes = readFileSync(path);
  const damageOf = async () => (await checked(store)).find(({ damage }) => damage)?.damage;
  flip(path, 10);
  const first = await damageOf();
  t.match(first, { part: 'blocks', blockCount: 1, spans: [{ from: undefined }] });
  flip(path, 10);
  // The filter ends where the metaindex begins, with which the footer begins.
  const metaindex = new ByteReader(bytes.subarray(-48)).varint();
  flip(path, metaindex - 20);
  const filter = await damageOf();
  t.match(filter, { part: 'filter', blockCount: 0 });
  t.same(filter?.spans[0]?.from?.subarray(0, 3), keyOf(0).subarray(0, 3));
  writeFileSync(path, bytes);
  flip(path, bytes.length - 1);
  const whole = await damageOf();
  t.match(whole, { part: 'table', spans: [{ from: undefined, to: undefined }] });
  t.equal(partitionsWithin(whole?.spans[0] ?? { from: path as never, to: undefined }, 8).length, 8);
});

/** As a flush or a merge that failed leaves one behind; the disk was full, and no process goes on with it. */
function leaveBehind(folder: string, bytes: Buffer): readonly string[] {
  const [unfinished, damaged] = [join(folder, '900001.ldb'), join(folder, '900002.ldb')];
  writeFileSync(unfinished, bytes.subarray(0, Math.floor(bytes.length / 2)));
  writeFileSync(damaged, bytes);
  flip(damaged, Math.floor(bytes.length / 2));
  for (const path of [unfinished, damaged]) utimesSync(path, 0, 0);
  return ['900001.ldb', '900002.ldb'];
}

t.test('tables that the manifest does not name are no part of the store', async (t) => {
  const { folder, store } = await opened('left-behind');
  const before = await checked(store);
  leaveBehind(folder, readFileSync(tableOf(folder)));
  t.same(await checked(store), before);
});

t.test('so it is after hundreds of changes of the manifest, too', async (t) => {
  const { folder, store } = await opened('many-changes');
  const left = leaveBehind(folder, readFileSync(tableOf(folder)));
  const manifest = join(folder, readFileSync(join(folder, 'CURRENT'), 'latin1').trim());
  for (let round = 0; readFileSync(manifest).length < 40_000; round += 1) {
    await store.write([put(keyOf(round), randomBytes(40_000).toString('latin1'))]);
    await store.write([put(Buffer.concat([keyOf(round), Buffer.alloc(900)]), 'a long key')]);
  }
  const tables = await checked(store);
  // LevelDB may have made one of all of them just now.
  t.ok(tables.length > 0, `${tables.length} tables`);
  t.same(
    tables.filter(({ name, damage }) => left.includes(name) || damage !== undefined),
    [],
  );
});

t.test('what the manifest said before is not read again', async (t) => {
  const { folder, store } = await opened('read-once');
  const before = await checked(store);
  const left = leaveBehind(folder, readFileSync(tableOf(folder)));
  const manifest = join(folder, readFileSync(join(folder, 'CURRENT'), 'latin1').trim());
  flip(manifest, 20);
  t.same(await checked(store), before);
  const names = new Set(before.map(({ name }) => name));
  let tables = before;
  for (let round = 0; tables.every(({ name }) => names.has(name)); round += 1) {
    await store.write([put(keyOf(round), randomBytes(40_000).toString('latin1'))]);
    tables = await checked(store);
  }
  t.notOk(
    tables.some(({ name }) => left.includes(name)),
    'what came since is read',
  );
});

t.test('where the manifest cannot be read, tables that are finished are checked', async (t) => {
  const { folder, store } = await opened('no-manifest');
  const sound = (await checked(store)).length;
  const manifest = join(folder, readFileSync(join(folder, 'CURRENT'), 'latin1').trim());
  const unfinished = join(folder, '900001.ldb');
  writeFileSync(unfinished, readFileSync(tableOf(folder)).subarray(0, 1_000));
  flip(tableOf(folder), 1_000);
  for (const spoil of [() => flip(manifest, 20), () => rmSync(join(folder, 'CURRENT'))]) {
    spoil();
    const tables = await checked(store);
    t.equal(tables.length, sound);
    t.equal(tables.filter(({ damage }) => damage !== undefined).length, 1);
  }
});

t.test('tables that LevelDB writes and removes meanwhile are no damage', async (t) => {
  const { store } = await opened('busy');
  const progress = { isDone: false };
  const writing = (async () => {
    for (let round = 0; round < 60; round += 1) {
      const some = Array.from({ length: 100 }, (_, index) => {
        return put(keyOf((round * 37 + index) % 2_000), randomBytes(200).toString('hex'));
      });
      await store.write(some);
    }
    progress.isDone = true;
  })();
  const damaged: CheckedTable[] = [];
  const names = new Set<string>();
  while (!progress.isDone) {
    for (const table of await checked(store)) {
      names.add(table.name);
      if (table.damage !== undefined) damaged.push(table);
    }
  }
  await writing;
  t.same(damaged, []);
  t.ok(names.size > 1, `${names.size} tables were met`);
});

t.test('a folder that cannot be read is a fault, and stops no node', async (t) => {
  const { store } = await opened('gone');
  rmSync(join(root, 'gone'), { recursive: true });
  await t.rejects(checked(store), { code: 'store-corrupt' });
});
